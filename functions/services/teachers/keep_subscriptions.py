"""Keep every teacher's subscription alive: renew it before its end, reactivate it, or make it again.

Google's reminders and reports are hints to look: what is done depends on the subscription as Google shows it now, so
a hint may come twice, late or never. https://developers.google.com/workspace/events/guides/events-lifecycle
"""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from functions.domain.classes.sessions import TrackedOrganizer
from functions.domain.conferences.model import Organizer, Subscription, SubscriptionState, SyncError
from functions.domain.conferences.subscriptions import Action, has_missed_events, next_action
from functions.domain.errors import AccessDenied, NeedsOperator, NotFound, Retryable
from functions.hints import suspension_hint
from functions.ports.google import Subscriptions
from functions.ports.messages import Job
from functions.ports.store import Work
from functions.services.deps import Deps
from functions.services.operations.fan_out import Item, Pace, fan_out
from functions.services.teachers.tracked import require_subscriptions, tracked_organizer

JOB = "renew-subscriptions"

PACE = Pace(slowest=5, fastest=5)
"""A look may take two writes, of which Google takes 600 a minute:
https://developers.google.com/workspace/events/guides/limits."""


@dataclass(frozen=True, slots=True)
class Kept:
    """What was done about a teacher's subscription, and its state now."""

    user: str
    actions: tuple[Action, ...]
    subscription: Subscription | None


@dataclass(slots=True)
class _Progress:
    """The progress with a subscription, which is kept even if the next step fails."""

    subscription: Subscription | None
    actions: list[Action] = dataclasses.field(default_factory=list)


async def keep_all(*, after: str = "", deps: Deps) -> int:
    """Hand out one `renew-subscriptions` for every teacher who is tracked, five a second.

    Every one is looked at, because a suspended subscription may not report its suspension.

    Args:
        after: The place where an earlier call stopped.
        deps: The outside world.

    Returns:
        How many.
    """

    async def teachers(after: str, limit: int) -> Sequence[Item]:
        users = await deps.store.organizers_after(after, limit=limit)
        return [Item(user, Job(JOB, {"organizer": user})) for user in users]

    return await fan_out(teachers, job=JOB, after=after, pace=PACE, deps=deps)


async def keep_named(subscription: str, *, deps: Deps) -> Kept | None:
    """Keep the subscription of this name alive; None if it does not belong to a tracked teacher. Raises as `keep`."""
    organizer = await deps.store.organizer_subscribed_by(subscription)
    return await keep(organizer.user, deps=deps) if organizer else None


async def keep(organizer: str, *, deps: Deps) -> Kept:
    """Keep a teacher's subscription alive, and look for conferences if events may have been missed.

    May be repeated; a subscription that is well costs one call that reads it.

    Args:
        organizer: `users/{id}` or an e-mail address.
        deps: The outside world.

    Raises:
        NotFound: No teacher of this name is tracked.
        Retryable: Google or the store did not answer; it is stored with the organizer.
        NeedsOperator: A person must fix something; it is stored with the organizer, with what to do.
    """
    user = organizer if organizer.startswith("users/") else (await tracked_organizer(organizer, deps=deps)).user
    async with deps.turns.of(f"subscriptions/{user}"):
        return await _keep(await tracked_organizer(user, deps=deps), deps)


async def _keep(tracked: TrackedOrganizer, deps: Deps) -> Kept:
    now = deps.clock()
    progress = _Progress(tracked.subscription)
    failure: Retryable | NeedsOperator | None = None
    try:
        await _bring_to_life(tracked, progress, now=now, deps=deps)
    except (Retryable, NeedsOperator) as error:
        failure = _explained(error, progress.subscription)

    async def decide(work: Work) -> bool:
        current = await work.organizer(tracked.user)
        if current:
            error = SyncError.of(failure, at=now) if failure else None
            if error and current.error and (current.error.reason, current.error.hint) == (error.reason, error.hint):
                error = current.error  # since when it fails, and no write each time that it still does
            renewed_at = now if progress.actions else current.renewed_at
            subscription = progress.subscription
            work.put_organizer(
                dataclasses.replace(current, subscription=subscription, renewed_at=renewed_at, error=error)
            )
        return current is not None

    is_tracked, _ = await deps.store.transact(decide)
    if not is_tracked:
        await _take_back(tracked, progress, deps)
        raise NotFound("This teacher is no longer tracked.")
    # One who is tracked only now has missed nothing that `reconcile` would not find by itself.
    if tracked.subscription and any(map(has_missed_events, progress.actions)):
        await deps.jobs.publish([Job("reconcile", {"organizer": tracked.user})])
    if failure:
        raise failure
    return Kept(tracked.user, tuple(progress.actions), progress.subscription)


async def _bring_to_life(tracked: TrackedOrganizer, progress: _Progress, *, now: datetime, deps: Deps) -> None:
    """Take one step after the other until the subscription is well, or Google still makes it."""
    subscriptions, organizer = require_subscriptions(deps), Organizer(tracked.user, tracked.email)
    known = tracked.subscription
    if known and known.name:
        progress.subscription = await subscriptions.get(known.name, organizer=organizer)
    while (action := next_action(progress.subscription, now=now)) is not Action.KEEP and action not in progress.actions:
        progress.subscription = await _step(subscriptions, action, progress.subscription, organizer)
        progress.actions.append(action)


async def _take_back(tracked: TrackedOrganizer, progress: _Progress, deps: Deps) -> None:
    """End a subscription that was made for a teacher who is no longer tracked."""
    name = progress.subscription.name if progress.subscription else None
    if name and progress.actions:
        organizer = Organizer(tracked.user, tracked.email)
        await require_subscriptions(deps).remove(name, organizer=organizer)


async def _step(
    subscriptions: Subscriptions, action: Action, subscription: Subscription | None, organizer: Organizer
) -> Subscription | None:
    name = subscription.name if subscription else None
    if name is None or action is Action.MAKE:
        return await subscriptions.ensure(organizer=organizer)
    if action is Action.REPLACE:
        return await subscriptions.replace(name, organizer=organizer)
    if action is Action.RENEW:
        return await subscriptions.renew(name, organizer=organizer)
    return await subscriptions.reactivate(name, organizer=organizer)


def _explained(error: Retryable | NeedsOperator, subscription: Subscription | None) -> Retryable | NeedsOperator:
    """A refusal to reactivate, with what to do about the reason that Google gave for the suspension."""
    suspended = subscription is not None and subscription.state is SubscriptionState.SUSPENDED
    if subscription and suspended and isinstance(error, AccessDenied):
        return type(error)(error.message, hint=suspension_hint(subscription.suspension_reason), reason=error.reason)
    return error
