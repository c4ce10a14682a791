"""A commit's size is estimated as the gate measures it, and a commit that is too large is refused before it is sent."""

from typing import Any

import pytest

from functions.adapters.store.databases.database import COMMIT_TIME, Write
from functions.adapters.store.databases.firestore_encode import commit_request
from functions.adapters.store.databases.firestore_limits import MAX_COMMIT_BYTES, check_commit, size_of
from functions.domain.errors import DocumentsRefused
from infra.local.firestore_gate.indexes import Indexes
from infra.local.firestore_gate.measure import measured
from tests.builders import NINE

DOCUMENTS: dict[str, Any] = {
    "sessions/s/attendance/a": {
        "attendee_id": "a",
        "class_id": "7b",
        "emails": ["ada@school.example", "a@school.example", "ada@school.example"],
        "student_id": None,
        "user": "users/1",
        "session_start": NINE,
        "updated_at": COMMIT_TIME,
        "sessions": [{"start_time": NINE, "open": False}] * 2,
        "display_name": "Ädä",
    },
    "sessions/s": {
        "session_id": "s",
        "class_id": "7b",
        "class_ids": ["7b", "7c"],
        "external_id": None,
        "state": "ended",
        "teacher_email": "t@school.example",
        "teacher_emails": ["t@school.example", "u@school.example"],
        "session_start": NINE,
        "meeting_code": "abc",
        "updated_at": COMMIT_TIME,
        "calendar": None,
        "progress": {"failures": 2},
        "conference_records": ["x"],
    },
    "conferences/c": {"sync": {"state": "failed", "pulled_at": NINE}, "end_time": NINE, "organizer": {"user": "u"}},
    "organizers/1": {"user": "users/1", "subscription": {"name": "x", "error": None}, "tags": ["a", "b"]},
    "sessions/s/sheet/1": {"packed": b"a" * 2000, "updated_at": COMMIT_TIME},
}


@pytest.mark.parametrize("path", DOCUMENTS)
def test_a_document_is_estimated_as_it_is_measured(path):
    request = commit_request("projects/p/databases/d", [Write(path, DOCUMENTS[path])])
    measure = measured(type(request).pb(request), Indexes.deployed())

    assert size_of(path, DOCUMENTS[path]) == (measure.document_bytes, measure.entries, measure.entry_bytes)


@pytest.mark.parametrize(
    ("writes", "words"),
    [
        ([Write("conferences/c", {"t": "x" * 1_050_000})], "in conferences is 1,050"),
        ([Write("things/t", {str(n): n for n in range(20_001)})], "has 40,002 index entries"),
        ([Write(f"conferences/{n}", {"t": "x" * 1_000_000}) for n in range(11)], f"takes {MAX_COMMIT_BYTES:,}"),
        (
            [Write(f"things/{n}", {str(n): n for n in range(2_000)}) for n in range(60)],
            "bytes with their index entries",
        ),
    ],
)
def test_what_firestore_would_refuse_is_refused(writes, words):
    with pytest.raises(DocumentsRefused, match=words):
        check_commit(writes)


def test_what_is_deleted_costs_nothing():
    check_commit([Write(f"conferences/{n}", None) for n in range(5000)])
