"""Removes erased people from what a unit of work is about to store. Pure."""

from __future__ import annotations

from dataclasses import replace

from functions.adapters.store.changes.commit import Wanted
from functions.domain.classes.roster import Correction
from functions.domain.classes.sessions import AuditEntry, Person
from functions.domain.erasure import SOMEBODY, Erased


def without_erased(wanted: Wanted, erased: Erased) -> Wanted:
    """What to store, without erased people.

    Attendance needs no change here: it was computed from conferences and rosters without these people.
    """
    if not erased:
        return wanted
    return replace(
        wanted,
        conferences={name: erased.conference(conference) for name, conference in wanted.conferences.items()},
        sessions={name: erased.session(session) for name, session in wanted.sessions.items()},
        rooms={name: erased.room(room) for name, room in wanted.rooms.items()},
        corrections={
            name: {key: _kept(correction, erased) for key, correction in changes.items()}
            for name, changes in wanted.corrections.items()
        },
        people={user: _known(person, erased) for user, person in wanted.people.items()},
        remarks=[kept for remark in wanted.remarks if (kept := erased.remark(remark))],
        notes=[_noted(note, erased) for note in wanted.notes],
    )


def _known(person: Person, erased: Erased) -> Person:
    if erased.user(person.user):
        return Person(person.user)
    return replace(person, student=erased.remembered(person.student))


def _kept(correction: Correction | None, erased: Erased) -> Correction | None:
    return erased.correction(correction) if correction else None


def _noted(note: AuditEntry, erased: Erased) -> AuditEntry:
    return replace(note, by=SOMEBODY) if erased.email(note.by) else note
