"""Which class meeting owns which time of its room, and therefore which conference records belong to it.

Neighbouring class meetings in a room share the time between them: the border is in the middle of the gap.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta

from functions.domain.conferences.model import Organizer, is_reported
from functions.domain.intervals import Interval

MARGIN = timedelta(hours=2)
"""How much time before its start and after its end a class meeting owns at most."""

KEPT = timedelta(days=200)
"""How long a room remembers what was in it: longer than the time in which a past class may be entered."""

LOOKED_AT_AGAIN = timedelta(minutes=15), timedelta(days=1)
"""After which time a room is checked again: at the earliest, and (as long as Meet may have data about a class in it) at
the latest."""

TRACKED_FOR = timedelta(days=7)
"""How long the room of a tracked teacher is not checked, because the teacher's conferences are listed instead."""

RETENTION = timedelta(days=30)
"""How long Meet keeps a conference record after its end:
https://developers.google.com/workspace/meet/api/reference/rest/v2/conferenceRecords (expireTime)."""

_ROUNDING = timedelta(seconds=1)

_BESIDE = timedelta(days=2)
"""How long before its first remembered class a room keeps conference records: longer than any call."""


@dataclass(frozen=True, slots=True)
class Slot:
    """A scheduled class meeting in a room, not cancelled."""

    session_id: str
    scheduled: Interval
    open_before: timedelta
    open_after: timedelta


@dataclass(frozen=True, slots=True)
class Span:
    """A conference record in a room; while it goes on, its end is the last moment at which it was seen.

    `read` says whether its data is stored; if not, Meet only listed it.
    """

    conference_record: str
    time: Interval
    read: bool = True

    @property
    def reported(self) -> bool:
        """Whether it is known from reports, not from Meet."""
        return is_reported(self.conference_record)

    def is_same_call(self, other: Span) -> bool:
        """Whether both must be the same call: a room holds one call at a time, and reports are accurate to a second."""
        return _surely_overlap(self.time, other.time)


@dataclass(frozen=True, slots=True)
class Room:
    """All known past and planned use of one space. Slots never overlap.

    Attributes:
        space: `spaces/{space}`.
        owner: The owner of the space, as far as known: Meet lists its records only to this person.
        slots: The classes in it, in order of time.
        spans: The conference records in it, in order of time.
        reconciled_until: All its conferences up to this time are known; None if they were never listed, or if its
            teacher's conferences are listed instead.
        looked_at: When it was last checked, with any result.
        tracked_at: When its teacher was last found to be tracked; None if the last check found that the teacher is not
            tracked.
    """

    space: str
    owner: Organizer = field(default_factory=Organizer)
    slots: tuple[Slot, ...] = ()
    spans: tuple[Span, ...] = ()
    reconciled_until: datetime | None = None
    looked_at: datetime | None = None
    tracked_at: datetime | None = None

    @property
    def reconcile_at(self) -> datetime | None:
        """When a scheduled job checks this room next if its teacher is not tracked; None for never.

        First when a class in it begins. After the last class it is checked less and less often, until Meet has deleted
        that class's data too.
        """
        looked_at = self.looked_at
        coming = next(
            (s.scheduled.start for s in self.slots if looked_at is None or looked_at < s.scheduled.start), None
        )
        if looked_at is None:
            return coming
        over_at = max((s.scheduled.end for s in self.slots if s.scheduled.start <= looked_at), default=None)
        again = None
        if over_at and looked_at < over_at + RETENTION:
            shortest, longest = LOOKED_AT_AGAIN
            again = looked_at + min(max((looked_at - over_at) / 2, shortest), longest)
        due = min((moment for moment in (coming, again) if moment), default=None)
        return max(due, self.tracked_at + TRACKED_FOR) if due and self.tracked_at else due

    def overlapping(self, scheduled: Interval, *, but: Iterable[str] = ()) -> Slot | None:
        """A class that already has the room at that time."""
        ignored = set(but)
        others = (slot for slot in self.slots if slot.session_id not in ignored)
        return next((slot for slot in others if slot.scheduled.clip(scheduled)), None)

    def with_slot(self, slot: Slot) -> Room:
        """The room with a class in it; an earlier entry of the same class meeting is replaced."""
        others = (other for other in self.slots if other.session_id != slot.session_id)
        return replace(self, slots=tuple(sorted((*others, slot), key=lambda slot: slot.scheduled)))

    def without_slot(self, session_id: str) -> Room:
        """The room without a class."""
        return replace(self, slots=tuple(slot for slot in self.slots if slot.session_id != session_id))

    def with_span(self, span: Span) -> Room:
        """The room with a conference record in it; an earlier entry of the same record is replaced."""
        others = (other for other in self.spans if other.conference_record != span.conference_record)
        spans = tuple(sorted((*others, span), key=lambda span: (span.time, span.conference_record)))
        return self if spans == self.spans else replace(self, spans=spans)

    def since(self, moment: datetime) -> Room:
        """The room without old classes. The last old class stays, because it limits the time of the next one."""
        before = [slot for slot in self.slots if is_forgotten(slot.scheduled, now=moment)]
        slots = self.slots[max(len(before) - 1, 0) :]
        kept = min([moment - KEPT, *(slot.scheduled.start - MARGIN for slot in slots)]) - _BESIDE
        return replace(self, slots=slots, spans=tuple(span for span in self.spans if span.time.end > kept))

    def owned(self, session_id: str) -> Interval | None:
        """The time that a class meeting owns; None if it is not in this room."""
        return next((self._owned(n) for n, slot in enumerate(self.slots) if slot.session_id == session_id), None)

    def owned_times(self) -> dict[str, Interval]:
        """The time that each class meeting owns."""
        return {slot.session_id: self._owned(number) for number, slot in enumerate(self.slots)}

    def _owned(self, number: int) -> Interval:
        start, end = self.slots[number].scheduled.start, self.slots[number].scheduled.end
        before = self.slots[number - 1] if number else None
        after = self.slots[number + 1] if number + 1 < len(self.slots) else None
        return Interval(
            max(start - MARGIN, _border(before.scheduled.end, start)) if before else start - MARGIN,
            min(end + MARGIN, _border(end, after.scheduled.start)) if after else end + MARGIN,
        )

    def sessions_of(self, time: Interval) -> tuple[str, ...]:
        """The class meetings that a conference record of this time belongs to, in order of time."""
        return tuple(slot.session_id for slot in self.slots if self._takes(slot, time))

    def records_of(self, session_id: str) -> tuple[str, ...]:
        """The conference records of this room that belong to a class meeting, in order of time."""
        slot = next((slot for slot in self.slots if slot.session_id == session_id), None)
        if slot is None:
            return ()
        return tuple(
            span.conference_record
            for span in self.spans
            if self._takes(slot, span.time) and self.superseding(span) is None
        )

    def superseding(self, span: Span) -> str | None:
        """Meet's own record of a call that is also in reports: the first such conference record. Meet's data wins.

        A record that Meet only listed, and that could not be read yet, has no data that could win.
        """
        if not span.reported:
            return None
        told = (one for one in self.spans if one.read and not one.reported and one.is_same_call(span))
        return next((one.conference_record for one in told), None)

    def reported_spans(self) -> tuple[Span, ...]:
        """The calls in this room from reports, superseded or not."""
        return tuple(span for span in self.spans if span.reported)

    def stood_in_for(self, records: Iterable[str]) -> frozenset[str]:
        """The given conference records that Meet does not know but whose call is in reports."""
        wanted = frozenset(records)
        reported = self.reported_spans()
        return frozenset(
            span.conference_record
            for span in self.spans
            if span.conference_record in wanted and not span.read and any(map(span.is_same_call, reported))
        )

    def first_start(self, records: Iterable[str]) -> datetime | None:
        """When the first of some conference records began; None if the start of one of them is not known."""
        known = {span.conference_record: span.time.start for span in self.spans}
        starts = [known.get(record) for record in records]
        return None if None in starts else min((start for start in starts if start), default=None)

    def records_touching(self, time: Interval) -> tuple[str, ...]:
        """The conference records that were in the room at some moment of a time."""
        return tuple(span.conference_record for span in self.spans if span.time.clip(time))

    def _takes(self, slot: Slot, time: Interval) -> bool:
        reach = Interval(slot.scheduled.start - slot.open_before, slot.scheduled.end + slot.open_after)
        if time.clip(reach) is None:
            return False
        owned = self.owned(slot.session_id)
        return owned is not None and time.clip(owned) is not None


def is_forgotten(scheduled: Interval, *, now: datetime) -> bool:
    """Whether a class is so long ago that its room no longer needs an entry for it.

    Its conferences still belong to it.
    """
    return scheduled.end <= now - KEPT


def _surely_overlap(one: Interval, other: Interval) -> bool:
    """Whether two times overlap by more than rounding to whole seconds can cause."""
    rounded = min(_ROUNDING, other.length / 2)
    core = Interval(other.start + rounded, other.end - rounded)
    return bool(core.clip(one) or one.clip(core))


def _border(end: datetime, start: datetime) -> datetime:
    return end + (start - end) / 2
