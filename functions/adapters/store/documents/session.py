"""`sessions/{session_id}`: a class meeting.

Domain <-> documents, pure; the only place that spells these fields, and where their schema would be migrated.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict
from dataclasses import fields as fields_of
from datetime import timedelta
from typing import Any

from functions.adapters.store.documents.common import (
    SCHEMA_VERSION,
    Fields,
    check_schema,
    expiry,
    sync_from_document,
    sync_to_document,
)
from functions.domain.classes.policy import Policy
from functions.domain.classes.roster import RosterEntry
from functions.domain.classes.sessions import (
    AttachedRecord,
    AttendanceSheet,
    CalendarEntry,
    CalendarState,
    ClassSession,
    Plan,
    Progress,
    SessionState,
    Tracking,
)
from functions.domain.conferences.model import Space, SyncError
from functions.domain.intervals import Interval
from functions.domain.marking.addresses import as_given, searchable

_ROSTER_FIELDS = tuple(field.name for field in fields_of(RosterEntry))


def session_to_document(sheet: AttendanceSheet, *, retention: timedelta | None) -> Fields:
    """`sessions/{session_id}`, without `created_at`, `updated_at` and `sheet_parts`, which the store keeps."""
    session = sheet.session
    plan, progress = session.plan, session.progress
    return {
        "schema_version": SCHEMA_VERSION,
        "expire_at": expiry(session.start, retention),
        "session_id": session.session_id,
        "external_id": plan.external_id,
        "series_id": plan.series_id,
        "class_id": plan.class_id,
        "class_ids": sorted({plan.class_id, *(entry.class_id for entry in plan.roster)} - {None}),
        "subject": plan.subject,
        "teacher_email": plan.teachers[0] if plan.teachers else None,
        "teacher_emails": searchable(plan.teachers),
        "space": session.space.name,
        "meeting_code": session.space.meeting_code,
        "meeting_uri": session.space.meeting_uri,
        **_interval_to_document("scheduled", plan.scheduled),
        **_interval_to_document("owned", session.owned),
        **_interval_to_document("held", session.held),
        "session_start": session.start,
        "time_zone": session.time_zone,
        "local_date": session.local_date.isoformat(),
        "actual_start": session.actual_start,
        "actual_end": session.actual_end,
        "state": session.state.value,
        "held_elsewhere": session.held_elsewhere,
        "due_at": progress.due_at,
        "progress": {
            "listed_at": progress.listed_at,
            "tried_at": progress.tried_at,
            "failures": progress.failures,
            "named_at": plan.named_at,
            "named_before": [{"email": email, "at": at} for email, at in plan.named_before],
            "error": asdict(progress.error) if progress.error else None,
        },
        "conference_records": list(session.conference_records),
        "attached_records": [asdict(attached) for attached in plan.attached],
        "roster": [roster_entry_to_document(entry) for entry in plan.roster],
        "policy": asdict(plan.policy),
        "counts": dict(sheet.counts),
        "tracking": plan.tracking.value if plan.tracking else None,
        "tracking_hint": plan.tracking_hint,
        "fingerprint": plan.fingerprint,
        "calendar": _entry_to_document(plan.calendar) if plan.calendar else None,
        "calendar_due_at": plan.calendar.due_at if plan.calendar else None,
        "calendar_failures": plan.calendar.failures if plan.calendar else 0,
        "sync": sync_to_document(session.sync) if session.sync else None,
        **({"erased": list(plan.erased)} if plan.erased else {}),
    }


def session_from_document(fields: Mapping[str, Any]) -> ClassSession:
    """Read the class meeting that `session_to_document` wrote."""
    check_schema(fields)
    scheduled = _interval_from_document("scheduled", fields)
    progress = fields["progress"]
    return ClassSession(
        session_id=fields["session_id"],
        space=Space(fields["space"], fields["meeting_code"], fields["meeting_uri"]),
        time_zone=fields["time_zone"],
        state=SessionState(fields["state"]),
        owned=_interval_from_document("owned", fields),
        plan=Plan(
            scheduled=scheduled,
            cancelled=SessionState(fields["state"]) is SessionState.CANCELLED,
            subject=fields["subject"],
            class_id=fields["class_id"],
            external_id=fields["external_id"],
            series_id=fields["series_id"],
            teachers=as_given(fields["teacher_emails"]),
            roster=tuple(RosterEntry(**entry) for entry in fields["roster"]),
            policy=Policy(**fields["policy"]),
            attached=tuple(AttachedRecord(**attached) for attached in fields["attached_records"]),
            tracking=Tracking(fields["tracking"]) if fields["tracking"] else None,
            tracking_hint=fields["tracking_hint"],
            fingerprint=fields["fingerprint"],
            calendar=_entry_from_document(fields) if fields.get("calendar") else None,
            named_at=progress.get("named_at"),
            named_before=tuple((named["email"], named["at"]) for named in progress.get("named_before", ())),
            erased=tuple(fields.get("erased", ())),
        ),
        progress=Progress(
            listed_at=progress["listed_at"],
            tried_at=progress["tried_at"],
            failures=progress["failures"],
            error=SyncError(**progress["error"]) if progress["error"] else None,
            due_at=fields["due_at"],
        ),
        actual_start=fields["actual_start"],
        actual_end=fields["actual_end"],
        held=_interval_from_document("held", fields),
        held_elsewhere=fields["held_elsewhere"],
        conference_records=tuple(fields["conference_records"]),
        sync=sync_from_document(fields["sync"]) if fields["sync"] else None,
        erased=fields.get("counts", {}).get("erased", 0),
    )


def _entry_to_document(entry: CalendarEntry) -> Fields:
    return {
        "event_id": entry.event_id,
        "organizer": entry.organizer,
        "occurrence": entry.occurrence,
        "state": entry.state.value,
        "hint": entry.hint,
    }


def _entry_from_document(fields: Mapping[str, Any]) -> CalendarEntry:
    entry = fields["calendar"]
    return CalendarEntry(
        event_id=entry["event_id"],
        organizer=entry["organizer"],
        occurrence=entry["occurrence"],
        state=CalendarState(entry["state"]),
        hint=entry["hint"],
        failures=fields["calendar_failures"],
        due_at=fields["calendar_due_at"],
    )


def roster_entry_to_document(entry: RosterEntry) -> Fields:
    """One element of `roster`, without unknown fields."""
    return {name: value for name in _ROSTER_FIELDS if (value := getattr(entry, name)) is not None}


def _interval_to_document(name: str, interval: Interval | None) -> Fields:
    return {
        f"{name}_start": interval.start if interval else None,
        f"{name}_end": interval.end if interval else None,
    }


def _interval_from_document(name: str, fields: Mapping[str, Any]) -> Interval | None:
    start, end = fields[f"{name}_start"], fields[f"{name}_end"]
    return Interval(start, end) if start and end else None
