"""`conferences/{conference_record_id}/seen/{n}`: what joined and left events said. Domain <-> documents, pure.

`events` is a map by participant and participant session, `{participant id}/{session id}`. Each event has its own key in
it, `joined {time}` or `left {time}`. So several processes can add events at once without reading anything, and an event
that comes again changes nothing.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from typing import Any

from functions.adapters.store.documents.common import SCHEMA_VERSION, Fields, check_schema
from functions.domain.conferences.seen import SeenSession, SeenSessions

KEPT = timedelta(days=2)
"""How long the events of a conference are kept after the last of them: a call lasts a day at most."""

_PARTICIPANTS, _SESSIONS = "/participants/", "/participantSessions/"
_JOINED, _LEFT = "joined", "left"


def seen_to_document(seen: SeenSessions, *, now: datetime, retention: timedelta | None) -> Fields:
    """The fields to add to a document: everything that these events said."""
    kept = min(retention, KEPT) if retention else KEPT
    return {
        "schema_version": SCHEMA_VERSION,
        "expire_at": now + kept,
        "events": {
            _key(name): {
                **dict.fromkeys(_said(_JOINED, session.joined), True),
                **dict.fromkeys(_said(_LEFT, session.left), True),
            }
            for name, session in seen.sessions.items()
        },
    }


def seen_from_document(conference_record: str, fields: Mapping[str, Any]) -> SeenSessions:
    """What a document says about a conference, `conferenceRecords/{id}`."""
    check_schema(fields)
    return SeenSessions({_name(conference_record, key): _session(said) for key, said in fields["events"].items()})


def _said(what: str, moments: frozenset[datetime | None]) -> list[str]:
    return sorted(what if moment is None else f"{what} {moment.astimezone(UTC).isoformat()}" for moment in moments)


def _session(said: Mapping[str, Any]) -> SeenSession:
    moments: dict[str, set[datetime | None]] = {_JOINED: set(), _LEFT: set()}
    for what, _, moment in (key.partition(" ") for key in said):
        moments[what].add(datetime.fromisoformat(moment) if moment else None)
    return SeenSession(frozenset(moments[_JOINED]), frozenset(moments[_LEFT]))


def _key(name: str) -> str:
    return name.partition(_PARTICIPANTS)[2].replace(_SESSIONS, "/")


def _name(conference_record: str, key: str) -> str:
    participant, _, session = key.partition("/")
    return f"{conference_record}{_PARTICIPANTS}{participant}{_SESSIONS}{session}"
