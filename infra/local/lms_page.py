"""The page in `docs/lms`, served as the web server of an LMS would serve it."""

from __future__ import annotations

import contextlib
import json
import threading
from collections.abc import Iterator, Mapping
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import httpx

from infra.local.function_server import ROOT
from infra.local.processes import StartError

FOLDER = ROOT / "docs" / "lms"
RULES = ROOT / "infra" / "firestore.rules"
SDK = FOLDER / "node_modules" / "firebase" / "firebase-firestore.js"


class _Files(SimpleHTTPRequestHandler):
    def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - the name that the class above gives it
        """Print nothing: log lines would mix with the output of tests."""


@contextlib.contextmanager
def lms_page() -> Iterator[str]:
    """Serve the folder; give its address.

    Raises:
        StartError: The Firebase SDK is not installed.
    """
    if not SDK.exists():
        raise StartError("The Firebase SDK is not in docs/lms/node_modules. Run: make node-modules")
    with ThreadingHTTPServer(("127.0.0.1", 0), partial(_Files, directory=str(FOLDER))) as server:
        serving = threading.Thread(target=server.serve_forever)
        serving.start()
        try:
            yield f"http://127.0.0.1:{server.server_address[1]}"
        finally:
            server.shutdown()
            serving.join()


def load_rules(firestore: str, project: str) -> None:
    """Load the deployment's security rules into the emulator at this address, for this project."""
    rules = {"rules": {"files": [{"name": RULES.name, "content": RULES.read_text()}]}}
    address = f"http://{firestore}/emulator/v1/projects/{project}:securityRules"
    httpx.put(address, json=rules, trust_env=False, timeout=60).raise_for_status()


def emulator_config(project: str, firestore: str, claims: Mapping[str, Any], *, time_zone: str) -> str:
    """Return the text of a `config.js` for a person with these claims at the emulator."""
    host, _, port = firestore.partition(":")
    config = {
        "firebase": {"projectId": project, "apiKey": "none"},
        "emulator": {"host": host, "port": int(port), "claims": {"sub": "somebody", **claims}},
        "terms": [
            {"name": "Spring 2020", "begin": "2020-02-01", "end": "2020-08-01"},
            {"name": "Autumn 2026", "begin": "2026-08-01", "end": "2027-02-01"},
        ],
        "timeZone": time_zone,
        "language": "en-GB",
    }
    return f"export const config = {json.dumps(config, indent=2)};\n"
