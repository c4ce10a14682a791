"""`python -m functions.entrypoints.commands.operate COMMAND`; without a command, what there is."""

from __future__ import annotations

import sys
from collections.abc import Mapping
from importlib import import_module
from typing import Final

import click

from functions import logs

COMMANDS: Final[Mapping[str, str]] = {
    "enroll": "functions.entrypoints.commands.operate.enroll",
    "backfill": "functions.entrypoints.commands.operate.backfill",
    "replay": "functions.entrypoints.commands.operate.replay",
    "status": "functions.entrypoints.commands.operate.status",
}
"""The module of each command, which has the command under its own name."""


class _Commands(click.Group):
    """Loads a command's module only when it is wanted: each starts as fast as it can."""

    def list_commands(self, ctx: click.Context) -> list[str]:  # noqa: ARG002 - click's signature
        """See click."""
        return list(COMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:  # noqa: ARG002 - click's signature
        """See click."""
        if cmd_name not in COMMANDS:
            return None
        command = getattr(import_module(COMMANDS[cmd_name]), cmd_name)
        assert isinstance(command, click.Command)  # noqa: S101 - as the table says
        return command


@click.group(cls=_Commands)
def operate() -> None:
    """Operate Meet Attendance."""


if __name__ == "__main__":
    logs.configure("ERROR", stream=sys.stderr)  # a command says itself what it does
    operate(prog_name="operate")
