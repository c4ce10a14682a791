"""Update class meetings from Google's reports, for calls that Meet does not show or has deleted.

Reports only add data: https://support.google.com/a/answer/7061566 warns of rows that come late or never. A call that
Meet shows counts as Meet shows it.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Iterable, Mapping
from datetime import datetime

from functions.domain.classes.sessions import ClassSession, Person
from functions.domain.classes.timetable import MARGIN, Room
from functions.domain.conferences.model import Identity, IdentitySource, Kind, Organizer, Space
from functions.domain.conferences.reported import REACH, ReportedConference, addresses, after_report, conferences_of
from functions.domain.conferences.syncing import LONGEST_CALL
from functions.domain.errors import NoConferenceRecord, ReportsNotSetUp
from functions.domain.intervals import Interval
from functions.domain.marking.addresses import KnownAddress
from functions.hints import REPORTS_NOT_SET_UP
from functions.ports.google import Reports
from functions.ports.store import Reader, SheetChange, Work
from functions.services.deps import Deps
from functions.services.stored import required_session
from functions.services.sync.identities import resolve_identities
from functions.services.sync.marking import mark
from functions.services.sync.placing import place
from functions.services.sync.session import SessionSynced

_LAG = "Reports can be up to a day late: ask again later. They reach back 180 days."


async def sync_session_from_reports(session_id: str, *, deps: Deps) -> SessionSynced:
    """Read reports about a class meeting's time, and mark; on an error nothing is changed.

    Calls of other class meetings in the same room that reach into this one's time are stored too. Addresses that
    reports give for accounts are remembered where Directory and People know none.

    Raises:
        NotFound: No class meeting has this session_id.
        NoConferenceRecord: No call of the class meeting is known, or can be known. Retryable, NeedsOperator, Permanent:
            As `Reports.read`; ReportsNotSetUp without an administrator.
    """
    reports = require_reports(deps)
    async with deps.turns.of(session_id):
        reader = deps.store.reader()
        session = await required_session(reader, session_id)
        time, code = _reach(session), session.space.meeting_code
        now = deps.clock()
        if time is None or now <= time.start:
            raise NoConferenceRecord(
                "The class was cancelled, or it has not begun yet.",
                hint="Reports list only people who have left a call.",
            )
        if time.end <= now - REACH:
            raise NoConferenceRecord(
                "The class was held more than 180 days ago.", hint="Neither reports nor Meet go back that far."
            )
        if code is None:
            raise NoConferenceRecord(
                "The class's meeting code is not known, so reports cannot be searched for it.",
                hint="Ask Meet for it first: the same call without source.",
            )
        # A call anywhere in that time is stored completely.
        since, until = max(time.start - LONGEST_CALL, now - REACH), min(time.end + LONGEST_CALL, now)
        report = await reports.read(meeting_code=code, since=since, until=until)
        told = [one for one in conferences_of(report.endpoints) if one.time.clip(time)]
        acting_as = _acting_as(session, await reader.room(session.space.name))
        await resolve_reported(told, acting_as=acting_as, reader=reader, deps=deps)

        async def decide(work: Work) -> frozenset[str]:
            moment = deps.clock()
            touched: frozenset[str] = frozenset()
            for reported in told:
                touched |= await store_reported(work, reported, session.space, report.began_at, deps)
            await _remember_addresses(work, told, now=moment)
            sheets = await mark(work, touched | {session_id}, rules=deps.rules, now=moment)
            sheet = sheets.get(session_id)
            if sheet is None or not sheet.session.conference_records:
                raise NoConferenceRecord("The reports do not contain a call of this class meeting.", hint=_LAG)
            return frozenset(p.attendee_id for p in sheet.attendance if p.presences and p.kind is not Kind.ROOM)

        joined, changes = await deps.store.transact(decide, known=reader)
    change = changes.get(session_id, SheetChange())
    return SessionSynced(session_id, len(change.created & joined), len(change.updated & joined), meet_calls=0)


async def record_reported(reported: ReportedConference, space: Space, *, pulled_at: datetime, deps: Deps) -> None:
    """Store one call from reports, and mark the class meetings that it belongs to."""
    reader = deps.store.reader()
    acting_as = Organizer(email=reported.organizer_email)
    await resolve_reported([reported], acting_as=acting_as, reader=reader, deps=deps)

    async def decide(work: Work) -> None:
        touched = await store_reported(work, reported, space, pulled_at, deps)
        now = deps.clock()
        await _remember_addresses(work, [reported], now=now)
        await mark(work, touched, rules=deps.rules, now=now)

    await deps.store.transact(decide, known=reader)


def require_reports(deps: Deps) -> Reports:
    """Google's reports; raises ReportsNotSetUp if the settings do not name the administrator."""
    if deps.reports is None:
        raise ReportsNotSetUp("Google's reports are not in use.", hint=REPORTS_NOT_SET_UP)
    return deps.reports


async def resolve_reported(
    told: Iterable[ReportedConference], *, acting_as: Organizer, reader: Reader, deps: Deps
) -> None:
    """Look up the accounts that reports name, for their other addresses; without an answer those of the reports do."""
    reported = list(told)
    left_at = max((one.time.end for one in reported), default=None)
    users = frozenset(addresses(reported))
    await resolve_identities(users, acting_as=acting_as, reader=reader, deps=deps, since=left_at)


async def store_reported(
    work: Work, reported: ReportedConference, space: Space, pulled_at: datetime, deps: Deps
) -> frozenset[str]:
    """Store a call from reports; returns the class meetings to mark."""
    stored = await work.conference(reported.conference_record)
    conference = after_report(stored, reported, space=space, pulled_at=pulled_at)
    return await place(work, conference, now=deps.clock())


async def _remember_addresses(work: Work, told: Iterable[ReportedConference], *, now: datetime) -> None:
    """Store the address from reports for accounts without another known address."""
    known = addresses(told)
    people: Mapping[str, Person] = await work.people(known.keys())
    for user, email in known.items():
        person = people.get(user, Person(user))
        if person.identity is None:
            identity = Identity(user, email, aliases=(), display_name=None, source=IdentitySource.REPORTS)
            address = KnownAddress(email, since=person.resolved_at or now)
            work.put_person(
                dataclasses.replace(person, identity=identity, unknown=False, known_by=(*person.addresses, address))
            )


def _reach(session: ClassSession) -> Interval | None:
    """The time in which calls may belong to a class meeting, even if its borders to others move; None without one."""
    if session.plan.scheduled is None:
        return session.owned
    scheduled = session.plan.takes_place
    return Interval(scheduled.start - MARGIN, scheduled.end + MARGIN) if scheduled else None


def _acting_as(session: ClassSession, room: Room) -> Organizer:
    """The person whose account looks up others: the room's owner, otherwise the class's teacher."""
    if room.owner.known:
        return room.owner
    return Organizer(email=next(iter(session.plan.teachers), None))
