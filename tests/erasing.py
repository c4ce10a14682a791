"""Helpers for erasing: classes, stores that a test can watch and stop, and a search for remaining data."""

from __future__ import annotations

import base64
import contextlib
import json
import zlib
from dataclasses import replace
from datetime import timedelta

import httpx

from functions.adapters.store.databases.database import Query
from functions.adapters.store.databases.firestore import FirestoreDatabase
from functions.adapters.store.databases.sqlite import SqliteDatabase
from functions.adapters.store.sheet_copy import unpacked
from functions.domain.errors import StoreUnavailable
from infra.local.school import Attendee
from tests.classroom import START, event, held, job, scheduled, sheet, teacher, visits


def dump(address, project):
    """Return all documents of an emulated database by path, in REST form, also those below missing documents.

    https://firebase.google.com/docs/firestore/reference/rest/v1/StructuredQuery#CollectionSelector: a selector without
    a name, with all descendants, selects every document. The emulator lets `owner` read without the rules.
    """
    root = f"projects/{project}/databases/(default)/documents"
    query = {"structuredQuery": {"from": [{"allDescendants": True}]}}
    answer = httpx.post(
        f"http://{address}/v1/{root}:runQuery",
        json=query,
        headers={"Authorization": "Bearer owner"},
        trust_env=False,
        timeout=120,
    )
    assert answer.status_code == 200, answer.text
    found = (row["document"] for row in answer.json() if "document" in row)
    return {document["name"].removeprefix(f"{root}/"): document.get("fields", {}) for document in found}


def traces(documents, *names):
    """Return each document that contains one of these names, with the name: in any case, also encoded."""
    wanted = [name.casefold() for name in names]
    return sorted(
        (path, name)
        for path, fields in documents.items()
        for text in ["\n".join([path, *_texts(fields)]).casefold()]
        for name in wanted
        if name in text
    )


def _texts(value):
    """Return every text in a document, including field names, and the texts inside JSON, base64 and compressed data."""
    match value:
        case dict():
            for name, inner in value.items():
                yield name
                yield from _texts(inner)
        case list():
            for inner in value:
                yield from _texts(inner)
        case str():
            yield value
            try:
                yield from _texts(json.loads(value)) if value[:1] in {"{", "["} else ()
                yield from _texts(base64.b64decode(value, validate=True))
            except ValueError:
                pass
        case bytes():
            with contextlib.suppress(zlib.error):
                value = zlib.decompress(value)
            with contextlib.suppress(UnicodeDecodeError):
                text = value.decode()
                yield from _texts(text) if text[:1] in {"{", "["} else (text,)


# --- Stores ---


class _Watched:
    """A database that records its queries and writes, and that a test can stop.

    Attributes:
        queries: Every query.
        written: Every write of a document, in the order of the commits.
        refuses: Whether queries fail because the database is unavailable.
        commits_left: The number of commits that succeed before the process dies at the next one; with None, all
            succeed.
        dies_afterwards: Whether the process dies right after that commit; if not, it dies before it.
    """

    def __init__(self, *args):
        super().__init__(*args)
        self.queries = []
        self.written = []
        self.refuses = lambda _: False
        self.commits_left: int | None = None
        self.dies_afterwards = False

    async def find(self, query):
        self.queries.append(query)
        if self.refuses(query):
            raise StoreUnavailable("Down.")
        return await super().find(query)

    async def commit(self, writes, **about):
        dies = self.commits_left == 0
        if dies and not self.dies_afterwards:
            raise StoreUnavailable("Killed.")
        committed_at = await super().commit(writes, **about)
        self.written += [write for write in writes if write.fields is not None]
        if dies:
            raise StoreUnavailable("Killed.")
        self.commits_left = None if self.commits_left is None else self.commits_left - 1
        return committed_at


class WatchedSqlite(_Watched, SqliteDatabase):
    """The embedded store."""


class WatchedFirestore(_Watched, FirestoreDatabase):
    """The emulator."""


# --- Classes ---

ALL_CLASS = (0, 60)
GROUPS = ("sessions", "attendance", "corrections", "sheet", "conferences", "snapshot", "registers", "people", "spaces")


def signed_in(key, user, *times, name=None):
    return Attendee(key, "signed_in", name or key.title(), user, visits(*times or [ALL_CLASS]))


def student(student_id=None, email=None, **more):
    return {k: v for k, v in {"student_id": student_id, "email": email, **more}.items() if v}


async def a_class(app, api, school, students, *people, record, start=0, **changes):
    """Hold a class in its own room and return its id."""
    made = await scheduled(
        api,
        student_emails=None,
        students=[*students, student("S-0", "bystander@school.example")],
        start_time=(START + timedelta(minutes=start)).isoformat(),
        subject=record,
        class_id=record,
        **changes,
    )
    space = (await api.get(f"/api/sessions/{made['session_id']}")).json()["space"]
    people = [_later(person, start) for person in (teacher(ALL_CLASS), *people)]
    call = held(space, made["meeting_code"], *people, record=record, start=start, end=start + 60)
    school.hold(call)
    await event(app, call)
    await job(app, "sync-session", session_id=made["session_id"])
    return made["session_id"]


def _later(person, minutes):
    shift = timedelta(minutes=minutes)
    times = tuple(replace(visit, start=visit.start + shift, end=visit.end + shift) for visit in person.visits)
    return replace(person, visits=times)


async def dumped(database, *, but=()):
    """Return every document of a class and of accounts as text, without those of some class meetings."""
    found = {}
    for group in GROUPS:
        for document in (await database.find(Query(group, group=True))).documents:
            of = f"{document.path} {document.fields.get('class_id')}" if group == "registers" else document.path
            if not any(name in of for name in but):
                packed = {"packed": unpacked(document.fields)} if group == "sheet" else {}
                found[document.path] = json.dumps({**document.fields, **packed}, default=str, sort_keys=True)
    return found


def naming(documents, *names):
    return sorted({path for path, text in documents.items() for name in names if name.casefold() in text.casefold()})


async def erased(api, name, **query):
    answer = await api.delete(f"/api/students/{name}", params=query)
    assert answer.status_code == 200, answer.text
    return answer.json()


async def marks_of(api, session_id):
    people = (await sheet(api, session_id))["attendance"]
    return {p["student_id"] or p["email"]: p["mark"] for p in people if p["role"] == "student"}
