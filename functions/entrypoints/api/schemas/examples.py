"""Examples for `/openapi.json`: a body for every call that takes one, answers of the most important calls, ids."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

_SESSION = "1fb8b5c3bd9f9d5bf4a1"
_BY = "petra.lindner"
_ADA = {"student_id": "4711", "email": "ada@school.example", "display_name": "Ada"}
_BOB = {"student_id": "4712", "email": "bob@school.example", "display_name": "Bob"}

BODIES: Final[Mapping[str, Any]] = {
    "schedule_class": {
        "external_id": "lesson-81452",
        "class_id": "7b",
        "subject": "Mathematics",
        "teacher_email": "teacher@school.example",
        "students": [_ADA, _BOB],
        "start_time": "2026-11-30T09:00:00+01:00",
        "duration_minutes": 45,
        "time_zone": "Europe/Berlin",
    },
    "change_class": {"start_time": "2026-11-30T10:00:00+01:00", "duration_minutes": 90},
    "set_override": {"status": "excused", "reason": "Doctor's note", "by": _BY},
    "set_overrides": {
        "overrides": [
            {"student_id": "4711", "status": "excused", "reason": "Doctor's note"},
            {"email": "bob@school.example", "status": "present", "reason": "Was in the room"},
        ],
        "by": _BY,
    },
    "assign_guest": {"student_id": "4711", "by": _BY},
    "attach_conference_record": {"conference_record": "conferenceRecords/abc-123", "by": _BY},
    "set_roster": {"students": [_ADA, _BOB], "by": _BY},
    "set_class_roster": {"students": [_ADA, _BOB], "from": "2026-12-01", "by": _BY},
    "set_policy": {"late_after_minutes": 10, "min_share": 0.75, "by": _BY},
    "track_organizer": {"email": "teacher@school.example"},
}
"""By operation id."""

ANSWERS: Final[Mapping[str, Mapping[str, Any]]] = {
    "schedule_class": {
        "201": {
            "status": "success",
            "session_id": _SESSION,
            "state": "scheduled",
            "meeting_code": "abc-mnop-xyz",
            "meeting_uri": "https://meet.google.com/abc-mnop-xyz",
            "start_time": "2026-11-30T08:00:00Z",
            "end_time": "2026-11-30T08:45:00Z",
            "time_zone": "Europe/Berlin",
            "space": "spaces/jQCFfuBOdN5z",
            "tracking": "active",
        }
    },
    "sync_participants": {
        "200": {
            "status": "success",
            "message": "Synced 1 participants",
            "hint": None,
            "updated": 0,
            "created": 1,
            "participants": [
                {
                    "email": "ada@school.example",
                    "display_name": "Ada",
                    "total_duration_seconds": 2640,
                    "session_count": 1,
                    "sessions": [
                        {
                            "start_time": "2026-11-30T08:01:00Z",
                            "end_time": "2026-11-30T08:45:00Z",
                            "duration_seconds": 2640,
                        }
                    ],
                    "attendee_id": "s-59d6d1a8e2f0",
                    "student_id": "4711",
                    "role": "student",
                    "mark": "present",
                }
            ],
            "notice": None,
        }
    },
    "get_register": {
        "200": {
            "class_id": "7b",
            "month": "2026-11",
            "students": [
                {
                    "display_name": "Ada",
                    "email": "ada@school.example",
                    "student_id": "4711",
                    "share": 1.0,
                    "counts": {"present": 1},
                    "marks": {_SESSION: "present"},
                }
            ],
            "sessions": [
                {
                    "session_id": _SESSION,
                    "session_start": "2026-11-30T08:00:00Z",
                    "time_zone": "Europe/Berlin",
                    "subject": "Mathematics",
                    "state": "ended",
                }
            ],
        }
    },
}
"""By operation id and status."""

PARAMETERS: Final[Mapping[str, Any]] = {
    "session_id": _SESSION,
    "attendee_id": "s-59d6d1a8e2f0",
    "class_id": "7b",
    "student": "4711",
    "user_id": "104857600000",
    "conference_record_id": "abc-123",
    "month": "2026-11",
    "by": _BY,
    "from": "2026-11-01",
    "to": "2026-12-01",
    "teacher_email": "teacher@school.example",
    "external_id": "lesson-81452",
    "idempotency-key": "0b0b8c1e-lesson-81452",
}
"""By name."""


def exemplify(api: dict[str, Any]) -> None:
    """Put the examples into a description of the API."""
    for calls in api["paths"].values():
        for call in calls.values():
            name = call["operationId"]
            if name in BODIES:
                call["requestBody"]["content"]["application/json"]["example"] = BODIES[name]
            for status, answer in ANSWERS.get(name, {}).items():
                call["responses"][status]["content"]["application/json"]["example"] = answer
            for parameter in call.get("parameters", []):
                if parameter["name"] in PARAMETERS:
                    parameter["example"] = PARAMETERS[parameter["name"]]
