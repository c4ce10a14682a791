"""`infra/debian-packages.sh`, on a machine with simulated package tools."""

from __future__ import annotations

import os
import subprocess
import tempfile
from pathlib import Path

import pytest

from infra.local.function_server import ROOT

SCRIPT = (ROOT / "infra" / "debian-packages.sh").read_text()
NOBODY = 65534


@pytest.fixture
def machine(tmp_path):
    """Return a function that runs the script with these programs in place of Debian's, as root or not."""

    def run(*, root=True, **programs):
        for name, text in programs.items():
            program = folder / name.replace("_", "-")
            program.write_text(f"#!/bin/bash\n{text}\n")
            program.chmod(0o755)
        return subprocess.run(
            ["/bin/bash", "-s"],
            input=SCRIPT,
            text=True,
            capture_output=True,
            env={"PATH": f"{folder}:/usr/bin:/bin", "TOLD": str(tmp_path / "told")},
            user=None if root or os.geteuid() else NOBODY,
            check=False,
            cwd="/",
        )

    with tempfile.TemporaryDirectory() as made:  # pytest's own folder is closed to everybody except its owner
        folder = Path(made)
        folder.chmod(0o755)
        yield run


ALL_THERE = 'for last in "$@"; do [[ "$last" == -* ]] || printf "installed=%s " "$last"; done'
NONE_THERE = "exit 1"
ASKS_NOTHING = '[[ "$1" == -n ]] && shift; "$@"'


def test_where_all_is_there_nothing_is_done_or_said(machine):
    done = machine(dpkg_query=ALL_THERE, apt_get="exit 9")

    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")


def test_what_is_missing_is_installed_with_new_lists_where_the_old_ones_do_not_do(machine, tmp_path):
    apt = 'case "$*" in *update*) touch "$TOLD";; *install*) [[ -e "$TOLD" ]] && echo "$@" >> "$TOLD";; esac'
    done = machine(
        dpkg_query=ALL_THERE.replace('"$last" == -*', '"$last" == -* || "$last" == php-cli'),
        apt_get=apt,
        sudo=ASKS_NOTHING,
    )

    assert done.returncode == 0
    asked = (tmp_path / "told").read_text().split()
    assert "php-cli" in asked
    assert "--no-install-recommends" in asked
    assert "chromium" not in asked


def test_anybody_who_may_not_install_is_told_the_command(machine):
    done = machine(root=False, dpkg_query=NONE_THERE, apt_get="exit 9", sudo="exit 1")

    assert done.returncode == 1
    assert "sudo apt-get install --no-install-recommends chromium curl jq libreoffice-calc" in done.stderr


def test_what_cannot_be_installed_ends_with_the_command_to_see_why(machine):
    done = machine(dpkg_query=NONE_THERE, apt_get="exit 100", sudo=ASKS_NOTHING)

    assert done.returncode == 1
    assert "apt-get install --no-install-recommends chromium" in done.stderr
