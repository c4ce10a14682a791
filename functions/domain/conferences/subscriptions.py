"""What to do about a teacher's subscription. This only decides, and makes no calls.

A subscription lives seven days at most and is then deleted permanently. Google reminds of its end 12 hours and one hour
before; a suspended one brings no events, and may not even report its suspension. So reminders are only hints to look,
and every subscription is also checked on schedule.
https://developers.google.com/workspace/events/guides/events-lifecycle
"""

from __future__ import annotations

from datetime import datetime, timedelta
from enum import StrEnum

from functions.domain.conferences.model import Subscription, SubscriptionState

LIFE = timedelta(days=7)
"""The longest life of a subscription without resource data: https://developers.google.com/workspace/events#lifetime."""

RENEW_BEFORE = LIFE / 2
"""How long before its end a subscription is renewed: so that no event is lost if a fault lasts some days and is found
on a Monday."""


class Action(StrEnum):
    """What to do."""

    KEEP = "keep"
    RENEW = "renew"
    REACTIVATE = "reactivate"
    MAKE = "make"
    REPLACE = "replace"


def next_action(subscription: Subscription | None, *, now: datetime) -> Action:
    """What to do about a subscription in its current state; None means that it is missing.

    A reactivated subscription keeps its end, so it may have to be renewed next: ask again after each step.
    """
    if subscription is None or subscription.name is None:
        return Action.MAKE
    if subscription.expire_time and subscription.expire_time <= now:
        return Action.MAKE
    if subscription.state is SubscriptionState.ELSEWHERE:
        return Action.REPLACE
    if subscription.state is SubscriptionState.SUSPENDED:
        return Action.REACTIVATE
    if subscription.expire_time and subscription.expire_time - now <= RENEW_BEFORE:
        return Action.RENEW
    return Action.KEEP


def has_missed_events(action: Action) -> bool:
    """Whether events may have been missed before this step; Google does not repeat them."""
    return action in {Action.MAKE, Action.REPLACE, Action.REACTIVATE}
