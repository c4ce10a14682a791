"""Compares reading with events and reading without them, over many classes whose events go wrong.

`python -m infra.local.event_faults` does it for 1,000 classes, each made from its own seed. Events are lost, come twice
or too late, in any order and with wrong times. Marks and durations must be those of a full read.
"""

from __future__ import annotations

import argparse
import dataclasses
import json
import random
import sys
import time
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta

from functions.domain.classes.roster import RosterEntry
from functions.domain.classes.sessions import Attendance, ClassSession, Person, Plan, Progress, SessionState
from functions.domain.conferences import model
from functions.domain.conferences.events import ParticipantJoined, parse
from functions.domain.conferences.rereading import NOTHING_KNOWN, sessions_without_call
from functions.domain.conferences.seen import AGREES, NOTHING_SEEN, SeenSessions, joined, left
from functions.domain.conferences.syncing import after_reading
from functions.domain.intervals import Interval
from functions.domain.marking.attendance import sheet
from functions.domain.marking.evidence import Evidence
from infra.local.classes import believable_class
from infra.local.school import Attendee, Conference
from infra.local.workspace_events import Message, presence_events

CLASSES = 1000
NINE = datetime(2026, 11, 23, 9, tzinfo=UTC)
LENGTH = timedelta(minutes=50)
SETTLE = timedelta(minutes=10)
TEACHER = "users/104729104729104729104"


@dataclass(frozen=True, slots=True)
class Read:
    """A conference as it was read: the snapshot, and the participants who were asked for."""

    snapshot: model.Snapshot
    asked: frozenset[str]


@dataclass(slots=True)
class Comparison:
    """How a class with faulty events was read, and what is different from a full read."""

    asked: int = 0
    people: int = 0
    faults: Counter[str] = field(default_factory=Counter)
    differences: list[str] = field(default_factory=list)


def compared(seed: int) -> Comparison:
    """Read one class with its faulty events, and read it in full."""
    dice = random.Random(f"events {seed}")
    held = believable_class(
        seed,
        people=dice.randrange(2, 40),
        start=NINE,
        length=LENGTH,
        settled=dice.random() < 0.7,  # noqa: PLR2004 - some have open ends
        organizer=TEACHER,
    )
    now = NINE + LENGTH + (SETTLE if dice.random() < 0.5 else timedelta(seconds=dice.uniform(0, 60)))  # noqa: PLR2004
    found = Comparison(people=len(held.attendees))
    seen = seen_of(faulty(presence_events(held), dice, found.faults))
    whole, short = read(held, NOTHING_SEEN, now=now), read(held, seen, now=now)
    found.asked = len(short.asked)
    before, after = marked(held, whole.snapshot, now=now), marked(held, short.snapshot, now=now)
    found.differences = [f"seed {seed}: {text}" for text in differences(before, after)]
    return found


def faulty(events: Sequence[Message], dice: random.Random, faults: Counter[str]) -> list[Message]:
    """Events as they arrive before the conference is read: some are lost or late, some come again, none in order."""
    share = dice.choice((0.0, 0.02, 0.1, 0.3))
    arrived: list[Message] = []
    for event in events:
        if dice.random() < share:
            faults[dice.choice(("lost", "too late"))] += 1
            continue
        if dice.random() < share:
            skew = dice.choice((1, 30, 59, 61, 600)) * dice.choice((-1, 1))
            event = _moved(event, timedelta(seconds=skew))  # noqa: PLW2901 - the same event, with another time
            faults["with a wrong time"] += 1
        again = dice.choice((1, 2, 9)) if dice.random() < share else 0
        faults["again"] += again
        arrived += [event] * (1 + again)
    dice.shuffle(arrived)
    return arrived


def may_hide_a_session(attendee: Attendee) -> bool:
    """Whether one of several sessions of somebody begins and ends as the list says, but for a minute.

    If all events about the others are lost, nothing shows that there were others.
    """
    ends = [visit.end for visit in attendee.visits if visit.end]
    if len(attendee.visits) < 2 or len(ends) < len(attendee.visits):  # noqa: PLR2004 - several
        return False
    first, last = min(visit.start for visit in attendee.visits), max(ends)
    return any(
        visit.start - first <= AGREES and visit.end is not None and last - visit.end <= AGREES
        for visit in attendee.visits
    )


def seen_of(events: Iterable[Message]) -> SeenSessions:
    """What is stored of events."""
    seen = NOTHING_SEEN
    for message in events:
        event = parse(message.attributes, json.loads(message.data))
        name = event.participant_session  # type: ignore[union-attr] # no others are published here
        said = joined if isinstance(event, ParticipantJoined) else left
        seen = seen.merged(said(name, event.origin.occurred_at))
    return seen


def read(held: Conference, seen: SeenSessions, *, now: datetime) -> Read:
    """What a read of a conference gives, with these events at hand."""
    by_participant, asked, people = seen.by_participant(), set(), []
    for attendee in held.shown_attendees(now):
        whole = _participant(held, attendee, now)
        listed = dataclasses.replace(whole, sessions=())
        known = sessions_without_call(
            listed, NOTHING_KNOWN, by_participant.get(listed.name, {}), ended_at=held.shown_end(now)
        )
        if known is None:
            asked.add(listed.name)
        people.append(whole if known is None else dataclasses.replace(listed, sessions=known.sessions))
    record = model.ConferenceRecord(held.name, held.space, held.start, held.shown_end(now), None)
    ordered = tuple(sorted(people, key=lambda person: person.name))
    return Read(model.Snapshot(record, model.Space(held.space, held.meeting_code, None), ordered), frozenset(asked))


def marked(held: Conference, snapshot: model.Snapshot, *, now: datetime) -> dict[str, Attendance]:
    """Everybody's attendance in a scheduled class, by attendee id."""
    reading = model.Reading(snapshot, pulled_at=now, meet_calls=0)
    stored = after_reading(
        None,
        reading,
        organizer=model.Organizer(held.organizer),
        ended_event_at=held.end,
        source=model.SyncSource.EVENT,
        settle=SETTLE,
    )
    time = Interval(NINE, NINE + LENGTH)
    session = ClassSession(
        session_id="class",
        space=model.Space(held.space, held.meeting_code, None),
        time_zone="UTC",
        state=SessionState.SCHEDULED,
        owned=Interval(NINE - LENGTH, NINE + 2 * LENGTH),
        plan=Plan(
            scheduled=time,
            teachers=("teacher@school.example",),
            roster=tuple(
                RosterEntry(student_id=one.user, user=one.user)
                for one in held.attendees
                if one.user and one.user != held.organizer
            ),
        ),
        progress=Progress(listed_at=now, tried_at=now),
    )
    teacher = model.Identity(held.organizer, "teacher@school.example", (), None, model.IdentitySource.DIRECTORY)
    evidence = Evidence(
        conferences=[dataclasses.replace(stored, session_ids=("class",))],
        people={held.organizer: Person(held.organizer, teacher, resolved_at=NINE)},
        now=now,
        settle=SETTLE,
        room_names=("Room *",),
    )
    return {person.attendee_id: person for person in sheet(session, evidence).attendance}


def differences(before: dict[str, Attendance], after: dict[str, Attendance]) -> Iterator[str]:
    """Where two sheets differ in who was there, for how long, and with which mark."""
    for attendee in sorted(before.keys() | after.keys()):
        one, other = before.get(attendee), after.get(attendee)
        if one is None or other is None:
            yield f"{attendee} is in one of the two alone"
            continue
        for name in COMPARED:
            if getattr(one, name) != getattr(other, name):
                yield f"{attendee} {name}: {getattr(one, name)} in full, {getattr(other, name)} with events"


COMPARED = ("verdict", "total_duration", "in_class", "first_joined_at", "last_left_at")
"""The fields of attendance that must be the same."""


def _participant(held: Conference, attendee: Attendee, now: datetime) -> model.Participant:
    name = f"{held.name}/participants/{attendee.id}"
    sessions = (
        model.ParticipantSession(f"{name}/participantSessions/{number}", visit.start, visit.shown_end(now))
        for number, visit in attendee.shown_sessions(now)
    )
    user: model.User
    match attendee.kind:
        case "signed_in":
            user = model.SignedInUser(attendee.user or "", attendee.display_name)
        case "anonymous":
            user = model.AnonymousUser(attendee.display_name)
        case "phone":
            user = model.PhoneUser(attendee.display_name)
    ordered = tuple(sorted(sessions, key=lambda session: (session.start_time, session.name)))
    return model.Participant(name, user, attendee.earliest_start(now), attendee.latest_end(now), ordered)


def _moved(event: Message, by: timedelta) -> Message:
    moment = datetime.fromisoformat(event.attributes["ce-time"]) + by
    return dataclasses.replace(event, attributes={**event.attributes, "ce-time": moment.isoformat()})


def main() -> None:
    """Compare the requested number of classes; ends with 1 if any mark or duration is different."""
    parser = argparse.ArgumentParser(prog="python -m infra.local.event_faults", description=__doc__)
    parser.add_argument("--seed", type=int, default=1, help="the first seed (default: 1)")
    parser.add_argument("--classes", type=int, default=CLASSES, help=f"how many classes (default: {CLASSES:,})")
    arguments = parser.parse_args()
    began, total = time.monotonic(), Comparison()
    for seed in range(arguments.seed, arguments.seed + arguments.classes):
        one = compared(seed)
        total.people, total.asked = total.people + one.people, total.asked + one.asked
        total.faults += one.faults
        total.differences += one.differences
    for wrong in total.differences[:20]:
        print(f"WRONG: {wrong}")
    faults = ", ".join(f"{number:,} {what}" for what, number in sorted(total.faults.items()))
    print(f"{arguments.classes:,} classes with {total.people:,} people; events: {faults}")
    print(f"{total.asked:,} calls for sessions instead of {total.people:,}; {len(total.differences)} differences")
    print(f"{time.monotonic() - began:.1f} s")
    sys.exit(1 if total.differences else 0)


if __name__ == "__main__":
    main()
