"""The attendance store over any database of documents: which documents are written, and which need not be."""

from __future__ import annotations

import asyncio
import logging
import random
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping, Sequence
from datetime import UTC, datetime, timedelta
from typing import TypeVar

from functions.adapters.store.changes.unpublished import COLLECTION as UNPUBLISHED
from functions.adapters.store.changes.unpublished import changes_from_document
from functions.adapters.store.databases.database import (
    ABSENT,
    COMMIT_TIME,
    Database,
    Document,
    Query,
    Where,
    Write,
    in_pages,
)
from functions.adapters.store.documents.common import SCHEMA_VERSION, Fields, check_schema, expiry
from functions.adapters.store.documents.people import organizer_from_document, person_from_document
from functions.adapters.store.documents.remark import remark_from_document, remark_path
from functions.adapters.store.erasing.names import ErasedNames
from functions.adapters.store.paths import organizer_path, room_path
from functions.adapters.store.reader import DocumentReader
from functions.adapters.store.unit_of_work import DocumentWork
from functions.domain.classes.roster import RosterEntry
from functions.domain.classes.sessions import Remark, TrackedOrganizer
from functions.domain.conferences.model import Space, SyncState
from functions.domain.errors import AttendanceError, StoreConflict
from functions.domain.marking.addresses import current_of, mailbox, mailboxes
from functions.ports.clock import Clock
from functions.ports.messages import AttendanceChange, Changes, Parked, ParkedEvent
from functions.ports.store import DueRoom, Reader, SheetChange, Work

MAX_PARKED_BYTES = 256 * 1024

PARKED_AT_ONCE = 20
"""How many parked messages are read at once: a few megabytes at most."""

COMMIT_ATTEMPTS = 20
"""How often we decide again because another process wrote first."""

MAX_DUE = 5000
"""How many class meetings one run of `sync-due` handles; the next run handles the rest."""

MAX_REMARKS = 100
"""How many remarks one run of `sync-due` completes; the next run completes the rest."""

UNPUBLISHED_AT_ONCE = 200
"""For how many commits changes are published later at once, each with a few class meetings."""

log = logging.getLogger(__name__)

T = TypeVar("T")


class DocumentAttendanceStore:
    """`functions.ports.store.AttendanceStore` over a database of documents.

    Args:
        database: Where the documents are stored.
        clock: The time, for when a parked message expires.
        retention: How long personal data is kept after the class; None keeps it.
        erasure_key: The key of what is kept of erased people's names; None if nobody can be erased.
        key_is_required: Whether nothing may be stored without it once somebody is erased.
        listening: Where changes of marks or times are published; None if they are not published.
    """

    def __init__(
        self,
        database: Database,
        *,
        clock: Clock,
        retention: timedelta | None,
        erasure_key: bytes | None = None,
        key_is_required: bool = False,
        listening: Changes | None = None,
    ) -> None:
        self.erased = ErasedNames(database, erasure_key, clock=clock, is_required=key_is_required)
        self._database = database
        self._listening = listening
        self._clock = clock
        self._retention = retention

    def reader(self) -> Reader:
        """See the port."""
        return DocumentReader(self._database, clock=self._clock, names=self.erased)

    async def transact(
        self, decide: Callable[[Work], Awaitable[T]], *, known: Reader | None = None
    ) -> tuple[T, Mapping[str, SheetChange]]:
        """See the port."""
        before = known if isinstance(known, DocumentReader) else None
        for attempt in range(COMMIT_ATTEMPTS):
            work = DocumentWork(
                self._database, clock=self._clock, retention=self._retention, before=before, names=self.erased
            )
            try:
                value = await decide(work)
                committed = await work.commit(telling=self._listening is not None)
                break
            except StoreConflict:
                before = None
                await asyncio.sleep(random.uniform(0, min(0.02 * 2**attempt, 0.5)))  # noqa: S311 - no secret
        else:
            raise StoreConflict("Other requests kept changing the same documents.")
        if committed.unpublished:
            await self._tell(committed.told, committed.unpublished)
        return value, committed.changes

    async def _tell(self, changes: Sequence[AttendanceChange], unpublished: str) -> None:
        """Publish the changes of a commit.

        The commit is done, so an error here must not look as if the commit had failed.
        """
        try:
            await self._publish(changes, [unpublished])
        except AttendanceError as error:
            log.warning("changes.not_published", extra={"reason": error.reason, "hint": error.hint})

    async def _publish(self, changes: Sequence[AttendanceChange], unpublished: Sequence[str]) -> None:
        if self._listening:
            await self._listening.publish(changes)
            await self._database.commit([Write(path, None) for path in unpublished])

    async def publish_changes(self) -> int:
        """See the port."""
        published = 0
        while self._listening:
            found = await self._database.find(Query(UNPUBLISHED, limit=UNPUBLISHED_AT_ONCE))
            changes = [change for document in found.documents for change in changes_from_document(document.fields)]
            if changes:
                await self._publish(changes, [document.path for document in found.documents])
            published += len(changes)
            if found.next_after is None:
                break
        return published

    async def due_sessions(self, now: datetime) -> Sequence[str]:
        """See the port."""
        return await self._session_ids(Where("due_at", "<=", now), order=("due_at",), limit=MAX_DUE)

    async def sessions_to_follow(self, now: datetime) -> Sequence[str]:
        """See the port."""
        due = Query("sessions", where=(Where("calendar_due_at", "<=", now),), order=("calendar_due_at",), limit=MAX_DUE)
        found = (await self._database.find(due)).documents
        return list({d.fields["calendar"]["event_id"]: d.fields["session_id"] for d in reversed(found)}.values())

    async def sessions_of_event(self, event_id: str) -> Sequence[str]:
        """See the port."""
        found = (
            await self._database.find(Query("sessions", where=(Where("calendar.event_id", "==", event_id),)))
        ).documents
        return [d.fields["session_id"] for d in sorted(found, key=lambda d: d.fields["session_start"])]

    async def sessions_with(self, conference_record: str) -> Sequence[str]:
        """See the port."""
        return await self._session_ids(Where("conference_records", "contains", conference_record))

    async def live_with(self, conference_record: str) -> Sequence[str]:
        """See the port."""
        query = Query("live", where=(Where("conference_records", "contains", conference_record),))
        return [document.fields["session_id"] for document in (await self._database.find(query)).documents]

    async def live_to_check(self, now: datetime) -> Sequence[str]:
        """See the port."""
        due = Query("live", where=(Where("check_at", "<=", now),), order=("check_at",), limit=MAX_DUE)
        return [document.fields["session_id"] for document in (await self._database.find(due)).documents]

    async def sessions_of_class(self, class_id: str, *, since: datetime) -> Sequence[str]:
        """See the port."""
        where = (Where("class_ids", "contains", class_id), Where("session_start", ">=", since))
        return await self._session_ids(*where, order=("session_start", "session_id"))

    async def sessions_of_series(self, series_id: str) -> Sequence[str]:
        """See the port."""
        return await self._session_ids(Where("series_id", "==", series_id), order=("session_start", "session_id"))

    async def sessions_of_external_id(self, external_id: str) -> Sequence[str]:
        """See the port."""
        return await self._session_ids(Where("external_id", "==", external_id), order=("session_start", "session_id"))

    async def sessions_of_person(self, person: RosterEntry, *, since: datetime | None = None) -> Sequence[str]:
        """See the port."""
        lately = (Where("session_start", ">=", since),) if since else ()
        order = ("session_start", "attendee_id") if since else ()
        named = [
            *([Where("user", "==", person.user)] if person.user else []),
            *([Where("student_id", "==", person.student_id)] if person.student_id else []),
            *([Where("emails", "contains", mailbox(person.email))] if person.email else []),
        ]
        wanted = [Query("attendance", where=(where, *lately), order=order, group=True) for where in named]
        found = [await self._database.find(query) for query in wanted]
        return sorted({document.fields["session_id"] for part in found for document in part.documents})

    async def remarks(self) -> Sequence[Remark]:
        """See the port."""
        found = await self._database.find(Query("remarks", limit=MAX_REMARKS))
        return [remark_from_document(d.path.rpartition("/")[2], d.fields) for d in found.documents]

    async def forget_remark(self, remark_id: str) -> None:
        """See the port."""
        await self._database.commit([Write(remark_path(remark_id), None)])

    async def space_with_code(self, meeting_code: str, *, until: datetime) -> Space | None:
        """See the port."""
        where = (Where("meeting_code", "==", meeting_code), Where("session_start", "<=", until))
        found = await self._database.find(
            Query("sessions", where=where, order=("session_start", "session_id"), downwards=True, limit=1)
        )
        for document in found.documents:
            check_schema(document.fields)
            return Space(document.fields["space"], meeting_code, document.fields["meeting_uri"])
        return None

    async def failing_sessions(self, teacher_email: str, *, since: datetime) -> Sequence[str]:
        """See the port."""
        failing = (Where("teacher_email", "==", teacher_email), Where("progress.error.at", ">=", since))
        found = await self._database.find(Query("sessions", where=failing, order=("progress.error.at",)))
        return sorted(d.fields["session_id"] for d in found.documents if d.fields["due_at"] is not None)

    async def rooms_to_reconcile(self, now: datetime, *, after: DueRoom | None, limit: int) -> Sequence[DueRoom]:
        """See the port."""
        due = Query(
            "spaces",
            where=(Where("reconcile_at", "<=", now),),
            order=("reconcile_at",),
            after=(after.due_at, room_path(after.space)) if after else None,
            limit=limit,
        )
        found = (await self._database.find(due)).documents
        return [DueRoom(document.fields["space"], document.fields["reconcile_at"]) for document in found]

    async def unfinished_conferences(self, organizer: str, *, since: datetime) -> Sequence[str]:
        """See the port."""
        theirs = Where("organizer.user", "==", organizer)
        found = await asyncio.gather(
            *(
                self._database.find(Query("conferences", where=(theirs, Where("sync.state", "==", state.value))))
                for state in (SyncState.PROVISIONAL, SyncState.FAILED)
            )
        )
        documents = [document.fields for part in found for document in part.documents]
        return sorted(
            fields["conference_record"]
            for fields in documents
            if _last_known(fields) >= since and not _is_deferred(fields, now=self._clock())
        )

    async def organizer_subscribed_by(self, subscription: str) -> TrackedOrganizer | None:
        """See the port."""
        wanted = Query("organizers", where=(Where("subscription.name", "==", subscription),), limit=1)
        found = await self._database.find(wanted)
        return organizer_from_document(found.documents[0].fields) if found.documents else None

    async def organizers(self) -> Sequence[TrackedOrganizer]:
        """See the port."""
        return [organizer_from_document(document.fields) for document in await self._database.children("organizers")]

    async def organizers_after(self, user: str, *, limit: int) -> Sequence[str]:
        """See the port."""
        wanted = Query("organizers", where=(Where("user", ">", user),), order=("user",), limit=limit)
        return [document.fields["user"] for document in (await self._database.find(wanted)).documents]

    async def organizer_with(self, email: str) -> TrackedOrganizer | None:
        """See the port."""
        enrolled, having = await asyncio.gather(
            self._organizer_enrolled_by(email), self._accounts_having(mailbox(email))
        )
        # The address may belong to another account since its teacher was enrolled with it.
        if enrolled and (not having or enrolled.user in having):
            return enrolled
        paths = [organizer_path(user) for user in having]
        tracked = await self._database.get_many(paths) if paths else {}
        return next((organizer_from_document(tracked[path].fields) for path in paths if path in tracked), None)

    async def _organizer_enrolled_by(self, email: str) -> TrackedOrganizer | None:
        for named in (Where("email", "==", email), Where("mailbox", "==", mailbox(email))):
            found = await self._database.find(Query("organizers", where=(named,), limit=1))
            if found.documents:
                return organizer_from_document(found.documents[0].fields)
            if mailbox(email) == email:
                break
        return None

    async def _accounts_having(self, box: str) -> list[str]:
        """The accounts that have an address now."""
        found = await self._database.find(Query("people", where=(Where("emails", "contains", box),)))
        people = [person_from_document(document.fields) for document in found.documents]
        return [person.user for person in people if box in mailboxes(current_of(person))]

    async def has_classes(self, teacher_email: str) -> bool:
        """See the port."""
        named = Where("teacher_email", "==", teacher_email)
        if (await self._database.find(Query("sessions", where=(named,), limit=1))).documents:
            return True
        box = mailbox(teacher_email)
        if not box.endswith("@gmail.com"):
            return False  # its mailbox has only this spelling
        teaching = Where("teacher_emails", "contains", box)
        found = await self._database.find(Query("sessions", where=(teaching,), order=("session_start", "session_id")))
        return any(mailbox(document.fields["teacher_email"]) == box for document in found.documents)

    async def park(self, event: ParkedEvent) -> None:
        """See the port."""
        path = _parked_path(event.key)
        names_erased = (await self.erased.load()).mentioned_in(event.message)
        whole = b"" if names_erased else event.message.encode()
        fields = {
            "schema_version": SCHEMA_VERSION,
            "expire_at": expiry(self._clock(), self._retention),
            "message": whole[:MAX_PARKED_BYTES].decode(errors="ignore"),
            "encoding": event.encoding,
            "truncated": names_erased or len(whole) > MAX_PARKED_BYTES,
            "reason": event.reason,
            "hint": event.hint,
            "parked_at": COMMIT_TIME,
            "replayed_at": None,
        }
        try:
            await self._database.commit([Write(path, fields, expecting=ABSENT)])
        except StoreConflict:
            # The message may already be parked, and replayed since then. This is certain only after reading it.
            before = await self._database.get(path)
            if before is None:
                raise
            if before.fields["replayed_at"] is not None:
                await self._database.commit([Write(path, fields, expecting=before)])

    async def parked(self, *, reason: str | None = None) -> AsyncIterator[Parked]:
        """See the port."""
        which = (Where("reason", "==", reason),) if reason else ()
        query = Query(
            "parked_events",
            where=(Where("replayed_at", "==", None), *which),
            order=("parked_at",),
            limit=PARKED_AT_ONCE,
        )
        async for document in in_pages(self._database, query):
            yield _parked(document)

    async def parked_event(self, key: str) -> Parked | None:
        """See the port."""
        document = await self._database.get(_parked_path(key))
        return _parked(document) if document and document.fields["replayed_at"] is None else None

    async def note_replayed(self, parked: Parked) -> None:
        """See the port."""
        path = _parked_path(parked.event.key)
        document = await self._database.get(path)
        if document and document.fields["replayed_at"] is None and document.fields["parked_at"] == parked.parked_at:
            await self._database.commit(
                [Write(path, {**document.fields, "replayed_at": COMMIT_TIME}, expecting=document)]
            )

    async def _session_ids(self, *where: Where, order: tuple[str, ...] = (), limit: int | None = None) -> list[str]:
        found = await self._database.find(Query("sessions", where=where, order=order, limit=limit))
        for document in found.documents:
            check_schema(document.fields)
        return [document.fields["session_id"] for document in found.documents]


def _last_known(conference: Fields) -> datetime:
    """A time at which Meet still knew a conference whose data is not final."""
    error, interruption = conference["sync"]["error"], conference.get("interruption")
    moments = (
        conference["end_time"],
        conference["sync"]["pulled_at"],
        error["at"] if error else None,
        interruption["began_at"] if interruption else None,
    )
    return next((moment for moment in moments if moment), datetime.max.replace(tzinfo=UTC))


def _is_deferred(conference: Fields, *, now: datetime) -> bool:
    """Whether a conference must wait because reads of it did not finish."""
    interruption = conference.get("interruption")
    return interruption is not None and now < interruption["again_at"]


def _parked_path(key: str) -> str:
    return f"parked_events/{key}"


def _parked(document: Document) -> Parked:
    fields = document.fields
    check_schema(fields)
    return Parked(
        event=ParkedEvent(
            key=document.path.rpartition("/")[2],
            message=fields["message"],
            encoding=fields["encoding"],
            reason=fields["reason"],
            hint=fields["hint"],
        ),
        truncated=fields["truncated"],
        parked_at=fields["parked_at"],
    )
