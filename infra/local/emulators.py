"""The emulators of the Google Cloud SDK: each runs as long as it is needed.

https://cloud.google.com/firestore/docs/emulator and https://cloud.google.com/pubsub/docs/emulator
"""

from __future__ import annotations

import contextlib
import os
import shutil
from collections.abc import Iterator
from pathlib import Path

from infra.local.processes import Program, StartError, free_port, running


@contextlib.contextmanager
def firestore_emulator(folder: Path, *, port: int = 0, java: str = "") -> Iterator[str]:
    """Run Firestore on this machine and give the value for FIRESTORE_EMULATOR_HOST. Logs go into the folder.

    Args:
        folder: For logs.
        port: A free one if 0.
        java: Further options of Java, for example how much memory it uses.
    """
    with firestore_program(folder, port=port, java=java) as (address, _):
        yield address


@contextlib.contextmanager
def firestore_program(folder: Path, *, port: int = 0, java: str = "") -> Iterator[tuple[str, Program]]:
    """Run Firestore as above and also give its program, for example to pause it."""
    command = ["gcloud", "emulators", "firestore", "start"]
    with _emulator("cloud-firestore-emulator", "firestore-emulator", command, folder, port=port, java=java) as started:
        yield started


@contextlib.contextmanager
def pubsub_emulator(folder: Path, *, port: int = 0) -> Iterator[str]:
    """Run Pub/Sub on this machine and give the value for PUBSUB_EMULATOR_HOST. Logs and data go into the folder."""
    data = folder / "pubsub"
    data.mkdir(parents=True, exist_ok=True)  # gcloud does not create it
    command = ["gcloud", "beta", "emulators", "pubsub", "start", f"--data-dir={data}"]
    with _emulator("pubsub-emulator", "pubsub-emulator", command, folder, port=port) as (address, _):
        yield address


@contextlib.contextmanager
def _emulator(
    component: str, debian: str, command: list[str], folder: Path, *, port: int, java: str = ""
) -> Iterator[tuple[str, Program]]:
    install = (
        "Install what is missing and try again:\n"
        "  gcloud         https://cloud.google.com/sdk/docs/install\n"
        f"  the emulator   gcloud components install {component}\n"
        f"                 (where gcloud came as a Debian package: sudo apt-get install google-cloud-cli-{debian})\n"
        "  Java           sudo apt-get install openjdk-17-jre-headless"
    )
    for needed in ("gcloud", "java"):
        if shutil.which(needed) is None:
            raise StartError(f"The {component} needs '{needed}', which is not installed.\n{install}")
    folder.mkdir(parents=True, exist_ok=True)
    address = f"127.0.0.1:{port or free_port()}"
    env = {"CLOUDSDK_CONFIG": str(folder / "gcloud"), "CLOUDSDK_CORE_DISABLE_PROMPTS": "1"}
    if java:
        env["JAVA_TOOL_OPTIONS"] = f"{os.environ.get('JAVA_TOOL_OPTIONS', '')} {java}".strip()
    log = folder / f"{component}.log"
    with contextlib.ExitStack() as stack:
        try:
            program = stack.enter_context(
                running([*command, f"--host-port={address}"], ready=f"http://{address}/", log=log, env=env)
            )
        except StartError as error:
            raise StartError(f"The {component} does not start. {error}\n{install}") from None
        yield address, program
