"""A comparison of two runs' documents, field by field, without fields that describe the processing."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping
from typing import Any

from google.cloud import firestore

from functions.adapters.store.sheet_copy import unpacked

COLLECTIONS = ("conferences", "sessions", "registers", "organizers", "people", "spaces", "parked_events")
GROUPS = ("attendance", "sheet", "corrections", "snapshot", "parts")

OF_PROCESSING = frozenset(
    (
        "updated_at",
        "created_at",
        "enrolled_at",
        "resolved_at",
        "renewed_at",
        "reconciled_until",
        "pulled_at",
        "first_pulled_at",
        "ended_event_at",
        "attempts",
        "meet_calls",
        "source",
        "listed_at",
        "tried_at",
        "at",
        "named_at",
        "looked_at",
        "reconcile_at",
        "tracked_at",
        "failures",
        "tracking_hint",
        "sessions_source",  # whether events came in time
        "seen_digest",
        "email_source",  # which of two services answered
    )
)
"""Fields that say when and how often something was done, but not its result."""

OF_ANSWERS = frozenset(("since", "until", "lost_at", "counts_from"))
"""Fields of an account's addresses: the times of the look-ups by which each address was known."""

OF_WAITING = frozenset(("due_at",))
"""Times of the next try: they may differ, but either both runs have one or none has."""

OF_SCHEDULING = frozenset(("tracking",))
"""Whether the teacher could be tracked at the time of scheduling.

The answers may differ, but none may be missing in only one run. The later result is compared in `organizers`.
"""

OF_SUBSCRIPTIONS = frozenset(("subscription.name", "subscription.expire_time"))
"""Fields with Google's data: each new subscription has another name and end."""

Documents = Mapping[str, Mapping[str, Any]]


async def documents(client: firestore.AsyncClient) -> dict[str, dict[str, Any]]:
    """Return every document with the results of a day, by path."""
    found: dict[str, dict[str, Any]] = {}
    for name in COLLECTIONS:
        async for document in client.collection(name).stream():
            found[f"{name}/{document.id}"] = document.to_dict() or {}
    for name in GROUPS:
        async for document in client.collection_group(name).stream():
            fields = document.to_dict() or {}
            found[document.reference.path] = {**fields, "packed": unpacked(fields)} if name == "sheet" else fields
    return found


def differences(calm: Documents, shaken: Documents, *, lost: Collection[str] = ()) -> list[str]:
    """Return the differences between a run and an undisturbed run, as sentences with only ids and values.

    Args:
        calm: The documents of the undisturbed run.
        shaken: The documents of the other run.
        lost: Addresses that accounts lose in the middle of the day. A class between two answers may still list such an
            address: this depends on when Google was asked. Presence and marks do not depend on it.
    """
    found = []
    for path in sorted(calm.keys() | shaken.keys()):
        if path not in shaken:
            found.append(f"{path} is missing")
        elif path not in calm:
            found.append(f"{path} should not be there: {shaken[path].get('reason', '')}")
        else:
            found += [f"{path} {told}" for told in _differences(calm[path], shaken[path], lost=frozenset(lost))]
    return found


def _differences(calm: object, shaken: object, where: str = "", *, lost: frozenset[str]) -> Iterator[str]:
    if isinstance(calm, dict) and isinstance(shaken, dict):
        for name in sorted(calm.keys() | shaken.keys()):
            if name in OF_WAITING | OF_SCHEDULING and (calm.get(name) is None) == (shaken.get(name) is None):
                continue
            if name in OF_ANSWERS and where.startswith("addresses["):
                continue
            if where.endswith(".otherwise") and not _but_emails(calm.get(name)) and not _but_emails(shaken.get(name)):
                continue
            if name == "emails" and _same_but_for(lost, calm.get(name), shaken.get(name), where):
                continue
            if name not in OF_PROCESSING and f"{where}.{name}" not in OF_SUBSCRIPTIONS:
                yield from _differences(
                    calm.get(name), shaken.get(name), f"{where}.{name}" if where else name, lost=lost
                )
    elif isinstance(calm, list) and isinstance(shaken, list) and len(calm) == len(shaken):
        for number, (one, other) in enumerate(zip(calm, shaken, strict=True)):
            yield from _differences(one, other, f"{where}[{number}]", lost=lost)
    elif calm != shaken:
        yield f"{where}: {calm!r} in the undisturbed run, {shaken!r} here"


def _same_but_for(lost: frozenset[str], one: object, other: object, where: str) -> bool:
    """Return whether lists of addresses are equal except for some addresses.

    A register's data about one meeting differs if its row differs.
    """
    if ".otherwise." in where:
        return True
    return isinstance(one, list) and isinstance(other, list) and set(one) - lost == set(other) - lost


def _but_emails(noted: object) -> set[str]:
    """Return what a register stores about one meeting where it differs from the row, without addresses."""
    return set(noted) - {"emails"} if isinstance(noted, dict) else set()
