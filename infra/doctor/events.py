"""Checks of incoming messages: the storage policy of the topic, and dead letters. Also helpers for times."""

from __future__ import annotations

import datetime as dt

from infra.doctor.account import PROJECT, REGION
from infra.doctor.checks import Report, check
from infra.doctor.deployment import PUBSUB, Deployment
from infra.doctor.grants import ACCOUNTS, wanted_on
from infra.doctor.policies import PLACES, holds


@check("events in", "topic without storage policy", needs=[PROJECT, REGION, "topics"])
async def _storage(deployment: Deployment, report: Report) -> None:
    name = deployment.wanted.one("EVENTS_TOPIC")
    topic = await deployment.google.read(f"{PUBSUB}/projects/{deployment.project}/topics/{name}")
    if (topic or {}).get("messageStoragePolicy"):
        report.wrong(
            f"the topic {name} keeps messages in certain places only, and Meet does not publish there",
            deployment.deploy,
            because=PLACES,
        )


@check("events in", "dead letters", needs=[PROJECT, REGION, "topics", ACCOUNTS])
async def _dead_letters(deployment: Deployment, report: Report) -> None:
    name = deployment.wanted.one("DEAD_LETTERS")
    url = f"{PUBSUB}/projects/{deployment.project}/subscriptions/{name}"
    subscription = await deployment.google.read(url)
    if subscription is None:
        report.wrong(f"the subscription {name} is missing: messages that fail permanently are lost", deployment.deploy)
        return
    if (subscription.get("topic") or "").rpartition("/")[2] != name:
        report.wrong(
            f"the subscription {name} does not belong to the topic {name}: delete it and create it again",
            deployment.deploy_without(subscriptions=[name]),
        )
    if subscription.get("expirationPolicy", {}).get("ttl") or subscription.get(
        "messageRetentionDuration"
    ) != deployment.wanted.one("KEPT_FOR"):
        report.wrong("dead letters are not kept for 7 days, or their subscription expires", deployment.deploy)
    policy = await deployment.google.policy(url)
    for role, member in await wanted_on(deployment, f"subscription/{name}"):
        if not holds(policy, role, member):
            report.wrong(f"meet-attendance lacks {role} on {name}", deployment.deploy)


def ago(moment: dt.datetime, now: dt.datetime) -> str:
    """How long ago a moment was, in the unit that a person would use."""
    seconds = max(0, int((now - moment).total_seconds()))
    for unit, size in (("day", 86_400), ("hour", 3600), ("minute", 60)):
        if seconds >= size:
            count = seconds // size
            return f"{count} {unit}{'s' if count > 1 else ''} ago"
    return "just now"


def parsed(moment: str) -> dt.datetime:
    """The time that Google's text means. Google writes fractions of a second with up to nine digits."""
    whole, _, rest = moment.removesuffix("Z").partition(".")
    found = dt.datetime.fromisoformat(whole.partition("+")[0]).replace(tzinfo=dt.UTC)
    digits = rest.partition("+")[0]
    return found.replace(microsecond=int(digits[:6].ljust(6, "0"))) if digits else found
