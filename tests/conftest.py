"""Fixtures that more than one kind of test needs: emulators, databases, a simulated Meet."""

from __future__ import annotations

import uuid
from datetime import timedelta
from pathlib import Path

import pytest
from google.cloud import firestore
from hypothesis import settings

from functions.adapters.firestore import FirestoreDatabase
from functions.adapters.sqlite import SqliteDatabase
from infra.local.emulators import firestore_emulator, pubsub_emulator
from infra.local.processes import bypass_proxies
from tests.api import AUDIENCE, ISSUER

bypass_proxies()

# These machines are shared: a slow moment is no failure.
settings.register_profile("project", deadline=timedelta(seconds=5))
settings.load_profile("project")


@pytest.fixture(scope="session")
def firestore_address(tmp_path_factory):
    """The Firestore emulator; a missing one fails with the command that installs it."""
    with firestore_emulator(tmp_path_factory.mktemp("firestore")) as address:
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
