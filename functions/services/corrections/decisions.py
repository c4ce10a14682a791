"""A decision of a person about a class meeting: stored with its marks and its audit entry in one commit.

Attendance is computed from it, and no sync ever touches it. Marks are computed again from what is stored, without
asking Meet.
"""

from __future__ import annotations

import uuid
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass

from functions.domain.classes.calendar import to_follow
from functions.domain.classes.roster import Decision, RosterEntry
from functions.domain.classes.sessions import AuditEntry, Caller, ClassSession, Remark
from functions.domain.etag import require_match
from functions.domain.marking.people import attendee_id as attendee_id_of
from functions.ports.store import Reader, Work
from functions.services.corrections.follow_students import Unapplied
from functions.services.deps import Deps
from functions.services.stored import required_session
from functions.services.sync.mark_elsewhere import mark_elsewhere
from functions.services.sync.marking import expected_in, mark

Change = Callable[[Work, ClassSession, Decision], Awaitable["DecisionEffect"]]


@dataclass(frozen=True, slots=True)
class DecidedBy:
    """Who decides something about a class meeting.

    Attributes:
        by: The person, as the LMS names them.
        caller: The account that calls.
        if_match: The class meeting's ETag as they saw it; None decides whatever has changed since.
    """

    by: str
    caller: Caller
    if_match: str | None = None


@dataclass(frozen=True, slots=True)
class DecisionEffect:
    """What a decision changes.

    Attributes:
        session: The class meeting as it is planned now.
        touched: Further class meetings to be marked.
        references: Ids for the audit; None if nothing was changed.
        result: The ids of the people that the decision is about.
        unapplied: Corrections that do not apply to any student who is expected from now on.
        accounts: Accounts that are remembered as another student's from now on, with their old and new students.
    """

    session: ClassSession
    references: Mapping[str, str] | None = None
    touched: frozenset[str] = frozenset()
    result: tuple[str, ...] = ()
    unapplied: tuple[Unapplied, ...] = ()
    accounts: tuple[RosterEntry, ...] = ()


async def carry_out(session_id: str, change: Change, *, what: str, who: DecidedBy, deps: Deps) -> DecisionEffect:
    """Apply a decision about a class meeting, with its marks and its audit entry in one commit.

    The same commit stores what must still be marked elsewhere, so that this cannot be lost after the commit.
    """
    entry_id = uuid.uuid4().hex
    decision = Decision(who.by, who.caller.email, deps.clock())

    async def decide(work: Work) -> DecisionEffect:
        session = await required_session(work, session_id)
        require_match(who.if_match, await work.updated_at(session_id))
        changed = await change(work, session, decision)
        if changed.references is not None:
            now = deps.clock()
            planned = to_follow(session, changed.session, now=now)
            await mark(work, changed.touched, rules=deps.rules, now=now, changed={session_id: planned})
            references = {"session_id": session_id, **changed.references}
            work.note(AuditEntry(entry_id, who.by, who.caller.email, what, references))
        if changed.accounts:
            work.put_remark(Remark(entry_id, changed.accounts, session_id=session_id))
        return changed

    # Callers may set many marks at once, with one call each: within this process the calls wait for each other instead
    # of conflicting.
    async with deps.turns.of(f"decisions/{session_id}"):
        changed, _ = await deps.store.transact(decide)
    if changed.accounts:
        await mark_elsewhere(Remark(entry_id, changed.accounts, session_id=session_id), deps=deps)
    return changed


async def students_by_id(reader: Reader, session: ClassSession, *, deps: Deps) -> dict[str, RosterEntry]:
    """The students of a class meeting by attendee id."""
    students = await expected_in(reader, session, rules=deps.rules, now=deps.clock())
    return {attendee_id_of(session.session_id, entry.key): entry for entry in students}
