"""What events said is stored without reading anything, by several processes at once, and stays bounded."""

import asyncio
from datetime import timedelta

import pytest

from functions.adapters.store.databases.database import Write
from functions.adapters.store.seen.events import FEW, PARTS, DocumentSeenEvents
from functions.domain.conferences.seen import NOTHING_SEEN, SeenSession, SeenSessions, joined, left
from functions.domain.errors import DocumentsRefused
from tests.builders import RECORD, at


@pytest.fixture
def stored(database):
    """What one instance stores; another instance is another object on the same database."""
    return DocumentSeenEvents(database, clock=lambda: at(0), retention=None)


def session(person, number=1):
    return f"{RECORD}/participants/{person}/participantSessions/{number}"


def everybody(people):
    return SeenSessions({session(f"p{n}"): SeenSession(frozenset({at(0)}), frozenset({at(60)})) for n in range(people)})


async def test_nothing_is_known_of_a_conference_without_events(stored):
    assert await stored.of(RECORD) == NOTHING_SEEN


async def test_events_come_together_in_any_order_and_however_often(stored, database):
    other = DocumentSeenEvents(database, clock=lambda: at(0), retention=None)
    name, strange = session("p-1._~"), session("123", "A.b~_-")
    said = [joined(name, at(0)), left(name, at(60)), joined(strange, None), left(strange, at(3))]

    await asyncio.gather(*(one.add(RECORD, seen) for one in (stored, other) for seen in [*said, *reversed(said)]))

    assert await stored.of(RECORD) == SeenSessions(
        {
            name: SeenSession(frozenset({at(0)}), frozenset({at(60)})),
            strange: SeenSession(frozenset({None}), frozenset({at(3)})),
        }
    )


async def test_times_that_contradict_each_other_are_all_kept(stored):
    await stored.add(RECORD, joined(session("p"), at(0)))
    await stored.add(RECORD, joined(session("p"), at(5)))

    assert (await stored.of(RECORD)).sessions[session("p")].joined == {at(0), at(5)}


async def test_a_usual_class_is_one_document_and_a_large_call_some(stored, database):
    await stored.add(RECORD, everybody(FEW))
    assert [document.path for document in await database.children("conferences/abc/seen")] == ["conferences/abc/seen/0"]

    await stored.add(RECORD, everybody(500))
    documents = await database.children("conferences/abc/seen")

    assert len(documents) == 1 + PARTS
    assert max(len(document.fields["events"]) for document in documents) <= FEW
    assert await stored.of(RECORD) == everybody(500)


async def test_it_expires_after_two_days_or_with_everything_else(database):
    for retention, kept in ((None, 2), (timedelta(days=30), 2), (timedelta(days=1), 1)):
        stored = DocumentSeenEvents(database, clock=lambda: at(0), retention=retention)
        await stored.add(RECORD, joined(session("p"), at(0)))

        (document,) = await database.children("conferences/abc/seen")
        assert document.fields["expire_at"] == at(0) + timedelta(days=kept)


async def test_one_instance_stores_so_many_sessions_of_a_conference_and_no_more(database):
    stored = DocumentSeenEvents(database, clock=lambda: at(0), retention=None, most=100)

    with pytest.raises(DocumentsRefused):
        await stored.add(RECORD, everybody(150))
    with pytest.raises(DocumentsRefused):
        await stored.add(RECORD, joined(session("one more"), at(0)))
    assert len((await stored.of(RECORD)).sessions) == 100

    await stored.add(RECORD, left(session("p0"), at(61)))
    assert (await stored.of(RECORD)).sessions[session("p0")].left == {at(60), at(61)}


async def test_a_document_that_is_full_takes_no_more(stored, database, firestore_gate):
    full = {session("p", f"{'x' * 200}{n}"): SeenSession(frozenset({at(0)})) for n in range(2400)}
    await stored.add(RECORD, SeenSessions(full))
    again = DocumentSeenEvents(database, clock=lambda: at(0), retention=None)
    more = {session("p", f"{'y' * 200}{n}"): SeenSession(frozenset({at(0)})) for n in range(2400)}

    with pytest.raises(DocumentsRefused):
        await again.add(RECORD, SeenSessions(more))

    assert await again.of(RECORD) == SeenSessions(full)
    firestore_gate.take()


@pytest.mark.any_query
async def test_adding_keeps_what_it_does_not_name(database):
    await database.commit([Write("things/1", {"n": 1, "map": {"a b": 1, "`\\.c": {"x": 1}}})])
    before = await database.get("things/1")

    await database.commit([Write("things/1", {"map": {"`\\.c": {"y": 2}, "d": {}}, "m": 2}, adding=True)])
    await database.commit([Write("things/2", {"map": {"new": True}}, adding=True)])

    found = await database.get_many(["things/1", "things/2"])
    assert found["things/1"].fields == {"n": 1, "m": 2, "map": {"a b": 1, "`\\.c": {"x": 1, "y": 2}, "d": {}}}
    assert found["things/2"].fields == {"map": {"new": True}}
    assert found["things/1"].version != before.version

    await database.commit([Write("things/1", {"m": 2}, adding=True)])
    assert (await database.get("things/1")).version == found["things/1"].version
