"""Rehearse a teacher's consent without Google: the real command, with stand-ins that start and end with it.

`.venv/bin/python -m infra.local.oauth_rehearsal --meet`; all options are those of the command (docs/oauth.md).
"""

from __future__ import annotations

import contextlib
import json
import os
import subprocess
import sys
from datetime import UTC, datetime

from infra.local.function_server import ROOT
from infra.local.google_apis import GoogleApis
from infra.local.oauth_server import OAuthServer
from infra.local.processes import bypass_proxies, terminate_as_interrupt
from infra.local.roster_class import EverybodysSchool
from infra.local.secrets import SecretManagerSimulator
from infra.local.subscriptions import WorkspaceEventsSimulator

FOLDER = ROOT / ".local" / "oauth"
PROJECT = "school-attendance"


def main() -> None:
    """Run the command with stand-ins for every service that it calls; exit with the command's code."""
    terminate_as_interrupt()
    bypass_proxies()
    FOLDER.mkdir(mode=0o700, parents=True, exist_ok=True)
    school = EverybodysSchool(lambda: datetime.now(UTC))
    with contextlib.ExitStack() as stand_ins:
        oauth = stand_ins.enter_context(OAuthServer(school).in_thread())
        apis = stand_ins.enter_context(GoogleApis(school, tokens=oauth).in_thread())
        events = stand_ins.enter_context(WorkspaceEventsSimulator(school, tokens=oauth).in_thread())
        secrets = stand_ins.enter_context(SecretManagerSimulator().in_thread())
        client = FOLDER / "client_secret.json"
        client.write_text(json.dumps(oauth.new_client(PROJECT)))
        print(
            "A rehearsal: Google is simulated on this machine, and nothing leaves it. On the page that opens, name any "
            "account, such as teacher@school.example, and tick what you grant.\n",
            flush=True,
        )
        env = {
            "OAUTH_CLIENT_FILE": str(client),
            "GOOGLE_CLOUD_PROJECT": PROJECT,
            "SERVICE_ACCOUNT_EMAIL": f"meet-attendance@{PROJECT}.iam.gserviceaccount.com",
            "ATTENDANCE_STORE": f"sqlite:///{FOLDER}/attendance.db",
            "MEET_API_ENDPOINT": apis.endpoint,  # consent does not read from Meet
            "PEOPLE_API_ENDPOINT": apis.endpoint,
            "DIRECTORY_API_ENDPOINT": apis.endpoint,
            "WORKSPACE_EVENTS_API_ENDPOINT": events.endpoint,
            "OAUTH_TOKEN_ENDPOINT": oauth.endpoint,
            "SECRET_MANAGER_API_ENDPOINT": secrets.endpoint,
            "OAUTHLIB_INSECURE_TRANSPORT": "1",  # without it, Google's library refuses plain HTTP
        }
        command = [sys.executable, "-m", "functions.setup_oauth", *(sys.argv[1:] or ["--meet"])]
        with contextlib.suppress(KeyboardInterrupt):
            sys.exit(subprocess.run(command, env={**os.environ, **env}, cwd=ROOT, check=False).returncode)


if __name__ == "__main__":
    main()
