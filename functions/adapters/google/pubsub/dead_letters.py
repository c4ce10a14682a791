"""The subscription on the dead-letter topic: the messages that Pub/Sub could not deliver.

https://cloud.google.com/pubsub/docs/handling-failures#track_delivery_attempts
"""

from __future__ import annotations

import base64
from collections.abc import Sequence
from typing import Any

from google.api_core import exceptions as gexc
from google.auth.exceptions import GoogleAuthError
from google.pubsub_v1 import AcknowledgeRequest, PullRequest, PullResponse, ReceivedMessage, SubscriberAsyncClient

from functions.adapters.google.calls.repeating import may_pass, repeated
from functions.adapters.own_credentials import own_credentials_error
from functions.adapters.patience import limit
from functions.domain.errors import AttendanceError, JobsUnavailable, NeedsOperator
from functions.ports.messages import DeadLetter

WAIT = 5.0
"""How many seconds to wait for dead letters; if there are none, Pub/Sub keeps the pull waiting."""

MOST = 100
"""How many are pulled at once."""

ATTEMPTS = 4
"""How often one call is made at most."""

_FROM, _OF_PROJECT = "CloudPubSubDeadLetterSourceSubscription", "CloudPubSubDeadLetterSourceSubscriptionProject"
"""Attributes that Pub/Sub adds: the id and the project of the subscription that could not deliver the message."""


class DeadLettersRefused(NeedsOperator):
    """We may not read the subscription in which dead letters wait."""

    reason = "dead-letters-refused"
    default_hint = (
        "Let the service account subscribe to them: gcloud pubsub subscriptions add-iam-policy-binding "
        "attendance-dead-letter --member=serviceAccount:SERVICE_ACCOUNT_EMAIL --role=roles/pubsub.subscriber. "
        "Deploying again also does this."
    )


class PubsubDeadLetters:
    """`functions.ports.messages.DeadLetters` on a Pub/Sub subscription.

    Args:
        subscriber: The official asynchronous client.
        subscription: `projects/{project}/subscriptions/{subscription}`.
        wait: How many seconds to wait for dead letters.
    """

    def __init__(self, subscriber: SubscriberAsyncClient, *, subscription: str, wait: float = WAIT) -> None:
        self._subscriber = subscriber
        self._subscription = subscription
        self._wait = wait

    async def pull(self) -> Sequence[DeadLetter]:
        """See the port."""
        request = PullRequest(subscription=self._subscription, max_messages=MOST)

        async def attempt() -> PullResponse:
            return await self._subscriber.pull(request, retry=None, timeout=limit(self._wait))

        try:
            answer = await repeated(attempt, attempts=ATTEMPTS, if_error=_may_pass)
        except (gexc.NotFound, gexc.DeadlineExceeded):
            return ()
        except (gexc.GoogleAPICallError, GoogleAuthError) as error:
            raise _named(error) from error
        return [self._letter(received) for received in answer.received_messages]

    async def acknowledge(self, letters: Sequence[DeadLetter]) -> None:
        """See the port."""
        request = AcknowledgeRequest(subscription=self._subscription, ack_ids=[letter.receipt for letter in letters])

        async def attempt() -> None:
            await self._subscriber.acknowledge(request, retry=None, timeout=limit(self._wait))

        try:
            await repeated(attempt, attempts=ATTEMPTS)
        except (gexc.GoogleAPICallError, GoogleAuthError) as error:
            raise _named(error) from error

    def _letter(self, received: ReceivedMessage) -> DeadLetter:
        """The dead letter in the form in which a trigger would have posted it.

        So it can be processed as if it was delivered.
        """
        message = received.message
        # At run time this is a `DatetimeWithNanoseconds`, although the type stubs say something else.
        published: Any = message.publish_time
        attributes = dict(message.attributes)
        body = {
            "message": {
                "attributes": attributes,
                "data": base64.b64encode(message.data).decode(),
                "messageId": message.message_id,
                "publishTime": published.rfc3339() if published else None,
                **({"orderingKey": message.ordering_key} if message.ordering_key else {}),
            },
            "subscription": f"projects/{attributes[_OF_PROJECT]}/subscriptions/{attributes[_FROM]}"
            if {_FROM, _OF_PROJECT} <= attributes.keys()
            else self._subscription,
        }
        return DeadLetter(body, received.ack_id)


def _may_pass(error: Exception) -> bool:
    """Whether to pull again at once after an error. If no dead letter comes within the time, that is an answer too."""
    return may_pass(error) and not isinstance(error, gexc.GatewayTimeout)


def _named(error: Exception) -> AttendanceError:
    kind = type(error).__name__
    lacking = own_credentials_error(error)
    if lacking:
        return JobsUnavailable(f"{lacking.message} Pub/Sub cannot be called.", hint=lacking.hint)
    if isinstance(error, gexc.Forbidden | gexc.Unauthorized):
        return DeadLettersRefused(f"Pub/Sub refuses access to the dead letters ({kind}).")
    return JobsUnavailable(f"The dead letters cannot be read ({kind}).")
