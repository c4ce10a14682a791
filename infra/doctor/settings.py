"""`python -m infra.doctor.settings PROJECT=… REGION=…`: stores the deployed settings for this machine's commands."""

from __future__ import annotations

import asyncio
import os
import sys
from collections.abc import Sequence

from infra.doctor.__main__ import PATIENCE, Options
from infra.doctor.account import BadInput, preflight
from infra.doctor.deployment import Deployment
from infra.doctor.google import Google, NotLoggedIn, Unreadable, client, gcloud_token
from infra.doctor.machine import keep, settings_file
from infra.doctor.wanted import ROOT, read_wanted


async def _deployed(options: Options) -> dict[str, str]:
    async with client(await gcloud_token(PATIENCE)) as http:
        google = Google(http, options.project, patience=PATIENCE)
        deployment = Deployment(google, read_wanted(), project=options.project, region=options.region)
        await preflight(deployment)
        settings = await deployment.settings()
    if not settings:
        raise BadInput(f"Nothing is deployed in {options.project}, {options.region}: {deployment.deploy}")
    return settings


def main(arguments: Sequence[str]) -> int:
    """Run the command, as the module describes; returns the exit code."""
    try:
        options = Options(arguments, known=("PROJECT", "REGION"))
        settings = asyncio.run(_deployed(options))
    except NotLoggedIn as error:
        sys.stderr.write(f"{error} Run: gcloud auth login\n")
        return 2
    except (BadInput, Unreadable) as error:
        sys.stderr.write(f"{error}\n")
        return 2
    try:
        file = os.path.relpath(keep(options.project, settings), ROOT)
    except OSError as error:
        sys.stderr.write(
            f"The settings cannot be written to {settings_file(options.project)}: {error.strerror}. Free some "
            "space, or name another folder: export DEPLOYED_SETTINGS=…\n"
        )
        return 2
    sys.stdout.write(
        f"{file} has the settings of {options.project}. With your own account, once:\n"
        "  gcloud auth application-default login\n"
        f"Then: make status PROJECT={options.project}\n"
    )
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
