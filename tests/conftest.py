"""Fixtures for more than one kind of test: emulators, databases, a simulated Meet."""

from __future__ import annotations

import os
import uuid
from pathlib import Path

import pytest
from google.cloud import firestore
from hypothesis import settings

from functions.adapters.store.databases.firestore import FirestoreDatabase
from functions.adapters.store.databases.sqlite import SqliteDatabase
from infra.local.emulators import firestore_emulator, pubsub_emulator
from infra.local.firestore_gate import IN_PROCESSES, embedded
from infra.local.firestore_gate.gate import Gate
from infra.local.firestore_gate.measure import MOST_BYTES
from infra.local.firestore_gate.proxy import gated
from infra.local.processes import bypass_proxies
from tests.api import AUDIENCE, ISSUER
from tests.documented import undocumented

bypass_proxies()

# An emulator lives for minutes. Java's optimising compiler takes more of the processors than it saves in this time.
os.environ["JAVA_TOOL_OPTIONS"] = f"{os.environ.get('JAVA_TOOL_OPTIONS', '')} -XX:TieredStopAtLevel=1".strip()

# The examples are the same each time, so that a failure comes from a change in the code. `make explore` tries other
# examples.
settings.register_profile("project", deadline=None, derandomize=True)
settings.register_profile("explore", deadline=None)
settings.register_profile("quick", settings.get_profile("project"), max_examples=10)  # make unit
settings.load_profile("project")


GATE = Gate()
embedded.install(GATE)


@pytest.fixture(scope="session", autouse=True)
def firestore_gate_elsewhere(tmp_path_factory):
    """Put the gate also into processes that tests start; return the file in which they record refusals."""
    log = tmp_path_factory.mktemp("firestore-gate") / "refused"
    log.touch()
    with pytest.MonkeyPatch.context() as environment:
        environment.setenv("FIRESTORE_GATE_LOG", str(log))
        environment.setenv("PYTHONPATH", str(IN_PROCESSES), prepend=os.pathsep)
        yield log


@pytest.fixture(autouse=True)
def firestore_gate(request, firestore_gate_elsewhere):
    """Fail the test if Firestore would have refused one of its queries or commits.

    The test fails even if the application handled the refusal. A test that expects refusals gets them with
    `firestore_gate.take()`. A test with the mark `any_query` makes queries that the application never makes.
    """
    GATE.is_open = request.node.get_closest_marker("any_query") is not None
    indexes = GATE.indexes
    yield GATE
    unknown = undocumented(GATE.fields)
    GATE.fields.clear()
    if unknown and not request.node.get_closest_marker("any_field"):
        pytest.fail(f"docs/documents.md does not know what was stored: {', '.join(unknown)}", pytrace=False)
    GATE.is_open, GATE.indexes, GATE.most_bytes = False, indexes, MOST_BYTES
    if refused := [*map(str, GATE.take()), *firestore_gate_elsewhere.read_text().splitlines()]:
        firestore_gate_elsewhere.write_text("")
        pytest.fail("\n".join(["Firestore would have refused:", *refused]), pytrace=False)


@pytest.fixture(scope="session")
def emulated_firestore(tmp_path_factory):
    """Start the Firestore emulator without the gate; if it is missing, fail with the command that installs it."""
    with firestore_emulator(tmp_path_factory.mktemp("firestore")) as address:
        yield address


@pytest.fixture(scope="session")
def firestore_address(emulated_firestore):
    """Return the Firestore emulator behind the gate, which refuses what Firestore refuses."""
    with gated(emulated_firestore, GATE) as address:
        yield address


@pytest.fixture(scope="session")
def pubsub_address(tmp_path_factory):
    """Start the Pub/Sub emulator; if it is missing, fail with the command that installs it."""
    with pubsub_emulator(tmp_path_factory.mktemp("pubsub")) as address:
        yield address


@pytest.fixture(scope="session")
def issuer():
    """Serve the signer of the tokens of `tests.api`, with its certificates."""
    with ISSUER.in_thread() as issuer:
        yield issuer


@pytest.fixture(scope="session")
def checking(issuer):
    """Return the environment variables with which a function checks the tokens of `tests.api`."""
    return {"API_AUDIENCE": AUDIENCE, "ID_TOKEN_CERTIFICATES_ENDPOINT": issuer.endpoint}


@pytest.fixture
def project():
    """Return a new project for each test, so that tests share an emulator but no documents."""
    return f"demo-{uuid.uuid4().hex[:12]}"


@pytest.fixture
def firestore_client(firestore_address, project, monkeypatch):
    monkeypatch.setenv("FIRESTORE_EMULATOR_HOST", firestore_address)
    return firestore.AsyncClient(project=project)


@pytest.fixture(params=["sqlite", "firestore"])
def database(request, tmp_path: Path):
    """Give each database of documents in turn."""
    if request.param == "sqlite":
        return SqliteDatabase(tmp_path / "attendance.db")
    return FirestoreDatabase(request.getfixturevalue("firestore_client"))
