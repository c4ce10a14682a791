"""Changes of a class meeting's roster, its rules, and its attached conference records."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterable, Mapping
from datetime import datetime

from functions.domain.classes.roster import Decision, RosterEntry, checked_roster
from functions.domain.classes.sessions import AttachedRecord, ClassSession
from functions.domain.classes.timetable import Slot
from functions.domain.conferences.model import Organizer, Reading, SyncSource
from functions.domain.conferences.syncing import after_reading
from functions.domain.errors import InvalidRequest, NotFound, SessionNotFound
from functions.ports.store import Work
from functions.services.classes.follow_calendar import follow_now
from functions.services.corrections.decisions import DecidedBy, DecisionEffect, carry_out
from functions.services.corrections.follow_students import Unapplied, follow_students
from functions.services.deps import Deps
from functions.services.stored import required_session
from functions.services.sync.identities import resolve_identities
from functions.services.sync.placing import place, rearrange


async def attach_record(
    session_id: str,
    *,
    conference_record: str | None,
    from_session_id: str | None,
    who: DecidedBy,
    deps: Deps,
) -> None:
    """Attach a whole conference record of any room to a class meeting, such as one of a substitute's room.

    A record that is not stored yet is read from Meet as the class's teacher.

    Raises:
        ConferenceRecordGone: Meet does not know it.
        InvalidRequest: `from_session_id` is a scheduled class.
        NotFound, PreconditionFailed, Retryable, NeedsOperator: Nothing was changed.
    """
    record = conference_record or f"conferenceRecords/{from_session_id}"
    reading = await _reading(session_id, record, from_session_id, deps)

    async def change(work: Work, session: ClassSession, decision: Decision) -> DecisionEffect:
        if session.plan.takes_place is None:
            raise InvalidRequest.of("session_id", "is not a scheduled class meeting, or it was cancelled")
        now = deps.clock()
        conference = await work.conference(record)
        if conference is None and reading:
            organizer = Organizer(email=session.plan.teachers[0]) if session.plan.teachers else Organizer()
            conference = after_reading(
                None,
                reading,
                organizer=organizer,
                ended_event_at=None,
                source=SyncSource.MANUAL,
                settle=deps.rules.settle,
            )
        if conference is None:
            raise NotFound("No conference record has this id.")
        if any(attached.conference_record == record for attached in session.plan.attached):
            return DecisionEffect(session)
        attached_to = tuple(dict.fromkeys([*conference.attached_to, session_id]))
        touched = await place(work, dataclasses.replace(conference, attached_to=attached_to), now=now)
        attached = AttachedRecord(record, decision.by, decision.at)
        plan = dataclasses.replace(session.plan, attached=(*session.plan.attached, attached))
        return DecisionEffect(
            dataclasses.replace(session, plan=plan),
            references={"conference_record": record},
            touched=touched,
        )

    await carry_out(session_id, change, what="record.attached", who=who, deps=deps)


async def detach_record(session_id: str, conference_record_id: str, *, who: DecidedBy, deps: Deps) -> None:
    """Detach a conference record from a class meeting: its time decides again where it belongs.

    Raises:
        NotFound: It was not attached by hand.
    """
    record = f"conferenceRecords/{conference_record_id}"

    async def change(work: Work, session: ClassSession, _: Decision) -> DecisionEffect:
        left = tuple(attached for attached in session.plan.attached if attached.conference_record != record)
        if left == session.plan.attached:
            raise NotFound("This conference record was not attached to the class meeting by hand.")
        touched = await let_go(work, record, session_id, now=deps.clock())
        plan = dataclasses.replace(session.plan, attached=left)
        return DecisionEffect(
            dataclasses.replace(session, plan=plan), references={"conference_record": record}, touched=touched
        )

    await carry_out(session_id, change, what="record.detached", who=who, deps=deps)


async def let_go(work: Work, record: str, session_id: str, *, now: datetime) -> frozenset[str]:
    """Store that a record is not attached to a class meeting: its time decides again where it belongs.

    Returns:
        The class meetings to be marked.
    """
    conference = await work.conference(record)
    if conference is None:
        return frozenset()
    others = tuple(other for other in conference.attached_to if other != session_id)
    return await place(work, dataclasses.replace(conference, attached_to=others), now=now)


async def set_roster(
    session_id: str,
    students: tuple[RosterEntry, ...],
    *,
    who: DecidedBy,
    deps: Deps,
) -> tuple[Unapplied, ...]:
    """Replace the roster of a class meeting.

    Returns:
        The corrections that do not apply to anybody on the new roster.

    Raises:
        InvalidRequest: A student is listed twice.
        NotFound, PreconditionFailed: Nothing was changed.
    """
    checked = checked_roster(students)

    async def change(work: Work, session: ClassSession, _: Decision) -> DecisionEffect:
        return await with_roster(work, session, checked, deps=deps)

    changed = await carry_out(session_id, change, what="roster.set", who=who, deps=deps)
    await follow_now([session_id], deps=deps)
    return changed.unapplied


async def set_class_roster(
    class_id: str,
    students: tuple[RosterEntry, ...],
    *,
    since: datetime | None,
    who: DecidedBy,
    deps: Deps,
) -> tuple[tuple[str, ...], tuple[Unapplied, ...]]:
    """Replace the roster of all meetings of a class that begin at or after a moment (default: now).

    Students of another section in the same room stay. The class meetings are changed one after the other: if this fails
    on the way, the same call again completes it.

    Returns:
        Ids of the class meetings, and their corrections that do not apply to anybody on the new rosters.

    Raises:
        InvalidRequest: A student is listed twice.
        NotFound: The class has no such meeting.
    """
    checked = checked_roster(students)
    session_ids = await deps.store.sessions_of_class(class_id, since=since or deps.clock())
    if not session_ids:
        raise NotFound("The class has no meetings at or after the given time.")

    async def change(work: Work, session: ClassSession, _: Decision) -> DecisionEffect:
        own = session.plan.class_id
        others = [entry for entry in session.plan.roster if (entry.class_id or own) != class_id]
        theirs = [entry if own == class_id else dataclasses.replace(entry, class_id=class_id) for entry in checked]
        # A student who was in another section there has moved to this section.
        wanted = (*theirs, *(o for o in others if not any(o.is_same_as(t) for t in theirs)))
        return await with_roster(work, session, wanted, deps=deps)

    unapplied: list[Unapplied] = []
    for session_id in session_ids:
        changed = await carry_out(session_id, change, what="roster.set", who=who, deps=deps)
        unapplied += changed.unapplied
    # All at once, so that the guests of a series get only one e-mail.
    await follow_now(session_ids, deps=deps)
    return tuple(session_ids), tuple(unapplied)


async def set_policy(session_id: str, policy: Mapping[str, object], *, who: DecidedBy, deps: Deps) -> None:
    """Replace a class meeting's rules with the school's rules and the given changes.

    Raises:
        InvalidRequest: A field is unknown or has a value that it cannot have.
        NotFound, PreconditionFailed: Nothing was changed.
    """
    wanted = deps.rules.policy.changed(policy)

    async def change(work: Work, session: ClassSession, _: Decision) -> DecisionEffect:
        if wanted == session.plan.policy:
            return DecisionEffect(session)
        changed = dataclasses.replace(session, plan=dataclasses.replace(session.plan, policy=wanted))
        touched: frozenset[str] = frozenset()
        scheduled = session.plan.takes_place
        if scheduled:
            room = await work.room(session.space.name)
            slot = Slot(session_id, scheduled, wanted.open_before, wanted.open_after)
            touched = await rearrange(work, room.with_slot(slot), now=deps.clock())
        return DecisionEffect(changed, references={}, touched=touched)

    await carry_out(session_id, change, what="policy.set", who=who, deps=deps)


async def _reading(session_id: str, record: str, from_session_id: str | None, deps: Deps) -> Reading | None:
    """What Meet says about a record that is not stored; None if it is stored."""
    reader = deps.store.reader()
    session = await required_session(reader, session_id)
    other = await reader.session(from_session_id) if from_session_id else None
    if other and other.plan.scheduled:
        raise InvalidRequest.of("session_id", "is a scheduled class meeting: send its conference_record instead")
    known = await reader.conference(record)
    if from_session_id and known is None:
        raise SessionNotFound("No class meeting with this session_id can be attached.")
    if known is not None and (known.snapshot is not None or known.interruption is None):
        return None
    teacher = Organizer(email=session.plan.teachers[0]) if session.plan.teachers else Organizer()
    reading = await deps.conferences.read(record, organizer=teacher)
    users = [u for p in reading.snapshot.participants if (u := getattr(p.user, "user", None))]
    await resolve_identities(users, acting_as=teacher, reader=reader, deps=deps, since=reading.snapshot.record.end_time)
    return reading


async def with_roster(
    work: Work, session: ClassSession, students: Iterable[RosterEntry], *, deps: Deps
) -> DecisionEffect:
    """A class meeting with another roster. Corrections stay with their students."""
    wanted = tuple(students)
    changed = dataclasses.replace(session, plan=dataclasses.replace(session.plan, roster=wanted))
    followed = await follow_students(work, session, changed, rules=deps.rules, now=deps.clock())
    if wanted == session.plan.roster and not followed.changed:
        return DecisionEffect(session, unapplied=followed.unapplied)
    return DecisionEffect(changed, references={"students": str(len(wanted))}, unapplied=followed.unapplied)
