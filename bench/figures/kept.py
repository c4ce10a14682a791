"""The file with the results. Each part has its own date and machine, because it can be measured alone."""

from __future__ import annotations

import contextlib
import json
import os
import platform
import re
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field, fields, replace
from datetime import UTC, datetime
from importlib.metadata import version
from pathlib import Path
from typing import Any, get_type_hints

from pydantic import TypeAdapter, ValidationError

from bench.figures.goals import verdicts
from bench.figures.model import Figures

FILE = Path(__file__).resolve().parents[1] / "results.json"
PARTS = tuple(part.name for part in fields(Figures))


@dataclass(frozen=True, slots=True)
class Machine:
    """When and on what kind of machine a part was measured, without anything that identifies its owner."""

    date: str
    processor: str
    cores: int
    memory_gib: int
    system: str
    python: str
    grpcio: str
    protobuf: str
    load: float | None = None
    """The number of programs that wanted to run in the minute before, if it is known."""

    @classmethod
    def this(cls) -> Machine:
        """Return this machine now; ask before the measurements, which are load themselves."""
        return cls(
            date=datetime.now(UTC).isoformat(timespec="seconds"),
            processor=_processor(),
            cores=os.cpu_count() or 0,
            memory_gib=round(os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / (1 << 30)),
            system=_system(),
            python=platform.python_version(),
            grpcio=version("grpcio"),
            protobuf=version("protobuf"),
            load=round(os.getloadavg()[0], 1),
        )

    @property
    def busy(self) -> bool:
        """Whether other programs used a good part of it."""
        return self.load is not None and self.load > self.cores / 2

    def __str__(self) -> str:
        busy = f", busy with other work (load {self.load:g})" if self.busy else ""
        return (
            f"{self.processor}, {self.cores} cores, {self.memory_gib} GiB of memory, {self.system}, "
            f"Python {self.python}, {self.date[:10]}{busy}"
        )


@dataclass(frozen=True, slots=True)
class Kept:
    """Results with their machines, by the name of the part."""

    figures: Figures = field(default_factory=Figures)
    machines: Mapping[str, Machine] = field(default_factory=dict)

    def updated(self, figures: Figures, machine: Machine) -> Kept:
        """Return these results with the parts that were measured now."""
        new = {name: value for name in PARTS if (value := getattr(figures, name)) is not None}
        return Kept(replace(self.figures, **new), {**self.machines, **dict.fromkeys(new, machine)})

    @property
    def measured_on(self) -> str:
        """Return every machine on which a part was measured, once for each day."""
        return "; ".join(dict.fromkeys(str(self.machines[name]) for name in PARTS if name in self.machines))


def load(text: str) -> Kept:
    """Return the results in a file. A part from another version of the benchmark is left out."""
    kept, machines, parts = json.loads(text), {}, {}
    hints = get_type_hints(Figures)
    for name in PARTS:
        with contextlib.suppress(ValidationError, KeyError, TypeError):
            machines[name] = TypeAdapter(Machine).validate_python(kept[name]["measured_on"])
            parts[name] = TypeAdapter(hints[name]).validate_python(kept[name]["figures"])
    return Kept(Figures(**parts), {name: machine for name, machine in machines.items() if name in parts})


def dump(kept: Kept) -> str:
    """Return the content of the file: every sample, and the goals."""
    figures = asdict(kept.figures)
    parts: dict[str, Any] = {
        name: {"measured_on": asdict(kept.machines[name]), "figures": figures[name]}
        for name in PARTS
        if name in kept.machines
    }
    return json.dumps({**parts, "goals": [asdict(verdict) for verdict in verdicts(kept.figures)]}, indent=1) + "\n"


def _processor() -> str:
    with contextlib.suppress(OSError):
        found = re.search(r"^model name\s*:\s*(.+)$", Path("/proc/cpuinfo").read_text(), flags=re.MULTILINE)
        if found:
            return found[1].strip()
    return platform.machine()


def _system() -> str:
    with contextlib.suppress(OSError):
        return platform.freedesktop_os_release()["PRETTY_NAME"]
    return platform.system()
