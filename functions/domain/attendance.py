"""Attendance: a pure function of what Meet said.

A person's time is the union of all their participant sessions, over all their devices: two devices at once count
once, time away does not count. https://developers.google.com/workspace/meet/api/guides/participants
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from datetime import timedelta
from typing import assert_never
from zoneinfo import ZoneInfo

from functions.domain.intervals import Interval, covered
from functions.domain.model import (
    AnonymousUser,
    Attendance,
    AttendanceSheet,
    ClassSession,
    Conference,
    Kind,
    Organizer,
    Participant,
    ParticipantSession,
    PhoneUser,
    Presence,
    Role,
    SessionState,
    SignedInUser,
    Snapshot,
    User,
)
from functions.domain.syncing import end_of, is_over


def attendee_id(session_id: str, key: str) -> str:
    """The id of one person's attendance in one class meeting: a pseudonym, the same at every computation.

    Args:
        session_id: The class meeting.
        key: What identifies the person: `users/{id}`, else the participant's resource name.
    """
    return hashlib.sha256(f"{session_id}/{key}".encode()).hexdigest()[:20]


def unscheduled_session_id(conference_record: str) -> str:
    """The id of the class meeting that a conference outside every schedule is: the conference record's own id."""
    return conference_record.removeprefix("conferenceRecords/")


def unscheduled_sheet(conference: Conference, *, time_zone: str) -> AttendanceSheet | None:
    """The class meeting that a conference is by itself, with everybody's attendance; None before the first read.

    Args:
        conference: The conference as stored.
        time_zone: The school's (an IANA name), for the local date.
    """
    snapshot = conference.snapshot
    if snapshot is None:
        return None
    session_id = unscheduled_session_id(conference.conference_record)
    owned = Interval(snapshot.record.start_time, end_of(snapshot, conference.sync))
    session = ClassSession(
        session_id=session_id,
        space=snapshot.space.name,
        meeting_code=snapshot.space.meeting_code,
        meeting_uri=snapshot.space.meeting_uri,
        actual_start=owned.start,
        actual_end=owned.end,
        time_zone=time_zone,
        local_date=owned.start.astimezone(ZoneInfo(time_zone)).date(),
        state=SessionState.ENDED if is_over(snapshot, conference.sync) else SessionState.LIVE,
        conference_records=(conference.conference_record,),
        sync=conference.sync,
    )
    attendance = (
        _attendance(session_id, key, participants, snapshot=snapshot, owned=owned, organizer=conference.organizer)
        for key, participants in _people(snapshot).items()
    )
    return AttendanceSheet(
        session, tuple(sorted((person for person in attendance if person), key=lambda a: a.attendee_id))
    )


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


def _people(snapshot: Snapshot) -> dict[str, list[Participant]]:
    """The participants of each person. Only an account joins two of them: display names never do."""
    people: dict[str, list[Participant]] = {}
    for participant in snapshot.participants:
        people.setdefault(_key(participant), []).append(participant)
    return people


def _key(participant: Participant) -> str:
    match participant.user:
        case SignedInUser(user=user) if user:
            return user
        case SignedInUser() | AnonymousUser() | PhoneUser():
            return participant.name
        case unreachable:
            assert_never(unreachable)


def _attendance(
    session_id: str,
    key: str,
    participants: Sequence[Participant],
    *,
    snapshot: Snapshot,
    owned: Interval,
    organizer: Organizer,
) -> Attendance | None:
    """One person's attendance, or None for somebody who was never there in the owned time."""
    presences = sorted(
        (
            Presence(
                conference_record=snapshot.record.name,
                participant_session=session.name,
                interval=clipped,
                open=session.end_time is None,
            )
            for participant in participants
            for session in participant.sessions
            if (clipped := counted_interval(session, participant, conference=owned).clip(owned))
        ),
        key=lambda presence: (presence.interval, presence.participant_session),
    )
    if not presences:
        return None
    latest = max(participants, key=lambda p: (p.earliest_start_time or snapshot.record.start_time, p.name))
    total = covered(presence.interval for presence in presences)
    user = latest.user.user if isinstance(latest.user, SignedInUser) else None
    return Attendance(
        attendee_id=attendee_id(session_id, key),
        kind=kind_of(latest.user),
        user=user or None,
        display_name=latest.user.display_name,
        role=Role.TEACHER if user and user == organizer.user else Role.GUEST,
        presences=tuple(presences),
        total_duration=total,
        in_class=total,
    )


def kind_of(user: User) -> Kind:
    """How Meet knows somebody."""
    match user:
        case SignedInUser():
            return Kind.SIGNED_IN
        case AnonymousUser():
            return Kind.ANONYMOUS
        case PhoneUser():
            return Kind.PHONE
        case unreachable:
            assert_never(unreachable)


def whole_seconds(duration: timedelta) -> int:
    """A duration as documents hold it: summed exactly, then cut to whole seconds."""
    return duration // timedelta(seconds=1)
