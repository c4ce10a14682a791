"""Keep corrections with their students when the roster or teachers of a class meeting change."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from functions.domain.classes.roster import Assignment, Override
from functions.domain.classes.roster_changes import corrections_after
from functions.domain.classes.sessions import ClassSession
from functions.domain.marking.who import accounts_by_email
from functions.ports.store import Work
from functions.services.deps import Rules
from functions.services.sync.marking import accounts, conferences_of, expected_in


@dataclass(frozen=True, slots=True)
class Unapplied:
    """A correction whose student is not expected in the class meeting."""

    session_id: str
    correction: Override | Assignment


@dataclass(frozen=True, slots=True)
class Followed:
    """What happened to a class meeting's corrections.

    Attributes:
        unapplied: Corrections that do not apply to any expected student.
        changed: Whether the names of any correction's student changed.
    """

    unapplied: tuple[Unapplied, ...] = ()
    changed: bool = False


async def follow_students(
    work: Work, before: ClassSession, after: ClassSession, *, rules: Rules, now: datetime
) -> Followed:
    """Store the corrections of a class meeting with the new names of its students.

    The class meeting's sheet must be put too, and its room before that: the people who were there show who is who.

    Args:
        work: The unit of work.
        before: The class meeting as it was planned.
        after: The class meeting as it is planned now.
        rules: The school's rules.
        now: The time.
    """
    corrections = await work.corrections(after.session_id)
    people = await work.people(accounts(await conferences_of(work, after, now=now)))
    found = corrections_after(
        corrections,
        session_id=after.session_id,
        before=before.plan.roster,
        after=await expected_in(work, after, rules=rules, now=now),
        people=people,
        accounts_by_email=accounts_by_email(people),
    )
    for correction in found.dropped:
        work.drop_correction(after.session_id, correction)
    for correction in found.put:
        work.put_correction(after.session_id, correction)
    unapplied = tuple(Unapplied(after.session_id, correction) for correction in found.unapplied)
    return Followed(unapplied, changed=bool(found.put))
