"""Teachers who are tracked: Google tells us by events when a conference of theirs begins and ends."""

from __future__ import annotations

import asyncio
import dataclasses
from dataclasses import dataclass

from functions.domain.errors import (
    AttendanceError,
    DomainNotAllowed,
    InvalidRequest,
    NeedsOperator,
    NotFound,
    OrganizerUnknown,
    OutOfTime,
    Retryable,
)
from functions.domain.model import Organizer, SubscriptionState, SyncError
from functions.domain.sessions import AuditEntry, Caller, CallerRole, Person, TrackedOrganizer, Tracking
from functions.ports import Subscriptions, Work
from functions.services.deps import Deps

TRACKING_TIME = 15.0
"""Seconds that a class's scheduling waits for its teacher to be tracked."""


@dataclass(frozen=True, slots=True)
class Enrolled:
    """A teacher who is tracked now; `created` says whether only since now."""

    organizer: TrackedOrganizer
    created: bool


async def require_allowed(email: str, *, caller: Caller, deps: Deps) -> TrackedOrganizer | None:
    """Make sure that calls may be made as this teacher: the one place where that is decided.

    Returns:
        The teacher as tracked; None for one who is not yet.

    Raises:
        DomainNotAllowed: Nobody has allowed it.
    """
    rules = deps.rules
    tracked = await deps.store.organizer_with(email)
    by_admin = caller.role is CallerRole.ADMIN and email.rpartition("@")[2] in rules.allowed_domains
    if tracked or rules.anyone or email in rules.allowed_teachers or by_admin:
        return tracked
    raise DomainNotAllowed("Nothing may be done as this teacher.")


async def enrol(email: str, *, caller: Caller, deps: Deps) -> Enrolled:
    """Track a teacher; one who is tracked already gets the subscription mended if it is not active.

    Raises:
        DomainNotAllowed: Nobody has allowed it.
        InvalidRequest: Google knows no such account.
        Retryable: Google did not answer.
        NeedsOperator: Google will not answer until a person mends something.
    """
    tracked = await require_allowed(email, caller=caller, deps=deps)
    now = deps.clock()
    if tracked is None:
        if deps.identities is None:
            raise OrganizerUnknown(
                "The Directory and People are not in use, so nobody's account can be found.",
                hint="Set PEOPLE_API_ENDPOINT and DIRECTORY_API_ENDPOINT, or rely on the scheduled jobs: "
                "marks come after the class's end.",
            )
        identity = await deps.identities.account(email)
        if identity is None:
            raise InvalidRequest.of("email", "is no account that Google knows")
        organizer = TrackedOrganizer(user=identity.user, email=email, enrolled_at=now)
    else:
        identity, organizer = None, tracked
    error: Retryable | NeedsOperator | None = None
    subscription = organizer.subscription
    if not is_active(organizer, deps):
        try:
            subscription = await require_subscriptions(deps).ensure(organizer=Organizer(organizer.user, email))
        except (Retryable, NeedsOperator) as failure:
            error = failure

    async def decide(work: Work) -> Enrolled:
        before = await work.organizer(organizer.user)
        after = dataclasses.replace(
            before or organizer,
            subscription=subscription,
            renewed_at=now if subscription is not organizer.subscription else organizer.renewed_at,
            error=SyncError.of(error, at=now) if error else None,
        )
        work.put_organizer(after)
        if identity:
            person = (await work.people([identity.user])).get(identity.user) or Person(identity.user)
            work.put_person(dataclasses.replace(person, identity=identity, unknown=False, resolved_at=now))
        return Enrolled(after, created=before is None)

    enrolled, _ = await deps.store.transact(decide)
    if error:
        raise error
    return enrolled


async def track(email: str, *, caller: Caller, deps: Deps) -> tuple[Tracking, str | None]:
    """Track a class's teacher; whatever goes wrong is told with what to do about it, never raised."""
    try:
        async with asyncio.timeout(TRACKING_TIME):
            tracked = await deps.store.organizer_with(email)
            if tracked is None or not is_active(tracked, deps):
                tracked = (await enrol(email, caller=caller, deps=deps)).organizer
    except AttendanceError as error:
        return Tracking.FAILED, error.hint or error.message
    except TimeoutError:
        return Tracking.FAILED, OutOfTime("Google did not answer in time.").hint
    return (Tracking.ACTIVE if is_active(tracked, deps) else Tracking.PENDING), None


async def remove(user_id: str, *, caller: Caller, entry_id: str, deps: Deps) -> None:
    """Stop tracking a teacher, and end the subscription; what is stored of their classes stays.

    Raises:
        NotFound: Nobody of this id is tracked.
        Retryable: Google did not answer.
    """
    user = f"users/{user_id}"

    async def load(work: Work) -> TrackedOrganizer | None:
        return await work.organizer(user)

    organizer, _ = await deps.store.transact(load)
    if organizer is None:
        raise NotFound("Nobody of this id is tracked.")
    if deps.subscriptions and organizer.subscription and organizer.subscription.name:
        await deps.subscriptions.remove(
            organizer.subscription.name, organizer=Organizer(organizer.user, organizer.email)
        )

    async def decide(work: Work) -> None:
        await work.organizer(user)
        work.drop_organizer(user)
        work.note(AuditEntry(entry_id, None, caller.email, "organizer.removed", {"user": user}, {}))

    await deps.store.transact(decide)


def is_active(organizer: TrackedOrganizer, deps: Deps) -> bool:
    """Whether events of this teacher come now."""
    subscription = organizer.subscription
    return (
        subscription is not None
        and subscription.state is SubscriptionState.ACTIVE
        and (subscription.expire_time is None or subscription.expire_time > deps.clock())
    )


async def tracked_organizer(name: str, *, deps: Deps) -> TrackedOrganizer:
    """The tracked teacher of this name, `users/{id}` or an e-mail address; NotFound if there is none."""
    if name.startswith("users/"):

        async def load(work: Work) -> TrackedOrganizer | None:
            return await work.organizer(name)

        tracked, _ = await deps.store.transact(load)
    else:
        tracked = await deps.store.organizer_with(name.lower())
    if tracked is None:
        raise NotFound("This teacher is not tracked.", hint="Enroll the teacher first: make enroll TEACHER=…")
    return tracked


def require_subscriptions(deps: Deps) -> Subscriptions:
    """The service that subscriptions are made with; OrganizerUnknown if there is none here."""
    if deps.subscriptions is None:
        raise OrganizerUnknown(
            "The Workspace Events API is not in use, so nobody can be tracked.",
            hint="Set WORKSPACE_EVENTS_API_ENDPOINT, or rely on the scheduled jobs: marks come after the class's end.",
        )
    return deps.subscriptions
