"""Domain <-> documents. Pure; the one place where a field is spelled, and where a schema would be migrated.

A document is a dict of what Firestore knows: text, whole numbers, booleans, None, aware UTC datetimes, lists and
dicts. Fields and their meaning: `docs/documents.md`.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import date, datetime, timedelta
from typing import Any

from functions.domain.attendance import kind_of, whole_seconds
from functions.domain.errors import DocumentTooNew
from functions.domain.intervals import Interval, covered
from functions.domain.model import (
    AnonymousUser,
    Attendance,
    AttendanceSheet,
    ClassSession,
    Conference,
    ConferenceRecord,
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
    Space,
    Sync,
    SyncError,
    SyncSource,
    SyncState,
    User,
)

SCHEMA_VERSION = 1

Fields = dict[str, Any]


def check_schema(fields: Mapping[str, Any]) -> None:
    """Refuse a document that a later version of this system wrote."""
    version = fields.get("schema_version", SCHEMA_VERSION)
    if version > SCHEMA_VERSION:
        raise DocumentTooNew(f"A stored document has schema version {version}; this code reads {SCHEMA_VERSION}.")


def expiry(start: datetime | None, retention: timedelta | None) -> datetime | None:
    """When a document with personal data is to be deleted; None keeps it."""
    return start + retention if start and retention else None


# --- conferences/{conference_record_id} -------------------------------------------------------------------------


def conference_to_document(conference: Conference, *, retention: timedelta | None) -> Fields:
    """`conferences/{conference_record_id}`, its `participants` not included."""
    snapshot = conference.snapshot
    record = snapshot.record if snapshot else None
    error_at = conference.sync.error.at if conference.sync.error else None
    return {
        "schema_version": SCHEMA_VERSION,
        "expire_at": expiry(record.start_time if record else error_at, retention),
        "conference_record": conference.conference_record,
        "space": snapshot.space.name if snapshot else None,
        "meeting_code": snapshot.space.meeting_code if snapshot else None,
        "meeting_uri": snapshot.space.meeting_uri if snapshot else None,
        "start_time": record.start_time if record else None,
        "end_time": record.end_time if record else None,
        "expire_time": record.expire_time if record else None,
        "organizer": {"user": conference.organizer.user, "email": conference.organizer.email},
        "session_ids": list(conference.session_ids),
        "participant_count": len(snapshot.participants) if snapshot else 0,
        "participant_session_count": sum(len(p.sessions) for p in snapshot.participants) if snapshot else 0,
        "sync": _sync_to_document(conference.sync),
    }


def conference_from_document(fields: Mapping[str, Any], participants: Sequence[Mapping[str, Any]]) -> Conference:
    """The conference that `conference_to_document` wrote, with all its participants."""
    check_schema(fields)
    snapshot = None
    if fields["start_time"]:
        snapshot = Snapshot(
            record=ConferenceRecord(
                name=fields["conference_record"],
                space=fields["space"],
                start_time=fields["start_time"],
                end_time=fields["end_time"],
                expire_time=fields["expire_time"],
            ),
            space=Space(fields["space"], fields["meeting_code"], fields["meeting_uri"]),
            participants=tuple(_participant_from_document(participant) for participant in participants),
        )
    return Conference(
        conference_record=fields["conference_record"],
        organizer=Organizer(**fields["organizer"]),
        snapshot=snapshot,
        session_ids=tuple(fields["session_ids"]),
        sync=_sync_from_document(fields["sync"]),
    )


def participant_to_document(participant: Participant) -> Fields:
    """One element of a conference's `participants`."""
    return {
        "name": participant.name,
        **_user_to_document(participant.user),
        "earliest_start_time": participant.earliest_start_time,
        "latest_end_time": participant.latest_end_time,
        "sessions": [
            {"name": session.name, "start_time": session.start_time, "end_time": session.end_time}
            for session in participant.sessions
        ],
    }


def _participant_from_document(fields: Mapping[str, Any]) -> Participant:
    return Participant(
        name=fields["name"],
        user=_user_from_document(fields),
        earliest_start_time=fields["earliest_start_time"],
        latest_end_time=fields["latest_end_time"],
        sessions=tuple(ParticipantSession(**session) for session in fields["sessions"]),
    )


def _user_to_document(user: User) -> Fields:
    return {
        "kind": kind_of(user).value,
        "user": user.user if isinstance(user, SignedInUser) else None,
        "display_name": user.display_name,
    }


def _user_from_document(fields: Mapping[str, Any]) -> User:
    match Kind(fields["kind"]):
        case Kind.SIGNED_IN:
            return SignedInUser(fields["user"], fields["display_name"])
        case Kind.ANONYMOUS:
            return AnonymousUser(fields["display_name"])
        case Kind.PHONE:
            return PhoneUser(fields["display_name"])


def _sync_to_document(sync: Sync) -> Fields:
    error = sync.error
    return {
        "state": sync.state.value,
        "source": sync.source.value,
        "pulled_at": sync.pulled_at,
        "first_pulled_at": sync.first_pulled_at,
        "ended_event_at": sync.ended_event_at,
        "attempts": sync.attempts,
        "meet_calls": sync.meet_calls,
        "error": {"reason": error.reason, "message": error.message, "hint": error.hint, "at": error.at}
        if error
        else None,
    }


def _sync_from_document(fields: Mapping[str, Any]) -> Sync:
    return Sync(
        state=SyncState(fields["state"]),
        source=SyncSource(fields["source"]),
        pulled_at=fields["pulled_at"],
        first_pulled_at=fields["first_pulled_at"],
        ended_event_at=fields["ended_event_at"],
        attempts=fields["attempts"],
        meet_calls=fields["meet_calls"],
        error=SyncError(**fields["error"]) if fields["error"] else None,
    )


# --- sessions/{session_id} and sessions/{session_id}/attendance/{attendee_id} -------------------------------------


def session_to_document(sheet: AttendanceSheet, *, retention: timedelta | None) -> Fields:
    """`sessions/{session_id}`, without `created_at` and `updated_at`, which the store keeps."""
    session = sheet.session
    return {
        "schema_version": SCHEMA_VERSION,
        "expire_at": expiry(session.actual_start, retention),
        "session_id": session.session_id,
        "external_id": None,
        "series_id": None,
        "class_id": None,
        "subject": None,
        "teacher_email": None,
        "teacher_emails": [],
        "space": session.space,
        "meeting_code": session.meeting_code,
        "meeting_uri": session.meeting_uri,
        "scheduled_start": None,
        "scheduled_end": None,
        "session_start": session.actual_start,
        "time_zone": session.time_zone,
        "local_date": session.local_date.isoformat(),
        "actual_start": session.actual_start,
        "actual_end": session.actual_end,
        "held_start": None,
        "held_end": None,
        "state": session.state.value,
        "held_elsewhere": False,
        "due_at": None,
        "conference_records": list(session.conference_records),
        "roster": [],
        "policy": {},
        "counts": {
            **dict.fromkeys(["present", "late", "left_early", "partial", "absent", "excused", "unknown"], 0),
            "guests": sum(person.role is Role.GUEST for person in sheet.attendance),
            "erased": 0,
        },
        "tracking": None,
        "sync": _sync_to_document(session.sync),
    }


def attendance_to_document(person: Attendance, session: ClassSession, *, retention: timedelta | None) -> Fields:
    """`attendance/{attendee_id}`, without `updated_at`; it can be shown without the session's document."""
    return {
        "schema_version": SCHEMA_VERSION,
        "expire_at": expiry(session.actual_start, retention),
        "attendee_id": person.attendee_id,
        "session_id": session.session_id,
        "class_id": None,
        "subject": None,
        "teacher_email": None,
        "teacher_emails": [],
        "session_start": session.actual_start,
        "scheduled_start": None,
        "scheduled_end": None,
        "session_state": session.state.value,
        "sync_state": session.sync.state.value,
        "kind": person.kind.value,
        "user": person.user,
        "student_id": None,
        "email": None,
        "emails": [],
        "email_source": None,
        "display_name": person.display_name,
        "role": person.role.value,
        "status": None,
        "status_reason": None,
        "is_late": False,
        "is_left_early": False,
        "mark": None,
        "override": None,
        "merged": [],
        "suggestions": [],
        "first_joined_at": person.first_joined_at,
        "last_left_at": person.last_left_at,
        "total_duration_seconds": whole_seconds(person.total_duration),
        "in_class_seconds": whole_seconds(person.in_class),
        "session_count": len(person.presences),
        "sessions": [
            {
                "conference_record": presence.conference_record,
                "participant_session": presence.participant_session,
                "start_time": presence.interval.start,
                "end_time": presence.interval.end,
                "duration_seconds": whole_seconds(presence.interval.length),
                "open": presence.open,
            }
            for presence in person.presences
        ],
    }


def session_from_document(fields: Mapping[str, Any]) -> ClassSession:
    """The class meeting that `session_to_document` wrote."""
    check_schema(fields)
    return ClassSession(
        session_id=fields["session_id"],
        space=fields["space"],
        meeting_code=fields["meeting_code"],
        meeting_uri=fields["meeting_uri"],
        actual_start=fields["actual_start"],
        actual_end=fields["actual_end"],
        time_zone=fields["time_zone"],
        local_date=date.fromisoformat(fields["local_date"]),
        state=SessionState(fields["state"]),
        conference_records=tuple(fields["conference_records"]),
        sync=_sync_from_document(fields["sync"]),
    )


def attendance_from_document(fields: Mapping[str, Any]) -> Attendance:
    """The attendance that `attendance_to_document` wrote; durations anew from the sessions, exact again."""
    check_schema(fields)
    presences = tuple(
        Presence(
            conference_record=session["conference_record"],
            participant_session=session["participant_session"],
            interval=Interval(session["start_time"], session["end_time"]),
            open=session["open"],
        )
        for session in fields["sessions"]
    )
    total = covered(presence.interval for presence in presences)
    return Attendance(
        attendee_id=fields["attendee_id"],
        kind=Kind(fields["kind"]),
        user=fields["user"],
        display_name=fields["display_name"],
        role=Role(fields["role"]),
        presences=presences,
        total_duration=total,
        in_class=total,
    )
