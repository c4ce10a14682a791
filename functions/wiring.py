"""Settings -> the application. The only place where clients are built; nothing happens at import."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
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
from functions.adapters.firestore import FirestoreDatabase
from functions.adapters.meet import MeetConferences
from functions.adapters.meet_calls import MeetCalls
from functions.adapters.pacing import Pacing
from functions.adapters.sqlite import SqliteDatabase
from functions.ports import AttendanceStore, Clock, Conferences
from functions.services.record_conference import RecordingRules
from functions.services.turns import Turns
from functions.settings import Settings


@dataclass(frozen=True, slots=True)
class App:
    """Everything that an entrypoint hands to a use case. An instance in the cloud ends without closing it."""

    conferences: Conferences
    store: AttendanceStore
    clock: Clock
    rules: RecordingRules
    turns: Turns
    close: Callable[[], Awaitable[None]]


def build(configured: Settings) -> App:
    """The application for these settings. Call it within the event loop that it will run in; does no network."""
    pacing = Pacing(per_organizer=configured.meet_reads_per_minute, overall=configured.meet_project_reads_per_minute)
    channel = grpc.aio.insecure_channel(
        configured.meet_api_endpoint.removeprefix("http://"),
        # As the client's own channels: pages of any size. And never through a proxy, since it is on this machine.
        options=[("grpc.max_receive_message_length", -1), ("grpc.enable_http_proxy", 0)],
    )
    conferences = MeetConferences(
        meet_v2.ConferenceRecordsServiceAsyncClient(
            transport=ConferenceRecordsServiceGrpcAsyncIOTransport(channel=channel)
        ),
        meet_v2.SpacesServiceAsyncClient(transport=SpacesServiceGrpcAsyncIOTransport(channel=channel)),
        calls=MeetCalls(pacing),
        credentials=CredentialsPool(AnonymousCredentials),
        clock=_now,
    )
    return App(
        conferences=conferences,
        store=DocumentAttendanceStore(database(configured), clock=_now, retention=configured.retention),
        clock=_now,
        rules=RecordingRules(settle=configured.settle, time_zone=configured.school_time_zone),
        turns=Turns(),
        close=channel.close,
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


def _now() -> datetime:
    return datetime.now(UTC)
