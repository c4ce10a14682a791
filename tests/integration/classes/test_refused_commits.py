"""A commit that Firestore always refuses is stored as failed, and its data is not read repeatedly."""

import dataclasses
from datetime import UTC, datetime, timedelta
from itertools import pairwise

import pytest

from functions.domain.conferences.model import SyncState
from infra.local.clock import TurnableClock
from tests.classroom import MARKS, event, held, job, marks, pupil, scheduled, sheet, teacher, the_class

HOUR = timedelta(hours=1)
FEW = 17_000
"""More bytes than the document of a failed class meeting, but fewer than the class meeting with its attendance."""


@pytest.fixture
def clock():
    return TurnableClock(datetime.now(UTC).replace(microsecond=0))


@pytest.fixture
def little(firestore_gate):
    """Limit Firestore to small commits; return a function that removes the limit."""
    most = firestore_gate.most_bytes
    firestore_gate.most_bytes = FEW

    def enough():
        firestore_gate.most_bytes = most

    yield enough
    assert {refusal.words for refusal in firestore_gate.take()} == {"Transaction too big. Decrease transaction size."}


@pytest.fixture
async def lesson(api, school):
    """Return the id and the conference of a past class meeting."""
    made = await scheduled(api)
    conference = the_class(made["space"], made["meeting_code"])
    school.hold(conference)
    return made["session_id"], conference


@pytest.fixture
def a_day(app, clock):
    """Run the jobs that Cloud Scheduler starts in a day."""

    async def a_day():
        for minutes in range(0, 24 * 60, 5):
            clock.turn(timedelta(minutes=5))
            await job(app, "sync-due")
            if minutes % 30 == 0:
                await job(app, "reconcile")

    return a_day


def reads(meet):
    """Return how often the participants of a conference were requested."""
    return meet.calls.by_method()["ListParticipants"]


async def conference(app, name):
    async def load(work):
        return await work.conference(f"conferenceRecords/{name}")

    found, _ = await app.deps.store.transact(load)
    return found


async def session_of(api, session_id):
    return (await sheet(api, session_id))["session"]


@pytest.mark.usefixtures("little")
async def test_a_class_that_is_too_large_is_failed_with_reason_and_hint(api, app, lesson):
    session_id, held_conference = lesson
    recorded = await event(app, held_conference)
    session = await session_of(api, session_id)

    assert recorded.refusal.reason == "documents-refused"
    assert (session["state"], session["sync"]["state"]) == ("ended", "failed")
    assert session["sync"]["error"]["reason"] == "documents-refused"
    assert session["sync"]["error"]["hint"]
    assert (await sheet(api, session_id))["attendance"] == []
    stored = await conference(app, "rec-1")
    assert (stored.sync.state, stored.sync.attempts, stored.session_ids) == (SyncState.FAILED, 1, (session_id,))


@pytest.mark.usefixtures("little")
async def test_the_status_tells_what_to_do_about_it(api, app, lesson):
    await event(app, lesson[1])
    [failed] = (await api.get("/api/status")).json()["failed_conferences"]["first"]

    assert (failed["id"], failed["reason"]) == ("conferenceRecords/rec-1", "documents-refused")
    assert "Split the class meeting" in failed["hint"] or "Report it" in failed["hint"]
    assert "make backfill SINCE=30d" in failed["hint"]


@pytest.mark.usefixtures("little")
async def test_it_is_read_five_times_in_the_first_day_and_once_a_day_later(app, lesson, a_day, meet):
    await event(app, lesson[1])
    await a_day()
    assert reads(meet) == 5

    await a_day()
    assert reads(meet) == 6


@pytest.mark.usefixtures("little")
async def test_the_class_meeting_is_due_again_at_distances_that_grow(app, lesson, clock):
    await event(app, lesson[1])
    due = []
    for _ in range(4):
        due.append((await app.views.session(lesson[0]))["due_at"])
        clock.turn_to(due[-1])
        await job(app, "sync-due")

    assert [(later - earlier) / HOUR for earlier, later in pairwise(due)] == [2, 4, 8]


@pytest.mark.usefixtures("little")
async def test_the_same_event_again_reads_nothing(app, lesson, meet):
    first, again = [await event(app, lesson[1]) for _ in range(2)]

    assert (first.read, again.read, reads(meet)) == (True, False, 1)
    assert again.refusal.reason == "documents-refused"


@pytest.mark.usefixtures("little")
async def test_a_meeting_that_nobody_scheduled_is_failed_too_and_left_alone(api, app, school, a_day, meet):
    school.hold(the_class("spaces/own", "own-roo-mmm"))
    recorded = await event(app, the_class("spaces/own", "own-roo-mmm"))
    session = await session_of(api, "rec-1")

    assert recorded.refusal.reason == "documents-refused"
    assert (session["state"], session["sync"]["state"]) == ("ended", "failed")
    await a_day()
    assert reads(meet) == 5


async def test_what_fits_later_is_stored_the_next_time(api, app, lesson, little, clock):
    session_id, held_conference = lesson
    await event(app, held_conference)
    little()
    clock.turn(2 * HOUR)
    await job(app, "sync-due")

    assert await marks(api, session_id) == MARKS
    assert (await session_of(api, session_id))["sync"]["state"] == "complete"


async def test_a_meeting_that_nobody_scheduled_is_stored_the_next_time_too(api, app, school, little, clock):
    school.hold(the_class("spaces/own", "own-roo-mmm"))
    await event(app, the_class("spaces/own", "own-roo-mmm"))
    little()
    clock.turn(2 * HOUR)
    await job(app, "sync-due")

    shown = await sheet(api, "rec-1")
    assert (shown["session"]["sync"]["state"], len(shown["attendance"])) == ("complete", 10)


@pytest.mark.usefixtures("little")
async def test_nobody_is_absent_because_a_class_could_not_be_stored(api, app, lesson, clock, firestore_gate):
    await event(app, lesson[1])
    firestore_gate.most_bytes *= 100
    clock.turn(timedelta(minutes=30))  # it is too early to read it again, but Meet lists the room's records once more
    for name in ("sync-session", "remark-session"):
        await job(app, name, session_id=lesson[0])

    assert set((await marks(api, lesson[0])).values()) == {"unknown"}


@pytest.mark.usefixtures("little")
async def test_a_person_who_asks_is_told_why_and_may_ask_at_once(api, lesson, meet):
    url = f"/api/webhook/sessions/{lesson[0]}/sync-participants"
    answers = [await api.post(url) for _ in range(2)]

    assert [answer.status_code for answer in answers] == [502, 502]
    assert answers[0].json()["type"].endswith("/documents-refused")
    assert reads(meet) == 2
    assert (await session_of(api, lesson[0]))["sync"]["state"] == "failed"


async def test_earlier_attendance_is_kept_when_more_data_of_the_class_is_refused(
    api, app, school, lesson, firestore_gate
):
    session_id, first = lesson
    await event(app, first)
    before = (await sheet(api, session_id))["attendance"]
    firestore_gate.most_bytes = FEW
    second = held(
        first.space, first.meeting_code, teacher((61, 62)), pupil(3, (61, 62)), record="again", start=61, end=62
    )
    school.hold(second)
    recorded = await event(app, second)

    assert recorded.refusal.reason == "documents-refused"
    assert (await sheet(api, session_id))["attendance"] == before
    assert (await session_of(api, session_id))["sync"]["state"] == "failed"
    assert (await session_of(api, session_id))["counts"]["present"] == list(MARKS.values()).count("present")
    firestore_gate.take()


async def test_a_class_that_cannot_be_marked_again_is_failed_and_keeps_its_marks(
    api, app, lesson, clock, firestore_gate
):
    session_id, conference = lesson
    await event(app, conference)
    before = (await sheet(api, session_id))["attendance"]
    firestore_gate.most_bytes = FEW // 2  # a second marking writes less than the first
    rules = dataclasses.replace(app.deps.rules, room_names=())
    other = dataclasses.replace(app, deps=dataclasses.replace(app.deps, rules=rules))
    await job(other, "remark-session", session_id=session_id)

    stored = await app.views.session(session_id)
    assert (stored["sync"]["state"], stored["sync"]["error"]["reason"]) == ("failed", "documents-refused")
    assert stored["due_at"] == clock() + HOUR
    assert (await sheet(api, session_id))["attendance"] == before
    firestore_gate.take()


async def test_a_decision_that_is_too_large_changes_nothing_and_says_so(api, app, lesson, firestore_gate):
    await event(app, lesson[1])
    firestore_gate.most_bytes = FEW
    students = [{"email": f"new{number}@school.example"} for number in range(20)]
    answer = await api.put(f"/api/sessions/{lesson[0]}/roster", json={"students": students, "by": "office"})

    assert (answer.status_code, answer.json()["type"].rpartition("/")[2]) == (502, "documents-refused")
    assert await marks(api, lesson[0]) == MARKS
    assert len(firestore_gate.take()) == 1
