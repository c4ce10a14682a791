"""Settings -> the application. The only place where clients are built; nothing happens at import."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import cache

import grpc.aio
from google.apps import meet_v2
from google.apps.meet_v2.services.conference_records_service.transports import (
    ConferenceRecordsServiceGrpcAsyncIOTransport,
)
from google.apps.meet_v2.services.spaces_service.transports import SpacesServiceGrpcAsyncIOTransport
from google.cloud import firestore

from functions import logs, settings
from functions.adapters.attendance_store import DocumentAttendanceStore
from functions.adapters.credentials import AnonymousCredentials, CredentialsPool
from functions.adapters.database import Database
from functions.adapters.directory import Directory
from functions.adapters.firestore import FirestoreDatabase
from functions.adapters.identities import GoogleIdentities
from functions.adapters.meet import MeetConferences
from functions.adapters.meet_calls import MeetCalls
from functions.adapters.pacing import Pacing
from functions.adapters.people import People
from functions.adapters.spaces import MeetSpaces
from functions.adapters.sqlite import SqliteDatabase
from functions.adapters.views import DocumentViews
from functions.domain.sessions import CallerRole
from functions.ports import Job, Jobs, Subscriptions, Views
from functions.services.deps import Deps, Rules
from functions.services.turns import Turns
from functions.settings import AuthMode, Settings

IDENTITY_TIME = 5.0
"""Seconds that a sync waits for names and addresses; the rest are looked up again later."""

DoJob = Callable[[Job], Awaitable[None]]


@dataclass(frozen=True, slots=True)
class App:
    """Everything that an entrypoint hands to a use case. An instance in the cloud ends without closing it."""

    deps: Deps
    views: Views
    callers: Mapping[str, CallerRole]
    close: Callable[[], Awaitable[None]]


def build(configured: Settings, *, do_job: DoJob | None = None) -> App:
    """The application for these settings. Call it within the event loop that it will run in; does no network.

    Args:
        configured: The settings.
        do_job: Does a job at once, where there is no Pub/Sub to hand it to; left out, such a system has no jobs.
    """
    channels = _Channels()
    pacing = Pacing(per_organizer=configured.meet_reads_per_minute, overall=configured.meet_project_reads_per_minute)
    meet = channels.to(configured.meet_api_endpoint)
    calls, credentials = MeetCalls(pacing), CredentialsPool(AnonymousCredentials)
    spaces = meet_v2.SpacesServiceAsyncClient(transport=SpacesServiceGrpcAsyncIOTransport(channel=meet))
    records = meet_v2.ConferenceRecordsServiceAsyncClient(
        transport=ConferenceRecordsServiceGrpcAsyncIOTransport(channel=meet)
    )
    identities = None
    if configured.people_in_use and configured.directory_in_use:
        identities = GoogleIdentities(
            People(configured.people_api_endpoint),
            Directory(configured.directory_api_endpoint),
            credentials=credentials,
            deadline=IDENTITY_TIME,
        )
    documents = database(configured)
    anyone = configured.auth_mode is AuthMode.ANONYMOUS
    deps = Deps(
        store=DocumentAttendanceStore(documents, clock=_now, retention=configured.retention),
        conferences=MeetConferences(records, spaces, calls=calls, credentials=credentials, clock=_now),
        spaces=MeetSpaces(spaces, calls=calls, credentials=credentials),
        identities=identities,
        subscriptions=_subscriptions(configured, channels, credentials),
        jobs=_jobs(configured, channels, do_job),
        clock=_now,
        rules=Rules(
            settle=configured.settle,
            time_zone=configured.school_time_zone,
            policy=configured.default_policy,
            room_names=configured.room_device_names,
            allowed_domains=frozenset(configured.allowed_domains),
            allowed_teachers=frozenset(configured.allowed_teachers),
            # Stand-ins have nobody who could be impersonated.
            anyone=anyone and not configured.allowed_domains and not configured.allowed_teachers,
        ),
        turns=Turns(),
    )

    async def close() -> None:
        if identities:
            identities.close()
        await channels.close()

    return App(deps=deps, views=DocumentViews(documents), callers=configured.api_callers, close=close)


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
    return build(configured, do_job=_do_job)


class InlineJobs:
    """`functions.ports.Jobs` without Pub/Sub, for a system on one machine: each job is done at once, in order.

    Args:
        do_job: Does one.
    """

    def __init__(self, do_job: DoJob) -> None:
        self._do_job = do_job

    async def publish(self, jobs: Sequence[Job]) -> None:
        """See the port."""
        for job in jobs:
            await self._do_job(job)


class _Channels:
    """One gRPC channel to each endpoint."""

    def __init__(self) -> None:
        self._channels: dict[str, grpc.aio.Channel] = {}

    def to(self, endpoint: str) -> grpc.aio.Channel:
        """The channel to an endpoint on this machine."""
        if endpoint not in self._channels:
            self._channels[endpoint] = grpc.aio.insecure_channel(
                endpoint.removeprefix("http://"),
                # As the clients' own channels: pages of any size. And never through a proxy, being on this machine.
                options=[("grpc.max_receive_message_length", -1), ("grpc.enable_http_proxy", 0)],
            )
        return self._channels[endpoint]

    async def close(self) -> None:
        for channel in self._channels.values():
            await channel.close()


def _subscriptions(configured: Settings, channels: _Channels, credentials: CredentialsPool) -> Subscriptions | None:
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
    return WorkspaceEventsSubscriptions(client, credentials=credentials, topic=configured.events_topic_name)


def _jobs(configured: Settings, channels: _Channels, do_job: DoJob | None) -> Jobs:
    if configured.pubsub_emulator_host:
        from google.pubsub_v1 import PublisherAsyncClient  # noqa: PLC0415 - likewise
        from google.pubsub_v1.services.publisher.transports import PublisherGrpcAsyncIOTransport  # noqa: PLC0415

        from functions.adapters.jobs import PubsubJobs  # noqa: PLC0415

        transport = PublisherGrpcAsyncIOTransport(channel=channels.to(configured.pubsub_emulator_host))
        return PubsubJobs(PublisherAsyncClient(transport=transport), topic=configured.jobs_topic_name)

    async def nothing(_: Job) -> None:
        raise NotImplementedError("There is neither Pub/Sub nor anything that does jobs at once.")

    return InlineJobs(do_job or nothing)


async def _do_job(job: Job) -> None:
    from functions.entrypoints import jobs  # noqa: PLC0415 - only a system on one machine comes here

    await jobs.run(job.name, job.data, app())


def _now() -> datetime:
    return datetime.now(UTC)
