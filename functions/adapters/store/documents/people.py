"""`people/{user_id}` and `organizers/{user_id}`: accounts that we know, and teachers whose conferences events report.

Domain <-> documents, pure; the only place that spells these fields, and where their schema would be migrated.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict
from datetime import timedelta
from typing import Any

from functions.adapters.store.documents.attendance import remembered_from_document, remembered_to_document
from functions.adapters.store.documents.common import SCHEMA_VERSION, Fields, check_schema, expiry
from functions.domain.classes.sessions import Person, TrackedOrganizer
from functions.domain.conferences.model import Identity, IdentitySource, Subscription, SubscriptionState, SyncError
from functions.domain.marking.addresses import KnownAddress, mailbox, mailboxes


def person_to_document(person: Person, *, retention: timedelta | None) -> Fields:
    """`people/{user_id}`."""
    identity = person.identity
    newest = max((at for at in (person.resolved_at, person.student and person.student.at) if at), default=None)
    return {
        "schema_version": SCHEMA_VERSION,
        "expire_at": expiry(newest, retention),
        "user": person.user,
        "email": identity.email if identity else None,
        "aliases": list(identity.aliases) if identity else [],
        "display_name": identity.display_name if identity else None,
        "source": identity.source.value if identity else None,
        "unknown": person.unknown,
        "resolved_at": person.resolved_at,
        "student": remembered_to_document(person.student),
        "addresses": _addresses_to_document(person),
        "emails": sorted(mailboxes(known.email for known in person.addresses)),
        "outdated": person.outdated,
    }


def person_from_document(fields: Mapping[str, Any]) -> Person:
    """Read what `person_to_document` wrote."""
    check_schema(fields)
    identity = None
    if fields["email"]:
        identity = Identity(
            user=fields["user"],
            email=fields["email"],
            aliases=tuple(fields["aliases"]),
            display_name=fields["display_name"],
            source=IdentitySource(fields["source"]),
        )
    return Person(
        user=fields["user"],
        identity=identity,
        unknown=fields["unknown"],
        resolved_at=fields["resolved_at"],
        student=remembered_from_document(fields["student"]),
        known_by=tuple(KnownAddress(**known) for known in fields.get("addresses", ())),
        outdated=fields.get("outdated", False),
    )


def _addresses_to_document(person: Person) -> list[Fields]:
    """An account's addresses with their times; empty as long as it has exactly the addresses of its first answer."""
    addresses = person.addresses
    plain = len({known.since for known in addresses}) == 1 and all(k.current and not k.counts_from for k in addresses)
    return [] if plain else [asdict(known) for known in addresses]


def organizer_to_document(organizer: TrackedOrganizer) -> Fields:
    """`organizers/{user_id}`."""
    subscription, error = organizer.subscription, organizer.error
    return {
        "schema_version": SCHEMA_VERSION,
        "user": organizer.user,
        "email": organizer.email,
        "mailbox": mailbox(organizer.email),
        "enrolled_at": organizer.enrolled_at,
        "subscription": {
            "name": subscription.name if subscription else None,
            "state": subscription.state.value if subscription else None,
            "expire_time": subscription.expire_time if subscription else None,
            "suspension_reason": subscription.suspension_reason if subscription else None,
            "renewed_at": organizer.renewed_at,
            "error": asdict(error) if error else None,
        },
        "reconciled_until": organizer.reconciled_until,
    }


def organizer_from_document(fields: Mapping[str, Any]) -> TrackedOrganizer:
    """Read what `organizer_to_document` wrote."""
    check_schema(fields)
    subscription = fields["subscription"]
    return TrackedOrganizer(
        user=fields["user"],
        email=fields["email"],
        enrolled_at=fields["enrolled_at"],
        subscription=Subscription(
            name=subscription["name"],
            state=SubscriptionState(subscription["state"]),
            expire_time=subscription["expire_time"],
            suspension_reason=subscription["suspension_reason"],
        )
        if subscription["state"]
        else None,
        renewed_at=subscription["renewed_at"],
        error=SyncError(**subscription["error"]) if subscription["error"] else None,
        reconciled_until=fields["reconciled_until"],
    )
