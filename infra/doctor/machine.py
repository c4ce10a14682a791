"""The deployed settings on an operator's machine, for `make status`, `enroll`, `backfill` and `replay`.

`make settings` writes the settings to a file that only its owner can read. With PROJECT=… those commands read
this file.
"""

from __future__ import annotations

import os
import shlex
from pathlib import Path

from infra.doctor.account import PROJECT, REGION
from infra.doctor.checks import Report, check
from infra.doctor.deployment import Deployment
from infra.doctor.wanted import ROOT

_ONLY_THERE = {"API_CALLERS", "LOG_EXECUTION_ID", "LOG_LEVEL"}
"""Settings that the commands do not use."""

_NOT_HERE = (
    *("ATTENDANCE_STORE", "FIRESTORE_EMULATOR_HOST", "PUBSUB_EMULATOR_HOST", "MEET_API_ENDPOINT"),
    *("WORKSPACE_EVENTS_API_ENDPOINT", "PEOPLE_API_ENDPOINT", "DIRECTORY_API_ENDPOINT", "REPORTS_API_ENDPOINT"),
    *("CALENDAR_API_ENDPOINT", "LOG_LEVEL"),
)
"""Variables that the terminal may have from the local stack. With them, a command would not use the deployment."""


def settings_file(project: str) -> Path:
    """The file on this machine that contains the settings of a project's deployment."""
    folder = Path(os.environ.get("DEPLOYED_SETTINGS", ROOT / ".local/deployed"))
    return folder / f"{project.replace(':', '_')}.env"


def written(project: str, settings: dict[str, str]) -> str:
    """The text of a settings file for `source`. It also makes the project pay for calls with the user's own account.

    https://cloud.google.com/docs/quotas/set-quota-project
    """
    kept = {name: value for name, value in settings.items() if name not in _ONLY_THERE}
    kept["GOOGLE_CLOUD_QUOTA_PROJECT"] = project
    lines = [f"export {name}={shlex.quote(value)}" for name, value in sorted(kept.items())]
    return "\n".join([f"unset {' '.join(_NOT_HERE)}", *lines, ""])


def keep(project: str, settings: dict[str, str]) -> Path:
    """Write the settings to the file for this machine's commands, and return the file."""
    file = settings_file(project)
    file.parent.mkdir(parents=True, exist_ok=True)
    descriptor = os.open(file, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
    with os.fdopen(descriptor, "w", encoding="utf-8", newline="\n") as out:
        out.write(written(project, settings))
    file.chmod(0o600)
    return file


@check("teachers", "commands on this machine", needs=[PROJECT, REGION, "function meet-attendance-events"])
async def _machine(deployment: Deployment, report: Report) -> None:
    file = settings_file(deployment.project)
    if not file.exists():
        report.fact(f"not set up: make settings {deployment.options}")
        return
    if file.read_bytes() != written(deployment.project, await deployment.settings()).encode():
        report.warning(
            "here, make status, enroll, backfill and replay would use other settings than the deployment",
            f"make settings {deployment.options}",
        )
    key = os.environ.get("GOOGLE_APPLICATION_CREDENTIALS")
    if key:
        report.warning(
            "GOOGLE_APPLICATION_CREDENTIALS is set, so that they do not run with your own account; unset it",
            "gcloud auth application-default login",
        )
    elif not _own_credentials().exists():
        report.warning("they have no credentials here", "gcloud auth application-default login")


def _own_credentials() -> Path:
    """The file that `gcloud auth application-default login` writes, and in which Google's libraries look.

    https://cloud.google.com/docs/authentication/application-default-credentials#personal
    """
    folder = os.environ.get("CLOUDSDK_CONFIG")
    return (Path(folder) if folder else Path.home() / ".config/gcloud") / "application_default_credentials.json"
