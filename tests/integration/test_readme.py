"""The commands in the README are run."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path

from infra.local.function_server import ROOT
from infra.local.processes import free_port

README = (ROOT / "README.md").read_text()


def on_free_ports(script):
    """Return the script with free ports, the Python of this process, and longer timeouts for a busy machine."""
    ports = {found: str(free_port()) for found in re.findall(r"(?:127\.0\.0\.1:|--port )(\d+)", script)}
    for named, free in ports.items():
        script = re.sub(rf"\b{named}\b", free, script)
    assert "--retry 30 " in script
    return script.replace("--retry 30 ", "--retry 200 ").replace(".venv/bin/", f"{Path(sys.executable).parent}/")


def test_a_function_by_itself_records_the_class_whose_event_is_delivered_as_the_readme_says(tmp_path):
    [script] = re.findall(r"^You can also run a single.*?^```sh\n(.*?)^```$", README, flags=re.MULTILINE | re.DOTALL)
    with (tmp_path / "output").open("w+") as output:
        subprocess.run(  # noqa: S603 - our own page
            # It runs with job control, as in a terminal.
            ["/bin/bash", "-c", f"set -m\n{on_free_ports(script)}\nkill %1 %2 %3\nwait"],
            cwd=ROOT,
            env={**os.environ, "CLOUDSDK_CONFIG": str(tmp_path), "CLOUDSDK_CORE_DISABLE_PROMPTS": "1"},
            stdout=output,
            stderr=subprocess.STDOUT,
            timeout=280,
            check=False,
        )
        output.seek(0)
        shown = output.read()

    assert re.search(r'"message": "conference.recorded", "outcome": "complete".*"people": 30', shown), shown
