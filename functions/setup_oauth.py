"""`python -m functions.setup_oauth --meet`: let a teacher consent, without an administrator. See docs/oauth.md."""

from __future__ import annotations

import sys

if not __package__:  # as a file it does not find the others
    sys.exit("Run it like this, in the folder of this project: .venv/bin/python -m functions.setup_oauth --meet")

from functions import logs
from functions.entrypoints.commands.consent.app import setup_oauth

if __name__ == "__main__":
    logs.configure("ERROR", stream=sys.stderr)  # a command says itself what it does
    setup_oauth(prog_name=".venv/bin/python -m functions.setup_oauth")
