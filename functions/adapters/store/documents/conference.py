"""`conferences/{conference_record_id}`: what Meet said.

Domain <-> documents, pure; the only place that spells these fields, and where their schema would be migrated.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
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
from functions.domain.conferences.model import (
    AnonymousUser,
    Conference,
    ConferenceRecord,
    DeviceUser,
    EmailUser,
    Interruption,
    Kind,
    Organizer,
    Participant,
    ParticipantSession,
    PhoneUser,
    SessionsSource,
    SignedInUser,
    Snapshot,
    Space,
    User,
)
from functions.domain.marking.who import kind_of


def conference_to_document(conference: Conference, *, retention: timedelta | None) -> Fields:
    """`conferences/{conference_record_id}`, without its `participants` and those of interrupted reads."""
    snapshot = conference.snapshot
    record = snapshot.record if snapshot else None
    interruption = conference.interruption
    tried_at = conference.sync.error.at if conference.sync.error else interruption.began_at if interruption else None
    return {
        "schema_version": SCHEMA_VERSION,
        "expire_at": expiry(record.start_time if record else tried_at, retention),
        "conference_record": conference.conference_record,
        "space": snapshot.space.name if snapshot else None,
        "meeting_code": snapshot.space.meeting_code if snapshot else None,
        "meeting_uri": snapshot.space.meeting_uri if snapshot else None,
        "start_time": record.start_time if record else None,
        "end_time": record.end_time if record else None,
        "expire_time": record.expire_time if record else None,
        "organizer": {"user": conference.organizer.user, "email": conference.organizer.email},
        "session_ids": list(conference.session_ids),
        "attached_to": list(conference.attached_to),
        "superseded_by": conference.superseded_by,
        "participant_count": len(snapshot.participants) if snapshot else 0,
        "participant_session_count": sum(len(p.sessions) for p in snapshot.participants) if snapshot else 0,
        "sync": {
            **sync_to_document(conference.sync),
            "sessions_source": conference.sync.sessions_source.value if snapshot and not conference.reported else None,
            "seen_digest": conference.sync.seen_digest,
        },
        "interruption": {
            "began_at": interruption.began_at,
            "failures": interruption.failures,
            "again_at": interruption.again_at,
            "participant_count": len(interruption.participants),
        }
        if interruption
        else None,
        **({"erased": list(conference.erased)} if conference.erased else {}),
    }


def conference_from_document(
    fields: Mapping[str, Any], participants: Sequence[Mapping[str, Any]], interrupted: Sequence[Mapping[str, Any]] = ()
) -> Conference:
    """Read the conference that `conference_to_document` wrote.

    Args:
        fields: Its document.
        participants: All its participants.
        interrupted: People who were read by reads that did not reach the end.
    """
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
            participants=tuple(participant_from_document(participant) for participant in participants),
        )
    return Conference(
        conference_record=fields["conference_record"],
        organizer=Organizer(**fields["organizer"]),
        snapshot=snapshot,
        session_ids=tuple(fields["session_ids"]),
        sync=replace(
            sync_from_document(fields["sync"]),
            sessions_source=SessionsSource(fields["sync"].get("sessions_source") or SessionsSource.MEET),
            seen_digest=fields["sync"].get("seen_digest"),
        ),
        attached_to=tuple(fields["attached_to"]),
        superseded_by=fields.get("superseded_by"),
        interruption=_interruption(fields, interrupted),
        erased=tuple(fields.get("erased", ())),
    )


def interrupted_to_documents(conference: Conference) -> list[Fields]:
    """People who were read by reads that did not reach the end."""
    read = conference.interruption.participants if conference.interruption else ()
    return [{**participant_to_document(participant), "read_at": read_at} for participant, read_at in read]


def _interruption(fields: Mapping[str, Any], interrupted: Sequence[Mapping[str, Any]]) -> Interruption | None:
    stored = fields.get("interruption")
    if stored is None:
        return None
    return Interruption(
        began_at=stored["began_at"],
        failures=stored["failures"],
        again_at=stored["again_at"],
        participants=tuple((participant_from_document(read), read["read_at"]) for read in interrupted),
    )


def participant_to_document(participant: Participant) -> Fields:
    """One element of a conference's `participants`."""
    return {
        "name": participant.name,
        **user_to_document(participant.user),
        "earliest_start_time": participant.earliest_start_time,
        "latest_end_time": participant.latest_end_time,
        "sessions": [
            {"name": session.name, "start_time": session.start_time, "end_time": session.end_time}
            for session in participant.sessions
        ],
    }


def participant_from_document(fields: Mapping[str, Any]) -> Participant:
    """What `participant_to_document` wrote."""
    return Participant(
        name=fields["name"],
        user=user_from_document(fields),
        earliest_start_time=fields["earliest_start_time"],
        latest_end_time=fields["latest_end_time"],
        sessions=tuple(ParticipantSession(**session) for session in fields["sessions"]),
    )


def user_to_document(user: User) -> Fields:
    """The fields that say who a participant is."""
    return {
        "kind": kind_of(user).value,
        "user": user.user if isinstance(user, SignedInUser | EmailUser) else None,
        "email": user.email if isinstance(user, EmailUser) else None,
        "display_name": user.display_name,
    }


def user_from_document(fields: Mapping[str, Any]) -> User:
    """Read what `user_to_document` wrote."""
    match Kind(fields["kind"]):
        case Kind.SIGNED_IN if email := fields.get("email"):
            return EmailUser(email, fields["user"], fields["display_name"])
        case Kind.ROOM:
            return DeviceUser(fields["display_name"])
        case Kind.SIGNED_IN:
            return SignedInUser(fields["user"], fields["display_name"])
        case Kind.ANONYMOUS:
            return AnonymousUser(fields["display_name"])
        case _:
            return PhoneUser(fields["display_name"])
