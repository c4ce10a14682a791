"""`live/{session_id}`: who is in a class meeting's room now. Domain <-> documents, pure."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict
from datetime import timedelta
from typing import Any

from functions.adapters.store.documents.common import SCHEMA_VERSION, Fields, check_schema
from functions.adapters.store.documents.conference import user_from_document, user_to_document
from functions.domain.classes.sessions import ClassSession, Role
from functions.domain.conferences.model import Kind, Organizer
from functions.domain.conferences.seen import participant_of
from functions.domain.live.calls import Device, LiveCall, LiveClass
from functions.domain.live.room import Absentee, Occupant, RoomNow
from functions.domain.marking.addresses import searchable

LIFE = timedelta(days=1)
"""How long it is kept after its last change if nothing removes it before: longer than any class."""


def live_to_document(session: ClassSession, live: LiveClass, room: RoomNow) -> Fields:
    """`live/{session_id}`."""
    return {
        "schema_version": SCHEMA_VERSION,
        "expire_at": room.as_of + LIFE,
        "session_id": session.session_id,
        "class_id": session.plan.class_id,
        "subject": session.plan.subject,
        "teacher_emails": searchable(session.plan.teachers),
        "as_of": room.as_of,
        "check_at": live.check_at(room.as_of, until=session.owned.end if session.owned else None),
        "looked_at": live.looked_at,
        "conference_records": sorted(live.calls),
        "participants": [_present(person) for person in room.participants],
        "missing": [asdict(student) for student in room.missing],
        "calls": [_call_to_document(call) for _, call in sorted(live.calls.items())],
    }


def live_from_document(fields: Mapping[str, Any]) -> tuple[LiveClass, RoomNow]:
    """Read what `live_to_document` wrote."""
    check_schema(fields)
    live = LiveClass(
        session_id=fields["session_id"],
        calls={call["conference_record"]: _call_from_document(call) for call in fields["calls"]},
        looked_at=fields["looked_at"],
    )
    participants = tuple(_present_from_document(person) for person in fields["participants"])
    return live, RoomNow(fields["as_of"], participants, tuple(Absentee(**student) for student in fields["missing"]))


def _present(person: Occupant) -> Fields:
    return asdict(person) | {"kind": person.kind.value, "role": person.role.value}


def _present_from_document(fields: Mapping[str, Any]) -> Occupant:
    return Occupant(**{**fields, "kind": Kind(fields["kind"]), "role": Role(fields["role"])})


def _call_to_document(call: LiveCall) -> Fields:
    return {
        "conference_record": call.conference_record,
        "organizer": {"user": call.organizer.user, "email": call.organizer.email},
        "started_at": call.started_at,
        "space": call.space,
        "listed_at": call.listed_at,
        "users": [
            {"participant": _short(name, call), **user_to_document(user)} for name, user in sorted(call.users.items())
        ],
        "devices": [
            {"name": _short(name, call), "joined_at": device.joined_at, "left_at": device.left_at}
            for name, device in sorted(call.devices.items())
        ],
    }


def _call_from_document(fields: Mapping[str, Any]) -> LiveCall:
    record = fields["conference_record"]
    return LiveCall(
        conference_record=record,
        organizer=Organizer(**fields["organizer"]),
        started_at=fields["started_at"],
        space=fields["space"],
        users={_long(user["participant"], record): user_from_document(user) for user in fields["users"]},
        devices={
            _long(device["name"], record): Device(device["joined_at"], device["left_at"])
            for device in fields["devices"]
        },
        listed_at=fields["listed_at"],
    )


def _short(name: str, call: LiveCall) -> str:
    """A participant's or a participant session's name without what all of the call's have in common."""
    participant = participant_of(name)
    short = participant.removeprefix(f"{call.conference_record}/participants/")
    return short + name[len(participant) :].replace("/participantSessions/", "/", 1)


def _long(short: str, conference_record: str) -> str:
    participant, _, session = short.partition("/")
    name = f"{conference_record}/participants/{participant}"
    return f"{name}/participantSessions/{session}" if session else name
