"""The parts that few messages need, each imported and built at its first use: so an instance starts without them.

The imports are inside the functions for this reason only. Everything else that the application consists of is imported
by `functions.wiring`.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import TYPE_CHECKING, Protocol, TypeVar, cast

from google.auth.exceptions import DefaultCredentialsError

from functions.adapters.google.calls.pacing import Pacing
from functions.adapters.google.credentials.capabilities import CredentialsPool
from functions.adapters.own_credentials import no_own_credentials
from functions.adapters.store.attendance_store import DocumentAttendanceStore
from functions.adapters.store.databases.database import Database
from functions.ports.clock import Clock
from functions.ports.google import Calendar, IdTokens, Reports, Subscriptions
from functions.ports.messages import Changes, DeadLetters, Jobs
from functions.ports.quota import SharedQuota
from functions.settings import Settings
from functions.wiring.channels import Channels

if TYPE_CHECKING:
    from google.pubsub_v1 import PublisherAsyncClient

    from functions.ports.erasures import Erasures
    from functions.ports.views import Views

SUBSCRIPTION_WRITES_PER_ORGANIZER = 90
"""A minute, below Google's 100 for a user: https://developers.google.com/workspace/events/guides/limits."""

SUBSCRIPTION_WRITES = 300
"""A minute on one instance, half of Google's 600 for a project: two may be at it at once."""


class _Closable(Protocol):
    def close(self) -> None: ...


Part = TypeVar("Part")
ClosablePart = TypeVar("ClosablePart", bound=_Closable)


class _Later:
    """Takes the place of a part until it is used, and passes everything on to it."""

    def __init__(self, build: Callable[[], object]) -> None:
        self._build = build

    def __getattr__(self, name: str) -> object:
        if "_built" not in self.__dict__:
            self._built = self._build()
        return getattr(self._built, name)


class Seldom:
    """Makes these parts. A part of a service that is not in use is None.

    Using one may raise OwnCredentialsMissing, if this process has no Google credentials.

    Args:
        configured: The settings.
        channels: The channels to Google's services.
        clock: The time.
    """

    def __init__(self, configured: Settings, channels: Channels, *, clock: Clock) -> None:
        self._configured = configured
        self._channels = channels
        self._clock = clock
        self._opened: list[_Closable] = []
        self._publisher: PublisherAsyncClient | None = None

    def close(self) -> None:
        """Close threads and connections of what was built."""
        for each in self._opened:
            each.close()

    def jobs(self) -> Jobs:
        """Where jobs are handed over through Pub/Sub, which must be in use."""

        def build() -> Jobs:
            from functions.adapters.google.pubsub.jobs import PubsubJobs

            return PubsubJobs(self._publishing(), topic=self._configured.jobs_topic_name)

        return self._later(build)

    def changes(self) -> Changes | None:
        """Where changes are published; None if they are not."""
        topic = self._configured.changes_topic_name
        if not topic or not self._configured.pubsub_in_use:
            return None

        def build() -> Changes:
            from functions.adapters.google.pubsub.changes import PubsubChanges

            return PubsubChanges(self._publishing(), topic=topic)

        return self._later(build)

    def dead_letters(self) -> DeadLetters | None:
        """Where dead letters wait."""
        if not self._configured.pubsub_in_use:
            return None

        def build() -> DeadLetters:
            from google.pubsub_v1 import SubscriberAsyncClient
            from google.pubsub_v1.services.subscriber.transports import SubscriberGrpcAsyncIOTransport

            from functions.adapters.google.pubsub.dead_letters import PubsubDeadLetters

            if emulator := self._configured.pubsub_emulator_host:
                transport = SubscriberGrpcAsyncIOTransport(channel=self._channels.to(emulator))
                client = SubscriberAsyncClient(transport=transport)
            else:
                client = SubscriberAsyncClient()
            return PubsubDeadLetters(client, subscription=self._configured.dead_letter_subscription)

        return self._later(build)

    def subscriptions(
        self, credentials: CredentialsPool, *, pause: Callable[[float], Awaitable[None]]
    ) -> Subscriptions | None:
        """Subscriptions to events."""
        if not self._configured.workspace_events_in_use:
            return None

        def build() -> Subscriptions:
            from google.apps import events_subscriptions_v1 as events
            from google.apps.events_subscriptions_v1.services.subscriptions_service.transports import (
                SubscriptionsServiceGrpcAsyncIOTransport,
            )

            from functions.adapters.google.workspace_events.subscriptions import WorkspaceEventsSubscriptions

            channel = self._channels.to(self._configured.workspace_events_api_endpoint)
            transport = SubscriptionsServiceGrpcAsyncIOTransport(channel=channel)
            return WorkspaceEventsSubscriptions(
                events.SubscriptionsServiceAsyncClient(transport=transport),
                credentials=credentials,
                topic=self._configured.events_topic_name,
                pacing=Pacing(
                    per_organizer=SUBSCRIPTION_WRITES_PER_ORGANIZER,
                    overall=SUBSCRIPTION_WRITES,
                    clock=lambda: self._clock().timestamp(),
                    sleep=pause,
                ),
            )

        return self._later(build)

    def calendar(self, credentials: CredentialsPool) -> Calendar | None:
        """Teachers' calendars."""
        if not self._configured.calendar_in_use:
            return None

        def build() -> Calendar:
            from functions.adapters.google.calendar import GoogleCalendar

            return self._closed(GoogleCalendar(self._configured.calendar_api_endpoint, credentials=credentials))

        return self._later(build)

    def reports(self, credentials: CredentialsPool) -> Reports | None:
        """Google's own reports about conferences."""
        admin = self._configured.reports_admin
        if not self._configured.reports_in_use or admin is None:
            return None

        def build() -> Reports:
            from functions.adapters.google.reports.activities import QUERIES_PER_MINUTE, GoogleReports

            return self._closed(
                GoogleReports(
                    self._configured.reports_api_endpoint,
                    admin=admin,
                    credentials=credentials,
                    pacing=Pacing(per_organizer=QUERIES_PER_MINUTE, overall=QUERIES_PER_MINUTE),
                    clock=self._clock,
                )
            )

        return self._later(build)

    def erasures(self, documents: Database, store: DocumentAttendanceStore) -> Erasures:
        """What erases a person."""

        def build() -> Erasures:
            from functions.adapters.store.erasing.erasures import DocumentErasures

            return DocumentErasures(
                documents,
                store.erased,
                clock=self._clock,
                retention=self._configured.retention,
                telling=self._configured.changes_topic is not None,
            )

        return self._later(build)

    def shared_quota(self, documents: Database) -> SharedQuota | None:
        """The quota that all instances share; None if they do not."""
        total = self._configured.meet_shared_reads_per_minute
        if not total:
            return None

        def build() -> SharedQuota:
            from functions.adapters.store.shared_quota import DocumentSharedQuota

            return DocumentSharedQuota(documents, total=total, clock=self._clock)

        return self._later(build)

    def views(self, documents: Database) -> Views:
        """What people ask about."""

        def build() -> Views:
            from functions.adapters.store.views import DocumentViews

            return DocumentViews(documents)

        return self._later(build)

    def id_tokens(self) -> IdTokens:
        """What checks who calls the API."""

        def build() -> IdTokens:
            from functions.adapters.google.credentials.id_tokens import CheckedByCloudRun, CheckedHere

            if self._configured.k_service:
                return CheckedByCloudRun()
            return CheckedHere(self._configured.id_token_certificates_endpoint, audience=self._configured.api_audience)

        return self._later(build)

    def _publishing(self) -> PublisherAsyncClient:
        """What publishes to every topic."""
        from google.pubsub_v1 import PublisherAsyncClient
        from google.pubsub_v1.services.publisher.transports import PublisherGrpcAsyncIOTransport

        if self._publisher is None:
            if emulator := self._configured.pubsub_emulator_host:
                transport = PublisherGrpcAsyncIOTransport(channel=self._channels.to(emulator))
                self._publisher = PublisherAsyncClient(transport=transport)
            else:
                self._publisher = PublisherAsyncClient()
        return self._publisher

    def _closed(self, part: ClosablePart) -> ClosablePart:
        self._opened.append(part)
        return part

    def _later(self, build: Callable[[], Part]) -> Part:
        def built() -> Part:
            try:
                part = build()
            except DefaultCredentialsError:
                raise no_own_credentials() from None
            self._channels.without_interceptors()
            return part

        # It answers to everything that the part answers to.
        return cast("Part", _Later(built))
