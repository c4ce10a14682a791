"""Settings -> the application. The only place where clients are built; nothing happens at import."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import cache

import grpc.aio
from google.api_core.client_options import ClientOptions
from google.apps import meet_v2
from google.apps.meet_v2.services.conference_records_service.transports import (
    ConferenceRecordsServiceGrpcAsyncIOTransport,
)
from google.apps.meet_v2.services.spaces_service.transports import SpacesServiceGrpcAsyncIOTransport
from google.auth.exceptions import DefaultCredentialsError
from google.cloud import firestore
from google.pubsub_v1 import PublisherAsyncClient, SubscriberAsyncClient
from google.pubsub_v1.services.publisher.transports import PublisherGrpcAsyncIOTransport
from google.pubsub_v1.services.subscriber.transports import SubscriberGrpcAsyncIOTransport

from functions import logs, settings
from functions.adapters.access_tokens import TokenPool, TokenRequests
from functions.adapters.attendance_store import DocumentAttendanceStore
from functions.adapters.calendar import GoogleCalendar
from functions.adapters.consents import Consents
from functions.adapters.credentials import AnonymousCredentials, Capability, Credentials, CredentialsPool
from functions.adapters.database import Database
from functions.adapters.dead_letters import PubsubDeadLetters
from functions.adapters.delegation import Delegation
from functions.adapters.directory import Directory
from functions.adapters.firestore import FirestoreDatabase
from functions.adapters.identities import GoogleIdentities
from functions.adapters.jobs import PubsubJobs
from functions.adapters.meet import MeetConferences
from functions.adapters.meet_calls import MeetCalls
from functions.adapters.own_consent import OwnConsent
from functions.adapters.pacing import Pacing
from functions.adapters.people import People
from functions.adapters.reports import QUERIES_PER_MINUTE, GoogleReports
from functions.adapters.spaces import MeetSpaces
from functions.adapters.sqlite import SqliteDatabase
from functions.adapters.views import DocumentViews
from functions.domain.errors import (
    AttendanceError,
    CredentialsRefused,
    OwnCredentialsMissing,
    ReportsAccessDenied,
    WrongSetting,
)
from functions.domain.model import Identity, Organizer
from functions.domain.sessions import CallerRole
from functions.ports import AttendanceStore, Clock, Job, Subscriptions, Views
from functions.services.deps import Deps, Rules
from functions.services.impersonation import note_refusal, permitted
from functions.services.run_job import run_job
from functions.services.turns import Turns
from functions.settings import AuthMode, Settings, is_loopback

IDENTITY_TIME = 5.0
"""Seconds that a sync waits for names and addresses; the rest are looked up again later."""

SUBSCRIPTION_WRITES_PER_ORGANIZER = 90
"""A minute, below Google's 100 for a user: https://developers.google.com/workspace/events/guides/limits."""

SUBSCRIPTION_WRITES = 300
"""A minute on one instance, half of Google's 600 for a project: two may be at it at once."""

log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class App:
    """Everything that an entrypoint hands to a use case. An instance in the cloud ends without closing it."""

    deps: Deps
    views: Views
    credentials: CredentialsPool
    consents: Consents | None
    callers: Mapping[str, CallerRole]
    close: Callable[[], Awaitable[None]]


def utc_now() -> datetime:
    """The time of this machine."""
    return datetime.now(UTC)


def build(
    configured: Settings, *, clock: Clock = utc_now, pause: Callable[[float], Awaitable[None]] = asyncio.sleep
) -> App:
    """The application for these settings. Call it within the event loop that it will run in.

    It makes no calls; Google's libraries look for the process's own credentials unless all is on this machine.

    Args:
        configured: What the environment says.
        clock: The time.
        pause: Waits for so many seconds, where work is spread over time.

    Raises:
        OwnCredentialsMissing: This process has none.
    """
    try:
        return _built(configured, clock=clock, pause=pause)
    except DefaultCredentialsError:
        raise OwnCredentialsMissing("This process has no Google credentials.") from None


def _built(configured: Settings, *, clock: Clock, pause: Callable[[float], Awaitable[None]]) -> App:
    channels = _Channels()
    pacing = Pacing(per_organizer=configured.meet_reads_per_minute, overall=configured.meet_project_reads_per_minute)
    meet = channels.to(configured.meet_api_endpoint)
    documents, jobs = database(configured), _jobs(configured, channels)
    store = DocumentAttendanceStore(documents, clock=clock, retention=configured.retention)
    identities_in_use = configured.people_in_use and configured.directory_in_use
    rules = Rules(
        settle=configured.settle,
        time_zone=configured.school_time_zone,
        policy=configured.default_policy,
        room_names=configured.room_device_names,
        allowed_domains=frozenset(configured.allowed_domains),
        allowed_teachers=frozenset(configured.allowed_teachers),
        identities_in_use=identities_in_use,
        # Without credentials nobody is impersonated.
        anyone=configured.auth_mode is AuthMode.ANONYMOUS
        and not configured.allowed_domains
        and not configured.allowed_teachers,
    )
    calls, tokens = (
        MeetCalls(pacing),
        TokenRequests(configured.oauth_token_endpoint, configured.iam_credentials_api_endpoint),
    )
    kept = _consents(configured, channels)
    credentials = _credentials(configured, kept, tokens, store=store, rules=rules, clock=clock)
    spaces = meet_v2.SpacesServiceAsyncClient(transport=SpacesServiceGrpcAsyncIOTransport(channel=meet))
    records = meet_v2.ConferenceRecordsServiceAsyncClient(
        transport=ConferenceRecordsServiceGrpcAsyncIOTransport(channel=meet)
    )
    identities = None
    if identities_in_use:
        identities = GoogleIdentities(
            People(configured.people_api_endpoint),
            Directory(configured.directory_api_endpoint),
            credentials=credentials,
            deadline=IDENTITY_TIME,
        )
    calendar = None
    if configured.calendar_in_use:
        calendar = GoogleCalendar(configured.calendar_api_endpoint, credentials=credentials)
    reports = None
    if configured.reports_in_use and configured.reports_admin:
        reports = GoogleReports(
            configured.reports_api_endpoint,
            admin=configured.reports_admin,
            credentials=credentials,
            pacing=Pacing(per_organizer=QUERIES_PER_MINUTE, overall=QUERIES_PER_MINUTE),
            clock=clock,
        )
    deps = Deps(
        store=store,
        conferences=MeetConferences(records, spaces, calls=calls, credentials=credentials, clock=clock),
        spaces=MeetSpaces(spaces, calls=calls, credentials=credentials),
        identities=identities,
        subscriptions=_subscriptions(
            configured,
            channels,
            credentials,
            Pacing(
                per_organizer=SUBSCRIPTION_WRITES_PER_ORGANIZER,
                overall=SUBSCRIPTION_WRITES,
                clock=lambda: clock().timestamp(),
                sleep=pause,
            ),
        ),
        calendar=calendar,
        jobs=jobs,
        dead_letters=_dead_letters(configured, channels),
        clock=clock,
        pause=pause,
        rules=rules,
        turns=Turns(),
        reports=reports,
    )

    if isinstance(jobs, InlineJobs):
        jobs.deps = deps

    async def close() -> None:
        if identities:
            identities.close()
        if calendar:
            calendar.close()
        if reports:
            reports.close()
        tokens.close()
        await channels.close()

    return App(
        deps=deps,
        views=DocumentViews(documents),
        credentials=credentials,
        consents=kept,
        callers=configured.api_callers,
        close=close,
    )


def database(configured: Settings) -> Database:
    """The database of documents that the settings name."""
    if configured.sqlite_path:
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
    configured = settings.load()
    logs.configure(configured.log_level, project=configured.google_cloud_project)
    return build(configured)


class InlineJobs:
    """`functions.ports.Jobs` without Pub/Sub, for a system on one machine: each job is done at once, in order.

    One that fails is logged, and found again by the next `sync-due` or `reconcile`.
    """

    def __init__(self) -> None:
        self.deps: Deps | None = None

    async def publish(self, jobs: Sequence[Job]) -> None:
        """See the port."""
        for job in jobs:
            if self.deps is None:
                raise RuntimeError("The application is not built yet.")
            try:
                await run_job(job, deps=self.deps)
            except AttendanceError as error:
                log.warning("job.failed", extra={"job": job.name, "reason": error.reason, "hint": error.hint})


class _Channels:
    """One gRPC channel to each endpoint."""

    def __init__(self) -> None:
        self._channels: dict[str, grpc.aio.Channel] = {}

    def to(self, endpoint: str) -> grpc.aio.Channel:
        """The channel to an endpoint. Whose calls they are goes with each call, never with the channel."""
        if endpoint not in self._channels:
            # As the clients' own channels: pages of any size.
            options = [("grpc.max_receive_message_length", -1)]
            if endpoint.startswith("http://") or is_loopback(endpoint):
                # Never through a proxy, being on this machine.
                options.append(("grpc.enable_http_proxy", 0))
                made = grpc.aio.insecure_channel(endpoint.removeprefix("http://"), options=options)
            else:
                made = grpc.aio.secure_channel(endpoint, grpc.ssl_channel_credentials(), options=options)
            self._channels[endpoint] = made
        return self._channels[endpoint]

    async def close(self) -> None:
        for channel in self._channels.values():
            await channel.close()


def _credentials(
    configured: Settings,
    kept: Consents | None,
    tokens: TokenRequests,
    *,
    store: AttendanceStore,
    rules: Rules,
    clock: Clock,
) -> CredentialsPool:
    if configured.auth_mode is AuthMode.ANONYMOUS:
        return CredentialsPool(AnonymousCredentials)

    async def permit(organizer: Organizer, capability: Capability) -> Organizer:
        if capability is not Capability.REPORTS:
            reads_meetings = capability is Capability.MEETINGS
            return await permitted(organizer, reads_meetings=reads_meetings, store=store, rules=rules)
        if configured.reports_admin not in {organizer.email, organizer.user} - {None}:
            raise ReportsAccessDenied("Reports are read as the administrator in REPORTS_ADMIN alone.")
        return organizer

    async def refused(teacher: Organizer, capability: Capability, error: CredentialsRefused) -> None:
        if capability is Capability.MEETINGS:
            await note_refusal(teacher, error, store=store, clock=clock)

    if kept:
        fetch = OwnConsent(kept, requests=tokens).token
    else:
        fetch = Delegation(
            configured.service_account_email or "",  # the settings see to it
            client_id=configured.service_account_client_id,
            requests=tokens,
        ).token
    return CredentialsPool(TokenPool(fetch, permitted=permit, refused=refused, now=utc_now))


def _consents(configured: Settings, channels: _Channels) -> Consents | None:
    if configured.auth_mode is not AuthMode.OAUTH:
        return None
    if configured.oauth_token_file:
        from functions.adapters.file_consents import FileConsents  # noqa: PLC0415 - one of the two is needed at most

        return FileConsents(configured.oauth_token_file)
    from google.cloud import secretmanager_v1 as secret_manager  # noqa: PLC0415 - as above
    from google.cloud.secretmanager_v1.services.secret_manager_service.transports import (  # noqa: PLC0415
        SecretManagerServiceGrpcAsyncIOTransport,
    )

    from functions.adapters.secret_consents import SecretConsents  # noqa: PLC0415

    if configured.is_local:
        channel = channels.to(configured.secret_manager_api_endpoint)
        client = secret_manager.SecretManagerServiceAsyncClient(
            transport=SecretManagerServiceGrpcAsyncIOTransport(channel=channel)
        )
    else:
        client = secret_manager.SecretManagerServiceAsyncClient(
            client_options=ClientOptions(api_endpoint=configured.secret_manager_api_endpoint)
        )
    return SecretConsents(
        client, project=configured.google_cloud_project or "", service_account_email=configured.service_account_email
    )


def _subscriptions(
    configured: Settings, channels: _Channels, credentials: CredentialsPool, pacing: Pacing
) -> Subscriptions | None:
    if not configured.workspace_events_in_use:
        return None
    # Events' own function needs none of it: it starts faster without.
    from google.apps import events_subscriptions_v1 as events  # noqa: PLC0415 - as said above
    from google.apps.events_subscriptions_v1.services.subscriptions_service.transports import (  # noqa: PLC0415
        SubscriptionsServiceGrpcAsyncIOTransport,
    )

    from functions.adapters.subscriptions import WorkspaceEventsSubscriptions  # noqa: PLC0415

    channel = channels.to(configured.workspace_events_api_endpoint)
    client = events.SubscriptionsServiceAsyncClient(transport=SubscriptionsServiceGrpcAsyncIOTransport(channel=channel))
    return WorkspaceEventsSubscriptions(
        client,
        credentials=credentials,
        topic=configured.events_topic_name,
        pacing=pacing,
    )


def _dead_letters(configured: Settings, channels: _Channels) -> PubsubDeadLetters | None:
    if not configured.pubsub_in_use:
        return None
    if configured.pubsub_emulator_host:
        transport = SubscriberGrpcAsyncIOTransport(channel=channels.to(configured.pubsub_emulator_host))
        client = SubscriberAsyncClient(transport=transport)
    else:
        client = SubscriberAsyncClient()
    return PubsubDeadLetters(client, subscription=configured.dead_letter_subscription)


def _jobs(configured: Settings, channels: _Channels) -> PubsubJobs | InlineJobs:
    if not configured.pubsub_in_use:
        return InlineJobs()
    if configured.pubsub_emulator_host:
        transport = PublisherGrpcAsyncIOTransport(channel=channels.to(configured.pubsub_emulator_host))
        client = PublisherAsyncClient(transport=transport)
    else:
        client = PublisherAsyncClient()
    return PubsubJobs(client, topic=configured.jobs_topic_name)


@dataclass(frozen=True, slots=True)
class Consenting:
    """What asking a teacher for consent takes.

    Attributes:
        consents: Where the consent is kept.
        account: Who a token was given by; raises as `People.me` does.
        stand_in: The address of a stand-in of Google's authorization server, if everything is on this machine.
    """

    consents: Consents
    account: Callable[[Credentials], Awaitable[Identity | None]]
    stand_in: str | None


@asynccontextmanager
async def consenting(configured: Settings) -> AsyncIterator[Consenting]:
    """What asking a teacher for consent takes, with these settings.

    Raises:
        OwnCredentialsMissing: This process has no Google credentials with which it could keep a consent.
        WrongSetting: Nobody can be asked who consented.
    """
    if not configured.people_in_use:
        raise WrongSetting("PEOPLE_API_ENDPOINT should be http://127.0.0.1:PORT where OAUTH_TOKEN_ENDPOINT is")
    channels, people = _Channels(), People(configured.people_api_endpoint)
    try:
        kept = _consents(configured, channels)
    except DefaultCredentialsError:
        raise OwnCredentialsMissing("This process has no Google credentials.") from None
    if kept is None:
        raise WrongSetting("AUTH_MODE should be oauth where teachers consent themselves")
    try:
        yield Consenting(kept, people.me, configured.oauth_token_endpoint if configured.is_local else None)
    finally:
        people.close()
        await channels.close()
