"""The floor of a start: a bare function that imports the same Google clients as ours and makes one call with each.

Ours imports Pub/Sub's client when it first publishes something. Without a topic of changes, an event publishes nothing,
so Pub/Sub's client is missing here too.
"""

import os

import functions_framework.aio
import google.auth.credentials
from cloudevents.http import CloudEvent
from google.apps import meet_v2
from google.apps.meet_v2.services.conference_records_service.transports import (
    ConferenceRecordsServiceGrpcAsyncIOTransport,
)
from google.cloud import firestore
from googleapiclient.discovery import build  # type: ignore[import-untyped]  # the package has no py.typed
from grpc.aio import insecure_channel


@functions_framework.aio.cloud_event
async def on_event(_: CloudEvent) -> None:
    """Get the conference record, one account, and one document."""
    channel = insecure_channel(os.environ["MEET"])
    transport = ConferenceRecordsServiceGrpcAsyncIOTransport(channel=channel)
    await meet_v2.ConferenceRecordsServiceAsyncClient(transport=transport).get_conference_record(
        name=os.environ["CONFERENCE_RECORD"]
    )
    people = build(
        "people",
        "v1",
        credentials=google.auth.credentials.AnonymousCredentials(),  # type: ignore[no-untyped-call] # as above
        client_options={"api_endpoint": os.environ["PEOPLE"]},
    )
    people.people().get(resourceName=os.environ["PERSON"], personFields="names").execute()
    await firestore.AsyncClient().document("bench/start").get()
