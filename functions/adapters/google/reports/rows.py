"""Converts rows of the Meet audit log, as activities.list returns them, to endpoints. Pure, and safe with any JSON.

https://developers.google.com/workspace/admin/reports/v1/appendix/activity/meet#call_ended

Every parameter may be missing; no parameter gives the moment of joining. docs/google.md says what was compared, and
what is not known.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from functions.domain.conferences.events import moment_in
from functions.domain.conferences.model import (
    AnonymousUser,
    DeviceUser,
    EmailUser,
    PhoneUser,
    User,
    clean_display_name,
)
from functions.domain.conferences.reported import Endpoint
from functions.domain.conferences.syncing import LONGEST_CALL

EVENT = "call_ended"
"""An endpoint left a meeting."""

NOBODYS_ID = "105250506097979753968"
"""The profile id that stands for any account: see `actor.profileId` in the discovery document."""

_CODE = re.compile(r"([a-z]{3})-?([a-z]{4})-?([a-z]{3})")
_EMAIL = re.compile(r"[^@\s*]+@[^@\s*]+")
"""A name with an asterisk is a telephone number that Google shows only in part:
https://support.google.com/a/answer/9186729."""

_PROFILE_ID = re.compile(r"\d{1,30}")
_MAX_EMAIL = 320


@dataclass(frozen=True, slots=True)
class Told:
    """The content of some rows. `left_out` counts rows that lack a value which cannot be guessed."""

    endpoints: tuple[Endpoint, ...]
    left_out: int


def endpoints_of(activities: Iterable[object]) -> Told:
    """The endpoints that left, each with the data of its row.

    A row without conference, meeting code, endpoint, time or duration is left out.
    """
    endpoints: list[Endpoint] = []
    left_out = 0
    for activity in activities:
        about = activity if isinstance(activity, dict) else {}
        for event in _list(about.get("events")):
            if not isinstance(event, dict) or event.get("name") != EVENT:
                continue
            endpoint = _endpoint(about, _parameters(event))
            if endpoint is None:
                left_out += 1
            else:
                endpoints.append(endpoint)
    return Told(tuple(endpoints), left_out)


def _endpoint(activity: Mapping[str, Any], parameters: Mapping[str, object]) -> Endpoint | None:
    conference_id, endpoint_id = _text(parameters.get("conference_id")), _text(parameters.get("endpoint_id"))
    code = _CODE.fullmatch(_text(parameters.get("meeting_code")).lower())
    left_at = _moment(_map(activity.get("id")).get("time"))
    duration = _duration(parameters.get("duration_seconds"))
    if not conference_id or not endpoint_id or code is None or left_at is None or duration is None:
        return None
    organizer = _text(parameters.get("organizer_email")).lower()
    user = _user(parameters, _map(activity.get("actor")))
    return Endpoint(
        conference_id=conference_id,
        meeting_code="-".join(code.groups()),
        endpoint_id=endpoint_id,
        user=user,
        left_at=left_at,
        duration=duration,
        device_id=_text(parameters.get("identifier")) or None if isinstance(user, DeviceUser) else None,
        organizer_email=organizer if _is_email(organizer) else None,
    )


def _user(parameters: Mapping[str, object], actor: Mapping[str, Any]) -> User:
    """The person of a row. A person that reports do not name clearly cannot be recognised."""
    name = clean_display_name(_text(parameters.get("display_name")))
    identifier = _text(parameters.get("identifier")).lower()
    match parameters.get("identifier_type"):
        case "email_address" if _is_email(identifier):
            return EmailUser(identifier, _account(identifier, actor), name)
        case "phone_number":
            return PhoneUser(name)
        case "device_id":
            return DeviceUser(name)
        case _:
            return AnonymousUser(name)


def _account(email: str, actor: Mapping[str, Any]) -> str | None:
    """The account that has this address: the actor's account, if the actor has exactly this address."""
    profile_id = _text(actor.get("profileId"))
    known = _PROFILE_ID.fullmatch(profile_id) and profile_id != NOBODYS_ID
    return f"users/{profile_id}" if known and _text(actor.get("email")).lower() == email else None


def _parameters(event: Mapping[str, Any]) -> dict[str, object]:
    """The parameters by name: whole numbers come as text in `intValue`, the rest as `value`."""
    found: dict[str, object] = {}
    for parameter in _list(event.get("parameters")):
        about = _map(parameter)
        name = about.get("name")
        if isinstance(name, str):
            found[name] = about.get("intValue", about.get("value"))
    return found


def _duration(value: object) -> timedelta | None:
    """Whole seconds, as a number or as text; no call lasts longer than a day plus the difference between clocks."""
    if isinstance(value, str) and re.fullmatch(r"[0-9]{1,9}", value):
        value = int(value)
    if isinstance(value, bool) or not isinstance(value, int) or not 0 <= value <= 2 * LONGEST_CALL.total_seconds():
        return None
    return timedelta(seconds=value)


def _moment(value: object) -> datetime | None:
    moment = moment_in(_text(value))
    # Far enough from the ends of the calendar that a duration can be subtracted.
    return moment if moment and 2000 <= moment.year < 3000 else None  # noqa: PLR2004 - years


def _is_email(text: str) -> bool:
    return len(text) <= _MAX_EMAIL and text.isprintable() and _EMAIL.fullmatch(text) is not None


def _text(value: object) -> str:
    return value.strip() if isinstance(value, str) else ""


def _map(value: object) -> Mapping[str, Any]:
    return value if isinstance(value, dict) else {}


def _list(value: object) -> list[Any]:
    return value if isinstance(value, list) else []
