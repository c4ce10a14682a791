from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest

from infra.local.school import Attendee, Conference, School, Space, Visit

NINE = datetime(2026, 3, 2, 9, tzinfo=UTC)


def at(minute):
    return NINE + timedelta(minutes=minute)


LESSON = Conference(
    id="lesson",
    space="spaces/room",
    meeting_code="abc-mnop-xyz",
    organizer="users/1",
    start=at(0),
    end=at(50),
    attendees=(
        Attendee("a", "signed_in", "Ada", "users/2", (Visit(at(0), at(10)), Visit(at(20), at(50)))),
        Attendee("b", "anonymous", "Guest", visits=(Visit(at(30), at(50), settles=at(52)),)),
    ),
)


@pytest.mark.parametrize(
    ("now", "exists"),
    [
        (at(-1), False),
        (at(0), True),
        (at(50) + timedelta(days=30, microseconds=-1), True),
        (at(50) + timedelta(days=30), False),
    ],
)
def test_a_conference_exists_from_its_start_until_thirty_days_after_its_end(now, exists):
    school = School(lambda: now)
    school.hold(LESSON)

    assert exists is (school.conference(LESSON.name) is not None)
    assert exists is bool(school.conferences())


def test_a_conference_that_never_ends_is_kept():
    school = School(lambda: at(0) + timedelta(days=400))
    school.hold(replace(LESSON, end=None))

    assert school.conference(LESSON.name) is not None


def test_sessions_and_ends_appear_when_their_time_has_come():
    ada = LESSON.attendees_by_id["a"]

    assert ada.shown_sessions(at(-1)) == []
    assert [name for name, _ in ada.shown_sessions(at(5))] == ["1"]
    assert ada.latest_end(at(5)) is None
    assert ada.latest_end(at(15)) == at(10)
    assert [name for name, _ in ada.shown_sessions(at(20))] == ["2", "1"]
    assert ada.latest_end(at(20)) is None
    assert ada.latest_end(at(50)) == at(50)


def test_an_end_that_settles_later_is_hidden_until_then():
    guest = LESSON.attendees_by_id["b"]

    assert guest.latest_end(at(51)) is None
    assert guest.latest_end(at(52)) == at(50)


def test_an_end_that_is_never_learnt_stays_open():
    for_ever = Attendee("r", "signed_in", "Room", "users/9", (Visit(at(0)), Visit(at(5), at(6))))

    assert for_ever.latest_end(at(10_000)) is None


def test_only_the_organizer_and_those_who_have_come_are_admitted():
    assert LESSON.admits("users/1", at(0))
    assert LESSON.admits("users/2", at(0))
    assert not LESSON.admits("users/3", at(0))
    assert not LESSON.admits(None, at(0))


def test_conferences_are_listed_newest_first_and_can_be_replaced_and_forgotten():
    school = School(lambda: at(100))
    later = replace(LESSON, id="later", start=at(55), end=None)
    twin = replace(LESSON, id="twin")
    for conference in (LESSON, later, twin, replace(LESSON, organizer="users/5")):
        school.hold(conference)

    assert [conference.id for conference in school.conferences()] == ["later", "twin", "lesson"]
    assert school.conferences()[-1].organizer == "users/5"

    school.forget(later.name)
    school.forget(later.name)

    assert [conference.id for conference in school.conferences()] == ["twin", "lesson"]


def test_a_space_outlives_its_conferences_and_has_one_that_is_active():
    school = School(lambda: at(20))
    school.hold(LESSON)
    school.open(Space("spaces/other", "zzz-zzzz-zzz"))

    assert school.active_conference("spaces/room") == LESSON
    assert school.active_conference("spaces/other") is None

    school.forget(LESSON.name)

    assert school.space("spaces/room") == Space("spaces/room", "abc-mnop-xyz", owner=LESSON.organizer)
    assert school.active_conference("spaces/room") is None


def test_a_caller_is_known_by_address_or_by_user():
    school = School(lambda: NINE, {"ada@school.example": "users/2"})
    school.know("tom@school.example", "users/4")

    callers = ["ada@school.example", "tom@school.example", "users/77", "eve@school.example"]
    assert [school.user(caller) for caller in callers] == ["users/2", "users/4", "users/77", None]


def test_times_without_a_zone_and_shared_ids_are_refused():
    with pytest.raises(ValueError, match="zone"):
        Visit(datetime(2026, 3, 2, 9))  # noqa: DTZ001  # the mistake in question
    with pytest.raises(ValueError, match="share an id"):
        replace(LESSON, attendees=LESSON.attendees * 2)
