"""Read conferences from Meet, each as the account that Meet shows it to."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Iterable, Sequence
from dataclasses import replace
from datetime import datetime

from functions.domain.conferences.model import (
    Conference,
    ConferenceRecord,
    Organizer,
    Participant,
    Reading,
    SessionsSource,
    SyncError,
    SyncSource,
    is_reported,
)
from functions.domain.conferences.rereading import NOTHING_KNOWN, after_interruption, is_deferred, known_of
from functions.domain.conferences.syncing import is_missing
from functions.domain.errors import (
    MEET_UNAVAILABLE,
    AttendanceError,
    ConferenceRecordGone,
    NeedsOperator,
    NotShown,
    OrganizerUnknown,
    Permanent,
    RateLimited,
    Retryable,
    Unavailable,
)
from functions.hints import ORGANIZER_UNKNOWN
from functions.ports.store import Reader, Work
from functions.services.deps import Deps
from functions.services.stored import account_with
from functions.services.sync.meet.gathered import Gathered, Request
from functions.services.sync.seen.load import Events, loading_events

log = logging.getLogger(__name__)


async def stored_conference(request: Request, reader: Reader, deps: Deps) -> tuple[Conference | None, Organizer]:
    """A stored conference, and the account with which to read it."""
    organizer = request.organizer
    if organizer.user and not organizer.email:  # whatever is stored: both are needed, so in one round trip
        conference, _ = await asyncio.gather(
            reader.conference(request.conference_record), reader.organizer(organizer.user)
        )
    else:
        conference = await reader.conference(request.conference_record)
    if not organizer.known and conference:
        organizer = conference.organizer
    if not organizer.known and request.subscription:
        # It reports the rooms of one teacher, and Google shows a conference to the owner of its room.
        subscribed = await deps.store.organizer_subscribed_by(request.subscription)
        organizer = Organizer(subscribed.user, subscribed.email) if subscribed else organizer
    if not organizer.known:
        organizer = await _teacher(request.conference_record, conference, reader, deps)
    if organizer.user and not organizer.email:
        organizer = Organizer(organizer.user, await _address_of(organizer.user, reader))
    return conference, organizer


async def _address_of(user: str, reader: Reader) -> str | None:
    """The address of an account: the one with which the teacher was enrolled, otherwise the known one."""
    tracked = await reader.organizer(user)
    if tracked:
        return tracked.email
    person = (await reader.people([user])).get(user)
    reader.forget(people=[user])  # people are read last, because nothing guards them: see `identify`
    return person.identity.email if person and person.identity else None


async def _teacher(conference_record: str, conference: Conference | None, reader: Reader, deps: Deps) -> Organizer:
    """The teacher of the class of a conference, if known."""
    session_ids = conference.session_ids if conference else await deps.store.sessions_with(conference_record)
    for session_id in session_ids:
        session = await reader.session(session_id)
        if session and session.plan.teachers:
            return await account_with(session.plan.teachers[0], deps.store)
    return Organizer()


async def read_all(
    records: Iterable[str], organizer: Organizer, gathered: Gathered, reader: Reader, deps: Deps
) -> None:
    """Read conferences at once, each as the account that is stored with it, else as `organizer`.

    What may pass by itself becomes `gathered.later`, so that the others are stored all the same; if `strict`, the
    first error is raised.
    """

    async def read(record: str) -> None:
        began_at = deps.clock()
        try:
            asked = Request(record, Organizer(), None, SyncSource.RECONCILE)
            async with loading_events(record, deps) as events:
                stored, known = await stored_conference(asked, reader, deps)
                asked = replace(asked, organizer=known if stored and known.known else organizer)
                outcome = await read_conference(asked, stored, gathered, reader, events=events, deps=deps)
            gathered.outcomes[record] = outcome
        except Retryable as error:
            if gathered.strict:
                raise
            gathered.later = gathered.later or error
        except Permanent as error:
            if gathered.strict:
                raise
            # Meet listed it a moment ago, so its absence now proves nothing.
            gathered.outcomes[record] = SyncError.of(error, at=began_at)

    await asyncio.gather(*(read(record) for record in sorted(records)))


async def read_conference(
    request: Request,
    stored: Conference | None,
    gathered: Gathered,
    reader: Reader,
    *,
    events: Events,
    deps: Deps,
    on_record: Callable[[ConferenceRecord], None] = lambda _: None,
    on_page: Callable[[Sequence[Participant]], None] = lambda _: None,
) -> Reading | SyncError:
    """What Meet says, or why a person must act before Meet answers.

    Args:
        request: Which conference, and the account to read it as.
        stored: The conference as it is stored.
        gathered: The request: whether to read at once, whether to read everything, and whether any error is raised.
        reader: What is stored.
        events: What events said about it.
        deps: The outside world.
        on_record: Called with the conference record as soon as Meet returns it.
        on_page: Called with each page of participants as soon as Meet returns it.

    Raises:
        Retryable: Meet could not answer now. What it did answer is stored, so that the next read needs fewer calls.
        Permanent: Meet can never answer.
    """
    began, record = deps.clock(), request.conference_record
    if is_reported(record):
        raise ConferenceRecordGone("This conference is known from Google's reports alone: Meet has no record of it.")
    if not (gathered.strict or gathered.at_once) and is_deferred(stored, now=began):
        raise Unavailable(
            "Meet did not answer for this conference; the system asks again later.", reason=MEET_UNAVAILABLE
        )
    read: list[Participant] = []
    try:
        if not request.organizer.known:
            raise OrganizerUnknown("We do not know who organized this conference.", hint=ORGANIZER_UNKNOWN)
        if gathered.full or request.full:
            whole = await deps.conferences.read(
                record, organizer=request.organizer, keep=read.append, on_record=on_record, on_page=on_page
            )
            # It answers all events so far: none of them is a reason to read again.
            return replace(whole, seen=(await events()).names)
        known = known_of(stored)
        if deps.seen is None and known.sessions_source is SessionsSource.EVENTS:
            known = NOTHING_KNOWN
        return await deps.conferences.read(
            record,
            organizer=request.organizer,
            known=known,
            keep=read.append,
            events=events,
            on_record=on_record,
            on_page=on_page,
        )
    except Retryable as error:
        waits = isinstance(error, RateLimited)
        if not gathered.strict and (read or not waits):
            await _keep(read, began, request, reader, deps, failed=not waits)
        raise
    except NeedsOperator as error:
        if isinstance(error, NotShown) and is_missing(stored, ended_event_at=request.ended_event_at, now=began):
            raise ConferenceRecordGone("Meet does not have the conference record yet, or no longer has it.") from error
        if gathered.strict:
            raise
        return SyncError.of(error, at=began)


async def _keep(
    read: Iterable[Participant], began: datetime, request: Request, reader: Reader, deps: Deps, *, failed: bool
) -> None:
    """Store what was read of a conference that could not be read completely, and when it is read again.

    If Meet did not fail, because only the quota was used up, it may be read again at once.
    """

    async def decide(work: Work) -> None:
        interrupted = after_interruption(
            await work.conference(request.conference_record),
            read,
            began_at=began,
            conference_record=request.conference_record,
            organizer=request.organizer,
            ended_event_at=request.ended_event_at,
            source=request.source,
            failed=failed,
        )
        if interrupted:
            work.put_conference(interrupted)

    try:
        await deps.store.transact(decide)
    except AttendanceError as error:
        # Everything can be read again; Meet's error says more about the cause.
        log.warning("interruption.not_kept", extra={"reason": error.reason})
    reader.forget(conferences=[request.conference_record])
