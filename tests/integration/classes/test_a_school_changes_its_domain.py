"""Two hundred accounts are renamed over a weekend.

Every mark is checked against the accounts that were really there.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from infra.local.clock import TurnableClock
from infra.local.google_apis import RestFault
from infra.local.school import Account, Attendee, Conference, School, Visit
from tests.classroom import TEACHER, event, job, sheet

THURSDAY = datetime(2026, 11, 5, 8, tzinfo=UTC)
DAY, HOUR, MINUTE = timedelta(days=1), timedelta(hours=1), timedelta(minutes=1)
CLASSES, PUPILS_EACH = 5, 40
BEFORE, AFTER = (0, 1), (4, 5, 8)
"""Days since Thursday: two before the weekend, and three in the week after it."""

LATER = 6 * HOUR
"""The time from the first class of a day to a call whose class is only entered afterwards."""


@pytest.fixture
def clock():
    return TurnableClock(THURSDAY)


@pytest.fixture
def school(clock):
    school = School(clock)
    school.enrol(Account(TEACHER, "teacher@old.example", display_name="The Teacher"))
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


@dataclass
class Pupil:
    """One pupil, with any name of the account."""

    number: int
    group: int
    emails: tuple[str, ...] = ()
    marks: dict[str, str] = field(default_factory=dict)

    @property
    def user(self):
        return f"users/{1000 + self.number}"

    def comes_on(self, day):
        return (self.number + day) % 7 != 0


def pupils():
    return [Pupil(n, n // PUPILS_EACH, (f"p{n}@old.example",)) for n in range(CLASSES * PUPILS_EACH)]


def enrol(school, everybody):
    school.enrol(*(Account(p.user, p.emails[0], aliases=p.emails[1:], display_name=f"P {p.number}") for p in everybody))


def rename(everybody):
    """Give all pupils new addresses.

    Of every five old addresses, three remain as aliases. The other two go to other pupils: to the next pupil of the
    same class, and to a pupil of another class.
    """
    given = {}
    for pupil in everybody:
        pupil.emails = (f"p{pupil.number}@new.example",)
    for pupil in everybody:
        old = f"p{pupil.number}@old.example"
        match pupil.number % 5:
            case 3:
                given[old] = everybody[pupil.number + 1]
            case 4:
                given[old] = everybody[(pupil.number + PUPILS_EACH) % len(everybody)]
            case _:
                pupil.emails += (old,)
    for old, owner in given.items():
        owner.emails += (old,)
    return given


async def scheduled(api, members, *, start, roster, day, code=None):
    """Schedule a class, or enter it after its call in an existing room; return it with its pupils' expected marks."""
    body = {
        "teacher_email": "teacher@old.example",
        "student_emails": [roster(pupil) for pupil in members],
        "subject": "Mathematics",
        "class_id": f"class-{members[0].group}",
        "start_time": start.isoformat(),
        "duration_minutes": 60,
        **({"meeting_code": code} if code else {}),
    }
    answer = await api.post("/api/schedule/class", json=body)
    assert answer.status_code == 201, answer.text
    made = answer.json()
    for pupil in members:
        pupil.marks[made["session_id"]] = "present" if pupil.comes_on(day) else "absent"
    return made, {roster(pupil): pupil for pupil in members}


async def called(app, school, clock, made, pupils, *, start, record):
    """Hold a call in the room of a class and deliver its event."""
    times = (Visit(start, start + HOUR),)
    people = [Attendee(f"p{p.number}", "signed_in", f"P {p.number}", p.user, times) for p in pupils]
    people.append(Attendee("t", "signed_in", "T", TEACHER, times))
    conference = Conference(record, made["space"], made["meeting_code"], TEACHER, start, start + HOUR, tuple(people))
    school.hold(conference)
    clock.turn_to(max(clock(), start + HOUR + MINUTE / 2))
    await event(app, conference)


def asked_for(pupil, rostered, *, in_the_end):
    """Return the addresses for which a pupil's history is requested.

    At the end, this is every seventh pupil; before that, fewer pupils, because each request takes time.

    Addresses are kept or given on in groups of five, so every seventh pupil covers every kind.
    """
    if not in_the_end:  # an address that no answer and no roster has named yet cannot be known
        return [rostered] if pupil.number % 21 == 0 else []
    return pupil.emails if pupil.number % 7 == 0 else []


async def wrong_ones(api, meetings, everybody, *, in_the_end=False):
    """Return every mark that differs from the truth, in documents, registers and histories."""
    wrong: list[Any] = []
    for session_id, roster in meetings.items():
        found = {p["email"]: p for p in (await sheet(api, session_id))["attendance"] if p["role"] == "student"}
        assert found.keys() == roster.keys()
        for email, pupil in roster.items():
            if found[email]["mark"] != pupil.marks[session_id] or found[email]["user"] not in {pupil.user, None}:
                wrong.append(("document", session_id, email, found[email]["mark"], found[email]["user"]))
    for group in range(CLASSES):
        members = [pupil for pupil in everybody if pupil.group == group]
        answer = await api.get(f"/api/classes/class-{group}/register?month=2026-11")
        rows = [row["marks"] for row in answer.json()["students"]]
        wrong += [("register", pupil.number, pupil.marks) for pupil in members if pupil.marks not in rows]
        if len(rows) != len(members):
            wrong.append(("rows", group, len(rows)))
    roster = {pupil.number: email for named in meetings.values() for email, pupil in named.items()}
    for pupil in everybody:
        for email in asked_for(pupil, roster[pupil.number], in_the_end=in_the_end):
            answer = await api.get(f"/api/students/{email}/attendance?page_size=500")
            history = {
                one["session_id"]: one["mark"] for one in answer.json()["attendance"] if one["role"] == "student"
            }
            if history != pupil.marks:
                wrong.append(("history", email, len(history), len(pupil.marks)))
    return wrong


@pytest.mark.timeout(900)  # there are two hundred pupils and many histories
async def test_no_mark_is_wrong_in_the_week_after_a_school_changed_its_domain(app, api, school, clock, google):
    everybody = pupils()
    enrol(school, everybody)
    meetings, rooms = {}, {}
    classes = {group: [pupil for pupil in everybody if pupil.group == group] for group in range(CLASSES)}

    async def hold(day, roster, *, visitors=None):
        """Hold the classes of a day."""
        for group, members in classes.items():
            start = THURSDAY + day * DAY + group * 10 * MINUTE
            made, named = await scheduled(api, members, start=start, roster=roster, day=day)
            meetings[made["session_id"]] = named
            rooms[group] = made
            there = [pupil for pupil in members if pupil.comes_on(day)] + (visitors or {}).get(group, [])
            await called(app, school, clock, made, there, start=start, record=f"rec-{day}-{group}")

    async def call(day, group):
        """Hold a call that nobody has scheduled yet."""
        there = [pupil for pupil in classes[group] if pupil.comes_on(day)]
        start, record = THURSDAY + day * DAY + LATER, f"rec-{day}-{group}-later"
        await called(app, school, clock, rooms[group], there, start=start, record=record)
        return rooms[group]["meeting_code"]

    async def enter(day, group, code, roster):
        """Enter the class of such a call."""
        start = THURSDAY + day * DAY + LATER
        made, named = await scheduled(api, classes[group], start=start, roster=roster, day=day, code=code)
        meetings[made["session_id"]] = named
        return made["session_id"]

    for day in BEFORE:
        await hold(day, lambda pupil: pupil.emails[0])
    on_friday = await call(BEFORE[-1], 1)
    clock.turn(HOUR)
    await job(app, "sync-due")
    assert await wrong_ones(api, meetings, everybody) == []

    given = rename(everybody)
    enrol(school, everybody)
    # Some rosters name pupils by an address that another pupil had until the weekend, and some by their old aliases.
    by_alias = {owner.number: old for old, owner in given.items()}

    def by_the_last(pupil):
        return by_alias.get(pupil.number, pupil.emails[-1])

    google.fail(RestFault("people.batchGet", 503), RestFault("users.get", 503))
    await hold(AFTER[0], by_the_last, visitors={0: [everybody[-1]]})
    entered = await enter(BEFORE[-1], 1, on_friday, by_the_last)
    found = [p for one in meetings for p in (await sheet(api, one))["attendance"] if p["role"] == "student"]
    new = [p for p in found if p["session_id"] == entered or p["session_start"] > (THURSDAY + 3 * DAY).isoformat()]
    assert not [p for p in new if p["mark"] == "absent"]

    google.fail()
    clock.turn(HOUR)
    await job(app, "sync-due")
    assert await wrong_ones(api, meetings, everybody) == []

    def in_turn(pupil):
        return pupil.emails[0] if pupil.number % 2 else pupil.emails[-1]

    await hold(AFTER[1], in_turn)
    on_tuesday = await call(AFTER[1], 2)
    await hold(AFTER[2], in_turn)
    await enter(AFTER[1], 2, on_tuesday, in_turn)
    clock.turn(HOUR)
    await job(app, "sync-due")
    assert await wrong_ones(api, meetings, everybody, in_the_end=True) == []
