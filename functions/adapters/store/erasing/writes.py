"""What a unit of work wants to store, without anybody who is erased. Pure."""

from __future__ import annotations

from dataclasses import replace

from functions.adapters.store.changes.commit import Wanted
from functions.domain.classes.roster import Correction
from functions.domain.classes.sessions import AuditEntry, Person
from functions.domain.erasure import SOMEBODY, Erased, Name, NameKind


def without_erased(wanted: Wanted, erased: Erased) -> tuple[Wanted, dict[Name, str | None]]:
    """What shall be stored, without anybody who is erased.

    Class meetings that are stored with their attendance are computed from what is left of their conferences and rosters
    already, so nothing has to be taken out of them.

    Returns:
        That, and the names whose meaning turned out: accounts that belong to somebody who is erased, each with the
        person's token; and names that may be stored again, with None: addresses of erased people that somebody else has
        by now, and those of a teacher who is tracked from now on.
    """
    if not erased:
        return wanted, {}
    people: dict[str, Person] = {}
    found: dict[Name, str | None] = {}
    for user, person in wanted.people.items():
        token = erased.person(person)
        people[user] = Person(user) if token else replace(person, student=erased.remembered(person.student))
        if token and not erased.user(user):
            found[Name(NameKind.USER, user)] = token
        found |= dict.fromkeys(erased.given_on(person))
    for session in [*wanted.sessions.values(), *(sheet.session for sheet in wanted.sheets.values())]:
        found |= dict.fromkeys(erased.claimed_in(session))
    for user, organizer in wanted.organizers.items():
        found |= dict.fromkeys(erased.enrolled(user, organizer.email) if organizer else ())
    remarks = [kept for remark in wanted.remarks if (kept := erased.remark(remark))]
    return (
        replace(
            wanted,
            conferences={name: erased.conference(conference) for name, conference in wanted.conferences.items()},
            sessions={name: erased.session(session) for name, session in wanted.sessions.items()},
            rooms={name: erased.room(room) for name, room in wanted.rooms.items()},
            corrections={
                name: {key: _kept(correction, erased) for key, correction in changes.items()}
                for name, changes in wanted.corrections.items()
            },
            people=people,
            remarks=remarks,
            notes=[_noted(note, erased) for note in wanted.notes],
        ),
        found,
    )


def _kept(correction: Correction | None, erased: Erased) -> Correction | None:
    return erased.correction(correction) if correction else None


def _noted(note: AuditEntry, erased: Erased) -> AuditEntry:
    return replace(note, by=SOMEBODY) if erased.email(note.by) else note
