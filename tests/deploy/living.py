"""A deployment in use: a teacher, events, jobs that ran, lines in the log."""

from __future__ import annotations

import datetime as dt
from typing import Any

from infra.local.control_plane import World
from tests.deploy.complete import DATABASE, PLACE

TEACHER = "grace@school.example"


def moment(**ago: float) -> str:
    return (dt.datetime.now(dt.UTC) - dt.timedelta(**ago)).strftime("%Y-%m-%dT%H:%M:%S.%fZ")


def log_line(world: World, function: str, message: str, *, severity: str = "INFO", at: str, **facts: Any) -> None:
    world.logs.append(
        {
            "timestamp": at,
            "severity": severity,
            "logName": f"projects/{world.project}/logs/run.googleapis.com%2Fstderr",
            "labels": {"goog-managed-by": "cloudfunctions"},
            "resource": {
                "type": "cloud_run_revision",
                "labels": {"service_name": function, "location": "europe-west1"},
            },
            "jsonPayload": {"message": message, **facts},
        }
    )


def organizer(world: World, user: str, email: str = TEACHER, **subscription: Any) -> None:
    """Store an enrolled teacher."""
    kept = {"state": "active", "expire_time": moment(days=-6), "error": None, **subscription}
    fields = {
        "email": {"stringValue": email},
        "subscription": {"mapValue": {"fields": {name: _value(name, one) for name, one in kept.items()}}},
    }
    name = f"{DATABASE}/documents/organizers/{user}"
    world.resources[name] = {"name": name, "fields": fields}
    world.people.add(email)


def _value(name: str, value: Any) -> dict[str, Any]:
    if value is None:
        return {"nullValue": None}
    if isinstance(value, dict):
        return {"mapValue": {"fields": {key: _value(key, one) for key, one in value.items()}}}
    return {"timestampValue" if name.endswith("time") else "stringValue": value}


def parked(world: World, document: str, reason: str) -> None:
    name = f"{DATABASE}/documents/parked_events/{document}"
    fields = {"reason": {"stringValue": reason}, "replayed_at": {"nullValue": None}}
    world.resources[name] = {"name": name, "fields": fields}


def bring_to_life(world: World) -> World:
    """Turn a world into one that is in use."""
    organizer(world, "users-1")
    for job in world.below(f"{PLACE}/jobs"):
        job["lastAttemptTime"] = moment(minutes=4)
        job["status"] = {}
    log_line(world, "meet-attendance-events", "conference.recorded", at=moment(minutes=50), outcome="complete")
    log_line(world, "meet-attendance-events", "event.noted", at=moment(minutes=20))
    log_line(world, "meet-attendance-jobs", "conference.recorded", at=moment(minutes=40), outcome="complete")
    log_line(
        world,
        "meet-attendance-jobs",
        "system.surveyed",
        at=moment(minutes=10),
        failed_conferences=0,
        overdue_sessions=0,
    )
    return world
