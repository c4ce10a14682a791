"""The baseline, the simplest solution: one call after the other with the official synchronous client."""

from __future__ import annotations

import grpc
from google.apps import meet_v2
from google.apps.meet_v2.services.conference_records_service.transports import ConferenceRecordsServiceGrpcTransport
from google.cloud import firestore


class Baseline:
    """The plain loop.

    Args:
        meet: `host:port` of the simulated Meet.
        project: The Firestore project that it writes to; FIRESTORE_EMULATOR_HOST gives the address of the emulator.
    """

    def __init__(self, meet: str, project: str) -> None:
        self._channel = grpc.insecure_channel(meet)
        self._records = meet_v2.ConferenceRecordsServiceClient(
            transport=ConferenceRecordsServiceGrpcTransport(channel=self._channel)
        )
        self._firestore = firestore.Client(project=project)

    def record(self, conference_record: str) -> None:
        """List the participants, then the sessions of each, then write a document for each participant in one batch."""
        batch = self._firestore.batch()
        for participant in self._records.list_participants(parent=conference_record):
            sessions = list(self._records.list_participant_sessions(parent=participant.name))
            batch.set(
                self._firestore.document(participant.name),
                {
                    "display_name": participant.signedin_user.display_name
                    or participant.anonymous_user.display_name
                    or participant.phone_user.display_name,
                    "sessions": [{"start_time": one.start_time, "end_time": one.end_time} for one in sessions],
                },
            )
        batch.commit()

    def close(self) -> None:
        """Close the connections to Meet and Firestore."""
        self._channel.close()
        self._firestore.close()  # type: ignore[no-untyped-call] # the library's own omission
