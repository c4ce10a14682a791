"""What happens to people's corrections when a roster is replaced: each stays with its student, or is reported.

A correction names its student as the roster did when it was made. If the new roster has other data for the student, the
id, the account or the old address shows that it is the same student. Names are never compared.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace

from functions.domain.classes.roster import Assignment, Correction, Decision, Override, RosterEntry
from functions.domain.classes.sessions import Person
from functions.domain.marking.addresses import mailbox
from functions.domain.marking.people import attendee_id


@dataclass(frozen=True, slots=True)
class CorrectionsAfter:
    """Corrections after a roster was replaced.

    Attributes:
        dropped: Corrections whose student has other names on the new roster.
        put: The same corrections, with their students' names of the new roster.
        unapplied: Corrections that do not apply to any expected student. They are kept, and apply again when their
            student returns.
    """

    dropped: tuple[Correction, ...]
    put: tuple[Correction, ...]
    unapplied: tuple[Override | Assignment, ...]


def corrections_after(
    corrections: Iterable[Correction],
    *,
    session_id: str,
    before: Sequence[RosterEntry],
    after: Sequence[RosterEntry],
    people: Mapping[str, Person],
    accounts_by_email: Mapping[str, str],
) -> CorrectionsAfter:
    """Corrections of a class meeting after its roster was replaced.

    Args:
        corrections: The corrections as they are stored.
        session_id: The class meeting.
        before: The students who were expected before.
        after: The students who are expected now, without teachers.
        people: What is known about the accounts that were there.
        accounts_by_email: The account that has an address, by address.
    """
    stored = [correction for correction in corrections if isinstance(correction, Override | Assignment)]
    remembered = [one for one in _remembered(people, session_id) if one.attendee_id not in _guests(stored)]
    assignments = [*(one for one in stored if isinstance(one, Assignment)), *remembered]
    same = _Identities(assignments, accounts_by_email).successors(before, after)
    dropped: list[Correction] = []
    put: list[Correction] = []
    unapplied: list[Override | Assignment] = []
    for correction in (*stored, *remembered):
        is_stored = correction in stored
        named = _student_of(correction, before, session_id)
        if named is None and not is_stored:
            continue  # what is remembered about an account concerns a student of another class
        entry = same.get(named.key) if named else _student_of(correction, after, session_id)
        if entry is None:
            unapplied.append(correction)
        elif is_stored and (renewed := _naming(correction, entry, session_id)) != correction:
            dropped.append(correction)
            put.append(renewed)
        elif not is_stored and correction not in _naming_it(entry, remembered, accounts_by_email):
            put.append(_naming(correction, entry, session_id))  # other class meetings still use what is remembered
    return CorrectionsAfter(tuple(dropped), tuple(put), tuple(unapplied))


def _remembered(people: Mapping[str, Person], session_id: str) -> list[Assignment]:
    """The remembered assignments of accounts, as if they had been decided for this class meeting."""
    return [
        Assignment(
            attendee_id(session_id, user),
            person.student.student_id,
            person.student.email,
            Decision(person.student.by, None, person.student.at),
            user=user,
        )
        for user, person in sorted(people.items())
        if person.student
    ]


def _naming_it(
    entry: RosterEntry, remembered: Sequence[Assignment], accounts_by_email: Mapping[str, str]
) -> list[Assignment]:
    """The remembered assignments of accounts that are this entry's student, by the assignment or by the roster."""
    own = {entry.user, accounts_by_email.get(mailbox(entry.email or ""))}
    return [one for one in remembered if one.user in own or _student_of(one, [entry], "")]


def _guests(corrections: Iterable[Correction]) -> frozenset[str]:
    return frozenset(one.attendee_id for one in corrections if isinstance(one, Assignment))


def _student_of(
    correction: Override | Assignment, roster: Sequence[RosterEntry], session_id: str
) -> RosterEntry | None:
    """The student of a roster that a correction is about."""
    if isinstance(correction, Override):
        mine = (entry for entry in roster if correction.concerns(entry, attendee_id(session_id, entry.key)))
        return next(mine, None)
    by_id = (entry for entry in roster if correction.student_id and entry.student_id == correction.student_id)
    told = {"student_id": correction.student_id, "email": correction.email}
    return next(by_id, None) or next((entry for entry in roster if entry.may_be(**told)), None)


def _naming(correction: Override | Assignment, entry: RosterEntry, session_id: str) -> Override | Assignment:
    """A correction that names its student as the roster does now."""
    if isinstance(correction, Override):
        own_id = attendee_id(session_id, entry.key)
        return replace(correction, attendee_id=own_id, student_id=entry.student_id, email=entry.email)
    return replace(correction, student_id=entry.student_id, email=entry.email)


@dataclass(frozen=True, slots=True)
class _Identities:
    """Recognises the entries of one roster on another."""

    assignments: Sequence[Assignment]
    accounts_by_email: Mapping[str, str]

    def successors(self, before: Sequence[RosterEntry], after: Sequence[RosterEntry]) -> dict[str, RosterEntry]:
        """For the key of each earlier entry, the present entry of the same student; the strongest evidence counts."""
        found: dict[str, RosterEntry] = {}
        taken: set[str] = set()
        for sign in (self._ids, self._addresses, self._accounts):
            known = {value: entry for entry in after if entry.key not in taken for value in sign(entry)}
            for entry in before:
                other = next((known[value] for value in sign(entry) if value in known), None)
                if entry.key in found or other is None or other.key in taken or _are_two(entry, other):
                    continue
                found[entry.key] = other
                taken.add(other.key)
        return found

    @staticmethod
    def _ids(entry: RosterEntry) -> Iterator[str]:
        if entry.student_id:
            yield entry.student_id

    @staticmethod
    def _addresses(entry: RosterEntry) -> Iterator[str]:
        if entry.email:
            yield mailbox(entry.email)

    def _accounts(self, entry: RosterEntry) -> Iterator[str]:
        if entry.user:
            yield entry.user
        if entry.email and (user := self.accounts_by_email.get(mailbox(entry.email))):
            yield user
        for assignment in self.assignments:
            if assignment.user and _student_of(assignment, [entry], ""):
                yield assignment.user


def _are_two(entry: RosterEntry, other: RosterEntry) -> bool:
    """Whether two entries are different students, even if they share an address or account: the LMS's ids differ."""
    return bool(entry.student_id and other.student_id) and entry.student_id != other.student_id
