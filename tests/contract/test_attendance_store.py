"""What every attendance store promises, on each database."""

import asyncio
import dataclasses
import functools
from datetime import timedelta
from typing import Any

import grpc.aio
import pytest
from google.cloud import firestore
from google.cloud.firestore_v1 import types

from functions.adapters.store.attendance_store import PARKED_AT_ONCE, DocumentAttendanceStore
from functions.adapters.store.databases.database import ABSENT, COMMIT_TIME, Query, Write
from functions.adapters.store.databases.firestore import FirestoreDatabase
from functions.adapters.store.databases.sqlite import SqliteDatabase
from functions.domain.classes.roster import Assignment, Mark, Remembered, RosterEntry
from functions.domain.classes.sessions import (
    Answered,
    AttachedRecord,
    AttendanceSheet,
    AuditEntry,
    CalendarEntry,
    CalendarState,
    Person,
    Progress,
    TrackedOrganizer,
    Tracking,
)
from functions.domain.classes.timetable import Room, Slot, Span
from functions.domain.conferences.model import (
    DeviceUser,
    EmailUser,
    Identity,
    IdentitySource,
    Interruption,
    Organizer,
    PhoneUser,
    Subscription,
    SubscriptionState,
    SyncError,
    SyncState,
)
from functions.domain.errors import DocumentsRefused, DocumentTooNew, NotFound, Retryable, StoreConflict
from functions.domain.intervals import Interval
from functions.domain.marking.addresses import KnownAddress
from functions.domain.marking.attendance import unscheduled_session
from functions.domain.marking.people import attendee_id
from functions.ports.messages import ParkedEvent
from functions.ports.store import SheetChange
from tests import builders
from tests.builders import (
    DECIDED,
    EMAILS,
    RECORD,
    TEACHING,
    at,
    call,
    conference,
    during,
    expected,
    guest,
    known,
    lesson,
    nobody,
    override,
    participant,
    room_device,
    sheet_of,
    snapshot,
    student,
    until,
)

ADA, BEN = participant(student(2, "Ada 🎓"), (0, 60)), participant(student(3), (5, 20), (10, 60))
ADAS = attendee_id("maths", EMAILS[builders.ADA.user])
PARKED = ParkedEvent(key="k", message='{"a": 1}', encoding="json", reason="unreadable-message", hint="look")
ROOM = Room(
    "spaces/room",
    owner=Organizer("users/1", "teacher@school.example"),
    slots=(Slot("maths", during(0, 60), timedelta(minutes=30), timedelta(minutes=7.5)),),
    spans=(Span(RECORD, during(-1, 59)), Span("conferenceRecords/listed", during(60, 70), read=False)),
)
TRACKED = TrackedOrganizer(
    "users/1",
    "teacher@school.example",
    enrolled_at=at(0),
    subscription=Subscription("subscriptions/s", SubscriptionState.SUSPENDED, at(900), "USER_SCOPE_REVOKED"),
    renewed_at=at(5),
    error=SyncError("r", "m", "h", at(6)),
    reconciled_until=at(7),
)
COLLECTIONS = (
    "conferences",
    "snapshot",
    "sessions",
    "attendance",
    "sheet",
    "corrections",
    "spaces",
    "people",
    "organizers",
    "registers",
    "idempotency",
    "audit",
)
EXPIRING = ("conferences", "sessions", "attendance", "sheet", "corrections", "registers")
"""The documents that are about one or more class meetings."""


@pytest.fixture
def store(database):
    return DocumentAttendanceStore(database, clock=lambda: at(100), retention=None)


def read_at(minute, *people):
    return conference(snapshot(*people), pulled=minute)


async def do(store, *changes):
    """Run one unit of work that only puts things; return its changes to attendance."""

    async def decide(work):
        for change in changes:
            change(work)

    return (await store.transact(decide))[1]


async def look(store, read):
    """Return what a unit of work reads."""
    return (await store.transact(read))[0]


async def save(store, what):
    """Store a conference with its own unscheduled class meeting."""

    async def decide(work):
        await put(work, what)

    return (await store.transact(decide))[1].get("abc")


async def put(work, what):
    work.put_conference(what)
    session = unscheduled_session(what, time_zone="UTC", before=await work.session("abc"))
    work.put_sheet(sheet_of(session, what, people={}, corrections=await work.corrections("abc")))


async def hold(store, session, *conferences, corrections=(), dropped=(), notes=()):
    """Store a scheduled class with its conferences, and add or remove some corrections."""

    async def decide(work):
        await work.corrections(session.session_id)
        for one in conferences:
            work.put_conference(one)
        for correction in corrections:
            work.put_correction(session.session_id, correction)
        for correction in dropped:
            work.drop_correction(session.session_id, correction)
        decided = await work.corrections(session.session_id)
        work.put_sheet(sheet_of(session, *conferences, corrections=decided))
        for note in notes:
            work.note(note)

    return (await store.transact(decide))[1]["maths"]


def stored_conference(store):
    return look(store, lambda work: work.conference(RECORD))


async def everything(database):
    """Return every document, by path."""
    found = [await database.find(Query(name, group=True)) for name in COLLECTIONS]
    return {document.path: document for one in found for document in one.documents}


async def versions(database):
    """Return the version of every document, by path."""
    return {path: document.version for path, document in (await everything(database)).items()}


async def rewritten(database, before):
    """Return the paths of documents that were written or removed since."""
    after = await versions(database)
    return {path for path in before.keys() | after.keys() if before.get(path) != after.get(path)}


async def one_moment(database, collection, request):
    """Return a collection as it is at one moment.

    Every query in Firestore shows one moment
    (https://firebase.google.com/docs/firestore/understand-reads-writes-scale). In its emulator, only a query in a
    transaction with locks does.
    """
    if isinstance(database, SqliteDatabase):
        return await database.children(collection)
    client = request.getfixturevalue("firestore_client")

    @firestore.async_transactional
    async def read(transaction):
        return [document async for document in client.collection(collection).stream(transaction=transaction)]

    return await read(client.transaction())


# --- What comes back -------------------------------------------------------------------------------------------


async def test_what_was_never_stored_is_none_or_empty(store):
    async def read(work):
        return (
            await work.conference(RECORD),
            await work.session("abc"),
            await work.corrections("abc"),
            await work.room("spaces/room"),
            await work.people(["users/1"]),
            await work.organizer("users/1"),
            await work.answered("key"),
        )

    assert await look(store, read) == (None, None, (), Room("spaces/room"), {}, None, None)


async def test_a_conference_comes_back_as_it_was_stored(store):
    said = snapshot(ADA, BEN, participant(guest(""), (1, None)), participant(PhoneUser("+49 ••• 12"), (3, 3.0000001)))
    what = conference(said, state=SyncState.PROVISIONAL, ended_event=60)
    what = dataclasses.replace(what, session_ids=("maths", "art"), attached_to=("maths", "art"))
    await do(store, lambda work: work.put_conference(what))

    assert await stored_conference(store) == what


async def test_a_conference_that_reports_show_comes_back_as_it_was_stored(store):
    ada, bob = EmailUser("ada@school.example", "users/2", "Ada"), EmailUser("bob@school.example", None, "Bob")
    people: list[Any] = [ada, bob, DeviceUser("Room 1")]
    there = [participant(user, (0, 60), name=f"p{n}") for n, user in enumerate(people)]
    what = dataclasses.replace(read_at(61, *there), session_ids=(), superseded_by="conferenceRecords/def")
    await do(store, lambda work: work.put_conference(what))

    assert await stored_conference(store) == what


async def test_a_failed_conference_comes_back_with_its_error(store):
    failed = dataclasses.replace(
        read_at(61),
        snapshot=None,
        session_ids=(),
        organizer=Organizer(),
        sync=dataclasses.replace(
            read_at(61).sync, state=SyncState.FAILED, pulled_at=None, error=SyncError("r", "m", "h", at(61))
        ),
    )
    await do(store, lambda work: work.put_conference(failed))

    assert await stored_conference(store) == failed


async def test_an_unscheduled_class_meeting_comes_back_as_it_was_stored(store):
    what = read_at(61, ADA, BEN, participant(guest("Bo"), (1, None)))
    await save(store, what)

    session = unscheduled_session(what, time_zone="UTC", before=None)
    assert await look(store, lambda work: work.session("abc")) == sheet_of(session, what, people={}).session


async def test_a_scheduled_class_meeting_comes_back_as_it_was_stored(store):
    plain = lesson(
        roster=[
            RosterEntry(email="ada@school.example"),
            RosterEntry("b@school.example", "s-2", "Bo ❤", "users/3", "maths-b"),
        ],
        teachers=("teacher@school.example", "co-teacher@school.example"),
        time_zone="Europe/Berlin",
        policy={"marks": False, "window": "scheduled", "min_share": 0.3, "late_after_minutes": 2.5},
    )
    plan = dataclasses.replace(
        plain.plan,
        subject="Maths",
        class_id="maths-a",
        external_id="lms/7",
        series_id="series",
        attached=(AttachedRecord("conferenceRecords/other", "office", at(3)),),
        tracking=Tracking.FAILED,
        tracking_hint="Mend it.",
        fingerprint="f",
        calendar=CalendarEntry("class0", "teacher@school.example", at(0), CalendarState.FAILED, "Mend it.", 2, at(90)),
    )
    progress = Progress(
        listed_at=at(70), tried_at=at(71), failures=2, error=SyncError("r", "m", "h", at(71)), due_at=at(80)
    )
    session = dataclasses.replace(plain, plan=plan, progress=progress)
    attendance = sheet_of(session, call((TEACHING, (0, 60)), (builders.BOB, (0, 60))))
    await do(store, lambda work: work.put_sheet(attendance))

    assert await look(store, lambda work: work.session("maths")) == attendance.session


async def test_a_cancelled_class_meeting_comes_back_cancelled(store):
    session = sheet_of(lesson(cancelled=True)).session
    await hold(store, session)

    assert await look(store, lambda work: work.session("maths")) == session


async def test_a_room_comes_back_as_it_was_stored(store):
    await do(store, lambda work: work.put_room(ROOM))

    assert await look(store, lambda work: work.room("spaces/room")) == ROOM


@pytest.mark.parametrize(
    "person",
    [
        known("users/2", "ada@school.example", "a@school.example"),
        nobody("users/2"),
        Person("users/2", student=Remembered("s-2", "ada@school.example", "office", at(0))),
    ],
    ids=["known", "known to nobody", "assigned"],
)
async def test_a_person_comes_back_as_stored(store, person):
    await do(store, lambda work: work.put_person(person))

    assert await look(store, lambda work: work.people(["users/2", "users/3"])) == {"users/2": person}


async def test_an_organizer_comes_back_and_is_found_by_address_until_dropped(store):
    new = TrackedOrganizer("users/9", "co-teacher@school.example", enrolled_at=at(1))
    await do(store, lambda work: work.put_organizer(TRACKED), lambda work: work.put_organizer(new))

    assert await look(store, lambda work: work.organizer("users/1")) == TRACKED
    assert sorted(await store.organizers(), key=lambda organizer: organizer.user) == [TRACKED, new]
    assert await store.organizer_with("co-teacher@school.example") == new
    assert await store.organizer_with("nobody@school.example") is None

    await do(store, lambda work: work.drop_organizer("users/9"), lambda work: work.drop_organizer("users/8"))
    assert await look(store, lambda work: work.organizer("users/9")) is None
    assert list(await store.organizers()) == [TRACKED]


async def test_an_answered_request_is_remembered_until_it_expires_and_may_then_be_another(store, database):
    first = Answered("key", "fingerprint", ("maths", "art"), expire_at=at(100.1))
    other = Answered("key", "another", ("music",), expire_at=at(200))
    later = DocumentAttendanceStore(database, clock=lambda: at(100.1), retention=None)
    await do(store, lambda work: work.put_answered(first))

    assert await look(store, lambda work: work.answered("key")) == first
    assert await look(later, lambda work: work.answered("key")) is None

    async def answer_anew(work):
        if not await work.answered("key"):
            work.put_answered(other)

    await later.transact(answer_anew)
    assert await look(later, lambda work: work.answered("key")) == other


async def test_corrections_come_back_one_of_a_kind_for_each_person(store):
    late = override(Mark.LATE, email="ada@school.example", attendee=ADAS)
    again = override(Mark.EXCUSED, email="ada@school.example", attendee="under another id by now")
    assigned = Assignment(
        "guest",
        student_id="s-2",
        email="ada@school.example",
        decision=DECIDED,
        user="users/4",
        remembered=True,
        remembered_before=Remembered("s-1", None, "office", at(0)),
    )
    others = [
        override(Mark.ABSENT, student_id="s-2"),
        override(Mark.ABSENT, attendee="nobody"),
        assigned,
        room_device("guest"),
    ]
    session = lesson(roster=expected(builders.ADA))
    await hold(store, session, corrections=[late, *others])
    await hold(store, session, corrections=[again], dropped=[room_device("guest")])

    def by_content(corrections):
        return sorted(corrections, key=repr)

    wanted = [again, *(one for one in others if one != room_device("guest"))]
    assert by_content(await look(store, lambda work: work.corrections("maths"))) == by_content(wanted)


async def test_a_unit_of_work_sees_its_own_changes_and_nobody_else_does_before_it_ends(store):
    await hold(store, lesson())
    attendance = sheet_of(lesson(end=50))
    person = known("users/2", "ada@school.example")

    async def read(work):
        return (
            await work.conference(RECORD),
            await work.session("maths"),
            await work.room("spaces/room"),
            await work.people(["users/2"]),
            await work.organizer("users/1"),
            await work.corrections("maths"),
        )

    async def decide(work):
        await work.corrections("maths")
        work.put_conference(read_at(61, ADA))
        work.put_sheet(attendance)
        work.put_room(ROOM)
        work.put_person(person)
        work.put_organizer(TRACKED)
        work.put_correction("maths", room_device("guest"))
        return await read(work), await look(store, read)

    mine, theirs = await look(store, decide)
    assert mine == (
        read_at(61, ADA),
        attendance.session,
        ROOM,
        {"users/2": person},
        TRACKED,
        (room_device("guest"),),
    )
    assert theirs == (None, sheet_of(lesson()).session, Room("spaces/room"), {}, None, ())


# --- What is written, and what is not --------------------------------------------------------------------------


async def test_putting_the_same_again_writes_nothing(store, database):
    async def put_all():
        await save(store, read_at(61, ADA, BEN))
        await hold(store, lesson(roster=expected(builders.ADA)), corrections=[override(Mark.LATE, student_id="s")])
        await do(
            store,
            lambda work: work.put_room(ROOM),
            lambda work: work.put_organizer(TRACKED),
            lambda work: work.put_person(known("users/2", "ada@school.example")),
        )

    await put_all()
    before = await versions(database)
    await put_all()

    assert await rewritten(database, before) == set()


async def test_a_resync_that_changes_nothing_writes_no_attendance_and_two_documents_at_most(store, database):
    await save(store, read_at(61, ADA, BEN))
    before, session = await versions(database), await database.get("sessions/abc")
    change = await save(store, read_at(62, ADA, BEN))

    assert await rewritten(database, before) == {"conferences/abc", "sessions/abc"}
    assert (await database.get("sessions/abc")).fields["updated_at"] == session.fields["updated_at"]
    assert change == SheetChange()


async def test_a_change_writes_that_person_alone_and_moves_the_sessions_updated_at(store, database):
    await save(store, read_at(61, ADA, BEN))
    before, session = await versions(database), await database.get("sessions/abc")
    change = await save(store, read_at(62, ADA, participant(student(3), (5, 20))))

    changed = await rewritten(database, before)
    bens = attendee_id("abc", "users/3")
    assert changed == {"conferences/abc", "sessions/abc", f"sessions/abc/attendance/{bens}", "sessions/abc/sheet/1"}
    assert change == SheetChange(updated=frozenset({bens}))
    again = await database.get("sessions/abc")
    assert again.fields["updated_at"] > session.fields["updated_at"]
    assert again.fields["created_at"] == session.fields["created_at"]
    assert await look(store, lambda work: work.updated_at("abc")) == again.fields["updated_at"]


async def test_a_change_that_only_this_system_reads_does_not_move_updated_at(store, database):
    await hold(store, lesson(listed=70))
    session = await database.get("sessions/maths")
    await hold(store, lesson(listed=71))
    again = await database.get("sessions/maths")

    assert again.fields["progress"]["listed_at"] == at(71)
    assert again.fields["updated_at"] == session.fields["updated_at"]


async def test_a_repeated_failure_does_not_move_updated_at_but_another_failure_does(store, database):
    async def updated_at(reason, minute):
        said = read_at(61, ADA)
        sync = dataclasses.replace(said.sync, state=SyncState.FAILED, error=SyncError(reason, "m", "h", at(minute)))
        await save(store, dataclasses.replace(said, sync=sync))
        return (await database.get("sessions/abc")).fields["updated_at"]

    first, again, other = await updated_at("one", 62), await updated_at("one", 63), await updated_at("other", 64)

    assert first == again < other


async def test_a_correction_alone_moves_the_sessions_version_and_updated_at(store, database):
    session = lesson(roster=expected(builders.ADA))
    await hold(store, session)
    for change in ({"corrections": [room_device("nobody")]}, {"dropped": [room_device("nobody")]}):
        before, old = await versions(database), await database.get("sessions/maths")
        await hold(store, session, **change)
        new = await database.get("sessions/maths")

        assert {path.split("/")[2] for path in await rewritten(database, before) if path.count("/") > 1} == {
            "corrections"
        }
        assert new.version != old.version
        assert new.fields["updated_at"] > old.fields["updated_at"]


async def test_a_person_who_is_no_longer_in_the_conference_has_no_document(store, database):
    first = await save(store, read_at(61, ADA, BEN))
    second = await save(store, read_at(62, ADA))

    assert [one.fields["user"] for one in await database.children("sessions/abc/attendance")] == ["users/2"]
    assert first.created == {attendee_id("abc", "users/2"), attendee_id("abc", "users/3")}
    assert second == SheetChange(deleted=frozenset({attendee_id("abc", "users/3")}))


async def test_dropping_a_class_meeting_removes_its_attendance_and_nothing_else(store, database):
    await save(store, read_at(61, ADA))
    left = await versions(database)
    session = dataclasses.replace(
        lesson(roster=expected(builders.ADA)), plan=dataclasses.replace(lesson().plan, class_id="maths-a")
    )
    taken = call((builders.ADA, (0, 60)), name="other")
    await hold(store, session, taken, corrections=[room_device("guest"), override(Mark.LATE, student_id="s")])
    await do(store, lambda work: work.drop_session("maths"), lambda work: work.drop_session("never there"))

    found = await rewritten(database, left)
    assert {path for path in found if "/corrections/" not in path} == {"conferences/other"}
    assert len(found) == 3  # decisions of people are kept in case the class meeting returns
    assert await look(store, lambda work: work.session("maths")) is None


async def test_an_error_ends_a_unit_of_work_and_nothing_is_written(store, database):
    async def decide(work):
        await put(work, read_at(61, ADA))
        raise NotFound("There is no such thing.")

    with pytest.raises(NotFound):
        await store.transact(decide)
    assert await everything(database) == {}


async def test_who_changed_what_is_kept_with_every_mark_before_and_after(store, database):
    session, held = lesson(roster=expected(builders.ADA, builders.BOB)), call((TEACHING, (0, 60)))
    note = AuditEntry("entry", "office", "lms@school.example", "mark.overridden", {"session_id": "maths"})
    await hold(store, session, held)
    await hold(store, session, held, corrections=[override(Mark.EXCUSED, email=EMAILS["users/2"])], notes=[note])

    [kept] = await database.children("audit")
    moment = kept.fields.pop("at")
    assert moment == (await database.get("sessions/maths")).fields["updated_at"]
    assert (kept.path, kept.fields) == (
        "audit/entry",
        {
            "schema_version": 1,
            "expire_at": None,
            "by": "office",
            "caller": "lms@school.example",
            "what": "mark.overridden",
            "references": {"session_id": "maths"},
            "marks": {ADAS: {"before": "absent", "after": "excused"}},
        },
    )


# --- Others who write at the same moment ------------------------------------------------------------------------


async def test_a_decision_on_an_older_conference_is_made_again(store, database):
    """The sheet would overwrite the newest one: only its input is old."""
    await save(store, read_at(61, ADA))
    seen = []

    async def decide(work):
        stored = await work.conference(RECORD)
        seen.append(stored.sync.pulled_at)
        if len(seen) == 1:
            await save(store, read_at(62, ADA, BEN))
        await put(work, stored)

    await store.transact(decide)

    assert seen == [at(61), at(62)]
    assert len(await database.children("sessions/abc/attendance")) == 2


async def test_a_decision_on_an_older_class_meeting_is_made_again(store, database):
    plain, held = lesson(roster=expected(builders.ADA)), call((builders.ADA, (0, 60)))
    await hold(store, plain, held)
    seen = []

    async def rename(work):
        session = await work.session("maths")
        corrections = await work.corrections("maths")
        seen.append(len(corrections))
        if len(seen) == 1:
            await hold(store, plain, held, corrections=[override(Mark.EXCUSED, email=EMAILS["users/2"])])
        renamed = dataclasses.replace(session, plan=dataclasses.replace(session.plan, subject="Maths"))
        work.put_sheet(sheet_of(renamed, held, corrections=corrections))

    await store.transact(rename)

    [ada] = await database.children("sessions/maths/attendance")
    assert seen == [0, 1]
    assert (ada.fields["mark"], ada.fields["subject"]) == ("excused", "Maths")


@pytest.mark.parametrize(
    ("read", "change"),
    [
        (lambda work: work.conference(RECORD), lambda work, n: work.put_conference(read_at(61 + n, ADA))),
        (
            lambda work: work.session("maths"),
            lambda work, n: work.put_sheet(sheet_of(lesson(listed=70 + n))),
        ),
        (
            lambda work: work.room("spaces/room"),
            lambda work, n: work.put_room(Room("spaces/room", Organizer(f"users/{n}"))),
        ),
        (
            lambda work: work.people(["users/2"]),
            lambda work, n: work.put_person(known("users/2", f"{n}@school.example")),
        ),
        (
            lambda work: work.organizer("users/1"),
            lambda work, n: work.put_organizer(dataclasses.replace(TRACKED, renewed_at=at(n))),
        ),
    ],
    ids=["conference", "class meeting", "room", "person", "organizer"],
)
async def test_when_two_units_of_work_read_the_same_the_second_sees_what_the_first_wrote(store, read, change):
    """It runs twice: first without a document, then with one."""
    for round_ in (0, 10):
        seen = []

        async def decide(work, seen=seen, round_=round_):
            seen.append(await read(work))
            if len(seen) == 1:
                await do(store, lambda work: change(work, round_ + 1))
            change(work, round_ + 2)

        await store.transact(decide)
        first, second = seen

        assert first != second
        assert await look(store, read) not in seen


async def test_when_two_answer_the_same_request_at_once_the_second_finds_the_answer(store):
    async def answer(work, *, said, meanwhile=None):
        known = await work.answered("key")
        if meanwhile:
            await store.transact(meanwhile)
        if known:
            return known.fingerprint
        work.put_answered(Answered("key", said, (), at(200)))
        return said

    first = [functools.partial(answer, said="users/1")]
    second = await look(store, lambda work: answer(work, said="users/2", meanwhile=first.pop() if first else None))

    assert second == "users/1"


async def test_loaded_documents_do_not_change_when_others_write(store):
    """The room decides where a conference belongs: both must be read at the same moment."""
    ada = known("users/2", "ada@school.example")
    seen = []

    async def decide(work):
        await work.load(conferences=[RECORD], sessions=["abc"], rooms=["spaces/room"], people=["users/2"])
        if not seen:
            await save(store, read_at(61, ADA))
            await do(store, lambda other: other.put_room(ROOM), lambda other: other.put_person(ada))
        conference, session = await work.conference(RECORD), await work.session("abc")
        seen.append((conference, session, await work.room("spaces/room"), await work.people(["users/2"])))
        await put(work, read_at(62, ADA))

    await store.transact(decide)

    assert seen[0] == (None, None, Room("spaces/room"), {})
    assert [conference.sync.pulled_at for conference, *_ in seen[1:]] == [at(61)]
    assert seen[1][2:] == (ROOM, {"users/2": ada})


async def test_when_others_never_stop_nothing_is_written_and_it_is_reported(store):
    tried = []

    async def decide(work):
        await work.room("spaces/room")
        tried.append(Room("spaces/room", Organizer(f"users/{len(tried)}")))
        await do(store, lambda other: other.put_room(tried[-1]))
        work.put_room(ROOM)

    with pytest.raises(StoreConflict):
        await store.transact(decide)
    assert await look(store, lambda work: work.room("spaces/room")) == tried[-1]


async def test_a_reader_never_sees_half_a_sync(store, database, request):
    crowd = [participant(student(number), (0, 60)) for number in range(2, 202)]
    seen = set()

    async def watch():
        while True:
            seen.add(len(await one_moment(database, "sessions/abc/attendance", request)))

    watcher = asyncio.create_task(watch())
    await save(store, read_at(61, *crowd))
    await until(lambda: 200 in seen)
    watcher.cancel()

    assert seen <= {0, 200}


async def test_a_snapshot_too_large_for_one_document_is_stored_whole_and_shrinks_again(store, database):
    crowd = [participant(student(number), *[(m / 10, m / 10 + 0.05) for m in range(30)]) for number in range(2, 302)]
    await do(store, lambda work: work.put_conference(read_at(61, *crowd)))

    assert len(await database.children("conferences/abc/snapshot")) >= 1
    assert await stored_conference(store) == read_at(61, *crowd)

    await do(store, lambda work: work.put_conference(read_at(62, ADA)))
    assert await database.children("conferences/abc/snapshot") == []
    assert await stored_conference(store) == read_at(62, ADA)


@pytest.mark.parametrize("people", [1, 300])
async def test_what_an_interrupted_read_has_read_is_kept_apart_and_goes_with_the_next_snapshot(store, database, people):
    """The snapshot itself is also too large for one document."""
    crowd = [
        participant(student(number), *[(m / 10, m / 10 + 0.05) for m in range(30)]) for number in range(2, 2 + people)
    ]
    read = tuple((person, at(62 + number)) for number, person in enumerate(crowd))
    interrupted = dataclasses.replace(
        read_at(61, *crowd), interruption=Interruption(at(63), failures=2, again_at=at(65), participants=read)
    )
    await do(store, lambda work: work.put_conference(interrupted))

    assert await stored_conference(store) == interrupted

    await do(store, lambda work: work.put_conference(read_at(66, *crowd[:1])))
    assert await database.children("conferences/abc/snapshot") == []
    assert await stored_conference(store) == read_at(66, *crowd[:1])


async def test_a_conference_that_waits_is_not_handed_out_before_its_time(database):
    moments = [at(62)]
    store = DocumentAttendanceStore(database, clock=lambda: moments[-1], retention=None)
    waiting = dataclasses.replace(
        read_at(61, participant(student(2), (0, None))),
        interruption=Interruption(at(61.5), failures=1, again_at=at(63)),
    )
    waiting = dataclasses.replace(waiting, sync=dataclasses.replace(waiting.sync, state=SyncState.PROVISIONAL))
    await do(store, lambda work: work.put_conference(waiting))
    early = await store.unfinished_conferences(builders.TEACHER, since=at(0))
    moments.append(at(63))

    assert (early, await store.unfinished_conferences(builders.TEACHER, since=at(0))) == (
        [],
        [waiting.conference_record],
    )


# --- What is found ----------------------------------------------------------------------------------------------


async def test_class_meetings_are_found_by_what_they_belong_to_in_order_of_time(store):
    def meeting(session_id, start, **plan):
        session = lesson(start=start, end=start + 30, session_id=session_id)
        return dataclasses.replace(session, plan=dataclasses.replace(session.plan, **plan))

    taken = call((TEACHING, (0, 90)))
    sheets = [
        sheet_of(meeting("c", 0, class_id="maths-a", series_id="series"), taken),
        sheet_of(meeting("b", 60, class_id="maths-a", series_id="series", external_id="lms/7"), taken),
        sheet_of(meeting("a", 60, class_id="maths-a", external_id="lms/7")),
        sheet_of(meeting("d", 30, class_id="maths-b", series_id="other")),
    ]
    await do(store, *[lambda work, one=one: work.put_sheet(one) for one in sheets])

    assert list(await store.sessions_of_class("maths-a", since=at(0))) == ["c", "a", "b"]
    assert list(await store.sessions_of_class("maths-a", since=at(0.01))) == ["a", "b"]
    assert list(await store.sessions_of_series("series")) == ["c", "b"]
    assert list(await store.sessions_of_external_id("lms/7")) == ["a", "b"]
    assert sorted(await store.sessions_with(RECORD)) == ["b", "c"]
    assert list(await store.sessions_with("conferenceRecords/other")) == []


async def test_a_room_is_found_by_the_code_that_it_had_in_the_last_class_before(store):
    """Google gives a meeting code to another room if nobody used it for a year."""
    for number, start in enumerate([0, 60]):
        session = lesson(start=start, end=start + 30, session_id=f"s{number}")
        session = dataclasses.replace(session, space=dataclasses.replace(session.space, name=f"spaces/{number}"))
        sheet_of_class = sheet_of(session)
        await do(store, lambda work, one=sheet_of_class: work.put_sheet(one))

    async def found(code, minute):
        space = await store.space_with_code(code, until=at(minute))
        return space and space.name

    assert await found("abc-mnop-xyz", 59) == "spaces/0"
    assert await found("abc-mnop-xyz", 60) == "spaces/1"
    assert await found("abc-mnop-xyz", -1) is None
    assert await found("xyz-mnop-abc", 60) is None


async def test_due_class_meetings_come_in_order_with_the_longest_due_first(store):
    ends = {"first": 60, "second": 50, "third": 40, "later": 61}
    sheets = [sheet_of(lesson(end=end, session_id=name, listed=None)) for name, end in ends.items()]
    done = sheet_of(lesson(session_id="done", listed=70))
    await do(store, *[lambda work, one=one: work.put_sheet(one) for one in [*sheets, done]])

    assert list(await store.due_sessions(at(60))) == ["third", "second", "first"]


async def test_class_meetings_whose_room_is_not_listed_are_found_by_since_when(store):
    def failing(session_id, since, *, due=True, teacher="teacher@school.example"):
        session = lesson(session_id=session_id, listed=None)
        error = None if since is None else SyncError("meet-unavailable", "No answer.", "Wait.", at(since))
        progress = dataclasses.replace(session.progress, failures=3, error=error, due_at=at(90) if due else None)
        plan = dataclasses.replace(session.plan, teachers=(teacher,))
        return AttendanceSheet(dataclasses.replace(session, progress=progress, plan=plan))

    async def put(work):
        for session in [
            failing("long", 10),
            failing("new", 50),
            failing("for-another-reason", None),
            failing("given-up", 50, due=False),
            failing("of-a-colleague", 50, teacher="colleague@school.example"),
        ]:
            work.put_sheet(session)

    await store.transact(put)

    assert list(await store.failing_sessions("teacher@school.example", since=at(50))) == ["new"]
    assert list(await store.failing_sessions("teacher@school.example", since=at(0))) == ["long", "new"]


async def test_class_meetings_that_calendar_waits_for_are_found_one_of_each_event(store):
    def meeting(session_id, start, event_id, due):
        session = lesson(start=start, end=start + 30, session_id=session_id)
        entry = CalendarEntry(event_id, "teacher@school.example", due_at=None if due is None else at(due))
        return sheet_of(dataclasses.replace(session, plan=dataclasses.replace(session.plan, calendar=entry)))

    sheets = [
        meeting("a", 60, "class1", 10),
        meeting("b", 0, "class1", 10),
        meeting("c", 120, "class2", 11),
        meeting("d", 180, "class3", None),
        sheet_of(lesson(session_id="e", start=240, end=270)),
    ]
    await do(store, *[lambda work, one=one: work.put_sheet(one) for one in sheets])

    assert len(await store.sessions_to_follow(at(10))) == 1
    assert set(await store.sessions_to_follow(at(11))) in ({"a", "c"}, {"b", "c"})
    assert list(await store.sessions_of_event("class1")) == ["b", "a"]
    assert list(await store.sessions_of_event("class9")) == []


# --- Parking, expiry, later versions ----------------------------------------------------------------------------


async def test_a_message_is_parked_once(store, database):
    await store.park(PARKED)
    first = await database.get("parked_events/k")
    await store.park(PARKED)

    assert await database.get("parked_events/k") == first
    assert (first.fields["message"], first.fields["truncated"]) == ('{"a": 1}', False)
    assert first.fields["parked_at"].tzinfo


@pytest.mark.parametrize("character", ["x", "🎓"])
async def test_a_parked_message_is_cut_to_256_kib(store, database, character):
    await store.park(dataclasses.replace(PARKED, message=character * 600_000))
    stored = (await database.get("parked_events/k")).fields

    assert (len(stored["message"].encode()), stored["truncated"]) == (256 * 1024, True)


async def waiting(store, **which):
    return [parked async for parked in store.parked(**which)]


async def test_parked_messages_wait_to_be_replayed_the_longest_parked_first(store):
    events = [
        dataclasses.replace(PARKED, key=key, reason=reason) for key, reason in [("b", "x"), ("a", "y"), ("c", "x")]
    ]
    for event in events:
        await store.park(event)

    assert [parked.event for parked in await waiting(store)] == events
    assert [parked.event for parked in await waiting(store, reason="x")] == [events[0], events[2]]
    assert await waiting(store, reason="z") == []
    assert (await store.parked_event("a")).event == events[1]
    assert await store.parked_event("z") is None


async def test_all_parked_messages_are_replayed_even_if_one_page_cannot_contain_them(store):
    keys = [f"{number:03}" for number in range(2 * PARKED_AT_ONCE + 1)]
    for key in keys:
        await store.park(dataclasses.replace(PARKED, key=key))

    seen = []
    async for parked in store.parked():
        seen.append(parked.event.key)
        await store.note_replayed(parked)

    assert seen == keys
    assert await waiting(store) == []


async def test_a_replayed_message_waits_no_longer_and_keeps_what_it_was(store, database):
    await store.park(PARKED)
    before = (await database.get("parked_events/k")).fields
    await store.note_replayed(await store.parked_event("k"))
    after = (await database.get("parked_events/k")).fields

    assert await waiting(store) == []
    assert await store.parked_event("k") is None
    assert after["replayed_at"] >= after["parked_at"]
    assert {**after, "replayed_at": None} == before


async def test_a_message_parked_again_after_it_was_replayed_waits_again(store):
    await store.park(PARKED)
    first = await store.parked_event("k")
    await store.note_replayed(first)
    again = dataclasses.replace(PARKED, reason="documents-refused")
    await store.park(again)
    (second,) = await waiting(store)

    assert second.event == again
    assert second.parked_at > first.parked_at


async def test_a_replay_that_was_overtaken_by_another_parking_hides_nothing(store):
    await store.park(PARKED)
    first = await store.parked_event("k")
    await store.note_replayed(first)
    await store.park(PARKED)
    await store.note_replayed(first)

    assert len(await waiting(store)) == 1


async def test_noting_a_replay_twice_or_of_what_is_gone_changes_nothing(store, database):
    await store.park(PARKED)
    parked = await store.parked_event("k")
    await store.note_replayed(parked)
    noted = await database.get("parked_events/k")
    await store.note_replayed(parked)
    await store.note_replayed(dataclasses.replace(parked, event=dataclasses.replace(PARKED, key="gone")))

    assert await database.get("parked_events/k") == noted
    assert await database.get("parked_events/gone") is None


async def test_personal_data_expires_when_a_retention_is_set_and_what_has_none_does_not(database):
    store = DocumentAttendanceStore(database, clock=lambda: at(100), retention=timedelta(days=30))
    session = dataclasses.replace(
        lesson(roster=expected(builders.ADA)), plan=dataclasses.replace(lesson().plan, class_id="maths-a")
    )
    remembered = Remembered(None, "ada@school.example", "office", at(50))
    note = AuditEntry("entry", "office", None, "changed", {})
    await hold(store, session, read_at(61, ADA), corrections=[room_device("guest")], notes=[note])
    await do(
        store,
        lambda work: work.put_person(dataclasses.replace(nobody("users/2"), student=remembered)),
        lambda work: work.put_person(
            dataclasses.replace(nobody("users/3"), known_by=(KnownAddress("eve@school.example", since=at(40)),))
        ),
        lambda work: work.put_answered(Answered("key", "f", (), at(200))),
        lambda work: work.put_room(ROOM),
        lambda work: work.put_organizer(TRACKED),
    )
    await store.park(PARKED)

    kept = timedelta(days=30)
    expiry = {}
    for path, document in (await everything(database)).items():
        expiry.setdefault(path.split("/")[-2], set()).add(document.fields.get("expire_at", "never"))
    assert expiry == {
        **{name: {at(0) + kept} for name in EXPIRING},
        "people": {at(50) + kept, at(40) + kept},
        "audit": {at(100) + kept},
        "idempotency": {at(200)},
        "spaces": {"never"},
        "organizers": {"never"},
    }
    assert (await database.get("parked_events/k")).fields["expire_at"] == at(100) + kept


async def test_documents_of_a_later_version_are_refused_and_left_alone(store, database):
    session = dataclasses.replace(
        lesson(roster=expected(builders.ADA)), plan=dataclasses.replace(lesson().plan, class_id="maths-a")
    )
    await hold(store, session, read_at(61, ADA), corrections=[room_device("guest")])
    await do(
        store,
        lambda work: work.put_person(nobody("users/2")),
        lambda work: work.put_answered(Answered("key", "f", (), at(200))),
        lambda work: work.put_room(ROOM),
        lambda work: work.put_organizer(TRACKED),
    )
    readers = {
        "conferences": stored_conference,
        "sessions": lambda store: look(store, lambda work: work.session("maths")),
        "corrections": lambda store: look(store, lambda work: work.corrections("maths")),
        "spaces": lambda store: look(store, lambda work: work.room("spaces/room")),
        "people": lambda store: look(store, lambda work: work.people(["users/2"])),
        "organizers": lambda store: look(store, lambda work: work.organizer("users/1")),
        "idempotency": lambda store: look(store, lambda work: work.answered("key")),
        "registers": lambda store: do(store, lambda work: work.drop_session("maths")),
    }
    documents = {path.split("/")[-2]: document for path, document in (await everything(database)).items()}
    for collection, read in readers.items():
        document = documents[collection]
        await database.commit([Write(document.path, {**document.fields, "schema_version": 2})])
        before = await versions(database)

        with pytest.raises(DocumentTooNew):
            await read(store)
        assert await rewritten(database, before) == set()
        await database.commit([Write(document.path, document.fields)])


# --- The database underneath ------------------------------------------------------------------------------------


async def test_a_field_that_is_no_longer_written_is_removed(database):
    await database.commit([Write("a/b", {"keep": 1, "old": {"deep": True}})])
    document = await database.get("a/b")
    await database.commit([Write("a/b", {"keep": 2}, expecting=document)])

    assert (await database.get("a/b")).fields == {"keep": 2}


async def test_a_write_that_expects_what_is_gone_conflicts(database):
    await database.commit([Write("a/b", {"n": 1})])
    document = await database.get("a/b")
    await database.commit([Write("a/b", None)])

    with pytest.raises(StoreConflict):
        await database.commit([Write("a/b", {"n": 2}, expecting=document), Write("a/c", {"n": 3})])
    assert await database.get("a/c") is None


async def test_a_document_that_was_deleted_and_written_again_is_another_one(database):
    await database.commit([Write("a/b", {"n": 1})])
    document = await database.get("a/b")
    await database.commit([Write("a/b", None)])
    await database.commit([Write("a/b", {"n": 1}, expecting=ABSENT)])

    with pytest.raises(StoreConflict):
        await database.commit([Write("a/b", {"n": 2}, expecting=document)])


async def test_every_kind_of_value_comes_back_as_it_was(database):
    fields = {
        "t": at(0.12345),
        "s": "ä\n'\"",
        "n": None,
        "i": 2**53,
        "f": 0.5,
        "b": True,
        "l": [{"t": at(1)}],
        "d": {"x": {}},
    }
    await database.commit([Write("a/b", {**fields, "now": COMMIT_TIME})])
    stored = (await database.get("a/b")).fields
    now = stored.pop("now")

    assert stored == fields
    assert type(now) is type(stored["t"])
    assert now.utcoffset() == timedelta(0)


async def test_only_what_lies_directly_in_a_collection_is_listed(database):
    await database.commit([Write(path, {"p": path}) for path in ("a/2", "a/1", "a/1/b/1", "ab/1")])

    assert [document.path for document in await database.children("a")] == ["a/1", "a/2"]


async def test_a_commit_that_firestore_always_refuses_writes_nothing(firestore_client, firestore_gate):
    firestore_gate.most_bytes = 1_000_000  # less than the known limit
    database = FirestoreDatabase(firestore_client)

    with pytest.raises(DocumentsRefused):
        await database.commit([Write("a/small", {"n": 1}), Write("a/large", {"text": "x" * 1_000_000})])
    assert await database.get("a/small") is None
    assert [refusal.status for refusal in firestore_gate.take()] == ["INVALID_ARGUMENT"]


@pytest.mark.parametrize(
    "status", [grpc.StatusCode.NOT_FOUND, grpc.StatusCode.FAILED_PRECONDITION, grpc.StatusCode.ABORTED]
)
async def test_a_failed_commit_is_never_mistaken_for_a_parked_message(monkeypatch, status):
    """Firestore answers NOT_FOUND for a missing database, as for a missing document.

    Under contention, it answers ABORTED.
    """

    async def refuse(_, context):
        await context.abort(status, "Not now")

    async def find_nothing(request, _):
        yield types.BatchGetDocumentsResponse(missing=types.BatchGetDocumentsRequest.deserialize(request).documents[0])

    server = grpc.aio.server()
    server.add_generic_rpc_handlers(
        [
            grpc.method_handlers_generic_handler(
                "google.firestore.v1.Firestore",
                {
                    "Commit": grpc.unary_unary_rpc_method_handler(refuse),
                    "BatchGetDocuments": grpc.unary_stream_rpc_method_handler(
                        find_nothing, response_serializer=types.BatchGetDocumentsResponse.serialize
                    ),
                },
            )
        ]
    )
    port = server.add_insecure_port("127.0.0.1:0")
    await server.start()
    monkeypatch.setenv("FIRESTORE_EMULATOR_HOST", f"127.0.0.1:{port}")
    database = FirestoreDatabase(firestore.AsyncClient(project="demo-missing"))
    store = DocumentAttendanceStore(database, clock=lambda: at(100), retention=None)

    with pytest.raises(Retryable):
        await store.park(PARKED)
    await server.stop(0.1)


async def test_a_teacher_has_classes_once_one_is_stored_and_a_co_teacher_has_none(store):
    held = lesson(teachers=("teacher@school.example", "co-teacher@school.example"))
    await do(store, lambda work: work.put_sheet(sheet_of(held)))

    assert await store.has_classes("teacher@school.example")
    assert not await store.has_classes("co-teacher@school.example")


async def test_a_teacher_has_classes_by_any_spelling_of_a_gmail_address(store):
    await do(store, lambda work: work.put_sheet(sheet_of(lesson(teachers=("m.grey@gmail.com", "b.white@gmail.com")))))

    for spelling in ("m.grey@gmail.com", "mgrey@gmail.com", "mg.rey@googlemail.com"):
        assert await store.has_classes(spelling)
    assert not await store.has_classes("bwhite@gmail.com")


async def test_a_teacher_whose_address_another_account_has_now_is_not_found_by_it(store):
    since = KnownAddress("teacher@school.example", since=at(0), until=at(1), lost_at=at(2))
    renamed = Person("users/1", Identity("users/1", "married@school.example", (), None, IdentitySource.DIRECTORY))
    renamed = dataclasses.replace(
        renamed, known_by=(since, KnownAddress("married@school.example", since=at(2))), resolved_at=at(2)
    )
    successor = Person(
        "users/5",
        Identity("users/5", "teacher@school.example", (), None, IdentitySource.DIRECTORY),
        resolved_at=at(2),
    )
    await do(store, lambda work: work.put_organizer(TRACKED), lambda work: work.put_person(renamed))
    assert await store.organizer_with("teacher@school.example") == TRACKED

    await do(store, lambda work: work.put_person(successor))
    assert await store.organizer_with("teacher@school.example") is None
    assert await store.organizer_with("married@school.example") == TRACKED


async def test_teachers_are_listed_in_order_after_a_given_teacher(store):
    async def track(work):
        for number in (3, 1, 2, 10):
            work.put_organizer(TrackedOrganizer(f"users/{number}", f"t{number}@school.example", enrolled_at=at(0)))

    await store.transact(track)

    assert await store.organizers_after("", limit=2) == ["users/1", "users/10"]
    assert await store.organizers_after("users/10", limit=5) == ["users/2", "users/3"]


async def test_rooms_are_listed_in_pages_by_the_time_of_their_next_check(store):
    def room(number, **about):
        slot = Slot(f"s{number}", Interval(at(number), at(number + 60)), timedelta(0), timedelta(0))
        return Room(f"spaces/r{number}", slots=(slot,), **about)

    async def put(work):
        for stored in [*map(room, (1, 2, 3)), room(4, looked_at=at(4)), Room("spaces/empty")]:
            work.put_room(stored)

    await store.transact(put)
    first = await store.rooms_to_reconcile(at(10), after=None, limit=2)
    rest = await store.rooms_to_reconcile(at(10), after=first[-1], limit=2)

    assert [one.space for one in (*first, *rest)] == ["spaces/r1", "spaces/r2", "spaces/r3"]
    assert [one.due_at for one in first] == [at(1), at(2)]
    assert [one.space for one in await store.rooms_to_reconcile(at(19), after=rest[-1], limit=2)] == ["spaces/r4"]
