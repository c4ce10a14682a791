"""How a deployment should be. This is read from the deployment's own scripts and files, and not repeated here."""

from __future__ import annotations

import functools
import json
import subprocess
import tomllib
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml  # type: ignore[import-untyped]  # the package has no py.typed

Json = dict[str, Any]

ROOT = Path(__file__).parents[2]

_NAMES = (
    *("APIS", "ACCOUNT", "TRIGGER_ACCOUNT", "BUILD_ACCOUNT", "EVENTS_TOPIC", "JOBS_TOPIC", "CHANGES_TOPIC"),
    *("DEAD_LETTERS", "TOPICS", "MEET_PUBLISHER", "EVENTS_FUNCTION", "JOBS_FUNCTION", "API_FUNCTION", "FUNCTIONS"),
    *(
        "RUNTIME",
        "MEMORY",
        "CPU",
        "CONCURRENCY",
        "API_CONCURRENCY",
        "MOST_INSTANCES",
        "ATTEMPTS",
        "SHORTEST_PAUSE",
        "LONGEST_PAUSE",
    ),
    *("MEET_READS", "MEET_SHARED_READS"),
    *(
        "ACK_DEADLINE",
        "KEPT_FOR",
        "SCHEDULE",
        "EXPIRING",
        "PERMISSIONS",
        "SCOPES",
        "EXCLUSION",
        "INVOKER_ROLE",
        "ERASURE_SECRET",
    ),
)

# A script that asks the deployment's scripts for their constants, and for the functions that they would make.
_ASK = r"""
set -eo pipefail
PROJECT=PROJECT REGION=REGION NUMBER=NUMBER FIRESTORE_DATABASE='(default)'
for part in names functions watching; do source "infra/deploy/$part.sh"; done
say() {
  local -n named=$1
  local values=("${named[@]}")
  printf '%s\0' "$1" "${#values[@]}" "${values[@]}"
}
for name in "$@"; do say "$name"; done
source_digest() { :; }
ensure_triggers() { :; }
ensure_invokers() { :; }
ensure_function() { printf '%s\0' function 4 "$@"; }
ensure_functions
"""


@dataclass(frozen=True)
class WantedFunction:
    """A function as the deployment makes it."""

    name: str
    entry: str
    timeout: int
    topic: str


class Wanted:
    """How a deployment should be, according to its scripts and files."""

    def __init__(self, names: dict[str, list[str]], functions: list[WantedFunction]) -> None:
        self._names = names
        self.functions = functions

    def one(self, name: str) -> str:
        """A constant of infra/deploy/names.sh."""
        return self._names[name][0]

    def many(self, name: str) -> list[str]:
        """A list of infra/deploy/names.sh."""
        return self._names[name]

    @functools.cached_property
    def grants(self) -> list[Json]:
        """The roles that each account needs, from infra/iam.toml."""
        with (ROOT / "infra/iam.toml").open("rb") as file:
            return list(tomllib.load(file)["grants"])

    @functools.cached_property
    def indexes(self) -> Json:
        """The content of infra/firestore.indexes.json."""
        return dict(json.loads((ROOT / "infra/firestore.indexes.json").read_text()))

    @staticmethod
    def rules(name: str) -> str:
        """The text of a file of security rules, such as infra/firestore.rules."""
        return (ROOT / name).read_text()

    @functools.cached_property
    def metrics(self) -> dict[str, Json]:
        """The files of infra/monitoring/metrics, by name."""
        return _files("metrics")

    @functools.cached_property
    def alerts(self) -> dict[str, Json]:
        """The files of infra/monitoring/policies, by name."""
        return _files("policies")

    @functools.cached_property
    def regions(self) -> list[str]:
        """The regions in infra/deploy/regions.txt."""
        lines = (ROOT / "infra/deploy/regions.txt").read_text().splitlines()
        return [line.strip() for line in lines if line.strip() and not line.startswith("#")]


def _files(kind: str) -> dict[str, Json]:
    return {
        file.stem: yaml.safe_load(file.read_text())
        for file in sorted((ROOT / "infra/monitoring" / kind).glob("*.yaml"))
    }


@functools.cache
def read_wanted() -> Wanted:
    """Ask the deployment's scripts, once in each process."""
    answer = subprocess.run(  # noqa: S603 - our own script
        ["bash", "-c", _ASK, "bash", *_NAMES],  # noqa: S607 - the same bash as the deployment uses
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=True,
    )
    words = iter(answer.stdout.split("\0")[:-1])
    names: dict[str, list[str]] = {}
    functions: list[WantedFunction] = []
    for name in words:
        values = [next(words) for _ in range(int(next(words)))]
        if name == "function":
            functions.append(WantedFunction(values[0], values[1], int(values[2]), values[3]))
        else:
            names[name] = values
    return Wanted(names, functions)
