"""What is not known yet about a class meeting: records whose data is not final, and accounts without a look-up."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime

from functions.domain.classes.sessions import (
    ClassSession,
    Presence,
    Role,
)
from functions.domain.classes.timetable import RETENTION
from functions.domain.conferences.model import Conference, Kind, SyncState
from functions.domain.intervals import Interval, gaps
from functions.domain.marking.addresses import answered_since
from functions.domain.marking.certainty import (
    was_searched,
)
from functions.domain.marking.evidence import Evidence, attached_records, conference_time, people_left_at
from functions.domain.marking.marks import Pending
from functions.domain.marking.people import People
from functions.domain.marking.who import Match, Who, account_of


def pending_records(
    session: ClassSession, evidence: Evidence, teaching: Mapping[str, Sequence[Presence]]
) -> tuple[Pending, ...]:
    """The records whose data is not final, if they may still change a mark.

    Args:
        session: The class meeting.
        evidence: What there is to know of it.
        teaching: The presences of each teacher.
    """
    scheduled = session.plan.scheduled
    found = []
    unsettled = {c.conference_record: c for c in evidence.conferences if c.sync.state is not SyncState.COMPLETE}
    for record in (*unsettled, *evidence.missing):
        if record in evidence.stood_in_for:
            continue
        snapshot = unsettled[record].snapshot if record in unsettled else None
        start = snapshot.record.start_time if snapshot else evidence.unread_from
        if scheduled and start and start >= scheduled.end and _was_read_before(start, evidence):
            continue
        there = {
            key: own
            for key, all_of_them in teaching.items()
            if (own := [p for p in all_of_them if p.conference_record == record])
        }
        end = snapshot.record.end_time if snapshot else None
        found.append(
            Pending(
                record,
                start,
                end,
                teacher_open=any(end is None or any(p.open for p in own) for own in there.values()),
                teacher_unseen=len(there) < len(session.plan.teachers),
            )
        )
    return tuple(found)


def is_unread(evidence: Evidence) -> bool:
    """Whether a record could not be read, and no other record was final before it began.

    Then nothing is known about anybody, because it may contain most of the class. Marks that were given before stay.
    """
    failed = (c.conference_record for c in evidence.conferences if c.sync.state is SyncState.FAILED)
    if evidence.stood_in_for.issuperset([*evidence.missing, *failed]):
        return False
    return evidence.unread_from is None or not _was_read_before(evidence.unread_from, evidence)


def unlisted_times(session: ClassSession, scheduled: Interval, read: Iterable[Conference]) -> tuple[Interval, ...]:
    """When, during the class, its room may have had a call that is not known; a room has only one call at a time."""
    if was_searched(session):
        return ()
    known = (conference_time(c) for c in read if c.conference_record not in attached_records(session))
    return tuple(gaps(scheduled, (time for time in known if time)))


def _was_read_before(moment: datetime, evidence: Evidence) -> bool:
    """Whether the data of one of the class's conferences was final by then, so that marks were given."""
    # Reports do not count as a read: they may never have what is missing now.
    read = [c.sync for c in evidence.conferences if c.sync.state is SyncState.COMPLETE and not c.reported]
    return any(sync.first_pulled_at and sync.first_pulled_at <= moment for sync in read)


def somebody_is_unknown(
    session: ClassSession, people: People, presences: Mapping[str, tuple[Presence, ...]], evidence: Evidence
) -> bool:
    """Whether an account was in the class that has not been looked up since then: it may belong to any student."""
    scheduled, since = session.plan.scheduled, answers_since(session, evidence)
    for key, matches in people.items():
        if all(is_answered(match, evidence, since=since) for match in matches):
            continue
        if scheduled and any(p.interval.clip(scheduled) for p in presences[key]):
            return True
    return False


def is_answered(match: Match, evidence: Evidence, *, since: datetime | None) -> bool:
    """Whether the participant's account has been looked up, with or without a result; also true without an account.

    Args:
        match: The participant.
        evidence: What there is to know of the class meeting.
        since: The answer must be from this time or later, as `answers_since` says.
    """
    user = account_of(match.seen.participant.user)
    return match.certain or match.kind is Kind.ROOM or user is None or answered_since(evidence.people.get(user), since)


def answers_since(session: ClassSession, evidence: Evidence, *, to_be_asked: bool = False) -> datetime | None:
    """Since when answers about accounts say who was in a class meeting; None if any answer does.

    Addresses are changed and given to others, so only an answer from the time when the people left the class, or later,
    says who they were. While the class goes on, any answer is enough. An address may have been entered in the class
    only after that, and then means the account that has it at that time. So the answer must also be newer than this, as
    long as the class is updated automatically.

    Args:
        session: The class meeting.
        evidence: What there is to know of it.
        to_be_asked: Whether the question is if accounts must be looked up again. A roster that was replaced after the
            class gives marks at once with what is known, and the accounts are looked up next.
    """
    left_at = people_left_at(session, evidence.conferences)
    if left_at is None or left_at > evidence.now:
        return None
    named_at, tried_at = session.plan.named_at, session.progress.tried_at
    in_force = named_at and (to_be_asked or tried_at is None or tried_at >= named_at)
    if named_at and in_force and evidence.now < left_at + RETENTION:
        return max(left_at, named_at)
    return left_at


def teachers_are_found(people: People, who: Who) -> bool:
    """Whether each teacher of the class was in the call, so that nobody else in it can be a teacher."""
    there = [m.seen.participant.user for matches in people.values() for m in matches if m.role is Role.TEACHER]
    return who.teachers_found(account_of(user) for user in there)
