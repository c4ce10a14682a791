"""`sessions/{session_id}/attendance/{attendee_id}`, and its corrections.

Domain -> documents, pure; the only place that spells these fields, and where their schema would be migrated.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import asdict
from datetime import timedelta
from typing import Any

from functions.adapters.store.documents.common import SCHEMA_VERSION, Fields, check_schema, expiry
from functions.domain.classes.roster import Assignment, Correction, Decision, Mark, Override, Remembered, RoomDevice
from functions.domain.classes.sessions import Attendance, AttendanceSheet, ClassSession
from functions.domain.marking.addresses import searchable
from functions.domain.marking.attendance import whole_seconds
from functions.domain.marking.people import attendee_id


def attendance_to_documents(sheet: AttendanceSheet, *, retention: timedelta | None) -> dict[str, Fields]:
    """`attendance/{attendee_id}` of everybody by attendee id, without `updated_at`.

    Each can be shown without the session's document.
    """
    shared = _shared(sheet.session, retention=retention)
    return {person.attendee_id: _attendance(person, sheet.session, shared) for person in sheet.attendance}


def _shared(session: ClassSession, *, retention: timedelta | None) -> Fields:
    """What all attendance documents of a class meeting repeat."""
    plan, scheduled = session.plan, session.plan.scheduled
    return {
        "schema_version": SCHEMA_VERSION,
        "expire_at": expiry(session.start, retention),
        "session_id": session.session_id,
        "subject": plan.subject,
        "teacher_email": plan.teachers[0] if plan.teachers else None,
        "teacher_emails": searchable(plan.teachers),
        "session_start": session.start,
        "time_zone": session.time_zone,
        "scheduled_start": scheduled.start if scheduled else None,
        "scheduled_end": scheduled.end if scheduled else None,
        "session_state": session.state.value,
        "sync_state": session.sync.state.value if session.sync else None,
    }


def _attendance(person: Attendance, session: ClassSession, shared: Mapping[str, Any]) -> Fields:
    entry = person.entry
    return {
        **shared,
        "attendee_id": person.attendee_id,
        "class_id": (entry and entry.class_id) or session.plan.class_id,
        "kind": person.kind.value,
        "user": person.user,
        "student_id": entry.student_id if entry else None,
        "email": person.email,
        "emails": searchable(person.emails),
        "email_source": person.email_source.value if person.email_source else None,
        "display_name": person.display_name,
        "role": person.role.value,
        "status": person.verdict.status.value if person.verdict.status else None,
        "status_reason": person.verdict.reason,
        "is_late": person.verdict.is_late,
        "is_left_early": person.verdict.is_left_early,
        "mark": person.mark.value if person.mark else None,
        "override": _override(person.override),
        "merged": [{**asdict(merged), "kind": merged.kind.value} for merged in person.merged],
        "suggestions": [asdict(suggestion) for suggestion in person.suggestions],
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
        # A document says nothing about other people, so their accounts are in it only as pseudonyms. The field is left
        # out if it is empty.
        **(
            {"is_not": [attendee_id(session.session_id, user) for user in person.not_users]} if person.not_users else {}
        ),
    }


def correction_id(correction: Correction) -> str:
    """The document's id, so that each person has one decision of each kind."""
    match correction:
        case Override():
            key = f"student_id/{correction.student_id}" if correction.student_id else f"email/{correction.email}"
            if not (correction.student_id or correction.email):
                key = f"attendee/{correction.attendee_id}"
            return "override-" + hashlib.sha256(key.encode()).hexdigest()[:20]
        case Assignment():
            return f"assignment-{correction.attendee_id}"
        case RoomDevice():
            return f"room-{correction.attendee_id}"


def correction_to_document(correction: Correction, session: ClassSession, *, retention: timedelta | None) -> Fields:
    """`sessions/{session_id}/corrections/{id}`."""
    common = {
        "schema_version": SCHEMA_VERSION,
        "expire_at": expiry(session.start, retention),
        "attendee_id": correction.attendee_id,
        "by": correction.decision.by,
        "caller": correction.decision.caller,
        "at": correction.decision.at,
    }
    match correction:
        case Override():
            return {
                **common,
                "kind": "override",
                "student_id": correction.student_id,
                "email": correction.email,
                "status": correction.mark.value,
                "reason": correction.reason,
            }
        case Assignment():
            return {
                **common,
                "kind": "assignment",
                "student_id": correction.student_id,
                "email": correction.email,
                "user": correction.user,
                "remembered": correction.remembered,
                "remembered_before": remembered_to_document(correction.remembered_before),
            }
        case RoomDevice():
            return {**common, "kind": "room"}


def correction_from_document(fields: Mapping[str, Any]) -> Correction:
    """Read what `correction_to_document` wrote."""
    check_schema(fields)
    decision = Decision(fields["by"], fields["caller"], fields["at"])
    match fields["kind"]:
        case "override":
            return Override(
                attendee_id=fields["attendee_id"],
                student_id=fields["student_id"],
                email=fields["email"],
                mark=Mark(fields["status"]),
                reason=fields["reason"],
                decision=decision,
            )
        case "assignment":
            return Assignment(
                attendee_id=fields["attendee_id"],
                student_id=fields["student_id"],
                email=fields["email"],
                decision=decision,
                user=fields["user"],
                remembered=fields["remembered"],
                remembered_before=remembered_from_document(fields["remembered_before"]),
            )
        case _:
            return RoomDevice(fields["attendee_id"], decision)


def remembered_to_document(remembered: Remembered | None) -> Fields | None:
    """The `student` of a person."""
    return asdict(remembered) if remembered else None


def remembered_from_document(fields: Mapping[str, Any] | None) -> Remembered | None:
    """Read what `remembered_to_document` wrote."""
    return Remembered(**fields) if fields else None


def _override(override: Override | None) -> Fields | None:
    if override is None:
        return None
    decision = override.decision
    return {"status": override.mark.value, "reason": override.reason, "by": decision.by, "at": decision.at}
