"""Who is in a class's calls now, from joined and left events and from Meet's lists of those who are there. Pure.

An event names a participant session and gives one time. Events come twice, late, in any order, or never, so:

- Events alone lead to the same result in any order, however often each one comes. A participant session that has ended
  stays ended, because somebody who comes back gets a new one.
- Meet's list of the participants who have not left corrects what events missed: somebody who is not in it has left, and
  somebody who is only in it is there.

https://developers.google.com/workspace/events/guides/events-meet
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta

from functions.domain.conferences.model import (
    Conference,
    ConferenceRecord,
    Organizer,
    Participant,
    ParticipantSession,
    Snapshot,
    Space,
    Sync,
    SyncSource,
    SyncState,
    User,
)
from functions.domain.conferences.seen import participant_of

LAG = timedelta(seconds=30)
"""How long a list may lack somebody who has joined, or show somebody who has left. Google does not publish a time.

About older events the list is right: a join that it does not show is over, and somebody that it shows came back."""

MOST_DEVICES = 4_000
"""How many participant sessions of a call are remembered, so that a document stays small. Further ones are left to the
lists."""

WATCHED = timedelta(minutes=15)
"""How long a class counts as watched after somebody asked who is there."""

CORRECTED = timedelta(minutes=4)
"""How old a list may become while somebody watches: `sync-due`, which runs every five minutes, then makes a new one."""

CORRECTED_ALONE = timedelta(minutes=20)
"""How old a list may become while nobody watches."""

FORGOTTEN = timedelta(hours=1)
"""How long a participant session is remembered after its end, so that a late joined event does not bring it back."""


@dataclass(frozen=True, slots=True)
class Device:
    """One participant session. `joined_at` is None if only its end was reported, `left_at` while it goes on."""

    joined_at: datetime | None = None
    left_at: datetime | None = None

    @property
    def is_there(self) -> bool:
        """Whether it is in the call."""
        return self.joined_at is not None and self.left_at is None


@dataclass(frozen=True, slots=True)
class Sighting:
    """What one event says: a participant session was joined, or was left, at a moment."""

    participant_session: str
    moment: datetime
    left: bool

    @property
    def participant(self) -> str:
        """`conferenceRecords/{record}/participants/{participant}`."""
        return participant_of(self.participant_session)


@dataclass(frozen=True, slots=True)
class RollCall:
    """The participants of a call who have not left, by Meet's list; `began_at` is when the reading of it began."""

    began_at: datetime
    participants: tuple[Participant, ...]


@dataclass(frozen=True, slots=True)
class LiveCall:
    """A call that goes on.

    Attributes:
        conference_record: `conferenceRecords/{id}`.
        organizer: The person whose account asks Meet.
        started_at: When it began.
        space: The room, `spaces/{space}`.
        users: Who the participants are, by resource name, as far as lists showed them.
        devices: By the participant session's resource name. A device that only a list showed has the participant's
            name instead.
        listed_at: When the last list began; None before the first.
    """

    conference_record: str
    organizer: Organizer
    started_at: datetime
    space: str
    users: Mapping[str, User] = field(default_factory=dict)
    devices: Mapping[str, Device] = field(default_factory=dict)
    listed_at: datetime | None = None

    @property
    def there(self) -> frozenset[str]:
        """The participants who are in the call."""
        return frozenset(participant_of(name) for name, device in self.devices.items() if device.is_there)

    @property
    def unknown(self) -> frozenset[str]:
        """The participants who are in the call and that no list has shown yet."""
        return self.there - self.users.keys()

    def with_note(self, note: Sighting) -> LiveCall:
        """The call after an event. The same event again changes nothing."""
        before = self.devices.get(note.participant_session)
        if before is None and len(self.devices) >= MOST_DEVICES:
            return self
        device = before or Device()
        if note.left:
            device = replace(device, left_at=max(device.left_at or note.moment, note.moment))
        else:
            device = replace(device, joined_at=min(device.joined_at or note.moment, note.moment))
        devices = {**self.devices, note.participant_session: device}
        if before is None and self._is_the_listed_one(note):
            del devices[note.participant]
        return replace(self, devices=devices)

    def with_notes(self, notes: Iterable[Sighting]) -> LiveCall:
        """The call after some events."""
        call = self
        for note in notes:
            if note.participant_session.startswith(f"{self.conference_record}/"):
                call = call.with_note(note)
        return call

    def with_list(self, listed: RollCall) -> LiveCall:
        """The call after a list; a list that began before the last one changes nothing."""
        if self.listed_at and listed.began_at < self.listed_at:
            return self
        there = {participant.name: participant for participant in listed.participants}
        devices = {
            name: self._after_list(device, listed.began_at, is_listed=participant_of(name) in there)
            for name, device in self.devices.items()
        }
        devices = {
            name: device
            for name, device in devices.items()
            if device.left_at is None or device.left_at > listed.began_at - FORGOTTEN
        }
        known = {
            participant_of(name)
            for name, device in devices.items()
            if device.is_there or (device.left_at and device.left_at > listed.began_at - LAG)
        }
        before = {participant_of(name) for name in self.devices}
        for name, participant in there.items():
            if name not in known:
                # Somebody who was there before came back at an unknown moment: at the latest, now.
                first = participant.earliest_start_time if name not in before else None
                devices[name] = Device(min(first, listed.began_at) if first else listed.began_at)
        users = {**self.users, **{name: participant.user for name, participant in there.items()}}
        seen = {participant_of(name) for name in devices}
        return replace(
            self,
            devices=devices,
            users={name: user for name, user in users.items() if name in seen},
            listed_at=listed.began_at,
        )

    def without(self, participants: Iterable[str]) -> LiveCall:
        """The call without some participants, and without anything that names them."""
        hidden = frozenset(participants)
        if not hidden:
            return self
        devices = {name: device for name, device in self.devices.items() if participant_of(name) not in hidden}
        users = {name: user for name, user in self.users.items() if name not in hidden}
        return replace(self, users=users, devices=devices)

    def as_conference(self, space: Space, session_id: str, *, now: datetime) -> Conference:
        """The call as a conference that goes on, with the participants who are known by now."""
        sessions: dict[str, list[ParticipantSession]] = {}
        for name, device in self.devices.items():
            if device.joined_at and (device.left_at is None or device.left_at > device.joined_at):
                session = ParticipantSession(name, device.joined_at, device.left_at)
                sessions.setdefault(participant_of(name), []).append(session)
        participants = [
            Participant(
                name,
                user,
                earliest_start_time=min(session.start_time for session in sessions[name]),
                latest_end_time=None,
                sessions=tuple(sorted(sessions[name], key=lambda session: (session.start_time, session.name))),
            )
            for name, user in sorted(self.users.items())
            if name in sessions
        ]
        record = ConferenceRecord(self.conference_record, space.name, self.started_at, None, None)
        return Conference(
            conference_record=self.conference_record,
            organizer=self.organizer,
            snapshot=Snapshot(record, space, tuple(participants)),
            session_ids=(session_id,),
            sync=Sync(SyncState.PROVISIONAL, SyncSource.EVENT, now, now, None, attempts=1, meet_calls=0),
        )

    def _is_the_listed_one(self, note: Sighting) -> bool:
        """Whether a participant session of an event is the device that until now only a list showed."""
        listed = self.devices.get(note.participant)
        if listed is None or self.listed_at is None:
            return False
        return note.moment > self.listed_at if note.left else note.moment <= self.listed_at

    @staticmethod
    def _after_list(device: Device, began_at: datetime, *, is_listed: bool) -> Device:
        if is_listed or not device.is_there or (device.joined_at and device.joined_at > began_at - LAG):
            return device
        return replace(device, left_at=began_at)


@dataclass(frozen=True, slots=True)
class LiveClass:
    """The calls of a class meeting that go on.

    Attributes:
        session_id: The class meeting.
        calls: By conference record.
        looked_at: When somebody last asked who is there; None if nobody has.
    """

    session_id: str
    calls: Mapping[str, LiveCall] = field(default_factory=dict)
    looked_at: datetime | None = None

    def is_watched(self, now: datetime) -> bool:
        """Whether somebody asked who is there a short time ago."""
        return self.looked_at is not None and now < self.looked_at + WATCHED

    def needs_list(self, call: LiveCall, now: datetime) -> bool:
        """Whether Meet should be asked who is in a call.

        That is so if a participant is not known, or if the last list is too old.
        """
        if call.listed_at is None or call.unknown:
            return True
        return now >= call.listed_at + (CORRECTED if self.is_watched(now) else CORRECTED_ALONE)

    def check_at(self, now: datetime, *, until: datetime | None = None) -> datetime:
        """When this is compared with Meet again, or removed; at the latest when the class's time ends: `until`."""
        if not self.calls:
            return self.looked_at + WATCHED if self.looked_at else now
        pause = CORRECTED if self.is_watched(now) else CORRECTED_ALONE
        check_at = min((call.listed_at or now) for call in self.calls.values()) + pause
        return min(check_at, until) if until and now < until else check_at

    def with_call(self, call: LiveCall) -> LiveClass:
        """The class with a call, in place of an earlier state of it."""
        return replace(self, calls={**self.calls, call.conference_record: call})

    def without_call(self, conference_record: str) -> LiveClass:
        """The class after a call has ended."""
        calls = {record: call for record, call in self.calls.items() if record != conference_record}
        return replace(self, calls=calls)
