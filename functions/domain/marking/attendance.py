"""Attendance: a pure function of what Meet said, who is who, what the LMS planned, and what people decided.

A person's time is the union of all their participant sessions, over all their devices: two devices at once count
once, time away does not count. https://developers.google.com/workspace/meet/api/guides/participants
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta

from functions.domain.classes.roster import Assignment, Correction, Override, RosterEntry
from functions.domain.classes.sessions import (
    Attendance,
    AttendanceSheet,
    ClassSession,
    EmailSource,
    Merged,
    Person,
    Presence,
    Role,
    SessionState,
    Suggestion,
    Verdict,
)
from functions.domain.classes.timetable import RETENTION
from functions.domain.conferences.model import Conference, EmailUser, Kind, Participant, ParticipantSession, SyncState
from functions.domain.conferences.syncing import end_of, is_over
from functions.domain.intervals import Interval, covered, gaps
from functions.domain.marking.addresses import answered_since
from functions.domain.marking.certainty import (
    after_marking,
    held_time,
    held_window,
    min_held,
    session_state,
    session_sync,
    taught_time,
    was_searched,
)
from functions.domain.marking.marks import Hearing, Pending, verdict
from functions.domain.marking.who import (
    Match,
    NameIndex,
    Seen,
    Who,
    account_of,
    accounts_by_email,
    corrections_by_kind,
)


def attendee_id(session_id: str, key: str) -> str:
    """The id of one person's attendance in one class meeting: a pseudonym, the same at every computation.

    Args:
        session_id: The class meeting.
        key: What identifies the person: the roster entry's `student_id`, else its e-mail; `users/{id}`; the
            participant's resource name.
    """
    return hashlib.sha256(f"{session_id}/{key}".encode()).hexdigest()[:20]


def unscheduled_session_id(conference_record: str) -> str:
    """The id of the class meeting that a conference outside every schedule is: the conference record's own id."""
    return conference_record.removeprefix("conferenceRecords/")


def unscheduled_session(conference: Conference, *, time_zone: str, before: ClassSession | None) -> ClassSession | None:
    """The class meeting that a conference is by itself; None before the first read.

    Args:
        conference: The conference as stored.
        time_zone: The school's (an IANA name), for the local date.
        before: That class meeting as it stood, for what people added to it.
    """
    snapshot = conference.snapshot
    if snapshot is None:
        return None
    session = before or ClassSession(
        session_id=unscheduled_session_id(conference.conference_record),
        space=snapshot.space,
        time_zone=time_zone,
        state=SessionState.LIVE,
        owned=None,
    )
    teachers = (conference.organizer.email,) if conference.organizer.email else session.plan.teachers
    plan = replace(session.plan, teachers=teachers)
    return replace(session, space=snapshot.space, owned=conference_time(conference), plan=plan)


def conference_time(conference: Conference) -> Interval | None:
    """From when to when a conference was, as far as is known; None before the first read."""
    if conference.snapshot is None:
        return None
    return Interval(conference.snapshot.record.start_time, end_of(conference.snapshot, conference.sync))


@dataclass(frozen=True, slots=True)
class Evidence:
    """All that a class meeting's attendance is made of.

    Attributes:
        conferences: Those that belong to it and are stored, in order of time.
        missing: Records that belong to it and are not stored: Meet named them, nobody has read them.
        unread_from: When the first of its records began that could not be read; None if that is not known.
        people: What is known of accounts: of those who were there, and of those who have an address of the roster.
        corrections: What people decided.
        now: The time of the computation.
        settle: How long after its end a conference may still change.
        room_names: Shell patterns of room devices' names.
        identities_in_use: Whether accounts are looked up, so that one without an answer will have one.
        stood_in_for: Records that could not be read, in whose place reports tell of the same call.
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


def sheet(session: ClassSession, evidence: Evidence) -> AttendanceSheet:
    """The class meeting with everybody's attendance.

    Nobody has any before the first sync, nor in a cancelled class.

    Args:
        session: The class meeting as planned, with the time that it owns.
        evidence: What there is to know of it.
    """
    owned = session.owned
    sync = session_sync(session, evidence.conferences, missing=evidence.missing, settle=evidence.settle)
    plan = session.plan
    if plan.cancelled or owned is None or sync is None:
        state = SessionState.CANCELLED if plan.cancelled else SessionState.SCHEDULED
        bare = replace(
            session,
            state=state,
            conference_records=(),
            actual_start=None,
            actual_end=None,
            held=None,
            held_elsewhere=False,
            sync=None if plan.cancelled else sync,
            erased=len(plan.erased),
        )
        return AttendanceSheet(after_marking(bare, now=evidence.now, settle=evidence.settle))
    read = [conference for conference in evidence.conferences if conference.snapshot]
    people = _people(session, read, evidence)
    times = {
        conference.conference_record: (whole, belonging)
        for conference in read
        if (whole := conference_time(conference)) and (belonging := _time_in(session, conference))
    }
    presences = {key: _presences(matches, times) for key, matches in people.items()}
    teachers = [key for key, matches in people.items() if matches[0].role is Role.TEACHER]
    teaching = [presence for key in teachers for presence in presences[key]]
    being = [found for key, found in presences.items() if people[key][0].kind is not Kind.ROOM]
    held_for = held_time(plan.scheduled, teaching, being)
    taught = taught_time(plan.scheduled, owned, teaching)
    everybody_known = not evidence.identities_in_use or not _unidentified(session, people, presences, evidence)
    teachers_known = everybody_known or _teachers_found(session, people, evidence)
    state = session_state(
        session,
        evidence.conferences,
        missing=evidence.missing,
        held_for=held_for,
        everybody_known=everybody_known,
        now=evidence.now,
        settle=evidence.settle,
    )
    done = replace(
        session,
        state=state,
        conference_records=(*(c.conference_record for c in evidence.conferences), *evidence.missing),
        actual_start=min((part.start for _, part in times.values()), default=None),
        actual_end=max((part.end for _, part in times.values()), default=None),
        held=held_window(plan.scheduled, taught, being),
        held_elsewhere=state is SessionState.NOT_HELD and any(being),
        sync=sync,
        erased=len({*plan.erased, *(token for c in evidence.conferences for token in c.erased)}),
    )
    hearing = None
    if plan.scheduled and state is not SessionState.NOT_HELD:
        hearing = Hearing(
            scheduled=plan.scheduled,
            taught=taught,
            held=done.held,
            policy=plan.policy,
            time_zone=session.time_zone,
            now=evidence.now,
            unread=_unread(evidence),
            pending=_pending(session, evidence, {key: presences[key] for key in teachers}),
            searched=was_searched(session),
            unlisted=_unlisted(session, plan.scheduled, read),
            held_long_enough=held_for >= min_held(session),
            everybody_known=everybody_known,
            teachers_known=teachers_known,
            reported=frozenset(conference.conference_record for conference in read if conference.reported),
        )
    attendance = _attendance(done, people, presences, hearing, evidence)
    done = after_marking(
        done,
        now=evidence.now,
        settle=evidence.settle,
        everybody_answered=not evidence.identities_in_use
        or all(
            _is_answered(match, session, evidence, to_be_asked=True) for matches in people.values() for match in matches
        ),
    )
    return AttendanceSheet(done, tuple(sorted(attendance, key=lambda person: person.attendee_id)))


def counted_interval(session: ParticipantSession, participant: Participant, *, conference: Interval) -> Interval:
    """From when to when a participant session counts.

    Where Meet knows no end of it, it ends when the participant was last seen if that is later than its start,
    else with the conference.
    """
    end = session.end_time
    if end is None:
        seen = participant.latest_end_time
        end = seen if seen and seen > session.start_time else conference.end
    return Interval(session.start_time, end)


def whole_seconds(duration: timedelta) -> int:
    """A duration as documents store it: summed exactly, then rounded down to whole seconds."""
    return duration // timedelta(seconds=1)


People = dict[str, list[Match]]


def _people(session: ClassSession, conferences: Sequence[Conference], evidence: Evidence) -> People:
    """The participants of each person, by the person's key, in order of time."""
    assignments, rooms = corrections_by_kind(evidence.corrections)
    who = who_is_who(session, evidence)
    organizers = {c.organizer.user: c.organizer.email for c in conferences if c.organizer.user and c.organizer.email}
    who = replace(who, assignments=assignments, rooms=rooms, organizers=organizers)
    if any(conference.reported for conference in conferences):
        who = replace(who, accounts=accounts_by_email(evidence.people))
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


def students_of(
    session: ClassSession, conferences: Iterable[Conference], people: Mapping[str, Person]
) -> tuple[RosterEntry, ...]:
    """The expected students of a class meeting, without teachers, whatever address the roster has for them.

    Args:
        session: The class meeting.
        conferences: What belongs to it.
        people: What is known of the accounts that were there, and of those that have an address of the class.
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


def people_left_at(session: ClassSession, conferences: Iterable[Conference]) -> datetime | None:
    """When the people of a class meeting were last there; who they were then, only a later answer tells.

    That is the earlier of its scheduled end and the end of its last call; None while an unscheduled one goes on.
    """
    scheduled = session.plan.scheduled
    calls = [(c.snapshot, c.sync) for c in conferences if c.snapshot]
    if not calls or not all(is_over(snapshot, sync) for snapshot, sync in calls):
        return scheduled.end if scheduled else None
    last = max(end_of(snapshot, sync) for snapshot, sync in calls)
    return min(scheduled.end, last) if scheduled else last


def who_is_who(session: ClassSession, evidence: Evidence) -> Who:
    """What tells who is who in a class meeting, people's own assignments aside."""
    return Who(
        teachers=frozenset(session.plan.teachers),
        organizer_teaches=session.plan.scheduled is None,
        roster=session.plan.roster,
        people=evidence.people,
        room_names=evidence.room_names,
        ended_at=people_left_at(session, evidence.conferences),
        named_at=session.plan.named_at,
        named_before=dict(session.plan.named_before),
    )


def _attached(session: ClassSession) -> frozenset[str]:
    return frozenset(record.conference_record for record in session.plan.attached)


def _time_in(session: ClassSession, conference: Conference) -> Interval | None:
    """The part of a conference that belongs to a class meeting: whole if people attached it, or if it is all of it."""
    time, whole = conference_time(conference), _attached(session)
    if time is None or session.owned is None or session.plan.scheduled is None or conference.conference_record in whole:
        return time
    return time.clip(session.owned)


def _presences(matches: Iterable[Match], times: Mapping[str, tuple[Interval, Interval]]) -> tuple[Presence, ...]:
    """One person's participant sessions as far as they lie in the class meeting's time, oldest first.

    Args:
        matches: The person's participants.
        times: By conference record, its own time and the part of it that belongs to the class meeting.
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


def _pending(
    session: ClassSession, evidence: Evidence, teaching: Mapping[str, Sequence[Presence]]
) -> tuple[Pending, ...]:
    """The records that are not read for good, as far as they may still change a mark.

    Args:
        session: The class meeting.
        evidence: What there is to know of it.
        teaching: By teacher, the teacher's presences.
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


def _unread(evidence: Evidence) -> bool:
    """Whether a record could not be read, and no other one had been read for good before that one even began.

    Then nothing is known of anybody: it may hold the greater part of the class. Marks that were given before stand.
    """
    failed = (c.conference_record for c in evidence.conferences if c.sync.state is SyncState.FAILED)
    if evidence.stood_in_for.issuperset([*evidence.missing, *failed]):
        return False
    return evidence.unread_from is None or not _was_read_before(evidence.unread_from, evidence)


def _unlisted(session: ClassSession, scheduled: Interval, read: Iterable[Conference]) -> tuple[Interval, ...]:
    """When, during the class, its room may have held a call that nobody knows of: it holds one at a time."""
    if was_searched(session):
        return ()
    known = (conference_time(c) for c in read if c.conference_record not in _attached(session))
    return tuple(gaps(scheduled, (time for time in known if time)))


def _was_read_before(moment: datetime, evidence: Evidence) -> bool:
    """Whether one of the class's conferences had been read for good by then, so that marks were given."""
    # Reports are no reading of Meet's: what they leave out, they leave out for good.
    read = [c.sync for c in evidence.conferences if c.sync.state is SyncState.COMPLETE and not c.reported]
    return any(sync.first_pulled_at and sync.first_pulled_at <= moment for sync in read)


def _unidentified(
    session: ClassSession, people: People, presences: Mapping[str, tuple[Presence, ...]], evidence: Evidence
) -> bool:
    """Whether an account was in the class that nobody could be asked about since: it may be any student's."""
    scheduled = session.plan.scheduled
    for key, matches in people.items():
        if all(_is_answered(match, session, evidence) for match in matches):
            continue
        if scheduled and any(p.interval.clip(scheduled) for p in presences[key]):
            return True
    return False


def _is_answered(match: Match, session: ClassSession, evidence: Evidence, *, to_be_asked: bool = False) -> bool:
    """Whether it is known whose account a participant has, or that nobody knows; others have nothing to be asked.

    Addresses are renamed and given on, so only an answer from the time when the people left the class or later says
    who they were; while the class goes on, any answer will do. The class may name an address only since, and mean the
    account that has it by then: so the answer must be younger than that too, as long as the class is brought up to date
    by itself.

    Args:
        match: The participant.
        session: The class meeting.
        evidence: What there is to know of it.
        to_be_asked: Whether it is about asking again. A roster that was replaced after the class gives marks at once,
            by what is known, and the accounts are asked for next.
    """
    user = account_of(match.seen.participant.user)
    if match.certain or match.kind is Kind.ROOM or user is None:
        return True
    left_at = people_left_at(session, evidence.conferences)
    if left_at is None or left_at > evidence.now:
        return answered_since(evidence.people.get(user), None)
    named_at, tried_at = session.plan.named_at, session.progress.tried_at
    in_force = named_at and (to_be_asked or tried_at is None or tried_at >= named_at)
    if named_at and in_force and evidence.now < left_at + RETENTION:
        left_at = max(left_at, named_at)
    return answered_since(evidence.people.get(user), left_at)


def _teachers_found(session: ClassSession, people: People, evidence: Evidence) -> bool:
    """Whether each teacher of the class was in the call, so that nobody else there can be one of them."""
    there = [m.seen.participant.user for matches in people.values() for m in matches if m.role is Role.TEACHER]
    return who_is_who(session, evidence).teachers_found(account_of(user) for user in there)


def _attendance(
    session: ClassSession,
    people: People,
    presences: Mapping[str, tuple[Presence, ...]],
    hearing: Hearing | None,
    evidence: Evidence,
) -> list[Attendance]:
    """Everybody who was there, and every student who was expected."""
    overrides = [c for c in evidence.corrections if isinstance(c, Override)]
    who = who_is_who(session, evidence)
    expected = {entry.key: entry for entry in who.students()}
    found = []
    for key in dict.fromkeys([*expected, *people]):
        entry, there = expected.get(key), presences.get(key, ())
        if not there and entry is None:
            continue
        one = _one(session, key, entry, people.get(key, []) if there else [], presences=there, hearing=hearing, who=who)
        if entry:
            one = replace(one, override=next((o for o in overrides if o.concerns(entry, one.attendee_id)), None))
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
    """One person's attendance; without any participant, of a student who never came."""
    own = [match for match in matches if match.assigned is None]
    assigned = [match for match in matches if match.assigned is not None]
    face = (own or assigned)[-1] if matches else None  # the latest participant, the person's own if there is one
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
        # What a guest typed names the guest, also once people said who it is.
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
    """The account that a person was there with; for one that reports name by address, any known account."""
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
    """The guests that count as this student, each once."""
    merged = {}
    for match in assigned:
        told = match.assigned
        if told is None:
            continue
        by, at = (told.decision.by, told.decision.at) if isinstance(told, Assignment) else (told.by, told.at)
        own_id = attendee_id(session.session_id, match.own_key)
        merged[own_id] = Merged(own_id, match.seen.participant.user.display_name, match.kind, by, at)
    return tuple(merged[own_id] for own_id in sorted(merged))


def _with_suggestions(people: Sequence[Attendance]) -> list[Attendance]:
    """Guests with the students whose names are like theirs."""
    names = NameIndex(
        (one.attendee_id, name)
        for one in people
        if one.entry
        for name in {one.display_name, one.entry.display_name or ""}
    )
    return [
        replace(one, suggestions=tuple(Suggestion(student, match) for student, match in names.like(one.display_name)))
        if one.role is Role.GUEST and one.kind is not Kind.ROOM
        else one
        for one in people
    ]
