"""Who is in a class's room while the class goes on."""

from __future__ import annotations

import asyncio
from datetime import UTC, datetime, timedelta

import grpc
import pytest

from functions.adapters.patience import Patience
from functions.adapters.store.databases.database import Write
from functions.adapters.store.databases.sqlite import SqliteDatabase
from functions.domain.conferences.model import SyncState
from functions.domain.errors import AttendanceError, DocumentsRefused, Retryable, StoreConflict
from functions.entrypoints.messages.envelope import Message
from functions.entrypoints.messages.events import process
from infra.local.clock import TurnableClock
from infra.local.faults import Fault
from infra.local.school import Account, Attendee, Conference, Space, Visit
from tests.builders import until
from tests.classroom import PUPILS, TEACHER, job
from tests.counting import Counting

ADA, BOB = PUPILS[:2]
TYPES = "google.workspace.meet."


def at(minute, second=0):
    """A time of a class that begins at nine."""
    return datetime(2026, 11, 23, 9, tzinfo=UTC) + timedelta(minutes=minute, seconds=second)


@pytest.fixture
def clock():
    return TurnableClock(at(-180))


@pytest.fixture
def app(instance, google, workspace_events, clock):
    async def pause(seconds):
        clock.turn(timedelta(seconds=seconds))

    return instance(
        clock=clock,
        pause=pause,
        patience=lambda: Patience(0),
        people_api_endpoint=google.endpoint,
        directory_api_endpoint=google.endpoint,
        workspace_events_api_endpoint=workspace_events.endpoint,
        api_callers="*=admin",
        meet_full_reads=True,  # so that only live presence stores events
    )


def there(account, *times):
    """A pupil with a participant session for each pair of minutes."""
    visits = tuple(Visit(at(start), None if end is None else at(end)) for start, end in times)
    return Attendee(account.user.rpartition("/")[2], "signed_in", account.display_name, account.user, visits)


THE_TEACHER = Account(TEACHER, "teacher@school.example", display_name="The Teacher")


@pytest.fixture
async def made(api):
    body = {
        "teacher_email": "teacher@school.example",
        "students": [{"email": ADA.email, "student_id": "S-1"}, {"email": BOB.email}],
        "subject": "Mathematics",
        "class_id": "7b",
        "start_time": at(0).isoformat(),
        "duration_minutes": 60,
    }
    answer = await api.post("/api/schedule/class", json=body)
    assert answer.status_code == 201, answer.text
    return answer.json()


@pytest.fixture
def going(school, made):
    """A call in the class's room: the teacher stays, Ada comes for a while and comes back, Bob comes late."""

    def going(*people, record="rec", end=60):
        call = Conference(record, made["space"], made["meeting_code"], TEACHER, at(0), at(end), people)
        school.hold(call)
        return call

    return going


@pytest.fixture
def call(going):
    return going(there(THE_TEACHER, (0, 60)), there(ADA, (1, 20), (30, 60)), there(BOB, (10, 60)))


def message(call, account, number, moment, *, left=False, **attributes):
    name = f"{call.name}/participants/{account.user.rpartition('/')[2]}/participantSessions/{number}"
    return Message(
        {
            "ce-type": f"{TYPES}participant.v2.{'left' if left else 'joined'}",
            "ce-subject": f"//cloudidentity.googleapis.com/{TEACHER}",
            "ce-time": moment.isoformat(),
            **attributes,
        },
        {"participantSession": {"name": name}},
    )


def ended(call):
    return Message(
        {
            "ce-type": f"{TYPES}conference.v2.ended",
            "ce-subject": f"//cloudidentity.googleapis.com/{TEACHER}",
            "ce-time": call.end.isoformat(),
        },
        {"conferenceRecord": {"name": call.name}},
    )


class Room:
    """The class's room: events about it, and what is shown of it."""

    def __init__(self, app, api, session_id):
        self.app = app
        self.session_id = session_id
        self._api = api

    def of(self, session_id):
        """What is shown of another class meeting."""
        return Room(self.app, self._api, session_id)

    async def hears(self, *messages):
        for message in messages:
            await process(message, self.app)

    async def live(self):
        answer = await self._api.get(f"/api/sessions/{self.session_id}/live")
        assert answer.status_code == 200, answer.text
        return answer.json()

    async def names(self):
        """Who is there by display name, and who is missing by address."""
        shown = await self.live()
        return [one["display_name"] for one in shown["participants"]], [one["email"] for one in shown["missing"]]

    async def is_empty(self, call):
        return await self.app.deps.store.live_with(call.name) == []


@pytest.fixture
def room(app, api, made):
    return Room(app, api, made["session_id"])


async def test_an_event_shows_who_is_there_and_who_is_not(room, made, call, clock):
    clock.turn_to(at(1, 1))
    await room.hears(message(call, ADA, 1, at(1)))

    shown = await room.live()
    assert shown["session_id"] == made["session_id"]
    assert shown["as_of"] == "2026-11-23T09:01:01Z"
    assert [(one["display_name"], one["email"], one["student_id"], one["role"]) for one in shown["participants"]] == [
        ("The Teacher", "teacher@school.example", None, "teacher"),
        ("Punctual", ADA.email, "S-1", "student"),
    ]
    assert shown["participants"][1]["joined_at"] == "2026-11-23T09:01:00Z"
    assert [(one["email"], one["left_at"]) for one in shown["missing"]] == [(BOB.email, None)]


async def test_everybody_has_the_id_of_their_attendance(room, api, call, clock):
    clock.turn_to(at(12))
    await room.hears(message(call, BOB, 1, at(10)))
    shown = await room.live()
    clock.turn_to(at(75))
    await job(room.app, "sync-session", session_id=room.session_id)

    sheet = (await api.get(f"/api/sessions/{room.session_id}/attendance")).json()["attendance"]
    assert {one["attendee_id"] for one in shown["participants"]} <= {person["attendee_id"] for person in sheet}


async def test_people_come_and_go_and_come_back(room, call, clock):
    clock.turn_to(at(10))
    await room.hears(message(call, ADA, 1, at(1)))
    await room.hears(message(call, BOB, 1, at(10)))
    clock.turn_to(at(20))
    await room.hears(message(call, ADA, 1, at(20), left=True))
    assert await room.names() == (["The Teacher", "Late"], [ADA.email])
    assert (await room.live())["missing"][0]["left_at"] == "2026-11-23T09:20:00Z"

    clock.turn_to(at(30))
    await room.hears(message(call, ADA, 2, at(30)))
    assert await room.names() == (["The Teacher", "Late", "Punctual"], [])


async def test_events_that_come_twice_and_late_change_nothing(room, call, clock):
    clock.turn_to(at(21))
    await room.hears(message(call, ADA, 1, at(20), left=True))
    for _ in range(3):
        await room.hears(message(call, ADA, 1, at(1)))
        await room.hears(message(call, ADA, 1, at(20), left=True))

    assert await room.names() == (["The Teacher", "Late"], [ADA.email])


async def test_a_left_event_that_was_lost_is_corrected_while_somebody_looks(room, app, call, clock):
    clock.turn_to(at(10))
    await room.hears(message(call, ADA, 1, at(1)))
    assert (await room.names())[0] == ["The Teacher", "Punctual", "Late"]

    clock.turn_to(at(25))
    await job(app, "sync-due")
    assert await room.names() == (["The Teacher", "Late"], [ADA.email])


async def test_the_end_of_the_conference_clears_it(room, call, clock):
    clock.turn_to(at(10))
    await room.hears(message(call, ADA, 1, at(1)))
    clock.turn_to(at(61))
    await room.hears(ended(call))
    await room.hears(message(call, BOB, 1, at(10)))  # late

    assert await room.names() == ([], [])
    assert await room.is_empty(call)


async def test_an_end_that_was_lost_is_found(room, app, call, clock):
    clock.turn_to(at(10))
    await room.hears(message(call, ADA, 1, at(1)))
    clock.turn_to(at(81))
    await job(app, "sync-due")

    assert await room.is_empty(call)


async def test_a_late_event_on_another_instance_does_not_bring_a_call_back(room, instance, call, clock):
    other = instance(clock=clock)
    clock.turn_to(at(58))
    await process(message(call, ADA, 1, at(1)), other)
    clock.turn_to(at(61))
    await room.hears(ended(call))
    await process(message(call, BOB, 1, at(10)), other)

    assert await room.is_empty(call)


async def test_a_call_that_dropped_and_began_again_goes_on(room, going, clock):
    first = going(there(ADA, (1, 20)), end=20)
    second = going(there(BOB, (25, 60)), record="rec-2")
    clock.turn_to(at(5))
    await room.hears(message(first, ADA, 1, at(1)))
    clock.turn_to(at(26))
    await room.hears(message(second, BOB, 1, at(25)))
    await room.hears(message(first, ADA, 1, at(20), left=True))

    assert await room.names() == (["Late"], [ADA.email])


@pytest.fixture
def scheduled(api, made):
    """Schedule another class in the same room, an hour later."""

    async def scheduled(**changed):
        body = {
            "teacher_email": "teacher@school.example",
            "students": [{"email": ADA.email}],
            "subject": "Physics",
            "start_time": at(60).isoformat(),
            "duration_minutes": 60,
            "meeting_code": made["meeting_code"],
            **changed,
        }
        answer = await api.post("/api/schedule/class", json=body)
        assert answer.status_code == 201, answer.text
        return answer.json()["session_id"]

    return scheduled


async def test_a_call_that_goes_on_is_the_next_class_s_when_its_time_begins(room, app, going, clock, scheduled):
    following = room.of(await scheduled())
    call = going(there(THE_TEACHER, (0, 120)), there(ADA, (1, 120)), end=120)
    clock.turn_to(at(50))
    await room.hears(message(call, ADA, 1, at(1)))
    assert (await room.names())[0] == ["The Teacher", "Punctual"]

    clock.turn_to(at(61))
    await job(app, "sync-due")
    assert await app.deps.store.live_with(call.name) == [following.session_id]
    assert await room.names() == ([], [])
    assert await following.names() == (["The Teacher", "Punctual"], [])


async def test_events_after_the_beginning_of_the_next_class_are_stored_with_it(room, app, going, clock, scheduled):
    following = await scheduled()
    call = going(there(THE_TEACHER, (0, 120)), there(ADA, (58, 120)), there(BOB, (61, 120)), end=120)
    clock.turn_to(at(58))
    await room.hears(message(call, ADA, 1, at(58)))
    clock.turn_to(at(61))
    await room.hears(message(call, BOB, 1, at(61)))

    assert following in await app.deps.store.live_with(call.name)


async def test_a_class_that_is_moved_during_its_call_shows_nobody(room, api, call, clock):
    clock.turn_to(at(10))
    await room.hears(message(call, ADA, 1, at(1)))
    moved = {"start_time": at(24 * 60).isoformat()}
    answer = await api.patch(f"/api/schedule/class/{room.session_id}", json=moved)
    assert answer.status_code == 200, answer.text

    assert await room.names() == ([], sorted([ADA.email, BOB.email]))
    assert await room.is_empty(call)


async def test_a_call_that_is_assigned_to_another_class_is_shown_there(room, api, call, clock, scheduled):
    other = room.of(await scheduled())
    clock.turn_to(at(10))
    await room.hears(message(call, ADA, 1, at(1)))
    body = {"conference_record": call.name, "by": "office"}
    answer = await api.post(f"/api/sessions/{other.session_id}/conference-records", json=body)
    assert answer.status_code == 200, answer.text

    assert (await room.names())[0] == []
    assert (await other.names())[0] == ["The Teacher", "Punctual", "Late"]


async def test_a_class_that_is_cancelled_during_its_call_expects_nobody(room, api, call, clock):
    clock.turn_to(at(10))
    await room.hears(message(call, ADA, 1, at(1)))
    await api.delete(f"/api/schedule/class/{room.session_id}")

    assert await room.names() == ([], [])
    assert await room.is_empty(call)


@pytest.mark.usefixtures("call")
async def test_without_events_looking_asks_meet_at_most_once_a_minute(room, clock, meet):
    clock.turn_to(at(12))
    assert await room.names() == (["The Teacher", "Punctual", "Late"], [])
    asked = len(meet.calls)
    for _ in range(5):
        await room.live()
    assert len(meet.calls) == asked


@pytest.mark.usefixtures("call")
async def test_many_who_look_at_the_same_moment_ask_meet_once(room, clock, meet):
    clock.turn_to(at(12))
    before = meet.calls.by_method()
    await asyncio.gather(*(room.live() for _ in range(10)))
    assert meet.calls.by_method() - before == {"ListConferenceRecords": 1, "ListParticipants": 1}

    clock.turn_to(at(17))
    before = meet.calls.by_method()
    await asyncio.gather(*(room.live() for _ in range(10)))
    assert meet.calls.by_method() - before == {"ListParticipants": 1}


@pytest.mark.parametrize("status", [grpc.StatusCode.PERMISSION_DENIED, grpc.StatusCode.INVALID_ARGUMENT])
async def test_looking_again_asks_nothing_for_a_minute_if_meet_refuses(room, api, clock, meet, status):
    clock.turn_to(at(12))
    meet.faults.set(Fault("ListConferenceRecords", status))
    before = meet.calls.by_method()
    answers = [await api.get(f"/api/sessions/{room.session_id}/live") for _ in range(3)]
    assert len({answer.text for answer in answers}) == 1
    assert answers[0].is_error
    assert meet.calls.by_method() - before == {"ListConferenceRecords": 1}

    meet.faults.clear()
    clock.turn_to(at(13))
    assert await room.names() == ([], sorted([ADA.email, BOB.email]))


@pytest.mark.usefixtures("impatient")
async def test_while_meet_fails_looking_shows_what_events_said_and_asks_once_a_minute(room, call, clock, meet):
    clock.turn_to(at(12))
    await room.hears(message(call, ADA, 1, at(1)))
    clock.turn_to(at(40))
    meet.faults.set(Fault("ListParticipants", grpc.StatusCode.UNAVAILABLE))
    await room.hears(message(call, ADA, 1, at(40), left=True))
    before = meet.calls.by_method()["ListParticipants"]
    for _ in range(3):
        assert (await room.names())[0] == ["The Teacher", "Late"]
    assert meet.calls.by_method()["ListParticipants"] == before + 1


async def test_after_the_class_nobody_is_expected_although_somebody_looked_just_before(room, clock):
    clock.turn_to(at(175))  # people may still come back until three hours after the beginning
    assert await room.names() == ([], sorted([ADA.email, BOB.email]))
    clock.turn_to(at(181))
    assert await room.names() == ([], [])


async def test_long_before_the_class_everybody_is_missing_and_meet_is_not_asked(room, meet):
    asked = len(meet.calls)
    assert await room.names() == ([], sorted([ADA.email, BOB.email]))
    assert len(meet.calls) == asked


async def test_a_class_meeting_that_does_not_exist_is_not_found(api):
    assert (await api.get("/api/sessions/none/live")).status_code == 404


@pytest.mark.usefixtures("call")
async def test_a_cancelled_class_expects_nobody(room, api, made, clock):
    assert (await api.delete(f"/api/schedule/class/{made['session_id']}")).status_code in {200, 204}
    clock.turn_to(at(12))
    assert await room.names() == ([], [])


@pytest.mark.parametrize("junk", ["rec-unknown", "x" * 200])
async def test_events_of_conferences_that_nobody_tracks_store_nothing(room, call, clock, junk, meet):
    clock.turn_to(at(12))
    name = f"conferenceRecords/{junk}/participants/p/participantSessions/1"
    event = message(call, ADA, 1, at(1))
    for _ in range(10):
        await room.hears(Message(event.attributes, {"participantSession": {"name": name}}))

    assert await room.app.deps.store.live_with(f"conferenceRecords/{junk}") == []
    assert len([call_ for call_ in meet.calls if junk in call_.resource]) <= 1


async def test_a_participant_who_is_not_in_meets_list_is_not_shown_and_the_event_comes_again(room, call, clock):
    clock.turn_to(at(5))
    nobody = Account("users/404", "nobody@school.example")
    with pytest.raises(Retryable, match="does not list"):
        await room.hears(message(call, nobody, 1, at(5)))
    clock.turn_to(at(6))
    await room.hears(message(call, nobody, 1, at(5)))

    assert (await room.names())[0] == ["The Teacher", "Punctual"]


async def test_what_events_said_is_stored_although_meet_fails(room, call, clock, meet):
    clock.turn_to(at(12))
    await room.hears(message(call, ADA, 1, at(1)))
    clock.turn_to(at(21))
    meet.faults.set(Fault("ListParticipants", grpc.StatusCode.UNAVAILABLE))
    await room.hears(message(call, ADA, 1, at(20), left=True))

    assert (await room.names())[0] == ["The Teacher", "Late"]


@pytest.fixture
def impatient():
    """What is done in this context gives up at once on a service that fails."""
    with Patience(0).started():
        yield


@pytest.mark.usefixtures("impatient")
async def test_only_events_about_people_who_are_not_known_come_again_while_meet_fails(room, call, clock, meet):
    clock.turn_to(at(12))
    await room.hears(message(call, ADA, 1, at(1)))
    clock.turn_to(at(40))
    meet.faults.set(Fault("ListParticipants", grpc.StatusCode.UNAVAILABLE))
    await room.hears(message(call, BOB, 1, at(40), left=True))  # a list is due, and Bob is known
    with pytest.raises(Retryable):
        await room.hears(message(call, PUPILS[2], 1, at(40)))

    meet.faults.clear()
    assert (await room.names())[0] == ["The Teacher", "Punctual"]


@pytest.mark.usefixtures("impatient")
async def test_a_check_that_meet_does_not_answer_is_left_to_the_next_one(room, app, call, clock, meet):
    clock.turn_to(at(12))
    await room.hears(message(call, ADA, 1, at(1)))
    clock.turn_to(at(40))
    meet.faults.set(Fault("ListParticipants", grpc.StatusCode.UNAVAILABLE))
    await job(app, "check-live", session_id=room.session_id)

    assert await app.deps.store.live_to_check(at(45)) == [room.session_id]


async def test_an_event_whose_message_is_given_up_does_not_take_others_with_it(room, app, going, clock, meet):
    call = going(*(there(pupil, (10, 60)) for pupil in PUPILS[:3]))
    clock.turn_to(at(12))
    meet.faults.set(Fault("ListParticipants", drop=True, times=2))
    before = meet.calls.by_method()["ListParticipants"]
    events = [asyncio.create_task(process(message(call, pupil, 1, at(10)), app)) for pupil in PUPILS[:3]]
    await until(lambda: meet.calls.by_method()["ListParticipants"] == before + 1)
    events[0].cancel()  # the others have waited for it, and are now stored together
    await until(lambda: meet.calls.by_method()["ListParticipants"] == before + 2)
    events[1].cancel()
    await events[2]

    assert len((await room.names())[0]) == 3


async def test_an_event_that_comes_before_meet_shows_its_conference_comes_again(room, going, clock, meet):
    call = going(there(ADA, (0, 60)))
    clock.turn_to(at(0, 1))
    meet.faults.set(Fault("GetConferenceRecord", grpc.StatusCode.NOT_FOUND))
    with pytest.raises(Retryable, match="does not show"):
        await room.hears(message(call, ADA, 1, at(0)))
    meet.faults.clear()
    clock.turn_to(at(0, 12))
    await room.hears(message(call, ADA, 1, at(0)))

    assert (await room.names())[0] == ["Punctual"]


@pytest.mark.usefixtures("impatient")
async def test_events_that_wait_for_the_same_answer_ask_once_if_meet_fails(app, going, clock, meet):
    call = going(*(there(pupil, (0, 60)) for pupil in PUPILS))
    clock.turn_to(at(1))
    before = meet.calls.by_method()["GetConferenceRecord"]
    meet.faults.set(Fault("GetConferenceRecord", grpc.StatusCode.UNAVAILABLE))
    events = [process(message(call, pupil, 1, at(0)), app) for pupil in PUPILS]
    answers = await asyncio.gather(*events, return_exceptions=True)

    assert all(isinstance(answer, Retryable) for answer in answers)
    assert meet.calls.by_method()["GetConferenceRecord"] == before + 1


async def test_late_events_after_the_end_ask_once(app, instance, going, clock, meet):
    call = going(*(there(pupil, (0, 60)) for pupil in PUPILS))
    other = instance(clock=clock, meet_full_reads=True)
    clock.turn_to(at(58))
    await process(message(call, ADA, 1, at(0)), other)
    clock.turn_to(at(61))
    await process(ended(call), app)
    before = meet.calls.by_method()["GetConferenceRecord"]
    for pupil in PUPILS:
        await process(message(call, pupil, 1, at(60), left=True), other)
    assert meet.calls.by_method()["GetConferenceRecord"] == before + 1


async def test_many_events_at_once_are_stored_together(room, app, going, clock, meet):
    people = [there(account, (1, 60)) for account in PUPILS]
    call = going(there(THE_TEACHER, (0, 60)), *people)
    clock.turn_to(at(2))
    before = len(meet.calls)
    events = [message(call, account, 1, at(1)) for account in PUPILS]
    await asyncio.gather(*(process(event, app) for event in events))

    assert len((await room.live())["participants"]) == len(PUPILS) + 1
    lists = [request for request in meet.calls[before:] if request.method == "ListParticipants"]
    assert len(lists) <= 2


async def test_live_presence_can_be_switched_off(instance, call, clock):
    quiet = instance(clock=clock, live_presence=False)
    clock.turn_to(at(5))
    await process(message(call, ADA, 1, at(1)), quiet)

    assert await quiet.deps.store.live_with(call.name) == []


async def test_rooms_are_emptied_also_after_live_presence_was_switched_off(instance, call, clock):
    before = instance(clock=clock, meet_full_reads=True)
    clock.turn_to(at(5))
    await process(message(call, ADA, 1, at(1)), before)
    quiet = instance(clock=clock, live_presence=False)
    clock.turn_to(at(30))
    assert await quiet.deps.store.live_to_check(at(30)) != []
    await job(quiet, "sync-due")
    assert await quiet.deps.store.live_to_check(at(30)) == []

    clock.turn_to(at(61))
    await process(ended(call), quiet)
    assert await quiet.deps.store.live_with(call.name) == []


class Stubborn(SqliteDatabase):
    """Does not change what is stored about rooms."""

    error: AttendanceError = StoreConflict("Other requests kept changing the same documents.")

    async def commit(self, writes, **about):
        if any(write.path.startswith("live/") for write in writes):
            raise self.error
        return await super().commit(writes, **about)


async def test_events_of_a_room_that_is_too_large_to_store_are_not_parked(instance, call, clock, tmp_path):
    full = Stubborn(tmp_path / "attendance.db")
    full.error = DocumentsRefused("The document is too large.")
    app = instance(clock=clock, documents=full, meet_full_reads=True)
    clock.turn_to(at(5))
    await process(message(call, ADA, 1, at(1)), app)

    assert await app.deps.store.live_with(call.name) == []


async def test_a_room_that_cannot_be_emptied_does_not_fail_the_record_of_the_class(
    room, instance, call, clock, tmp_path
):
    clock.turn_to(at(5))
    await room.hears(message(call, ADA, 1, at(1)))
    clock.turn_to(at(80))
    stubborn = instance(clock=clock, documents=Stubborn(tmp_path / "attendance.db"), meet_full_reads=True)
    await process(ended(call), stubborn)

    conference = await stubborn.deps.store.reader().conference(call.name)
    assert conference.sync.state is SyncState.COMPLETE


async def test_the_room_of_a_class_that_no_longer_exists_is_removed(room, app, call, clock, tmp_path):
    clock.turn_to(at(5))
    await room.hears(message(call, ADA, 1, at(1)))
    await SqliteDatabase(tmp_path / "attendance.db").commit([Write(f"sessions/{room.session_id}", None)])
    clock.turn_to(at(30))
    await job(app, "sync-due")

    assert await room.is_empty(call)


async def test_a_call_that_is_no_scheduled_class_is_shown_to_who_looks(room, app, school, clock):
    school.open(Space("spaces/spontaneous", "spo-ntan-eou", TEACHER))
    people = (there(THE_TEACHER, (0, 60)), there(ADA, (1, 60)))
    call = Conference("spontaneous", "spaces/spontaneous", "spo-ntan-eou", TEACHER, at(0), at(60), people)
    school.hold(call)
    clock.turn_to(at(5))
    await room.hears(message(call, ADA, 1, at(1)))
    assert await room.is_empty(call)
    await job(app, "sync-conference", conference_record=call.name, organizer=TEACHER)

    spontaneous = room.of("spontaneous")
    assert await spontaneous.names() == (["The Teacher", "Punctual"], [])
    clock.turn_to(at(26))
    await job(app, "sync-due")
    assert (await spontaneous.names())[0] == ["The Teacher", "Punctual"]
    clock.turn_to(at(61))
    await room.hears(ended(call))
    assert await room.is_empty(call)


async def test_a_class_of_thirty_costs_what_the_documentation_says(  # noqa: PLR0917 - fixtures
    school, api, instance, google, clock, meet, tmp_path
):
    """Everybody comes and goes at a time of their own; docs/cost.md has the figures."""
    pupils = [Account(f"users/{n}", f"p{n}@school.example", display_name=f"P {n}") for n in range(100, 130)]
    school.enrol(*pupils)
    body = {"teacher_email": "teacher@school.example", "subject": "Physics", "duration_minutes": 60}
    body |= {"start_time": at(0).isoformat(), "students": [{"email": pupil.email} for pupil in pupils]}
    made = (await api.post("/api/schedule/class", json=body)).json()
    times = [(number / 10, 50 + number / 10) for number in range(30)]
    people = [there(pupil, time) for pupil, time in zip(pupils, times, strict=True)]
    call = Conference("rec", made["space"], made["meeting_code"], TEACHER, at(0), at(60), tuple(people))
    school.hold(call)
    counted = Counting(tmp_path / "attendance.db")
    app = instance(
        clock=clock,
        documents=counted,
        meet_full_reads=True,
        people_api_endpoint=google.endpoint,
        directory_api_endpoint=google.endpoint,
    )
    before = meet.calls.by_method()
    for left in (False, True):
        for pupil, time in zip(pupils, times, strict=True):
            clock.turn_to(at(time[left]))
            await process(message(call, pupil, 1, at(time[left]), left=left), app)

    asked = meet.calls.by_method() - before
    assert asked == {"GetConferenceRecord": 2, "ListParticipants": 31}
    assert counted.writes == 60 + 30  # each event, and each account that was not known before
    assert 2_000 < counted.reads < 2_500
