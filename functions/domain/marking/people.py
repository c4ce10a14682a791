"""The people who were in a class meeting or were expected: their times, names, addresses and marks.

A person's time is the union of all their participant sessions, over all their devices: two devices at once count
once, time away does not count. https://developers.google.com/workspace/meet/api/guides/participants
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace

from functions.domain.classes.roster import Assignment, Correction, Override, RosterEntry
from functions.domain.classes.sessions import (
    Attendance,
    ClassSession,
    EmailSource,
    Merged,
    Presence,
    Role,
    Suggestion,
    Verdict,
)
from functions.domain.conferences.model import Conference, EmailUser, Kind, Participant, ParticipantSession
from functions.domain.intervals import Interval, covered
from functions.domain.marking.evidence import attached_records, conference_time
from functions.domain.marking.marks import Hearing, verdict
from functions.domain.marking.who import (
    Match,
    NameIndex,
    Seen,
    Who,
    account_of,
)


def attendee_id(session_id: str, key: str) -> str:
    """The id of one person's attendance in one class meeting: a pseudonym, the same at every computation.

    Args:
        session_id: The class meeting.
        key: What identifies the person: the roster entry's `student_id`, otherwise its e-mail; `users/{id}`; the
            participant's resource name.
    """
    return hashlib.sha256(f"{session_id}/{key}".encode()).hexdigest()[:20]


People = dict[str, list[Match]]


def people_of(session: ClassSession, conferences: Iterable[Conference], who: Who) -> People:
    """The participants of each person, by the person's key, in order of time."""
    seen = (
        Seen(participant, conference.organizer, conference.snapshot.record.start_time)
        for conference in conferences
        if conference.snapshot
        for participant in conference.snapshot.participants
    )
    people: People = {}
    for one in sorted(seen, key=lambda one: one.order):
        match = who.match(one, own_id=attendee_id(session.session_id, who.own_key_of(one)))
        people.setdefault(match.key, []).append(match)
    return people


def time_in(session: ClassSession, conference: Conference) -> Interval | None:
    """The part of a conference that belongs to a class meeting.

    All of it if people attached it, or if it is the class meeting.
    """
    time, whole = conference_time(conference), attached_records(session)
    if time is None or session.owned is None or session.plan.scheduled is None or conference.conference_record in whole:
        return time
    return time.clip(session.owned)


def counted_interval(session: ParticipantSession, participant: Participant, *, conference: Interval) -> Interval:
    """The time for which a participant session counts.

    If Meet does not report its end, it ends when the participant was last seen if that is later than its start,
    otherwise with the conference.
    """
    end = session.end_time
    if end is None:
        seen = participant.latest_end_time
        end = seen if seen and seen > session.start_time else conference.end
    return Interval(session.start_time, end)


def presences_of(matches: Iterable[Match], times: Mapping[str, tuple[Interval, Interval]]) -> tuple[Presence, ...]:
    """The parts of a person's participant sessions that lie in the class meeting's time, oldest first.

    Args:
        matches: The person's participants.
        times: For each conference record, its own time and the part of it that belongs to the class meeting.
    """
    found = []
    for match in matches:
        participant = match.seen.participant
        record = participant.name.partition("/participants/")[0]
        if record not in times:
            continue
        whole, belonging = times[record]
        for session in participant.sessions:
            clipped = counted_interval(session, participant, conference=whole).clip(belonging)
            if clipped:
                found.append(Presence(record, session.name, clipped, open=session.end_time is None))
    return tuple(sorted(found, key=lambda presence: (presence.interval, presence.participant_session)))


def attendance_of(
    session: ClassSession,
    people: People,
    presences: Mapping[str, tuple[Presence, ...]],
    *,
    who: Who,
    hearing: Hearing | None,
    corrections: Iterable[Correction],
) -> list[Attendance]:
    """Everybody who was there, and every student who was expected."""
    overrides = [correction for correction in corrections if isinstance(correction, Override)]
    expected = {entry.key: entry for entry in who.students()}
    found = []
    for key in dict.fromkeys([*expected, *people]):
        entry, there = expected.get(key), presences.get(key, ())
        if not there and entry is None:
            continue
        one = _one(session, key, entry, people.get(key, []) if there else [], presences=there, hearing=hearing, who=who)
        if entry and (override := next((o for o in overrides if o.concerns(entry, one.attendee_id)), None)):
            one = replace(one, override=override)
        found.append(one)
    return _with_suggestions(found)


def _one(
    session: ClassSession,
    key: str,
    entry: RosterEntry | None,
    matches: Sequence[Match],
    *,
    presences: tuple[Presence, ...],
    hearing: Hearing | None,
    who: Who,
) -> Attendance:
    """One person's attendance; without participants, that of a student who never came."""
    own = [match for match in matches if match.assigned is None]
    assigned = [match for match in matches if match.assigned is not None]
    face = (own or assigned)[-1] if matches else None  # the latest, preferably of the person's own account
    account = who.told_account_of(entry) if entry else None
    known = [e for m in own for e in m.emails]
    if entry and account and account != entry.user and not own:
        known = [*who.emails_of(account)]
    emails = tuple(dict.fromkeys([*([entry.email] if entry and entry.email else []), *known]))
    scheduled = session.plan.scheduled
    inside = covered(clipped for p in presences if (clipped := p.interval.clip(scheduled) if scheduled else p.interval))
    return Attendance(
        attendee_id=attendee_id(session.session_id, key),
        kind=face.kind if face else Kind.EXPECTED,
        user=_account(face, own) if face else account,
        account=next((user for m in own if (user := account_of(m.seen.participant.user))), None) or account,
        # A guest keeps the typed name, even after people said who it is.
        display_name=(entry and entry.display_name) or (own[-1].seen.participant.user.display_name if own else ""),
        role=face.role if face else Role.STUDENT,
        presences=presences,
        total_duration=covered(presence.interval for presence in presences),
        in_class=inside,
        entry=entry,
        email=emails[0] if emails else None,
        emails=emails,
        email_source=_email_source(own, assigned, entry),
        verdict=verdict(presences, hearing) if entry and hearing else Verdict(),
        merged=_merged(session, assigned),
        not_users=who.not_meant_by(entry) if entry else (),
    )


def _account(face: Match | None, own: Sequence[Match]) -> str | None:
    """The account with which a person was there; if reports name the person by address, any known account."""
    if face is None:
        return None
    by_address = own if isinstance(face.seen.participant.user, EmailUser) else ()
    users = (account_of(match.seen.participant.user) for match in (face, *reversed(by_address)))
    return next(filter(None, users), None)


def _email_source(own: Sequence[Match], assigned: Sequence[Match], entry: RosterEntry | None) -> EmailSource | None:
    if assigned:
        return EmailSource.ASSIGNED
    known = [match.email_source for match in own if match.email_source]
    return known[-1] if known else EmailSource.ROSTER if entry and entry.email else None


def _merged(session: ClassSession, assigned: Iterable[Match]) -> tuple[Merged, ...]:
    """The guests who count as this student, each once."""
    merged = {}
    for match in assigned:
        told = match.assigned
        if told is None:
            continue
        by, at = (told.decision.by, told.decision.at) if isinstance(told, Assignment) else (told.by, told.at)
        own_id = attendee_id(session.session_id, match.own_key)
        merged[own_id] = Merged(own_id, match.seen.participant.user.display_name, match.kind, by, at)
    return tuple(merged[own_id] for own_id in sorted(merged))


def _with_suggestions(people: list[Attendance]) -> list[Attendance]:
    """Guests with the students who have similar names."""
    if not any(_may_be_a_student(one) for one in people):
        return people
    names = NameIndex(
        (one.attendee_id, name)
        for one in people
        if one.entry
        for name in {one.display_name, one.entry.display_name or ""}
    )
    return [
        replace(one, suggestions=tuple(Suggestion(student, match) for student, match in names.like(one.display_name)))
        if _may_be_a_student(one)
        else one
        for one in people
    ]


def _may_be_a_student(one: Attendance) -> bool:
    return one.role is Role.GUEST and one.kind is not Kind.ROOM
