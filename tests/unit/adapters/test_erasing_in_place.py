"""Erased people are removed from documents that are split into parts, and the parts still fit together."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime

import pytest

from functions.adapters.store.changes.conference import conference_writes
from functions.adapters.store.databases.database import Document
from functions.adapters.store.documents.conference import conference_from_document
from functions.adapters.store.erasing.surgery import conference_without, in_order, names_erased, register_without
from functions.adapters.store.parts import digest
from functions.domain.conferences.model import Interruption, Organizer, Participant, SignedInUser
from functions.domain.erasure import Erased, Name, NameKind
from tests.builders import at, call

KEY = b"a key that only the system has"
NOW = datetime(2026, 11, 27, tzinfo=UTC)
NAMES = [Name(NameKind.STUDENT_ID, "S-1"), Name(NameKind.USER, "users/17"), Name.of(NameKind.EMAIL, "ada@s.example")]
ERASED = Erased(KEY, {name.fingerprint(KEY): "token" for name in NAMES}, {"token": frozenset(NameKind)})


def stored(path, fields):
    return Document(path, fields, version=path, seen_at=NOW)


def row(student_id, email, user=None, **otherwise):
    return {"student_id": student_id, "email": email, "user": user, "emails": [email], "otherwise": otherwise}


def a_register(first, *others):
    fields = {"schema_version": 1, "students": first, "parts": len(others), "parts_digest": digest(others)}
    parts = [stored(f"registers/r/parts/{n}", {"students": some}) for n, some in enumerate(others, start=1)]
    return stored("registers/r", fields), parts


@pytest.mark.parametrize("place", [0, 1, 2])
def test_a_register_of_several_documents_gets_the_hash_of_what_is_left(place):
    lists = [{f"{n}": row(f"S-{n}0", f"{n}@s.example")} for n in range(3)]
    lists[place]["theirs"] = row("S-1", "ada@s.example", "users/17")
    register, parts = a_register(*lists)

    written = {write.path: write.fields for write in register_without(register, parts, ERASED)}

    left = [{key: value for key, value in some.items() if key != "theirs"} for some in lists]
    assert written["registers/r"]["students"] == left[0]
    assert written["registers/r"]["parts_digest"] == digest(left[1:])
    assert {path: fields["students"] for path, fields in written.items() if path != "registers/r"} == (
        {f"registers/r/parts/{place}": left[place]} if place else {}
    )


@pytest.mark.parametrize(
    ("theirs", "is_erased"),
    [
        (row("S-1", "other@s.example"), True),
        (row(None, "ADA@s.example"), True),  # nothing shows that it is another person
        (row("S-2", "ada@s.example", "users/17"), False),
        (row("S-2", "ada@s.example"), False),
        (row(None, "b@s.example", "users/17"), True),
        (row(None, "ada@s.example", "users/99"), False),
    ],
)
def test_a_row_goes_by_the_strongest_name_that_it_has(theirs, is_erased):
    register, parts = a_register({"row": theirs, "other": row("S-3", "c@s.example")})

    assert bool(register_without(register, parts, ERASED)) is is_erased


def people(first, number):
    """Return participants with names so long that one document contains only a few of them."""
    return tuple(
        Participant(f"conferenceRecords/1/participants/{n}", SignedInUser(f"users/{n}", "x" * 200), at(0), at(60), ())
        for n in range(first, first + number)
    )


@pytest.mark.parametrize("many", [3, 4_000])
def test_a_conference_is_read_as_before_but_without_the_person_and_the_organizer(many):
    ada = Participant("conferenceRecords/1/participants/ada", SignedInUser("users/17", "Ada"), at(0), at(60), ())
    before = call()
    everybody = (*people(1000, many), ada, *people(50_000, 2))
    conference = replace(
        before,
        organizer=Organizer("users/17", "ada@s.example"),
        snapshot=replace(before.snapshot, participants=everybody),
        interruption=Interruption(at(5), 1, at(6), tuple((p, at(5)) for p in (*people(70_000, 2), ada))),
    )
    documents = _documents(conference_writes(conference, stored=None, parts={}, always=True, retention=None))
    main, parts = documents[0], in_order(documents[1:])
    assert names_erased(main, parts, ERASED)

    changed = {write.path: write.fields for write in conference_without(main, parts, ERASED)}
    after = [stored(document.path, changed.get(document.path, document.fields)) for document in (main, *parts)]

    assert _read(after) == ERASED.conference(conference)
    assert not names_erased(after[0], after[1:], ERASED)
    assert after[0].fields["snapshot_digest"] == digest([part.fields["participants"] for part in after[1:]])
    assert conference_without(after[0], after[1:], ERASED) == []


def _documents(writes):
    return [stored(write.path, write.fields) for write in writes]


def _read(documents):
    main = documents[0].fields
    everybody = [p for document in documents for p in document.fields["participants"]]
    number = main["participant_count"]
    return conference_from_document(main, everybody[:number], everybody[number:])
