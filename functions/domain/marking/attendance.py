"""Attendance: a pure function of what Meet said, who is who, what the LMS planned, and what people decided."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta

from functions.domain.classes.sessions import (
    AttendanceSheet,
    ClassSession,
    Role,
    SessionState,
)
from functions.domain.conferences.model import Conference, Kind
from functions.domain.marking.certainty import (
    after_marking,
    held_time,
    held_window,
    min_held,
    session_state,
    session_sync,
    taught_time,
    times_together,
    was_searched,
)
from functions.domain.marking.evidence import Evidence, conference_time, who_is_who
from functions.domain.marking.marks import Hearing
from functions.domain.marking.people import attendance_of, people_of, presences_of, time_in
from functions.domain.marking.unfinished import (
    answers_since,
    is_answered,
    is_unread,
    pending_records,
    somebody_is_unknown,
    teachers_are_found,
    unlisted_times,
)


def unscheduled_session_id(conference_record: str) -> str:
    """The id of an unscheduled conference's class meeting: the conference record's own id."""
    return conference_record.removeprefix("conferenceRecords/")


def unscheduled_session(conference: Conference, *, time_zone: str, before: ClassSession | None) -> ClassSession | None:
    """The class meeting that a conference makes by itself; None before the first read.

    Args:
        conference: The conference as stored.
        time_zone: The school's time zone (an IANA name), for the local date.
        before: The stored class meeting, with what people added to it.
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


def sheet(session: ClassSession, evidence: Evidence) -> AttendanceSheet:
    """The class meeting with everybody's attendance.

    Before the first sync, and in a cancelled class, nobody has attendance.

    Args:
        session: The class meeting as planned, with the time that it owns.
        evidence: Everything that is known about it.
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
    who = who_is_who(session, evidence)
    people = people_of(session, read, who)
    times = {
        conference.conference_record: (whole, belonging)
        for conference in read
        if (whole := conference_time(conference)) and (belonging := time_in(session, conference))
    }
    presences = {key: presences_of(matches, times) for key, matches in people.items()}
    teachers = [key for key, matches in people.items() if matches[0].role is Role.TEACHER]
    teaching = [presence for key in teachers for presence in presences[key]]
    being = [found for key, found in presences.items() if people[key][0].kind is not Kind.ROOM]
    together = times_together(plan.scheduled, being)
    held_for = held_time(plan.scheduled, teaching, together)
    taught = taught_time(plan.scheduled, owned, teaching)
    everybody_known = not evidence.identities_in_use or not somebody_is_unknown(session, people, presences, evidence)
    teachers_known = everybody_known or teachers_are_found(people, who)
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
        held=held_window(taught, together),
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
            unread=is_unread(evidence),
            pending=pending_records(session, evidence, {key: presences[key] for key in teachers}),
            searched=was_searched(session),
            unlisted=unlisted_times(session, plan.scheduled, read),
            held_long_enough=held_for >= min_held(session),
            everybody_known=everybody_known,
            teachers_known=teachers_known,
            reported=frozenset(conference.conference_record for conference in read if conference.reported),
        )
    attendance = attendance_of(done, people, presences, who=who, hearing=hearing, corrections=evidence.corrections)
    since = answers_since(session, evidence, to_be_asked=True)
    done = after_marking(
        done,
        now=evidence.now,
        settle=evidence.settle,
        everybody_answered=not evidence.identities_in_use
        or all(is_answered(match, evidence, since=since) for matches in people.values() for match in matches),
    )
    return AttendanceSheet(done, tuple(sorted(attendance, key=lambda person: person.attendee_id)))


def whole_seconds(duration: timedelta) -> int:
    """A duration as documents store it: summed exactly, then rounded down to whole seconds."""
    return duration // timedelta(seconds=1)
