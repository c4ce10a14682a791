"""`sessions/{session_id}` and its `attendance`.

Domain <-> documents, pure; the one place where these fields are spelled, and where their schema would be migrated.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import date, timedelta
from typing import Any

from functions.adapters.documents import (
    SCHEMA_VERSION,
    Fields,
    check_schema,
    expiry,
    sync_from_document,
    sync_to_document,
)
from functions.domain.attendance import whole_seconds
from functions.domain.intervals import Interval, covered
from functions.domain.model import (
    Attendance,
    AttendanceSheet,
    ClassSession,
    Kind,
    Presence,
    Role,
    SessionState,
)


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
        "sync": sync_to_document(session.sync),
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
        sync=sync_from_document(fields["sync"]),
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
