"""The data from which a class meeting's attendance is computed, and what follows directly: times, and who is who."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta

from functions.domain.classes.roster import Correction, RosterEntry
from functions.domain.classes.sessions import (
    ClassSession,
    Person,
)
from functions.domain.conferences.model import Conference
from functions.domain.conferences.syncing import end_of, is_over
from functions.domain.intervals import Interval
from functions.domain.marking.addresses import mailboxes, owners
from functions.domain.marking.who import Who, accounts_by_email, corrections_by_kind


@dataclass(frozen=True, slots=True)
class Evidence:
    """All data from which a class meeting's attendance is computed.

    Attributes:
        conferences: The stored conferences that belong to it, in order of time.
        missing: Records that belong to it but are not stored: Meet listed them, but they have not been read.
        unread_from: When the first of its unreadable records began; None if that is not known.
        people: What is known about the accounts that were there, and about those that have an address of the roster.
        corrections: What people decided.
        now: The time of the computation.
        settle: How long after its end a conference may still change.
        room_names: Shell patterns of room devices' names.
        identities_in_use: Whether accounts are looked up, so that an account without an answer will get one.
        stood_in_for: Unreadable records whose call is also in reports.
    """

    conferences: Sequence[Conference]
    people: Mapping[str, Person]
    now: datetime
    settle: timedelta
    corrections: Sequence[Correction] = ()
    missing: Sequence[str] = ()
    unread_from: datetime | None = None
    room_names: tuple[str, ...] = field(default=())
    identities_in_use: bool = False
    stood_in_for: frozenset[str] = frozenset()


def conference_time(conference: Conference) -> Interval | None:
    """The time of a conference, as far as known; None before the first read."""
    if conference.snapshot is None:
        return None
    return Interval(conference.snapshot.record.start_time, end_of(conference.snapshot, conference.sync))


def people_left_at(session: ClassSession, conferences: Iterable[Conference]) -> datetime | None:
    """When the people of a class meeting were last there; only a later answer says who they were then.

    That is the earlier of its scheduled end and the end of its last call; None while an unscheduled one goes on.
    """
    scheduled = session.plan.scheduled
    calls = [(c.snapshot, c.sync) for c in conferences if c.snapshot]
    if not calls or not all(is_over(snapshot, sync) for snapshot, sync in calls):
        return scheduled.end if scheduled else None
    last = max(end_of(snapshot, sync) for snapshot, sync in calls)
    return min(scheduled.end, last) if scheduled else last


def who_is_who(session: ClassSession, evidence: Evidence) -> Who:
    """What shows who is who in a class meeting."""
    assignments, rooms = corrections_by_kind(evidence.corrections)
    read = [conference for conference in evidence.conferences if conference.snapshot]
    organizers = {c.organizer.user: c.organizer.email for c in read if c.organizer.user and c.organizer.email}
    by_address = any(conference.reported for conference in read)
    return Who(
        teachers=frozenset(session.plan.teachers),
        organizer_teaches=session.plan.scheduled is None,
        roster=session.plan.roster,
        people=evidence.people,
        assignments=assignments,
        rooms=rooms,
        room_names=evidence.room_names,
        organizers=organizers,
        accounts=accounts_by_email(evidence.people) if by_address else {},
        ended_at=people_left_at(session, evidence.conferences),
        named_at=session.plan.named_at,
        named_before=dict(session.plan.named_before),
    )


def changes_nothing(further: Mapping[str, Person], session: ClassSession, evidence: Evidence) -> bool:
    """Whether a class meeting's sheet is the same if further accounts are known, of people who were not there.

    It is the same if nobody else may have an address of the class that one of these accounts has, if the account still
    had it when the class was over, and if no student's address turns out to be a teacher's: what is stored about a
    student who never came does not depend on whether the account is known (`Who.told_account_of`). In all other cases
    the answer is no, even if the sheet might be the same.

    Args:
        further: What is known about the further accounts.
        session: The class meeting.
        evidence: What else is known.
    """
    new = {user: person for user, person in further.items() if user not in evidence.people}
    if not new:
        return True
    plan = session.plan
    with_account = [entry for entry in plan.roster if entry.user]
    if any(conference.reported for conference in evidence.conferences) or any(
        entry.user in new for entry in with_account
    ):
        return False
    in_question = mailboxes(
        [
            *(entry.email for entry in with_account if entry.email),
            *(known.email for person in evidence.people.values() for known in person.addresses),
        ]
    )
    named, teachers, claimed = plan.named, mailboxes(plan.teachers), set[str]()
    for person in new.values():
        claims = mailboxes(known.email for known in person.addresses) & named
        if not claims.isdisjoint(in_question | claimed) or (claims & teachers and claims - teachers):
            return False
        claimed |= claims
    left_at = people_left_at(session, evidence.conferences)
    found = owners(claimed, new, left_at, named_at=plan.named_at, named_before=dict(plan.named_before))
    return found.keys() == claimed


def students_of(
    session: ClassSession, conferences: Iterable[Conference], people: Mapping[str, Person]
) -> tuple[RosterEntry, ...]:
    """The expected students of a class meeting, without teachers that the roster lists by any of their addresses.

    Args:
        session: The class meeting.
        conferences: What belongs to it.
        people: What is known about the accounts that were there, and about those that have an address of the class.
    """
    return Who(
        teachers=frozenset(session.plan.teachers),
        organizer_teaches=session.plan.scheduled is None,
        roster=session.plan.roster,
        people=people,
        ended_at=people_left_at(session, conferences),
        named_at=session.plan.named_at,
        named_before=dict(session.plan.named_before),
    ).students()


def attached_records(session: ClassSession) -> frozenset[str]:
    """The conference records that people attached to a class meeting."""
    return frozenset(record.conference_record for record in session.plan.attached)
