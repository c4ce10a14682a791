"""From an ended conference to stored attendance: late, twice, at once, in any order, with failures."""

import asyncio
import itertools
from datetime import UTC, datetime, timedelta

import grpc
import pytest

from functions.domain.conferences.model import Organizer, SyncState
from functions.domain.errors import ConferenceRecordGone
from infra.local.classes import believable_class
from infra.local.faults import Fault
from infra.local.school import Attendee, Conference, Visit
from tests.builders import until

NOW = datetime.now(UTC)
LENGTH = timedelta(minutes=50)
STATUS = grpc.StatusCode


@pytest.fixture(autouse=True)
def this_moment(monkeypatch):
    """Use the present time for each test: data that was not final when the test suite began is final now."""
    monkeypatch.setitem(globals(), "NOW", datetime.now(UTC).replace(microsecond=654321))


def a_class(seed=3, people=12, *, ended_ago=timedelta(hours=1), settled=True):
    return believable_class(seed, people=people, start=NOW - ended_ago - LENGTH, length=LENGTH, settled=settled)


def lasting(people):
    """Return the content of attendance documents except the time of writing."""
    return [{name: value for name, value in person.items() if name != "updated_at"} for person in people]


def union_in_seconds(visits, held):
    """Compute the same figure in a second way.

    Cut the time at every border, and check every piece between two borders.
    """
    spans = [(max(v.start, held.start), min(v.end or held.end, held.end)) for v in visits]
    pieces = itertools.pairwise(sorted({border for span in spans for border in span}))
    total = sum((b - a for a, b in pieces if any(s <= a and b <= e for s, e in spans)), timedelta(0))
    return total // timedelta(seconds=1)


@pytest.mark.parametrize("seed", range(5))
async def test_everybodys_seconds_are_those_of_an_independent_count(app, school, record, stored, *, seed):
    held = a_class(seed, people=40)
    school.hold(held)
    recorded = await record(app, held)
    _, _, people = await stored(app, held)

    assert recorded.conference.sync.state is SyncState.COMPLETE
    assert {
        person["sessions"][0]["participant_session"].split("/")[3]: person["total_duration_seconds"]
        for person in people
    } == {attendee.id: union_in_seconds(attendee.visits, held) for attendee in held.attendees}
    assert [person["user"] for person in people if person["role"] == "teacher"] == [held.organizer]


async def test_a_conference_that_has_not_settled_is_stored_at_once_and_read_again(instance, school, record, stored):
    start, ended = NOW - LENGTH, NOW - timedelta(seconds=1)

    def held(*visits):
        ada = Attendee("ada", "signed_in", "A", "users/2", visits)
        return Conference("abc", "spaces/r", "abc-mnop-xyz", "users/1", start, ended, (ada,))

    app = instance(settle_seconds=600)
    school.hold(held(Visit(start)))
    first = await record(app, held())
    _, _, [early] = await stored(app, held())
    school.hold(held(Visit(start, ended - timedelta(minutes=10))))
    second = await record(app, held())
    _, _, [late] = await stored(app, held())

    assert (first.conference.sync.state, second.conference.sync.state) == ("provisional", "complete")
    assert early["sessions"][0]["open"]
    assert early["last_left_at"] == ended
    assert late["last_left_at"] == ended - timedelta(minutes=10)
    assert second.conference.sync.attempts == 2


async def test_what_never_settles_is_final_once_the_settling_time_is_over(instance, school, record, stored):
    held = a_class(settled=False)
    school.hold(held)
    recorded = await record(instance(settle_seconds=60), held)
    _, _, people = await stored(instance(), held)

    assert recorded.conference.sync.state is SyncState.COMPLETE
    assert [visit["open"] for person in people for visit in person["sessions"]].count(True) == 1


async def test_a_conference_without_participants_is_stored_without_attendance(instance, school, record, stored):
    held = Conference("abc", "spaces/r", "abc-mnop-xyz", "users/1", NOW - LENGTH, NOW - timedelta(minutes=1))
    school.hold(held)
    recorded = await record(instance(), held)
    conference, session, people = await stored(instance(), held)

    assert (recorded.conference.sync.state, recorded.people) == (SyncState.PROVISIONAL, 0)
    assert (session["session_id"], people) == ("abc", ())
    assert conference.session_ids == ("abc",)


async def test_the_same_event_ten_times_at_once_reads_meet_once(app, school, meet, record):
    held = a_class(people=20)
    school.hold(held)
    await asyncio.gather(*(record(app, held) for _ in range(10)))

    assert len(meet.calls) == 20 + 3


async def test_the_same_event_again_later_asks_meet_nothing_and_changes_nothing(app, school, meet, record, stored):
    held = a_class()
    school.hold(held)
    await record(app, held)
    before, calls = await stored(app, held), len(meet.calls)
    again = await record(app, held)

    assert not again.read
    assert len(meet.calls) == calls
    assert await stored(app, held) == before


async def test_ten_instances_at_once_store_what_one_stores(instance, school, record, stored, *, tmp_path):
    held = a_class(people=20)
    school.hold(held)
    alone = instance(attendance_store=f"sqlite:///{tmp_path / 'alone.db'}")
    await record(alone, held)
    crowd = [instance() for _ in range(10)]
    await asyncio.gather(*(record(app, held) for app in crowd))

    (one, _, expected), (many, _, people) = await stored(alone, held), await stored(crowd[0], held)
    assert many.snapshot == one.snapshot
    assert lasting(people) == lasting(expected)


async def test_an_older_read_that_ends_last_does_not_undo_a_newer_one(instance, school, meet, record, stored):
    """The last call of the first read hangs while all people's data changes and a second read is stored."""
    start = NOW - LENGTH
    ada = Attendee("ada", "signed_in", "A", "users/2", (Visit(start, start + timedelta(minutes=10)),))
    held = Conference("abc", "spaces/r", "abc-mnop-xyz", "users/1", start, NOW, (ada,))
    newer = Attendee("ada", "signed_in", "A", "users/2", (Visit(start, start + timedelta(minutes=40)),))
    school.hold(held)
    slow, quick = instance(), instance()
    meet.faults.set(Fault("GetSpace", delay=timedelta(seconds=1), times=1))
    first = asyncio.create_task(record(slow, held))
    await until(lambda: len(meet.calls) == 4)
    school.hold(Conference("abc", "spaces/r", "abc-mnop-xyz", "users/1", start, NOW, (newer,)))
    await record(quick, held)
    await first
    _, _, [person] = await stored(quick, held)

    assert person["total_duration_seconds"] == 40 * 60


@pytest.mark.parametrize(
    ("fault", "reason"),
    [
        (Fault("ListParticipants", status=STATUS.PERMISSION_DENIED, reason="SERVICE_DISABLED"), "meet-api-disabled"),
        (
            Fault("ListParticipants", status=STATUS.PERMISSION_DENIED, reason="ACCESS_TOKEN_SCOPE_INSUFFICIENT"),
            "insufficient-permissions",
        ),
        (Fault("GetConferenceRecord", status=STATUS.UNAUTHENTICATED), "insufficient-permissions"),
    ],
    ids=["api off", "scope missing", "credentials refused"],
)
async def test_what_only_an_operator_can_fix_is_stored_and_fixed_by_the_next_read(
    app, school, meet, record, stored, *, fault, reason
):
    held = a_class()
    school.hold(held)
    meet.faults.set(fault)
    failed = await record(app, held)
    conference, session, _ = await stored(app, held)

    assert failed.conference.sync.state is SyncState.FAILED
    assert conference.sync.error.reason == reason
    assert conference.sync.error.hint
    assert session is None

    meet.faults.clear()
    await record(app, held)
    conference, _, people = await stored(app, held)
    assert (conference.sync.state, conference.sync.error) == (SyncState.COMPLETE, None)
    assert len(people) == 12


async def test_a_refusal_after_a_complete_read_is_reported_and_changes_nothing(app, school, meet, record, stored):
    held = a_class()
    school.hold(held)
    await record(app, held)
    before = await stored(app, held)
    meet.faults.set(Fault("ListParticipants", status=STATUS.PERMISSION_DENIED))
    later = await record(app, held, ended_event_at=datetime.now(UTC) + timedelta(seconds=1))

    assert later.refusal.reason == "insufficient-permissions"
    assert later.conference.sync.state is SyncState.COMPLETE
    assert await stored(app, held) == before


async def test_an_event_that_names_no_organizer_is_read_as_the_one_who_is_stored(instance, school, record):
    held = a_class(settled=False, ended_ago=timedelta(seconds=1))
    school.hold(held)
    app = instance()
    nobody = Organizer()

    unknown = await record(app, held, organizer=nobody)
    assert unknown.conference.sync.error.reason == "organizer-unknown"

    await record(app, held)
    again = await record(app, held, organizer=nobody)
    assert again.read
    assert again.conference.sync.error is None


async def test_a_conference_that_is_gone_leaves_nothing_behind(app, meet, record, stored):
    held = a_class()
    meet.hides_missing = False

    with pytest.raises(ConferenceRecordGone):
        await record(app, held)
    assert await stored(app, held) == (None, None, ())


async def test_half_of_all_calls_failing_gives_the_documents_of_an_undisturbed_run(
    instance, school, meet, record, stored, *, tmp_path
):
    held = a_class(people=100)
    school.hold(held)
    calm, shaken = instance(), instance(attendance_store=f"sqlite:///{tmp_path / 'shaken.db'}")
    await record(calm, held)
    meet.faults.set(
        *(
            Fault(method, status=status, share=0.25, at_most_in_a_row=6)
            for status in (STATUS.RESOURCE_EXHAUSTED, STATUS.UNAVAILABLE)
            for method in ("GetConferenceRecord", "GetSpace", "ListParticipants", "ListParticipantSessions")
        )
    )
    await record(shaken, held)

    (one, _, expected), (other, _, people) = await stored(calm, held), await stored(shaken, held)
    assert other.snapshot == one.snapshot
    assert lasting(people) == lasting(expected)
    assert other.sync.meet_calls > one.sync.meet_calls
