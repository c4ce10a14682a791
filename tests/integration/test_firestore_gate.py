"""No test can bypass the gate in front of the store, from any process."""

import os
import subprocess
import sys

import pytest
from google.api_core import exceptions as gexc
from google.cloud.firestore_v1.base_query import FieldFilter

from functions.adapters.store.databases.database import Query, Where
from functions.adapters.store.databases.sqlite import SqliteDatabase
from functions.domain.errors import StoreUnavailable
from infra.local.function_server import ROOT

NEEDS_AN_INDEX = Query("sessions", (Where("subject", "==", "Mathematics"),))


async def test_the_embedded_store_answers_no_query_without_an_index(tmp_path, firestore_gate):
    with pytest.raises(StoreUnavailable, match="no index"):
        await SqliteDatabase(tmp_path / "attendance.db").find(NEEDS_AN_INDEX)

    [refusal] = firestore_gate.take()
    assert '"fieldPath": "subject"' in refusal.about


async def test_the_emulator_answers_no_query_without_an_index(firestore_client, firestore_gate):
    query = firestore_client.collection("sessions").where(filter=FieldFilter("subject", "==", "Mathematics"))
    with pytest.raises(gexc.FailedPrecondition, match="The query requires an index"):
        await query.get()

    [refusal] = firestore_gate.take()
    assert '"fieldPath": "subject"' in refusal.about


async def test_a_count_needs_its_index_too(firestore_client, firestore_gate):
    query = firestore_client.collection("sessions").where(filter=FieldFilter("subject", "==", "Mathematics"))
    with pytest.raises(gexc.FailedPrecondition):
        await query.count().get()

    assert len(firestore_gate.take()) == 1


async def test_the_emulator_takes_no_document_that_firestore_refuses(firestore_client, firestore_gate):
    with pytest.raises(gexc.InvalidArgument, match="exceeds the maximum allowed size"):
        await firestore_client.document("things/large").set({"text": "x" * 1_050_000})

    assert [refusal.status for refusal in firestore_gate.take()] == ["INVALID_ARGUMENT"]


def test_a_process_that_a_test_starts_answers_no_query_without_an_index(tmp_path, firestore_gate_elsewhere):
    asking = f"""
import asyncio, pathlib
from functions.adapters.store.databases.database import Query, Where
from functions.adapters.store.databases.sqlite import SqliteDatabase
asyncio.run(SqliteDatabase(pathlib.Path({str(tmp_path)!r}) / "a.db").find({NEEDS_AN_INDEX!r}))
"""
    done = subprocess.run(  # noqa: S603 - our own words
        [sys.executable, "-c", asking], env=dict(os.environ), cwd=ROOT, capture_output=True, text=True, check=False
    )

    assert "StoreUnavailable" in done.stderr
    assert '"fieldPath": "subject"' in firestore_gate_elsewhere.read_text()
    firestore_gate_elsewhere.write_text("")
