"""The reads of a query grow with its answer and not with the collection."""

from __future__ import annotations

import asyncio
import json

import pytest

from bench.queries import (
    MEASURED,
    PAGE,
    SIZES,
    SchoolYear,
    client_of,
    counted,
    counted_of_the_api,
    fill,
    table,
    written,
)
from functions.adapters.store.databases.sqlite import SqliteDatabase

SAMPLE = 55
"""The maximum number of documents that are read to find a student's other names."""
NAMES = 2
"""The number of names of these students: an id and an address."""
OF_A_STUDENT = "GET /api/students/{student}/attendance"
AT_RISK = "GET /api/classes/{class_id}/at-risk"


@pytest.fixture
def reads(emulated_firestore, firestore_address, project, tmp_path):
    """Store a school year and count what each query reads."""

    def reads(meetings, lately):
        year = SchoolYear(meetings=meetings, classes=2, students=3, lately=lately)
        own = f"{project}-{meetings}-{lately}"
        fill(year, client_of(emulated_firestore, own))
        found = counted(year, firestore_address=firestore_address, project=own)
        found |= asyncio.run(counted_of_the_api(year, SqliteDatabase(tmp_path / f"{own}.db")))
        return {name: query["reads"] for name, query in found.items()}

    return reads


def test_reads_grow_with_the_answer_and_not_with_the_collection(reads):
    few, many, more = reads(5, 4), reads(40, 4), reads(40, 8)
    of_a_student, at_risk = ([found.pop(name) for found in (few, many, more)] for name in (OF_A_STUDENT, AT_RISK))

    assert many == few
    assert (few["of_student"], more["of_student"]) == (4, 8)
    assert (few["of_class"], more["of_class"]) == (12, 24)
    assert (few["GET /api/sessions"], more["GET /api/sessions"]) == (4, 8)
    assert at_risk == [5 + 1, 20 + 1, 20 + 1]  # the class meetings of the month, and the register
    assert [reads <= NAMES * answer + SAMPLE for reads, answer in zip(of_a_student, (4, 4, 8), strict=True)] == [
        True
    ] * 3


@pytest.mark.parametrize("size", SIZES)
def test_the_page_shows_what_was_measured(size):
    measured = json.loads(MEASURED.read_text())

    assert len(measured[str(size)]) >= 10
    assert written(PAGE.read_text("utf-8"), measured) == PAGE.read_text("utf-8"), "run: python -m bench.queries --table"
    assert table(measured) in PAGE.read_text("utf-8")


def test_ten_times_as_many_documents_are_not_read_for_the_same_answer():
    small, large = (json.loads(MEASURED.read_text())[str(size)] for size in SIZES)

    for name, query in small.items():
        assert large[name]["answered"] == query["answered"]
        assert large[name]["reads"] <= query["reads"] + (SAMPLE if name == OF_A_STUDENT else 0)
