"""The stored data as callers of the API see it: documents, lists, and what needs a person."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Protocol

from functions.domain.classes.sessions import ClassSession
from functions.domain.marking.shares import MonthOfStudent

PagePosition = tuple[datetime | str, ...]
"""Where in a list a page ends; only the views know its form. It contains times and ids, and nothing about a person."""


@dataclass(frozen=True, slots=True)
class Paging:
    """The requested part of a list.

    Attributes:
        size: The largest number of documents.
        after: Where the previous part ended; None for the first part.
        read_at: The moment at which the previous part was read, so that all parts show the same moment.
    """

    size: int
    after: PagePosition | None = None
    read_at: datetime | None = None


@dataclass(frozen=True, slots=True)
class Page:
    """A part of a list, as it was at one moment; `next_after` is where it ends, None if nothing follows."""

    documents: tuple[Mapping[str, Any], ...]
    read_at: datetime
    next_after: PagePosition | None = None


@dataclass(frozen=True, slots=True)
class SessionFilter:
    """The requested class meetings; None for any. `since` and `updated_since` are inclusive, `until` is not."""

    teacher_email: str | None = None
    class_id: str | None = None
    external_id: str | None = None
    state: str | None = None
    since: datetime | None = None
    until: datetime | None = None
    updated_since: datetime | None = None


@dataclass(frozen=True, slots=True)
class AttendanceFilter:
    """The person whose attendance is requested; None for everybody. `since` is inclusive, `until` is not.

    Attributes:
        student: A `student_id`, a Google user id, or an e-mail.
    """

    student: str | None = None
    class_id: str | None = None
    since: datetime | None = None
    until: datetime | None = None


@dataclass(frozen=True, slots=True)
class Troubles:
    """What may need a person: documents of each kind, at least one more than requested if there are more.

    Those that have waited the longest are included. All but the organizers have their id as `id`.

    Attributes:
        organizers: Every teacher who is tracked.
        failed_conferences: Conferences that Meet does not let us read.
        provisional_conferences: Conferences whose data is not final.
        overdue_sessions: Class meetings that are overdue for an update.
        sessions_not_in_calendar: Class meetings that Calendar may not show correctly, the earliest first.
        parked_events: Messages that were not replayed.
        last_pulled_at: When the last successful read of a conference began; None if there was none.
        sessions_check: The last check of conferences whose sessions are known from events; None if there was none.
    """

    organizers: tuple[Mapping[str, Any], ...]
    failed_conferences: tuple[Mapping[str, Any], ...]
    provisional_conferences: tuple[Mapping[str, Any], ...]
    overdue_sessions: tuple[Mapping[str, Any], ...]
    sessions_not_in_calendar: tuple[Mapping[str, Any], ...]
    parked_events: tuple[Mapping[str, Any], ...]
    last_pulled_at: datetime | None
    sessions_check: Mapping[str, Any] | None = None


class Views(Protocol):
    """Stored documents, for showing them. A reader never sees half a change.

    Every method raises StoreUnavailable if the store does not answer, DocumentTooNew if a later version of this
    system wrote a document, and ReadTooOld if a moment that it is to read at has passed for too long.
    """

    async def session(self, session_id: str) -> Mapping[str, Any] | None:
        """A class meeting, or None."""

    async def sessions_with(self, session_ids: Sequence[str]) -> tuple[Mapping[str, Any], ...]:
        """The existing class meetings with these ids, in this order."""

    async def attendance(self, session_id: str) -> tuple[Mapping[str, Any], tuple[Mapping[str, Any], ...]] | None:
        """A class meeting with everybody's attendance by `attendee_id`, as of one moment, or None."""

    async def attendee(self, session_id: str, attendee_id: str) -> Mapping[str, Any] | None:
        """One person's attendance of a class meeting, or None."""

    async def sessions(self, wanted: SessionFilter, paging: Paging) -> Page:
        """Class meetings, oldest first, then by `session_id`.

        With `updated_since` the oldest change comes first, and a page that is not the last may have fewer documents
        than requested, or none.
        """

    async def attendances(self, wanted: AttendanceFilter, paging: Paging) -> Page:
        """Attendance over all class meetings, oldest class first, then by `attendee_id`."""

    async def register(self, class_id: str, month: str) -> Mapping[str, Any] | None:
        """A class's complete register of a month (`2026-11`), or None."""

    async def month_of_class(
        self, class_id: str, month: str
    ) -> tuple[tuple[MonthOfStudent, ...], tuple[ClassSession, ...]]:
        """The students of a class's register, and the class's meetings of that month, as of one moment.

        Some meetings may be of the days before and after the month.
        """

    async def organizers(self) -> tuple[Mapping[str, Any], ...]:
        """Every teacher who is tracked."""

    async def organizer(self, user: str) -> Mapping[str, Any] | None:
        """A teacher who is tracked, by `users/{id}`, or None."""

    async def troubles(self, *, due_before: datetime, ended_since: datetime, limit: int) -> Troubles:
        """What may need a person.

        Args:
            due_before: Class meetings that were due later may still wait.
            ended_since: Conferences that ended earlier, and events of classes that began earlier, may be left out.
            limit: How many of a kind are requested; this limits what is read, except for organizers.
        """
