"""Compares what should be stored with what was read, and makes one commit of the differences.

`conference_writes`, `sheet_writes` and `register_writes` make the writes for a conference, a class meeting and a
register.
"""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any

from functions.adapters.store.changes.audit import audit_write
from functions.adapters.store.changes.conference import conference_writes
from functions.adapters.store.changes.differences import contents, replaced
from functions.adapters.store.changes.register import has_parts, register_writes, registers_before
from functions.adapters.store.changes.sheet import (
    StoredSheet,
    drop_writes,
    marks_changed,
    session_writes,
    sheet_change,
    sheet_writes,
)
from functions.adapters.store.changes.telling import told_of
from functions.adapters.store.databases.database import ABSENT, Write
from functions.adapters.store.databases.loaded import Loaded
from functions.adapters.store.documents.attendance import correction_from_document, correction_id
from functions.adapters.store.documents.common import SCHEMA_VERSION, Fields
from functions.adapters.store.documents.live import live_to_document
from functions.adapters.store.documents.people import organizer_to_document, person_to_document
from functions.adapters.store.documents.register import register_keys
from functions.adapters.store.documents.remark import remark_path, remark_to_document
from functions.adapters.store.documents.session import session_from_document
from functions.adapters.store.documents.timetable import room_to_document
from functions.adapters.store.paths import (
    answered_path,
    attendance_path,
    conference_path,
    copy_path,
    corrections_path,
    live_path,
    organizer_path,
    person_path,
    register_path,
    room_path,
    session_path,
)
from functions.adapters.store.sheet_copy import people_from
from functions.domain.classes.roster import Correction
from functions.domain.classes.sessions import (
    Answered,
    AttendanceSheet,
    AuditEntry,
    ClassSession,
    Person,
    Remark,
    TrackedOrganizer,
)
from functions.domain.classes.timetable import Room
from functions.domain.conferences.model import Conference
from functions.domain.erasure import NOBODY, Erased
from functions.domain.live.calls import LiveClass
from functions.domain.live.room import RoomNow
from functions.ports.store import SheetChange


@dataclass(frozen=True, slots=True)
class Wanted:
    """What should be stored after a commit, even if some of it is stored already.

    Attributes:
        conferences: By resource name.
        sheets: Class meetings with their attendance, by id.
        sessions: Class meetings without their attendance, by id.
        dropped: Ids of class meetings that should be deleted.
        rooms: By resource name.
        corrections: For each class meeting whose corrections were read, the changed corrections by document id; None
            deletes one.
        people: By account.
        organizers: By account; None deletes.
        answered: Requests that were answered.
        remarks: Class meetings elsewhere that must be marked again.
        live: Who is in the rooms of class meetings, by id; None deletes.
        notes: The entry about who changed what.
    """

    conferences: dict[str, Conference] = field(default_factory=dict)
    sheets: dict[str, AttendanceSheet] = field(default_factory=dict)
    sessions: dict[str, ClassSession] = field(default_factory=dict)
    dropped: set[str] = field(default_factory=set)
    rooms: dict[str, Room] = field(default_factory=dict)
    corrections: dict[str, dict[str, Correction | None]] = field(default_factory=dict)
    people: dict[str, Person] = field(default_factory=dict)
    organizers: dict[str, TrackedOrganizer | None] = field(default_factory=dict)
    answered: list[Answered] = field(default_factory=list)
    remarks: list[Remark] = field(default_factory=list)
    live: dict[str, tuple[ClassSession, LiveClass, RoomNow] | None] = field(default_factory=dict)
    notes: list[AuditEntry] = field(default_factory=list)


class Commit:
    """The writes that turn the stored documents into the wanted ones.

    Args:
        wanted: What should be stored.
        stored: What was read; documents that will be replaced are read too.
        now: The current time, for expiry times.
        retention: How long personal data is kept after the class; None keeps it.
    """

    def __init__(
        self,
        wanted: Wanted,
        stored: Loaded,
        *,
        now: datetime,
        retention: timedelta | None,
        erased: Erased = NOBODY,
    ) -> None:
        self._erased = erased
        self._wanted = wanted
        self._stored = stored
        self._now = now
        self._retention = retention
        self._people: dict[str, Mapping[str, Fields]] = {}
        self.told: list[Mapping[str, str | None]] = []
        """The changes to publish after the commit; known once its writes are known."""

    async def writes(self) -> tuple[list[Write], Mapping[str, SheetChange]]:
        """The differences, and what changes in the attendance of each wanted class meeting."""
        await self._load_what_is_written()
        changes: dict[str, SheetChange] = {}
        marks: dict[str, dict[str, Any]] = {}
        writes: list[Write] = []
        written: dict[str, AttendanceSheet] = {}
        for session_id, sheet in self._wanted.sheets.items():
            stored = self._stored_sheet(session_id)
            corrections = self._corrections(session_id, stored)
            on_sheet = sheet_writes(sheet, corrections, stored=stored, retention=self._retention)
            changes[session_id] = sheet_change(session_id, on_sheet, stored)
            if self._wanted.notes:
                marks |= marks_changed(session_id, on_sheet, stored)
            self._tell(session_id, on_sheet, stored)
            writes += on_sheet
            if on_sheet:
                written[session_id] = sheet
        for session_id, session in self._wanted.sessions.items():
            before = self._stored.known(session_path(session_id))
            writes += session_writes(session, stored=before, retention=self._retention)
        for session_id in self._wanted.dropped:
            stored = self._stored_sheet(session_id)
            dropping = drop_writes(stored)
            self._tell(session_id, dropping, stored)
            writes += dropping
        on_sheets = bool(writes)
        writes += await self._register_writes(written)
        for conference in self._wanted.conferences.values():
            # A sheet is made from its conferences, so the commit must fail if they have changed meanwhile.
            writes += self._conference_writes(conference, always=on_sheets)
        for room in self._wanted.rooms.values():
            writes += self._replaced(room_path(room.space), room_to_document(room))
        for person in self._wanted.people.values():
            known = None if person == Person(person.user) else person_to_document(person, retention=self._retention)
            writes += self._replaced(person_path(person.user), known)
        for user, organizer in self._wanted.organizers.items():
            writes += self._replaced(organizer_path(user), organizer_to_document(organizer) if organizer else None)
        for session_id, live in self._wanted.live.items():
            writes += self._replaced(live_path(session_id), live_to_document(*live) if live else None)
        writes += self._remembered_writes()
        for remark in self._wanted.remarks:
            document = remark_to_document(remark, now=self._now, retention=self._retention)
            writes.append(Write(remark_path(remark.remark_id), document))
        writes += [audit_write(note, marks, now=self._now, retention=self._retention) for note in self._wanted.notes]
        return writes, changes

    def _tell(self, session_id: str, writes: Sequence[Write], stored: StoredSheet) -> None:
        if told := told_of(session_id, writes, stored):
            self.told.append(told)

    async def _load_what_is_written(self) -> None:
        """Read the documents that will be replaced and were not read yet."""
        sessions = [*self._wanted.sheets, *self._wanted.dropped]
        await self._stored.load(
            [
                *map(session_path, [*sessions, *self._wanted.sessions]),
                *map(conference_path, self._wanted.conferences),
                *map(room_path, self._wanted.rooms),
                *map(person_path, self._wanted.people),
                *map(organizer_path, self._wanted.organizers),
                *map(live_path, self._wanted.live),
            ]
        )
        spilled = [
            path
            for path in map(conference_path, self._wanted.conferences)
            if (document := self._stored.known(path))
            and (document.fields["snapshot_documents"] or document.fields.get("interruption"))
        ]
        # A class meeting that does not exist has no documents below it.
        there = [session_id for session_id in sessions if self._stored.known(session_path(session_id))]
        await asyncio.gather(
            *(self._stored.children(f"{path}/snapshot") for path in spilled),
            *(self._load_people(session_id) for session_id in there),
        )

    async def _load_people(self, session_id: str) -> None:
        """Everybody's attendance, from its copy if one exists: one read, not one for each person.

        The class meeting's version guards both in the same way.
        """
        session, collection = self._stored.known(session_path(session_id)), attendance_path(session_id)
        parts = session.fields.get("sheet_parts") if session else None
        if parts is not None:
            copy = await self._stored.children(copy_path(session_id)) if parts else {}
            people = people_from(copy.values(), parts=parts)
            if people is not None:
                self._people[session_id] = {f"{collection}/{person['attendee_id']}": person for person in people}
                return
        self._people[session_id] = contents(await self._stored.children(collection))

    def _stored_sheet(self, session_id: str) -> StoredSheet:
        return StoredSheet(
            session=self._stored.known(session_path(session_id)),
            people=self._people.get(session_id, {}),
            corrections=self._stored.known_children(corrections_path(session_id)),
        )

    def _corrections(self, session_id: str, stored: StoredSheet) -> Mapping[str, Correction] | None:
        """All corrections of a class meeting as they should be stored; None leaves them unchanged."""
        changes = self._wanted.corrections.get(session_id)
        if changes is None:
            return None
        before = [correction_from_document(document.fields) for document in stored.corrections.values()]
        wanted = {**{correction_id(correction): correction for correction in before}, **changes}
        return {
            name: kept
            for name, correction in wanted.items()
            if correction and (kept := self._erased.correction(correction))
        }

    def _replaced(self, path: str, fields: Fields | None) -> list[Write]:
        return replaced(path, fields, self._stored.known(path))

    def _conference_writes(self, conference: Conference, *, always: bool) -> list[Write]:
        path = conference_path(conference.conference_record)
        return conference_writes(
            conference,
            stored=self._stored.known(path),
            parts=self._stored.known_children(f"{path}/snapshot"),
            always=always,
            retention=self._retention,
        )

    async def _register_writes(self, written: Mapping[str, AttendanceSheet]) -> list[Write]:
        """The registers that contain, contained, or will contain class meetings.

        Only written class meetings count. The commit fails if they have changed meanwhile, so a register is never made
        from an old version of a class meeting.
        """
        sheets_of: dict[str, list[AttendanceSheet]] = {}
        for session_id, sheet in written.items():
            for key in register_keys(sheet) | registers_before(self._stored_sheet(session_id)):
                sheets_of.setdefault(key, []).append(sheet)
        for session_id in self._wanted.dropped:
            stored = self._stored_sheet(session_id)
            if stored.session:
                gone = AttendanceSheet(session_from_document(stored.session.fields))
                for key in registers_before(stored):
                    sheets_of.setdefault(key, []).append(gone)
        await self._stored.load(map(register_path, sorted(sheets_of)))
        writes: list[Write] = []
        for key, sheets in sorted(sheets_of.items()):
            path = register_path(key)
            document = self._stored.known(path)
            parts = await self._stored.children(f"{path}/parts") if has_parts(document) else {}
            writes += register_writes(key, sheets, stored=document, parts=parts, retention=self._retention)
        return writes

    def _remembered_writes(self) -> list[Write]:
        return [
            Write(
                path := answered_path(answered.key),
                {
                    "schema_version": SCHEMA_VERSION,
                    "expire_at": answered.expire_at,
                    "fingerprint": answered.fingerprint,
                    "session_ids": list(answered.session_ids),
                },
                expecting=self._stored.known(path) or ABSENT,
            )
            for answered in self._wanted.answered
        ]
