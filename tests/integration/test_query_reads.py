"""What a query reads grows with its answer and not with the collection."""

from __future__ import annotations

import json

import pytest

from bench.queries import MEASURED, PAGE, SIZES, SchoolYear, client_of, counted, fill, table, written

SAMPLE = 55
"""How many documents are read at most to find a student's other names."""
NAMES = 2
"""By how many names these students are found: an id and an address."""
OF_A_STUDENT = "GET /api/students/{student}/attendance"


@pytest.fixture
def reads(emulated_firestore, firestore_address, project):
    """Fills a project and counts what each query reads in it."""

    def reads(meetings, lately, *, of):
        year = SchoolYear(meetings=meetings, classes=2, students=3, lately=lately)
        fill(year, client_of(emulated_firestore, f"{project}-{of}"))
        found = counted(year, firestore_address=firestore_address, project=f"{project}-{of}")
        return {name: query["reads"] for name, query in found.items()}, found

    return reads


def test_reads_grow_with_the_answer_and_not_with_the_collection(reads):
    few, answers = reads(5, 4, of="few")
    many, _ = reads(40, 4, of="many")
    more, more_answers = reads(40, 8, of="more")
    of_a_student = [few.pop(OF_A_STUDENT), many.pop(OF_A_STUDENT), more.pop(OF_A_STUDENT)]

    assert many == few
    assert more["of_student"] == 2 * few["of_student"] == 2 * answers["of_student"]["answered"]
    assert more["of_class"] == 2 * few["of_class"] == more_answers["of_class"]["answered"]
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
