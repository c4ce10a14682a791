"""Fixtures that more than one kind of test needs: emulators, databases, a simulated Meet."""

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

# The same examples each time: a change is judged by what it changes. `make explore` looks for others.
settings.register_profile("project", deadline=None, derandomize=True)
settings.register_profile("explore", deadline=None)
settings.register_profile("quick", settings.get_profile("project"), max_examples=10)  # make unit
settings.load_profile("project")


GATE = Gate()
embedded.install(GATE)


@pytest.fixture(scope="session", autouse=True)
def firestore_gate_elsewhere(tmp_path_factory):
    """Puts the gate into the processes that tests start too; gives the file in which they write what they refuse."""
    log = tmp_path_factory.mktemp("firestore-gate") / "refused"
    log.touch()
    with pytest.MonkeyPatch.context() as environment:
        environment.setenv("FIRESTORE_GATE_LOG", str(log))
        environment.setenv("PYTHONPATH", str(IN_PROCESSES), prepend=os.pathsep)
        yield log


@pytest.fixture(autouse=True)
def firestore_gate(request, firestore_gate_elsewhere):
    """Fails the test if Firestore would not have answered one of its queries, or not have taken one of its commits.

    Whatever the application made of it: `firestore_gate.take()` gives what was refused to a test that expects it.
    A test that is marked `any_query` asks for what the application never does.
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
    """The Firestore emulator as it is; a missing one fails with the command that installs it."""
    with firestore_emulator(tmp_path_factory.mktemp("firestore")) as address:
        yield address


@pytest.fixture(scope="session")
def firestore_address(emulated_firestore):
    """The Firestore emulator behind the gate, which refuses what Firestore refuses."""
    with gated(emulated_firestore, GATE) as address:
        yield address


@pytest.fixture(scope="session")
def pubsub_address(tmp_path_factory):
    """The Pub/Sub emulator; a missing one fails with the command that installs it."""
    with pubsub_emulator(tmp_path_factory.mktemp("pubsub")) as address:
        yield address


@pytest.fixture(scope="session")
def issuer():
    """Who signs the tokens of `tests.api`, and shows its certificates."""
    with ISSUER.in_thread() as issuer:
        yield issuer


@pytest.fixture(scope="session")
def checking(issuer):
    """What a function has to find in its environment to check the tokens of `tests.api`."""
    return {"API_AUDIENCE": AUDIENCE, "ID_TOKEN_CERTIFICATES_ENDPOINT": issuer.endpoint}


@pytest.fixture
def project():
    """A project of its own for each test, so that tests share an emulator and no document."""
    return f"demo-{uuid.uuid4().hex[:12]}"


@pytest.fixture
def firestore_client(firestore_address, project, monkeypatch):
    monkeypatch.setenv("FIRESTORE_EMULATOR_HOST", firestore_address)
    return firestore.AsyncClient(project=project)


@pytest.fixture(params=["sqlite", "firestore"])
def database(request, tmp_path: Path):
    """Each database of documents in turn."""
    if request.param == "sqlite":
        return SqliteDatabase(tmp_path / "attendance.db")
    return FirestoreDatabase(request.getfixturevalue("firestore_client"))
