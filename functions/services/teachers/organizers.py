"""Tracked teachers: events from Google report when their conferences begin and end."""

from __future__ import annotations

import asyncio
import contextlib
from dataclasses import dataclass

from functions.domain.classes.sessions import AuditEntry, Caller, Remark, TrackedOrganizer, Tracking
from functions.domain.conferences.model import Identity, Organizer, SubscriptionState
from functions.domain.errors import (
    AttendanceError,
    InvalidRequest,
    NeedsOperator,
    NotFound,
    OrganizerUnknown,
    OutOfTime,
    Retryable,
)
from functions.ports.store import Work
from functions.services.deps import Deps
from functions.services.sync.identities import learn
from functions.services.sync.mark_elsewhere import mark_elsewhere
from functions.services.teachers.impersonation import require_allowed
from functions.services.teachers.keep_subscriptions import keep
from functions.services.teachers.tracked import require_subscriptions, tracked_organizer

TRACKING_TIME = 15.0
"""Seconds that a class's scheduling waits for its teacher to be tracked."""

NOT_ENROLLED = (
    "The teacher is not enrolled, and the system does not try again. Ask an administrator to enrol the teacher (POST "
    "/api/organizers, or make enroll TEACHER=…). Until then marks come some time after the class's end."
)


@dataclass(frozen=True, slots=True)
class Enrolled:
    """A tracked teacher; `created` is true if tracking started just now."""

    organizer: TrackedOrganizer
    created: bool


async def enrol(email: str, *, caller: Caller, deps: Deps) -> Enrolled:
    """Track a teacher; for a tracked teacher, check the subscription.

    Raises:
        DomainNotAllowed: Nobody has allowed it.
        InvalidRequest: Google does not know the account.
        Retryable: Google did not answer; the teacher is tracked from then on, and the scheduled job tries again.
        NeedsOperator: Google will not answer until a person fixes the cause; likewise.
    """
    tracked = await require_allowed(email, caller=caller, deps=deps)
    created = False
    if tracked is None:
        tracked, created = await _known(email, deps)
    require_subscriptions(deps)
    await keep(tracked.user, deps=deps)
    return Enrolled(await tracked_organizer(tracked.user, deps=deps), created=created)


async def _known(email: str, deps: Deps) -> tuple[TrackedOrganizer, bool]:
    """A teacher, tracked from now on, and whether that is new."""
    if deps.identities is None:
        raise OrganizerUnknown(
            "The Directory and the People API are not in use, so the teacher's account cannot be looked up.",
            hint="Set PEOPLE_API_ENDPOINT and DIRECTORY_API_ENDPOINT, or rely on the scheduled jobs: "
            "marks come after the class's end.",
        )
    identity = await deps.identities.account(email)
    if identity is None:
        raise InvalidRequest.of(
            "email",
            "is not an account that Google knows",
            hint="Use the address of an account in your Google Workspace, such as ada@school.example.",
        )
    return await know(identity, email=email, deps=deps)


async def know(identity: Identity, *, email: str | None = None, deps: Deps) -> tuple[TrackedOrganizer, bool]:
    """Store a teacher with a known account as tracked; a new one has no subscription yet.

    Args:
        identity: The account.
        email: The address with which the teacher is tracked; by default the account's own.
        deps: The outside world.

    Returns:
        The teacher as tracked, and whether that is new.
    """
    now = deps.clock()

    async def decide(work: Work) -> tuple[TrackedOrganizer, bool, Remark | None]:
        before = await work.organizer(identity.user)
        organizer = before or TrackedOrganizer(user=identity.user, email=email or identity.email, enrolled_at=now)
        work.put_organizer(organizer)
        remark = await learn(work, {identity.user: identity}, asked_at=now)
        return organizer, before is None, remark

    (organizer, created, remark), _ = await deps.store.transact(decide)
    await mark_elsewhere(remark, deps=deps)
    return organizer, created


async def track(email: str, *, caller: Caller, deps: Deps) -> tuple[Tracking, str | None]:
    """Track a class's teacher; an error is returned with its hint, never raised."""
    try:
        async with asyncio.timeout(TRACKING_TIME):
            tracked = await deps.store.organizer_with(email)
            if tracked is None or not is_active(tracked, deps):
                tracked = (await enrol(email, caller=caller, deps=deps)).organizer
    except Retryable as error:
        return Tracking.FAILED, await _who_tries_again(error, email, deps)
    except AttendanceError as error:
        return Tracking.FAILED, error.hint or error.message
    except TimeoutError:
        return Tracking.FAILED, await _who_tries_again(OutOfTime("Google did not answer in time."), email, deps)
    return (Tracking.ACTIVE if is_active(tracked, deps) else Tracking.PENDING), None


async def _who_tries_again(error: Retryable, email: str, deps: Deps) -> str:
    """The hint of an error that may pass: scheduled jobs only help enrolled teachers."""
    with contextlib.suppress(Retryable):
        if await deps.store.organizer_with(email):
            return error.hint
    return error.hint.replace(Retryable.default_hint, NOT_ENROLLED)


async def remove(user_id: str, *, caller: Caller, entry_id: str, deps: Deps) -> None:
    """Stop tracking a teacher, and end the subscription; what is stored of their classes stays.

    A teacher whose account or credentials are gone is not tracked any more either: Google then ends the subscription by
    itself, after seven days at most.

    Raises:
        NotFound: No teacher with this id is tracked.
        Retryable: Google did not answer.
    """
    user = f"users/{user_id}"
    organizer = await deps.store.reader().organizer(user)
    if organizer is None:
        raise NotFound("No tracked teacher has this id.")
    if deps.subscriptions and organizer.subscription and organizer.subscription.name:
        with contextlib.suppress(NeedsOperator):
            await deps.subscriptions.remove(
                organizer.subscription.name, organizer=Organizer(organizer.user, organizer.email)
            )

    async def decide(work: Work) -> None:
        await work.organizer(user)
        work.drop_organizer(user)
        work.note(AuditEntry(entry_id, None, caller.email, "organizer.removed", {"user": user}))

    await deps.store.transact(decide)


def is_active(organizer: TrackedOrganizer, deps: Deps) -> bool:
    """Whether events of this teacher arrive now."""
    subscription = organizer.subscription
    return (
        subscription is not None
        and subscription.state is SubscriptionState.ACTIVE
        and (subscription.expire_time is None or subscription.expire_time > deps.clock())
    )
