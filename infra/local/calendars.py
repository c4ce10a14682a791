"""The primary calendars as the Calendar API shows them to their owners: events, recurrence rules, exceptions.

As documented in https://developers.google.com/workspace/calendar/api/v3/reference/events and
https://developers.google.com/workspace/calendar/api/guides/recurringevents. An event gets its Meet link only after it
was read a few times.
"""

import random
import re
import string
from collections.abc import Iterator, Mapping
from copy import deepcopy
from datetime import UTC, datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

from dateutil.rrule import rrulestr

from infra.local.school import School, Space

Resource = dict[str, Any]

_ID = re.compile(r"[a-v0-9]{5,1024}")
_WRITABLE = frozenset(
    {
        "id", "summary", "description", "location", "start", "end", "recurrence", "attendees", "status", "reminders",
        "guestsCanSeeOtherGuests", "guestsCanInviteOthers", "extendedProperties", "conferenceData",
    }
)  # fmt: skip


class Refused(Exception):  # the answer to the caller, not an error of the stand-in
    """The call gets this status as its answer."""

    def __init__(self, status: int, reason: str, message: str) -> None:
        super().__init__(message)
        self.status, self.reason, self.message = status, reason, message


class Calendars:
    """The events of all people in a school. Every attribute may be changed at any time.

    Attributes:
        reads_until_link: How often an event is read before its Meet link is made.
        links_fail: Whether Meet links cannot be made.
        sent: Who got an e-mail about which event, and whether with `all` or `externalOnly`.
    """

    def __init__(self, school: School) -> None:
        self._school = school
        self._events: dict[tuple[str, str], Resource] = {}
        self._exceptions: dict[tuple[str, str], dict[str, Resource]] = {}
        self._reads: dict[tuple[str, str], int] = {}
        self._version = 0
        self.reads_until_link = 2
        self.links_fail = False
        self.sent: list[tuple[str, str, frozenset[str]]] = []

    def insert(self, owner: str, body: Resource, query: Mapping[str, str]) -> Resource:
        """Add an event."""
        self._check(body)
        event_id = body.get("id") or "".join(random.choices("0123456789abcdefghijklmnopqrstuv", k=26))
        if not _ID.fullmatch(event_id):
            raise Refused(400, "invalid", "Invalid resource id value.")
        key = (owner, event_id)
        if key in self._events:
            raise Refused(409, "duplicate", "The requested identifier already exists.")
        event = {
            "kind": "calendar#event",
            "status": "confirmed",
            "eventType": "default",
            "iCalUID": f"{event_id}@google.com",
            "sequence": 0,
            "organizer": {"email": owner, "self": True},
            "creator": {"email": owner, "self": True},
            **deepcopy(body),
            "id": event_id,
        }
        conference = event.pop("conferenceData", None)
        if conference and query.get("conferenceDataVersion") == "1":
            if not conference.get("createRequest", {}).get("requestId"):
                raise Refused(400, "invalid", "Invalid conference data.")
            conference["createRequest"]["status"] = {"statusCode": "pending"}
            event["conferenceData"] = conference
            self._reads[key] = self.reads_until_link
        self._events[key] = event
        _mark_organizer(event)
        self._touch(event)
        self._tell(event, query)
        return event

    def get(self, owner: str, event_id: str) -> Resource:
        """Return an event or an occurrence; the organizer can still see deleted ones."""
        key = (owner, event_id)
        if key in self._events:
            self._make_link(key)
            return self._events[key]
        return self._occurrence(owner, event_id)

    def patch(
        self, owner: str, event_id: str, body: Resource, query: Mapping[str, str], if_match: str | None
    ) -> Resource:
        """Change some fields: a list replaces the old list, an object is merged, and null removes a field.

        https://developers.google.com/workspace/calendar/api/guides/performance#patch-semantics
        """
        self._check(body, part=True)
        event = self.get(owner, event_id)
        if event["status"] == "cancelled":
            raise Refused(404, "notFound", "Not Found")
        if if_match not in {None, "*", event["etag"]}:
            raise Refused(412, "conditionNotMet", "Precondition Failed")
        changed = {name: deepcopy(value) for name, value in body.items() if name not in {"id", "conferenceData"}}
        for name in changed.keys() & {"start", "end"}:
            changed[name] = _merged_time(event[name], changed[name])
        before = event.get("attendees", ())
        if (owner, event_id) in self._events:
            event.update(changed)
        else:
            event = self._except(owner, event, changed)
            # The documentation does not say whether a change of one occurrence also changes the version of the others.
            # Here it does.
            self._touch(self._events[owner, event["recurringEventId"]])
        _mark_organizer(event)
        self._touch(event)
        self._tell(event, query, also=before)
        return event

    def delete(self, owner: str, event_id: str, query: Mapping[str, str], if_match: str | None = None) -> None:
        """Delete an event with all its occurrences, or one occurrence."""
        event = self.get(owner, event_id)
        if event["status"] == "cancelled":
            raise Refused(410, "deleted", "Resource has been deleted")
        if if_match not in {None, "*", event["etag"]}:
            raise Refused(412, "conditionNotMet", "Precondition Failed")
        if (owner, event_id) in self._events:
            event["status"] = "cancelled"
        else:
            event = self._except(owner, event, {"status": "cancelled"})
            self._touch(self._events[owner, event["recurringEventId"]])  # also new for the others, as after a change
        self._touch(event)
        self._tell(event, query)

    def instances(
        self, owner: str, event_id: str, *, size: int, begin: int, deleted: bool
    ) -> tuple[list[Resource], bool]:
        """Return a page of occurrences, and whether more follow."""
        event = self._events.get((owner, event_id))
        if event is None or event["status"] == "cancelled":
            raise Refused(404, "notFound", "Not Found")
        found = [one for one in self._occurrences(owner, event) if deleted or one["status"] != "cancelled"]
        return found[begin : begin + size], begin + size < len(found)

    def shown(self, owner: str) -> list[Resource]:
        """Return the events and occurrences in somebody's calendar that are not deleted, in order of time."""
        found: list[Resource] = []
        for (whose, _), event in self._events.items():
            if whose == owner and event["status"] != "cancelled":
                found += self._occurrences(owner, event) if "recurrence" in event else [event]
        return sorted((one for one in found if one["status"] != "cancelled"), key=lambda one: moment_of(one["start"]))

    def _occurrences(self, owner: str, event: Resource) -> Iterator[Resource]:
        start, length = moment_of(event["start"]), moment_of(event["end"]) - moment_of(event["start"])
        zone = ZoneInfo(event["start"]["timeZone"])
        # The rule uses the local time of the event: a change to or from summer time does not move an occurrence.
        rule = rrulestr(event["recurrence"][0], dtstart=start.astimezone(zone).replace(tzinfo=None))
        exceptions = self._exceptions.get((owner, event["id"]), {})
        for local in rule:
            begins = local.replace(tzinfo=zone).astimezone(UTC)
            instance_id = f"{event['id']}_{begins:%Y%m%dT%H%M%SZ}"
            if instance_id in exceptions:
                yield exceptions[instance_id]
                continue
            yield {
                **{name: value for name, value in event.items() if name != "recurrence"},
                "id": instance_id,
                "recurringEventId": event["id"],
                "originalStartTime": told(begins, zone),
                "start": told(begins, zone),
                "end": told(begins + length, zone),
            }

    def _occurrence(self, owner: str, instance_id: str) -> Resource:
        event = self._events.get((owner, instance_id.rpartition("_")[0]))
        if event is None or "recurrence" not in event or event["status"] == "cancelled":
            raise Refused(404, "notFound", "Not Found")
        found = next((one for one in self._occurrences(owner, event) if one["id"] == instance_id), None)
        if found is None:
            raise Refused(404, "notFound", "Not Found")
        return found

    def _except(self, owner: str, occurrence: Resource, changed: Resource) -> Resource:
        exception = {**deepcopy(occurrence), **changed}
        self._exceptions.setdefault((owner, exception["recurringEventId"]), {})[exception["id"]] = exception
        return exception

    def _make_link(self, key: tuple[str, str]) -> None:
        """Add the Meet link to an event that was read often enough, with a room that Meet knows."""
        event = self._events[key]
        request = event.get("conferenceData", {}).get("createRequest")
        if not request or request["status"]["statusCode"] != "pending":
            return
        self._reads[key] -= 1
        if self._reads[key] >= 0:
            return
        if self.links_fail:
            request["status"] = {"statusCode": "failure"}
        else:
            letters = "".join(random.choices(string.ascii_lowercase, k=10))
            code = f"{letters[:3]}-{letters[3:7]}-{letters[7:]}"
            uri = f"https://meet.google.com/{code}"
            space = f"spaces/{''.join(random.choices(string.ascii_letters, k=12))}"
            self._school.open(Space(space, code, self._school.user(key[0])))
            request["status"] = {"statusCode": "success"}
            event["conferenceData"] |= {
                "conferenceId": code,
                "conferenceSolution": {"key": {"type": "hangoutsMeet"}, "name": "Google Meet"},
                "entryPoints": [{"entryPointType": "video", "uri": uri, "label": uri.removeprefix("https://")}],
            }
            event["hangoutLink"] = uri
        self._touch(event)

    def _touch(self, event: Resource) -> None:
        self._version += 1
        now = self._school.clock().isoformat().replace("+00:00", "Z")
        event |= {"etag": f'"{self._version}"', "updated": now, "created": event.get("created", now)}

    def _tell(self, event: Resource, query: Mapping[str, str], also: Any = ()) -> None:  # noqa: ANN401 - of JSON
        guests = frozenset(one["email"] for one in (*event.get("attendees", ()), *also))
        updates = query.get("sendUpdates", "none")
        if guests and updates != "none":
            self.sent.append((event["id"], updates, guests))

    def _check(self, body: Resource, *, part: bool = False) -> None:
        if unknown := body.keys() - _WRITABLE:
            raise Refused(400, "invalid", f"Not writable here: {sorted(unknown)}")
        if not part and not {"start", "end"} <= body.keys():
            raise Refused(400, "required", "Missing end time.")
        if "recurrence" in body and not body["start"].get("timeZone"):
            raise Refused(400, "required", "Missing time zone definition for start time.")
        if {"start", "end"} <= body.keys() and moment_of(body["end"]) - moment_of(body["start"]) < timedelta(0):
            raise Refused(400, "timeRangeEmpty", "The specified time range is empty.")
        if any("@" not in one.get("email", "") for one in body.get("attendees", ())):
            raise Refused(400, "invalid", "Invalid attendee email.")


def _mark_organizer(event: Resource) -> None:
    """Mark the attendee who organizes the event: Google does this itself."""
    for attendee in event.get("attendees", ()):
        if attendee["email"] == event["organizer"]["email"]:
            attendee |= {"organizer": True, "self": True}


def moment_of(time: Mapping[str, str]) -> datetime:
    """Return the moment of an EventDateTime, in UTC."""
    moment = datetime.fromisoformat(time.get("dateTime") or time["date"])
    return (moment if moment.tzinfo else moment.replace(tzinfo=ZoneInfo(time.get("timeZone") or "UTC"))).astimezone(UTC)


def _merged_time(before: Resource, changed: Resource) -> Resource:
    """Return a time after a patch."""
    merged = {name: value for name, value in {**before, **changed}.items() if value is not None}
    if merged.keys() >= {"date", "dateTime"}:
        raise Refused(400, "invalid", "Invalid start time.")
    return merged


def told(moment: datetime, zone: ZoneInfo) -> dict[str, str]:
    """Return the EventDateTime of a moment in this zone."""
    return {"dateTime": moment.astimezone(zone).isoformat(), "timeZone": zone.key}
