"""Mark class meetings from what is stored: who was there, who was expected, which mark.

Everything here happens within one unit of work, without calls to Google. Live events, jobs and corrections by people
all end here, and therefore lead to the same documents.
"""

from __future__ import annotations

import asyncio
import dataclasses
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime

from functions.domain.classes.roster import RosterEntry
from functions.domain.classes.sessions import AttendanceSheet, ClassSession, Person, Plan
from functions.domain.classes.timetable import Room, is_forgotten
from functions.domain.conferences.model import Conference, SyncError, SyncState
from functions.domain.marking.addresses import current_of, mailboxes
from functions.domain.marking.attendance import sheet, unscheduled_session
from functions.domain.marking.certainty import after_attempt
from functions.domain.marking.evidence import Evidence, changes_nothing, conference_time, students_of
from functions.domain.marking.who import account_of
from functions.ports.store import Reader, Work
from functions.services.deps import Rules

_NEVER = datetime.max.replace(tzinfo=UTC)


@dataclass(frozen=True, slots=True)
class Attempt:
    """An attempt to update a class meeting.

    Attributes:
        began_at: When it began.
        listed: Whether the room's conference records were listed to the last page.
        error: Why it failed, if it did.
        everybody_known: Whether all accounts could be looked up.
    """

    began_at: datetime
    listed: bool
    error: SyncError | None
    everybody_known: bool


async def mark(
    work: Work,
    session_ids: Iterable[str],
    *,
    rules: Rules,
    now: datetime,
    changed: Mapping[str, ClassSession] | None = None,
    attempts: Mapping[str, Attempt] | None = None,
) -> dict[str, AttendanceSheet]:
    """Compute class meetings again and stage them for writing.

    Args:
        work: The unit of work.
        session_ids: Which. A class meeting that no longer exists, and whose conference belongs elsewhere, is deleted.
        rules: The school's rules.
        now: The time of the computation.
        changed: Class meetings as they are planned now, where that differs from what is stored.
        attempts: The attempts to update them.
    """
    changed, attempts = changed or {}, attempts or {}
    await work.load(sessions=changed)
    changed = {
        name: await _named(work, await work.without_erased(session), now=now) for name, session in changed.items()
    }
    sheets = {}
    for session_id in sorted({*session_ids, *changed}):
        planned, attempt = changed.get(session_id), attempts.get(session_id)
        computed = await compute(work, session_id, rules=rules, now=now, planned=planned, attempt=attempt)
        if computed:
            work.put_sheet(computed)
            sheets[session_id] = computed
        elif await work.session(session_id) and not await _of_its_own(work, session_id):
            work.drop_session(session_id)
    return sheets


async def compute(
    reader: Reader,
    session_id: str,
    *,
    rules: Rules,
    now: datetime,
    planned: ClassSession | None = None,
    attempt: Attempt | None = None,
) -> AttendanceSheet | None:
    """A class meeting with its attendance, computed from what is stored; nothing is put.

    Args:
        reader: What is stored.
        session_id: Which class meeting.
        rules: The school's rules.
        now: The time of the computation.
        planned: The class meeting as it is planned now, where that differs from what is stored.
        attempt: The attempt to update it.

    Returns:
        The class meeting; None if it does not exist, or no longer exists.
    """
    session = planned or await reader.session(session_id)
    unread_from, stood_in_for = None, frozenset[str]()
    if session is None or session.plan.scheduled is None:
        conference = await _of_its_own(reader, session_id)
        session = unscheduled_session(conference, time_zone=rules.time_zone, before=session) if conference else None
        if session is None or conference is None:
            return None
        conferences, missing = [conference], list[str]()
    else:
        session, conferences, missing = await _with_its_own(reader, session, now=now)
        unread = [*(c.conference_record for c in conferences if c.sync.state is SyncState.FAILED), *missing]
        room = await reader.room(session.space.name)
        stood_in_for = room.stood_in_for(unread)
        unread_from = room.first_start(record for record in unread if record not in stood_in_for)
    if attempt:
        session = _tried(session, attempt, conferences, missing=missing, rules=rules)
    (known, emails), corrections = await asyncio.gather(
        _known_at_once(reader, session, conferences, rules), reader.corrections(session_id)
    )
    evidence = Evidence(
        conferences=conferences,
        missing=missing,
        unread_from=unread_from,
        people=known,
        corrections=corrections,
        now=now,
        settle=rules.settle,
        room_names=rules.room_names,
        identities_in_use=rules.identities_in_use,
        stood_in_for=stood_in_for,
    )
    # The store needs a while to find who else has the addresses. Meanwhile the sheet is computed without these
    # accounts, because they seldom change it.
    computed = sheet(session, evidence)
    others = await reader.people_known_by(emails)
    if changes_nothing(others, session, evidence):
        return computed
    return sheet(session, dataclasses.replace(evidence, people={**others, **known}))


async def _of_its_own(reader: Reader, session_id: str) -> Conference | None:
    """The conference that an unscheduled class meeting is; None if it belongs elsewhere, or is gone."""
    conference = await reader.conference(f"conferenceRecords/{session_id}")
    return conference if conference and session_id in conference.session_ids else None


async def expected_in(reader: Reader, session: ClassSession, *, rules: Rules, now: datetime) -> tuple[RosterEntry, ...]:
    """The students of a class meeting, as in its sheet."""
    conferences = await conferences_of(reader, session, now=now)
    return students_of(session, conferences, await who_may_be_meant(reader, session, conferences, rules))


async def conferences_of(reader: Reader, session: ClassSession, *, now: datetime) -> list[Conference]:
    """What belongs to a class meeting and was read."""
    if session.plan.scheduled:
        return (await _with_its_own(reader, session, now=now))[1]
    stored = [await reader.conference(name) for name in session.conference_records]
    return [conference for conference in stored if conference]


async def _named(work: Work, session: ClassSession, *, now: datetime) -> ClassSession:
    """A class meeting as it is planned, with when its teachers and students were set: what was known before is old.

    An address that it goes on to name keeps the time at which it was first named, and with it its meaning.
    """
    before = await work.session(session.session_id)
    if before and (before.plan.teachers, before.plan.roster) == (session.plan.teachers, session.plan.roster):
        return session
    named_before: tuple[tuple[str, datetime], ...] = ()
    if before:
        first, otherwise = dict(before.plan.named_before), before.plan.named_at or before.start
        kept = session.plan.named & before.plan.named
        named_before = tuple((box, first.get(box, otherwise)) for box in sorted(kept))
    plan = dataclasses.replace(session.plan, named_at=now, named_before=named_before)
    return dataclasses.replace(session, plan=plan)


async def who_may_be_meant(
    reader: Reader, session: ClassSession, conferences: Iterable[Conference], rules: Rules
) -> Mapping[str, Person]:
    """What is known about the accounts that were there, and about those that have an address of the class."""
    known, emails = await _known_at_once(reader, session, conferences, rules)
    return {**await reader.people_known_by(emails), **known}


async def _known_at_once(
    reader: Reader, session: ClassSession, conferences: Iterable[Conference], rules: Rules
) -> tuple[Mapping[str, Person], frozenset[str]]:
    """What is known about the accounts that were there, or that the roster names.

    Also the addresses whose accounts are being looked for.
    """
    there = await reader.people(accounts(conferences))
    if session.plan.scheduled is None or not rules.identities_in_use:
        return there, frozenset()
    emails = unaccounted_for(session.plan, there.values())
    reader.expect_known_by(emails)
    named = await reader.people([entry.user for entry in session.plan.roster if entry.user and entry.user not in there])
    return {**named, **there}, emails


def unaccounted_for(plan: Plan, there: Iterable[Person]) -> frozenset[str]:
    """The addresses of a class that nobody who was there has, in their compared form.

    Their owners may be missing, or known otherwise.
    """
    emails = mailboxes([*plan.teachers, *(entry.email for entry in plan.roster if entry.email)])
    return emails - mailboxes(email for person in there for email in current_of(person))


def accounts(conferences: Iterable[Conference]) -> frozenset[str]:
    """Every account, `users/{id}`, that was in some conferences."""
    return frozenset(
        user
        for conference in conferences
        if conference.snapshot
        for participant in conference.snapshot.participants
        if (user := account_of(participant.user))
    )


async def _with_its_own(
    reader: Reader, session: ClassSession, *, now: datetime
) -> tuple[ClassSession, list[Conference], list[str]]:
    """A scheduled class meeting with the time that it owns, its conferences, and its records that nobody has read."""
    scheduled = session.plan.takes_place
    if scheduled and session.owned and is_forgotten(scheduled, now=now):
        names = {*session.conference_records, *(record.conference_record for record in session.plan.attached)}
        known = [conference for name in sorted(names) if (conference := await reader.conference(name))]
        return session, _in_order(c for c in known if session.session_id in c.session_ids), []
    room = await reader.room(session.space.name)
    conferences, missing = await _belonging(reader, session, room)
    return dataclasses.replace(session, owned=room.owned(session.session_id)), conferences, missing


async def _belonging(reader: Reader, session: ClassSession, room: Room) -> tuple[list[Conference], list[str]]:
    """The conferences of a scheduled class meeting, in order of time, and the records that nobody has read."""
    attached = [record.conference_record for record in session.plan.attached]
    conferences, missing = [], []
    for name in dict.fromkeys([*room.records_of(session.session_id), *attached]):
        conference = await reader.conference(name)
        if conference is None or (conference.snapshot is None and conference.interruption):
            missing.append(name)
        elif not conference.attached_to or session.session_id in conference.attached_to:
            conferences.append(conference)
    return _in_order(conferences), sorted(missing)


def _in_order(conferences: Iterable[Conference]) -> list[Conference]:
    """Conferences by time; those that were never read come last."""

    def order(conference: Conference) -> tuple[bool, datetime, str]:
        time = conference_time(conference)
        return (time is None, time.start if time else _NEVER, conference.conference_record)

    return sorted(conferences, key=order)


def _tried(
    session: ClassSession, attempt: Attempt, conferences: Iterable[Conference], *, missing: list[str], rules: Rules
) -> ClassSession:
    """The class meeting with the result of an attempt."""
    states = {conference.sync.state for conference in conferences}
    scheduled = session.plan.scheduled
    settled = scheduled is not None and attempt.began_at >= scheduled.end + rules.settle
    certain = (
        attempt.error is None
        and attempt.everybody_known
        and not missing
        and SyncState.FAILED not in states
        and not (settled and SyncState.PROVISIONAL in states)
    )
    return after_attempt(
        session, began_at=attempt.began_at, listed=attempt.listed, error=attempt.error, certain=certain
    )
