"""Builds the application from the settings. The only place where clients are built; nothing happens at import."""

from __future__ import annotations

import asyncio
import dataclasses
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import cache
from typing import TYPE_CHECKING

from google.apps import meet_v2
from google.apps.meet_v2.services.conference_records_service.transports import (
    ConferenceRecordsServiceGrpcAsyncIOTransport,
)
from google.apps.meet_v2.services.spaces_service.transports import SpacesServiceGrpcAsyncIOTransport
from google.auth.exceptions import DefaultCredentialsError
from google.cloud import firestore

from functions import garbage, logs, settings
from functions.adapters.google.calls.pacing import Pacing
from functions.adapters.google.credentials.access_tokens import TokenRequests
from functions.adapters.google.credentials.capabilities import CredentialsPool
from functions.adapters.google.meet.calls import MeetCalls
from functions.adapters.google.meet.conferences import MeetConferences
from functions.adapters.google.meet.spaces import MeetSpaces
from functions.adapters.google.people.directory import Directory
from functions.adapters.google.people.identities import GoogleIdentities
from functions.adapters.google.people.people_api import People
from functions.adapters.own_credentials import no_own_credentials
from functions.adapters.patience import Patience
from functions.adapters.store.attendance_store import DocumentAttendanceStore
from functions.adapters.store.databases.database import Database
from functions.adapters.store.databases.firestore import FirestoreDatabase
from functions.adapters.store.seen.events import DocumentSeenEvents
from functions.domain.classes.sessions import CallerRole
from functions.ports.clock import Clock
from functions.ports.google import IdTokens
from functions.services.deps import Deps, Rules
from functions.services.sync.seen.collect import CollectedEvents
from functions.services.turns import Turns
from functions.settings import AuthMode, Settings
from functions.wiring import teachers
from functions.wiring.channels import Channels
from functions.wiring.inline_jobs import InlineJobs
from functions.wiring.seldom import Seldom
from functions.wiring.teachers import Consenting, consenting

if TYPE_CHECKING:  # an instance for events starts sooner without them
    from functions.adapters.consent.consents import Consents
    from functions.ports.views import Views

__all__ = ["App", "Consenting", "app", "build", "consenting", "database", "utc_now"]

IDENTITY_TIME = 5.0
"""Seconds that a sync waits for names and addresses; the rest are looked up again later."""


@dataclass(frozen=True, slots=True)
class App:
    """Everything that an entrypoint hands to a use case. An instance in the cloud ends without closing it."""

    deps: Deps
    views: Views
    credentials: CredentialsPool
    consents: Consents | None
    callers: Mapping[str, CallerRole]
    id_tokens: IdTokens
    close: Callable[[], Awaitable[None]]
    patience: Callable[[], Patience] = Patience


def utc_now() -> datetime:
    """The time of this machine."""
    return datetime.now(UTC)


def build(
    configured: Settings,
    *,
    clock: Clock = utc_now,
    pause: Callable[[float], Awaitable[None]] = asyncio.sleep,
    patience: Callable[[], Patience] = Patience,
    documents: Database | None = None,
) -> App:
    """The application for these settings. Call it within the event loop that it will run in.

    It makes no calls; Google's libraries look for the process's own credentials unless all is on this machine.

    Args:
        configured: The settings.
        clock: The time.
        pause: Waits for the given number of seconds, when work is spread over time.
        patience: How long one message, or one request, waits for services that fail.
        documents: Where documents are stored; by default the database that the settings name.

    Raises:
        OwnCredentialsMissing: This process has no Google credentials.
    """
    try:
        stored = documents or database(configured)
        return dataclasses.replace(_built(configured, stored, clock=clock, pause=pause), patience=patience)
    except DefaultCredentialsError:
        raise no_own_credentials() from None


def _built(
    configured: Settings, documents: Database, *, clock: Clock, pause: Callable[[float], Awaitable[None]]
) -> App:
    channels = Channels()
    seldom = Seldom(configured, channels, clock=clock)
    inline = None if configured.pubsub_in_use else InlineJobs()
    store = DocumentAttendanceStore(
        documents,
        clock=clock,
        retention=configured.retention,
        erasure_key=configured.key_of_erased_names,
        key_is_required=not configured.is_local,
        listening=seldom.changes(),
    )
    rules = _rules(configured)
    tokens = TokenRequests(configured.oauth_token_endpoint, configured.iam_credentials_api_endpoint)
    consents = teachers.kept_consents(configured, channels)
    credentials = teachers.credentials(configured, consents, tokens, store=store, rules=rules, clock=clock, now=utc_now)
    meet = channels.to(configured.meet_api_endpoint)
    spaces = meet_v2.SpacesServiceAsyncClient(transport=SpacesServiceGrpcAsyncIOTransport(channel=meet))
    records = meet_v2.ConferenceRecordsServiceAsyncClient(
        transport=ConferenceRecordsServiceGrpcAsyncIOTransport(channel=meet)
    )
    calls = MeetCalls(
        Pacing(
            per_organizer=configured.meet_reads_per_minute,
            overall=configured.meet_project_reads_per_minute,
            shared=seldom.shared_quota(documents),
        )
    )
    identities = _identities(configured, credentials) if rules.identities_in_use else None
    deps = Deps(
        store=store,
        conferences=MeetConferences(records, spaces, calls=calls, credentials=credentials, clock=clock),
        spaces=MeetSpaces(spaces, calls=calls, credentials=credentials),
        identities=identities,
        subscriptions=seldom.subscriptions(credentials, pause=pause),
        calendar=seldom.calendar(credentials),
        jobs=inline or seldom.jobs(),
        dead_letters=seldom.dead_letters(),
        clock=clock,
        pause=pause,
        rules=rules,
        turns=Turns(),
        reports=seldom.reports(credentials),
        erasures=seldom.erasures(documents, store),
        seen=None if configured.meet_full_reads else _seen(documents, configured, clock=clock, pause=pause),
    )

    channels.without_interceptors()
    if inline:
        inline.deps = deps

    async def close() -> None:
        for one in (identities, seldom, tokens):
            if one:
                one.close()
        await channels.close()

    return App(
        deps=deps,
        views=seldom.views(documents),
        credentials=credentials,
        consents=consents,
        callers=configured.api_callers,
        id_tokens=seldom.id_tokens(),
        close=close,
    )


def _seen(
    documents: Database, configured: Settings, *, clock: Clock, pause: Callable[[float], Awaitable[None]]
) -> CollectedEvents:
    return CollectedEvents(DocumentSeenEvents(documents, clock=clock, retention=configured.retention), pause=pause)


def _rules(configured: Settings) -> Rules:
    return Rules(
        settle=configured.settle,
        time_zone=configured.school_time_zone,
        policy=configured.default_policy,
        room_names=configured.room_device_names,
        allowed_domains=frozenset(configured.allowed_domains),
        allowed_teachers=frozenset(configured.allowed_teachers),
        live_presence=configured.live_presence,
        identities_in_use=configured.people_in_use and configured.directory_in_use,
        # Without credentials nobody is impersonated.
        anyone=configured.auth_mode is AuthMode.ANONYMOUS
        and not configured.allowed_domains
        and not configured.allowed_teachers,
    )


def _identities(configured: Settings, credentials: CredentialsPool) -> GoogleIdentities:
    return GoogleIdentities(
        People(configured.people_api_endpoint, domains=configured.allowed_domains),
        Directory(configured.directory_api_endpoint),
        credentials=credentials,
        deadline=IDENTITY_TIME,
    )


def database(configured: Settings) -> Database:
    """The database of documents that the settings name."""
    if configured.sqlite_path:
        from functions.adapters.store.databases.sqlite import SqliteDatabase  # noqa: PLC0415 - not in the cloud

        return SqliteDatabase(configured.sqlite_path)
    return FirestoreDatabase(
        firestore.AsyncClient(
            project=configured.google_cloud_project,
            database=configured.firestore_database,
        )
    )


@cache
def app() -> App:
    """The application of this process, built at the first use and kept while the instance is warm.

    Raises:
        WrongSetting: The environment is wrong. It is tried again at the next use.
    """
    logs.configure("INFO")
    with garbage.kept():
        configured = settings.load()
        logs.configure(configured.log_level, project=configured.google_cloud_project)
        built = build(configured)
    garbage.collect_seldom()
    return built
