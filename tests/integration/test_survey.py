"""What needs a person according to a survey, from stored documents."""

from datetime import UTC, datetime, timedelta

import pytest

from functions.adapters.store.databases.database import Write
from functions.adapters.store.databases.sqlite import SqliteDatabase
from functions.adapters.store.views import DocumentViews
from functions.services.operations.survey import survey

NOW = datetime(2026, 11, 23, 12, tzinfo=UTC)
MINUTE = timedelta(minutes=1)
ERROR = {"reason": "meet-api-disabled", "message": "m", "hint": "Enable the Meet API.", "at": NOW}


@pytest.fixture
def database(tmp_path):
    return SqliteDatabase(tmp_path / "attendance.db")


@pytest.fixture
def surveyed(database):
    """Return the survey of these documents, given by path."""

    async def surveyed(documents, *, limit=20):
        await database.commit([Write(path, fields) for path, fields in documents.items()])
        return await survey(views=DocumentViews(database), now=NOW, limit=limit)

    return surveyed


def organizer(number, **subscription):
    state = {"name": "s", "state": "active", "expire_time": NOW + timedelta(days=5), "suspension_reason": None}
    return {
        f"organizers/{number}": {
            "user": f"users/{number}",
            "email": f"teacher{number}@school.example",
            "enrolled_at": NOW - timedelta(days=9),
            "reconciled_until": NOW - timedelta(minutes=20),
            "subscription": {**state, "renewed_at": NOW - timedelta(days=2), "error": None, **subscription},
        }
    }


def conference(name, state, *, ended=None, pulled=None, error=None):
    """Return a conference that ended, and was read, this many minutes ago."""
    return {
        f"conferences/{name}": {
            "conference_record": f"conferenceRecords/{name}",
            "end_time": None if ended is None else NOW - ended * MINUTE,
            "sync": {"state": state, "pulled_at": None if pulled is None else NOW - pulled * MINUTE, "error": error},
        }
    }


def session(name, *, due, error=None):
    return {f"sessions/{name}": {"session_id": name, "due_at": NOW - due * MINUTE, "progress": {"error": error}}}


def in_calendar(name, state, *, due=None, failures=0, hint=None, days=1):
    """Return a class meeting that begins in this many days, and is tried again in this many minutes."""
    entry = {"state": state, "event_id": "e", "organizer": "teacher1@school.example", "hint": hint}
    return {
        f"sessions/{name}": {
            "session_id": name,
            "session_start": NOW + timedelta(days=days),
            "due_at": None,
            "calendar": entry,
            "calendar_due_at": None if due is None else NOW + due * MINUTE,
            "calendar_failures": failures,
        }
    }


def parked(name, hint="Look at what publishes."):
    fields = {"reason": "unreadable-message", "hint": hint, "parked_at": NOW - MINUTE, "message": "secret"}
    return {f"parked_events/{name}": {**fields, "replayed_at": None}}


async def test_a_healthy_system_needs_nobody(surveyed):
    found = await surveyed(
        {
            **organizer(1),
            **conference("a", "complete", ended=60, pulled=50),
            **conference("b", "provisional", ended=9, pulled=8),
            **session("m1", due=9),
        }
    )

    assert not found.needs_a_person
    assert (found.organizers, found.active_organizers) == (1, 1)
    assert found.last_sync_at == NOW - 8 * MINUTE
    assert (found.oldest_provisional_seconds, found.most_overdue_seconds) == (540, 0)
    assert [one.reason for one in found.provisional_conferences.first] == ["settling"]
    assert "you do not need to do anything" in found.provisional_conferences.first[0].hint


async def test_a_teacher_whose_conferences_could_not_be_looked_for_is_a_trouble_with_its_fix(surveyed):
    [(path, fields)] = organizer(1).items()
    never = {**fields, "reconciled_until": None}
    found = await surveyed(
        {
            path: {**fields, "reconciled_until": NOW - timedelta(hours=7)},
            "organizers/2": {**never, "user": "users/2"},
            "organizers/3": {**never, "user": "users/3", "enrolled_at": NOW - timedelta(minutes=10)},
        }
    )

    assert found.needs_a_person
    assert {one.id for one in found.unreconciled_organizers.first} == {"users/1", "users/2"}
    assert all("make backfill" in one.hint for one in found.unreconciled_organizers.first)


async def test_where_nothing_was_ever_done_nobody_is_needed(surveyed):
    found = await surveyed({})

    assert not found.needs_a_person
    assert (found.organizers, found.last_sync_at, found.oldest_provisional_seconds) == (0, None, 0)


@pytest.mark.parametrize(
    ("subscription", "reason", "fix", "active"),
    [
        ({"state": None, "name": None, "expire_time": None}, "subscription-missing", "make enroll TEACHER=…", 0),
        ({"state": "pending", "name": None, "expire_time": None}, "subscription-pending", "make enroll TEACHER=…", 0),
        ({"expire_time": NOW}, "subscription-expired", "attendance-renew-subscriptions", 0),
        ({"state": "suspended", "suspension_reason": "USER_SCOPE_REVOKED"}, "USER_SCOPE_REVOKED", "make enroll", 0),
        ({"state": "suspended"}, "subscription-suspended", "make enroll", 0),
        ({"state": None, "error": ERROR}, "meet-api-disabled", "Enable the Meet API.", 0),
        ({"error": ERROR}, "meet-api-disabled", "Enable the Meet API.", 1),
    ],
)
async def test_a_subscription_that_tells_nothing_is_a_trouble_with_its_fix(surveyed, subscription, reason, fix, active):
    found = await surveyed({**organizer(1, **subscription), **organizer(2)})
    (trouble,) = found.organizers_without_subscription.first

    assert (trouble.id, trouble.reason) == ("users/1", reason)
    assert fix in trouble.hint
    assert trouble.since is not None
    assert (found.organizers, found.active_organizers) == (2, 1 + active)
    assert found.needs_a_person


async def test_a_renewal_that_fails_for_now_needs_nobody_while_events_come(surveyed):
    passing = {"reason": "subscriptions-unavailable", "message": "m", "hint": "It is tried again by itself.", "at": NOW}
    found = await surveyed({**organizer(1, error=passing), **organizer(2, error=passing, expire_time=NOW)})

    assert [one.id for one in found.organizers_without_subscription.first] == ["users/2"]


async def test_a_conference_that_does_not_settle_needs_a_person_after_an_hour(surveyed):
    found = await surveyed({**conference("a", "provisional", ended=60, pulled=55)})
    (trouble,) = found.provisional_conferences.first

    assert found.needs_a_person
    assert (trouble.id, trouble.reason) == ("conferenceRecords/a", "not-settled")
    assert "make backfill" in trouble.hint
    assert found.oldest_provisional_seconds == 3600


async def test_without_an_end_a_conference_is_as_old_as_its_last_reading(surveyed):
    found = await surveyed({**conference("a", "provisional", pulled=30), **conference("b", "provisional", ended=20)})

    assert found.oldest_provisional_seconds == 1800


async def test_a_failed_conference_says_what_to_fix_and_that_it_is_read_again(surveyed):
    found = await surveyed({**conference("a", "failed", error=ERROR), **conference("b", "failed", ended=90)})

    assert [(one.id, one.reason) for one in found.failed_conferences.first] == [
        ("conferenceRecords/b", "failed"),
        ("conferenceRecords/a", "meet-api-disabled"),
    ]
    assert all("make backfill" in one.hint for one in found.failed_conferences.first)
    assert "Enable the Meet API." in found.failed_conferences.first[1].hint
    assert found.needs_a_person


async def test_what_meet_has_forgotten_is_nobodys_work_any_more(surveyed):
    month = 60 * 24 * 31
    found = await surveyed(
        {
            **conference("a", "failed", ended=month, error=ERROR),
            **conference("b", "provisional", ended=month),
            **conference("c", "provisional", pulled=month),
        }
    )

    assert not found.needs_a_person
    assert (found.failed_conferences.count, found.provisional_conferences.count) == (0, 0)
    assert found.oldest_provisional_seconds == 0


async def test_a_class_meeting_is_overdue_after_two_runs_of_the_scheduler(surveyed):
    found = await surveyed({**session("m1", due=10), **session("m2", due=11), **session("m3", due=90, error=ERROR)})
    first, second = found.overdue_sessions.first

    assert ((first.id, first.reason), (second.id, second.reason)) == (("m3", "meet-api-disabled"), ("m2", "overdue"))
    assert first.hint.startswith("Enable the Meet API.")
    assert all("attendance-sync-due" in one.hint and "on_job" in one.hint for one in (first, second))
    assert found.most_overdue_seconds == 5400
    assert found.needs_a_person


async def test_a_class_meeting_that_calendar_does_not_show_as_it_is_says_what_to_fix(surveyed):
    found = await surveyed(
        {
            **in_calendar("refused", "failed", due=90, failures=1, hint="Enable the Calendar API."),
            **in_calendar("given-up", "failed", failures=1, hint="Schedule it without calendar."),
            **in_calendar("not-handed-out", "pending", due=-11),
            **in_calendar("no-answer", "pending", due=60, failures=6, hint="It is tried again by itself."),
        }
    )
    troubles = {one.id: one for one in found.sessions_not_in_calendar.first}

    assert found.needs_a_person
    assert {name: one.reason for name, one in troubles.items()} == {
        "refused": "calendar-failed",
        "given-up": "calendar-failed",
        "not-handed-out": "calendar-overdue",
        "no-answer": "calendar-unavailable",
    }
    assert troubles["refused"].hint.startswith("Enable the Calendar API.")
    assert "the system tries again" in troubles["refused"].hint
    assert troubles["given-up"].hint.startswith("Schedule it without calendar.")
    assert "does not try again" in troubles["given-up"].hint
    assert "attendance-sync-due" in troubles["not-handed-out"].hint
    assert "Calendar" in troubles["no-answer"].hint
    assert "@" not in str(found)


async def test_a_class_meeting_that_calendar_will_show_in_a_moment_needs_nobody(surveyed):
    found = await surveyed(
        {
            **in_calendar("new", "pending", due=2),
            **in_calendar("again", "pending", due=30, failures=5, hint="It is tried again by itself."),
            **in_calendar("shown", "active"),
            **in_calendar("deleted-by-people", "gone"),
            **in_calendar("long-over", "failed", failures=9, hint="Enable the Calendar API.", days=-31),
        }
    )

    assert not found.needs_a_person
    assert found.sessions_not_in_calendar.count == 0


async def test_of_many_class_meetings_that_calendar_does_not_show_the_next_are_reported(surveyed):
    days = {k: v for n in range(9) for k, v in in_calendar(f"m{n}", "failed", days=9 - n).items()}
    found = await surveyed(days, limit=3)

    assert [one.id for one in found.sessions_not_in_calendar.first] == ["m8", "m7", "m6"]
    assert found.sessions_not_in_calendar.more


async def test_a_parked_message_says_how_it_is_replayed(surveyed):
    found = await surveyed(parked("p1"))
    (trouble,) = found.parked_events.first

    assert trouble.hint.startswith("Look at what publishes.")
    assert trouble.hint.endswith("make replay ID=p1")
    assert "secret" not in str(found)
    assert found.needs_a_person


async def test_a_problem_without_a_hint_gets_a_general_hint(surveyed):
    found = await surveyed({**parked("p1", hint=None), **conference("a", "failed", error=ERROR | {"hint": ""})})
    parked_one, failed_one = found.parked_events.first[0], found.failed_conferences.first[0]

    assert parked_one.hint.startswith("Look for it in the log")
    assert failed_one.hint.startswith("Look for it in the log")


async def test_the_oldest_of_many_are_shown_with_a_note_that_there_are_more(surveyed):
    found = await surveyed(
        {
            **{k: v for n in range(9) for k, v in conference(f"c{n}", "provisional", ended=n).items()},
            **{k: v for n in range(9) for k, v in session(f"m{n}", due=20 + n).items()},
            **{k: v for n in range(3) for k, v in parked(f"p{n}").items()},
        },
        limit=3,
    )

    assert [one.id for one in found.provisional_conferences.first] == [f"conferenceRecords/c{n}" for n in (8, 7, 6)]
    assert [one.id for one in found.overdue_sessions.first] == ["m8", "m7", "m6"]
    assert (found.provisional_conferences.more, found.overdue_sessions.more, found.parked_events.more) == (1, 1, 0)
    assert (found.oldest_provisional_seconds, found.most_overdue_seconds) == (480, 28 * 60)
