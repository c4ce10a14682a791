"""What is to be done about a teacher's subscription: a decision, no call.

A subscription lives seven days at most and is then deleted for good. Google reminds of its end 12 hours and one hour
before; a suspended one tells nothing and may not even tell of its suspension. So reminders are only hints to look,
and every subscription is looked at on schedule too.
https://developers.google.com/workspace/events/guides/events-lifecycle
"""

from __future__ import annotations

from datetime import datetime, timedelta
from enum import StrEnum

from functions.domain.conferences.model import Subscription, SubscriptionState

LIFE = timedelta(days=7)
"""The longest life of a subscription without resource data: https://developers.google.com/workspace/events#lifetime."""

RENEW_BEFORE = LIFE / 2
"""How long before its end a subscription is renewed: a fault of some days, found on a Monday, costs no event."""

_SCOPE = "https://www.googleapis.com/auth/meetings.space.readonly"

_HINTS = {
    "USER_SCOPE_REVOKED": (
        f"The teacher took back the scope {_SCOPE}: have them give their consent again; with domain-wide delegation, "
        "grant it in the Admin console under Security > Access and data control > API controls > Manage domain-wide "
        "delegation."
    ),
    "APP_SCOPE_REVOKED": (
        f"An administrator took the scope {_SCOPE} from this application: grant it in the Admin console under "
        "Security > Access and data control > API controls > Manage domain-wide delegation, and check under Manage app "
        "access that it is not blocked."
    ),
    "RESOURCE_DELETED": (
        "The teacher's account is deleted. Restore it in the Admin console under Directory > Users > Recently deleted, "
        "or stop tracking the teacher."
    ),
    "USER_AUTHORIZATION_FAILURE": (
        "Google no longer lets this application act as the teacher. Check in the Admin console under Directory > Users "
        "that the account is not suspended, and under Apps > Google Workspace > Google Meet that Meet is on for it; "
        "without domain-wide delegation, have the teacher give their consent again."
    ),
    "APP_AUTHORIZATION_FAILURE": (
        "Google no longer accepts this application. Check in the Admin console under Security > Access and data "
        "control > API controls that its client id is listed under Manage domain-wide delegation, and not blocked "
        "under Manage app access."
    ),
    "ENDPOINT_PERMISSION_DENIED": (
        "Let Meet publish to the topic: gcloud pubsub topics add-iam-policy-binding EVENTS_TOPIC "
        "--member=serviceAccount:meet-api-event-push@system.gserviceaccount.com --role=roles/pubsub.publisher."
    ),
    "ENDPOINT_NOT_FOUND": (
        "Create the topic again in this system's project: gcloud pubsub topics create EVENTS_TOPIC. Then deploy again: "
        "the new topic lacks Meet's right to publish, and the function's trigger."
    ),
    "ENDPOINT_RESOURCE_EXHAUSTED": (
        "The topic is over its quota. Look in the Google Cloud console under IAM & Admin > Quotas & System Limits for "
        "Pub/Sub's publisher throughput, and ask there for more."
    ),
    "OTHER": (
        "Google does not say what is wrong. Check that the topic is there and that Meet may publish to it: "
        "gcloud pubsub topics get-iam-policy EVENTS_TOPIC. If it is, remove the teacher and enrol them again."
    ),
}


class Action(StrEnum):
    """What is to be done."""

    KEEP = "keep"
    RENEW = "renew"
    REACTIVATE = "reactivate"
    MAKE = "make"
    REPLACE = "replace"


def next_action(subscription: Subscription | None, *, now: datetime) -> Action:
    """What is to be done about a subscription as it is now; None is one that does not exist.

    One that was reactivated keeps its end, so it may have to be renewed next: ask again after each step.
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
    """Whether events may have been missed before this was done: Google repeats none."""
    return action in {Action.MAKE, Action.REPLACE, Action.REACTIVATE}


def suspension_hint(reason: str | None) -> str:
    """What an operator does about a suspension; the next look at the subscription then reactivates it.

    Args:
        reason: Google's own word, None if it gave none. Words that we do not know pass: Google adds some.
            https://developers.google.com/workspace/events/guides/reactivate-subscription
    """
    return _HINTS.get(reason or "", _HINTS["OTHER"])
