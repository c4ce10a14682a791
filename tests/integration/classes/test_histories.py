"""A history belongs to one person: a reused address shows the class meetings of its present owner."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from infra.local.clock import TurnableClock
from infra.local.school import Account, Attendee, Conference, School, Visit
from tests.classroom import TEACHER, event, job

MONDAY = datetime(2026, 11, 2, 8, tzinfo=UTC)
DAY, HOUR, MINUTE = timedelta(days=1), timedelta(hours=1), timedelta(minutes=1)
DANA, SAM = "users/77", "users/78"


@pytest.fixture
def clock():
    return TurnableClock(MONDAY)


@pytest.fixture
def school(clock):
    school = School(clock)
    school.enrol(Account(TEACHER, "teacher@school.example"), Account(DANA, "dana@school.example"))
    return school


@pytest.fixture
def app(instance, google, workspace_events, clock):
    return instance(
        clock=clock,
        people_api_endpoint=google.endpoint,
        directory_api_endpoint=google.endpoint,
        workspace_events_api_endpoint=workspace_events.endpoint,
        api_callers="*=admin",
    )


@pytest.fixture
def hold(app, api, school, clock):
    """Hold the class of a day with some accounts; return its id when its processing is complete."""

    async def hold(day, students, *users):
        start = MONDAY + day * DAY
        body = {
            "teacher_email": "teacher@school.example",
            "students": [{"email": one} if isinstance(one, str) else one for one in students],
            "subject": "Mathematics",
            "class_id": "7b",
            "start_time": start.isoformat(),
            "duration_minutes": 60,
        }
        answer = await api.post("/api/schedule/class", json=body)
        assert answer.status_code == 201, answer.text
        made, visit = answer.json(), (Visit(start, start + HOUR),)
        people = [Attendee(user.replace("/", "-"), "signed_in", user, user, visit) for user in (TEACHER, *users)]
        people.append(Attendee("guest", "anonymous", "Someone", None, visit))
        conference = Conference(
            f"rec-{day}", made["space"], made["meeting_code"], TEACHER, start, start + HOUR, tuple(people)
        )
        school.hold(conference)
        clock.turn_to(max(clock(), start + HOUR + MINUTE))
        await event(app, conference)
        clock.turn(HOUR)
        await job(app, "sync-due")
        return made["session_id"]

    return hold


@pytest.fixture
def history(api):
    async def history(student):
        answer = await api.get(f"/api/students/{student}/attendance")
        return {attendance["session_id"]: attendance["mark"] for attendance in answer.json()["attendance"]}

    return history


def give_on(school):
    """Rename Dana, who marries, and give her old address to Sam, who is new at the school and was never in a call."""
    school.enrol(Account(DANA, "dana@married.example"), Account(SAM, "dana@school.example"))


async def test_an_address_that_was_given_on_shows_nothing_of_who_had_it_before(school, hold, history):
    came, missed = await hold(0, ["dana@school.example"], DANA), await hold(1, ["dana@school.example"])
    give_on(school)
    both = await hold(2, ["dana@married.example", "dana@school.example"], DANA)

    assert await history("dana@school.example") == {both: "absent"}
    for name in ("dana@married.example", "77"):
        assert await history(name) == {came: "present", missed: "absent", both: "present"}, name


async def test_an_address_that_nobody_has_got_since_still_shows_the_history_of_its_account(school, hold, history):
    came, missed = await hold(0, ["dana@school.example"], DANA), await hold(1, ["dana@school.example"])
    school.enrol(Account(DANA, "dana@married.example"))
    after = await hold(2, ["dana@married.example"], DANA)

    for name in ("dana@school.example", "dana@married.example", "77"):
        assert await history(name) == {came: "present", missed: "absent", after: "present"}, name


async def test_an_id_of_the_new_owner_shows_nothing_of_who_had_the_address_before(school, hold, history):
    """One of the new owner's class meetings took place before the change, and was entered after it."""
    came = await hold(1, ["dana@school.example"], DANA)
    give_on(school)
    both = await hold(2, ["dana@married.example", {"email": "dana@school.example", "student_id": "1002"}], DANA)
    roster = ["dana@married.example", {"email": "dana@school.example", "student_id": "1002"}]
    entered = await hold(0, roster, DANA)

    assert await history("1002") == {entered: "absent", both: "absent"}
    assert await history("dana@school.example") == {entered: "absent", both: "absent"}
    for name in ("dana@married.example", "77"):
        assert await history(name) == {came: "present", entered: "present", both: "present"}, name


async def test_the_new_owner_is_found_however_many_class_meetings_of_others_name_the_address(school, hold, history):
    before = [await hold(day, ["dana@school.example"], DANA) for day in range(30)]
    give_on(school)
    entered = await hold(30, ["dana@married.example", "dana@school.example"], DANA)

    assert await history("dana@school.example") == {entered: "absent"}
    assert (await history("77")).keys() == {*before, entered}


async def test_once_the_new_owner_is_known_each_address_shows_its_owners_class_meetings(school, hold, history):
    came, missed = await hold(0, ["dana@school.example"], DANA), await hold(1, ["dana@school.example"])
    give_on(school)
    roster = ["dana@married.example", "dana@school.example"]
    both, later = await hold(2, roster, DANA), await hold(3, roster, SAM)

    for name in ("dana@school.example", "78"):
        assert await history(name) == {both: "absent", later: "present"}, name
    for name in ("dana@married.example", "77"):
        assert await history(name) == {came: "present", missed: "absent", both: "present", later: "absent"}, name


async def test_class_meetings_that_name_the_id_alone_are_in_the_history_by_every_name(hold, history):
    both = await hold(0, [{"email": "dana@school.example", "student_id": "1001"}], DANA)
    by_id = await hold(1, [{"student_id": "1001"}])
    by_address = await hold(2, ["dana@school.example"])

    for name in ("1001", "dana@school.example", "77"):
        assert await history(name) == {both: "present", by_id: "absent", by_address: "absent"}, name
