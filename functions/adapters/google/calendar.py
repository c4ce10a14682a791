"""Google Calendar: classes as events in a teacher's own calendar, called as that teacher.

https://developers.google.com/workspace/calendar/api/guides/create-events
https://developers.google.com/workspace/calendar/api/guides/recurringevents

docs/google.md says what was compared with Google's reference, and what is not known.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime
from functools import partial
from typing import Any
from zoneinfo import ZoneInfo

from functions.adapters.google.calls.rest import Api, Missing, RestApi
from functions.adapters.google.calls.rest_pages import all_pages
from functions.adapters.google.calls.services import CALENDAR, Clash
from functions.adapters.google.credentials.capabilities import Capability, Credentials, CredentialsPool
from functions.domain.classes.calendar import Attendee, Details, Event, EventChange, EventRemoval, NewEvent
from functions.domain.conferences.model import Organizer
from functions.domain.errors import CalendarLinkFailed
from functions.domain.intervals import Interval
from functions.hints import LINK_FAILED

API = Api(
    CALENDAR,
    "calendar",
    "v3",
    path="calendar/v3/",
    is_changed=True,
    # This comes if Meet is switched off: https://github.com/googleapis/google-api-nodejs-client/issues/3272
    by_words={"Invalid conference type value": partial(CalendarLinkFailed, hint=LINK_FAILED)},
)

DESCRIPTION = "A class meeting. Attendance is recorded from Google Meet."

_CALENDAR = "primary"
_PAGE = 250
_EVENT_FIELDS = (
    "id,etag,status,summary,start,end,originalStartTime,"
    "attendees(email,responseStatus,displayName,comment,optional,additionalGuests,organizer,resource),"
    "conferenceData(conferenceId,createRequest(status)),extendedProperties(private)"
)
# With any other value than these two, calendars outside Google are not updated:
# https://developers.google.com/workspace/calendar/api/v3/reference/events/patch#sendUpdates
_TO_ALL, _TO_CALENDARS_ELSEWHERE = "all", "externalOnly"


class GoogleCalendar:
    """`functions.ports.google.Calendar` on the Calendar API v3.

    Args:
        endpoint: `host:port` of the real service, or `http://127.0.0.1:PORT` of a stand-in.
        credentials: The credentials with which the calls are made.
    """

    def __init__(self, endpoint: str, *, credentials: CredentialsPool) -> None:
        self._rest = RestApi(API, endpoint)
        self._credentials = credentials

    def close(self) -> None:
        """Close threads and connections."""
        self._rest.close()

    async def add(self, event: NewEvent, *, organizer: Organizer) -> Event | None:
        """See the port."""
        body = _new(event)

        def request(service: Any) -> Any:  # noqa: ANN401 - made at run time of a document
            return service.events().insert(
                calendarId=_CALENDAR, body=body, conferenceDataVersion=1, sendUpdates=_TO_ALL, fields=_EVENT_FIELDS
            )

        try:
            return _event(await self._rest.call(request, self._as(organizer)))
        except Clash:
            return None
        except Missing:
            raise CALENDAR.denied(
                "The Google Calendar API cannot find a calendar of this teacher (HTTP 404)."
            ) from None

    async def find(self, event_id: str, *, organizer: Organizer) -> Event | None:
        """See the port."""
        try:
            answer = await self._rest.call(
                lambda service: service.events().get(calendarId=_CALENDAR, eventId=event_id, fields=_EVENT_FIELDS),
                self._as(organizer),
            )
        except Missing:
            return None
        # Google still shows a deleted event to its organizer for a while.
        return None if answer.get("status") == "cancelled" else _event(answer)

    async def occurrences(self, event_id: str, *, organizer: Organizer) -> Mapping[datetime, Event]:
        """See the port."""

        async def page(token: str | None) -> tuple[list[Event], str | None]:
            answer = await self._rest.call(partial(_instances, event_id, token), self._as(organizer))
            items = (item for item in answer.get("items", ()) if item.get("status") != "cancelled")
            return [_event(item) for item in items], answer.get("nextPageToken")

        try:
            pages = await all_pages(page, of=API)
        except Missing:
            return {}
        return {event.occurrence: event for found in pages for event in found if event.occurrence}

    async def change(self, change: EventChange, *, organizer: Organizer) -> bool:
        """See the port."""
        before, after = change.event.details, change.details
        body: dict[str, Any] = {}
        if after.subject != before.subject:
            body["summary"] = after.subject
        if after.time != before.time:
            # This also ends a whole-day event, if people had made it one.
            body |= {name: {**time, "date": None} for name, time in _times(after).items()}
        if after.guests != before.guests:
            body["attendees"] = _attendees(after, change.event.attendees)

        def request(service: Any) -> Any:  # noqa: ANN401 - made at run time of a document
            made = service.events().patch(
                calendarId=_CALENDAR,
                eventId=change.event.event_id,
                body=body,
                conferenceDataVersion=1,
                sendUpdates=_TO_ALL if change.announce else _TO_CALENDARS_ELSEWHERE,
                fields="id",
            )
            return _only_as_seen(made, change.event)

        try:
            await self._rest.call(request, self._as(organizer))
        except (Clash, Missing):
            return False
        return True

    async def remove(self, removal: EventRemoval, *, organizer: Organizer, anyway: bool = False) -> bool:
        """See the port."""

        def request(service: Any) -> Any:  # noqa: ANN401 - made at run time of a document
            made = service.events().delete(
                calendarId=_CALENDAR,
                eventId=removal.event.event_id,
                sendUpdates=_TO_ALL if removal.announce else _TO_CALENDARS_ELSEWHERE,
            )
            return made if anyway else _only_as_seen(made, removal.event)

        try:
            await self._rest.call(request, self._as(organizer))
        except Clash:
            return False
        except Missing:
            return True
        return True

    def _as(self, organizer: Organizer) -> Credentials:
        return self._credentials.of(organizer, Capability.CALENDAR)


def _only_as_seen(request: Any, event: Event) -> Any:  # noqa: ANN401 - made at run time of a document
    """A request that changes nothing if the event has changed since it was read (HTTP 412).

    https://developers.google.com/workspace/calendar/api/guides/version-resources
    """
    request.headers["If-Match"] = event.version
    return request


def _instances(event_id: str, token: str | None, service: Any) -> Any:  # noqa: ANN401 - made at run time of a document
    """The request for a page of occurrences."""
    return service.events().instances(
        calendarId=_CALENDAR,
        eventId=event_id,
        maxResults=_PAGE,
        pageToken=token,
        fields=f"nextPageToken,items({_EVENT_FIELDS})",
    )


def _new(event: NewEvent) -> dict[str, Any]:
    """The body of an event to be added. Our own properties in it are private, so nobody else sees them."""
    ids = {"session_id": event.session_id, "series_id": event.series_id, "fingerprint": event.fingerprint}
    body: dict[str, Any] = {
        "id": event.event_id,
        "summary": event.details.subject,
        "description": DESCRIPTION,
        **_times(event.details),
        "attendees": _attendees(event.details, {}),
        "guestsCanSeeOtherGuests": False,
        "guestsCanInviteOthers": False,
        "reminders": {"useDefault": True},
        "extendedProperties": {"private": {name: value for name, value in ids.items() if value}},
    }
    if event.recurrence:
        body["recurrence"] = [event.recurrence]
    if event.meeting_uri:
        # Google advises against one conference on several events; a link in the location works wherever the event is
        # shown.
        body["location"] = event.meeting_uri
    else:
        solution = {"conferenceSolutionKey": {"type": "hangoutsMeet"}}
        body["conferenceData"] = {"createRequest": {"requestId": event.event_id, **solution}}
    return body


def _times(details: Details) -> dict[str, Any]:
    zone = ZoneInfo(details.time_zone)
    return {
        name: {"dateTime": moment.astimezone(zone).isoformat(), "timeZone": details.time_zone}
        for name, moment in (("start", details.time.start), ("end", details.time.end))
    }


def _attendees(details: Details, shown: Mapping[str, Attendee]) -> list[dict[str, Any]]:
    """All attendees with everything that people have entered, because a list that is sent replaces the stored list.

    Guests come from the details. Rooms and the organizer stay as they are: without its entry a room would become free,
    and the organizer would no longer attend.
    https://developers.google.com/workspace/calendar/api/v3/reference/events/patch
    """
    others = {email: attendee for email, attendee in shown.items() if not attendee.is_guest}
    guests = {email: shown.get(email, Attendee()) for email in sorted(details.guests)}
    return [_attendee(email, attendee) for email, attendee in (guests | others).items()]


def _attendee(email: str, attendee: Attendee) -> dict[str, Any]:
    """An attendee as it is sent: without default values, and without the organizer's marks, which Google sets."""
    entered = {
        "displayName": attendee.name,
        "comment": attendee.comment,
        "optional": attendee.optional,
        "additionalGuests": attendee.additional,
        "resource": attendee.is_room,
    }
    return {
        "email": email,
        "responseStatus": attendee.reply,
        **{name: value for name, value in entered.items() if value},
    }


def _event(answer: Mapping[str, Any]) -> Event:
    conference = answer.get("conferenceData") or {}
    status = conference.get("createRequest", {}).get("status", {}).get("statusCode")
    attendees = {told["email"].lower(): _told(told) for told in answer.get("attendees", ()) if told.get("email")}
    original = answer.get("originalStartTime")
    return Event(
        event_id=answer["id"],
        version=answer["etag"],
        details=Details(
            subject=answer.get("summary", ""),
            time=Interval(_moment(answer["start"]), _moment(answer["end"])),
            guests=frozenset(email for email, attendee in attendees.items() if attendee.is_guest),
            time_zone=answer["start"].get("timeZone", "UTC"),
        ),
        fingerprint=answer.get("extendedProperties", {}).get("private", {}).get("fingerprint"),
        occurrence=_moment(original) if original else None,
        meeting_code=conference.get("conferenceId") if status in {None, "success"} else None,
        link_failed=status == "failure",
        attendees=attendees,
    )


def _told(told: Mapping[str, Any]) -> Attendee:
    return Attendee(
        reply=told.get("responseStatus", "needsAction"),
        name=told.get("displayName"),
        comment=told.get("comment"),
        optional=told.get("optional", False),
        additional=told.get("additionalGuests", 0),
        is_room=told.get("resource", False),
        is_organizer=told.get("organizer", False),
    )


def _moment(told: Mapping[str, str]) -> datetime:
    """A time of an event. If people changed the event to a whole day, the time is midnight."""
    moment = datetime.fromisoformat(told["dateTime"] if "dateTime" in told else told["date"])
    return (moment if moment.tzinfo else moment.replace(tzinfo=ZoneInfo(told.get("timeZone", "UTC")))).astimezone(UTC)
