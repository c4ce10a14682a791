"""Subscriptions made, taken over and ended by the official client over the wire."""

from collections import Counter
from datetime import UTC, datetime, timedelta

import grpc
import grpc.aio
import pytest
from google.api_core import exceptions as gexc
from google.apps import events_subscriptions_v1 as events
from google.apps.events_subscriptions_v1.services.subscriptions_service.transports import (
    SubscriptionsServiceGrpcAsyncIOTransport,
)
from google.longrunning import operations_pb2
from google.protobuf import empty_pb2
from google.rpc.error_details_pb2 import ErrorInfo

from functions.adapters.credentials import AnonymousCredentials, CredentialsPool
from functions.adapters.subscriptions import WorkspaceEventsSubscriptions, named
from functions.domain.errors import (
    NeedsOperator,
    OrganizerUnknown,
    Retryable,
    SubscriptionRefused,
    SubscriptionsApiDisabled,
    SubscriptionScopeMissing,
    SubscriptionsUnavailable,
    SubscriptionTopicRefused,
)
from functions.domain.model import Organizer, Subscription, SubscriptionState

STATUS = grpc.StatusCode
TEACHER = Organizer(user="users/1", email="teacher@school.example")
TOPIC = "projects/p/topics/workspace-events"
EXPIRES = datetime(2026, 11, 30, 9, tzinfo=UTC)


class Events:
    """The Workspace Events API as its reference says: one subscription a target, made by an operation.

    `asks_until_done` is how often an operation must be asked about; `failures` are the next answers of a method.
    """

    def __init__(self):
        self.subscriptions = {}
        self.asks_until_done = 0
        self.failures = {}
        self.failed_operation = None
        self.calls = []
        self._making = {}

    def asked(self):
        return Counter(method for method, _ in self.calls)

    async def create_subscription(self, request, _):
        wanted = events.CreateSubscriptionRequest(request).subscription
        if any(one.target_resource == wanted.target_resource for one in self.subscriptions.values()):
            raise LookupError(STATUS.ALREADY_EXISTS)
        if self.failed_operation is not None:
            return operations_pb2.Operation(name="operations/1", done=True, error=self.failed_operation)
        wanted.name = f"subscriptions/s{len(self.subscriptions) + 1}"
        wanted.state = events.Subscription.State.ACTIVE
        wanted.expire_time = EXPIRES
        self._making["operations/1"] = (wanted, self.asks_until_done)
        return self._operation("operations/1")

    async def get_operation(self, request, _):
        wanted, asks = self._making[request.name]
        self._making[request.name] = (wanted, asks - 1)
        return self._operation(request.name)

    async def list_subscriptions(self, request, _):
        assert 'event_types:"google.workspace.meet.conference.v2.ended"' in request.filter
        found = [one for one in self.subscriptions.values() if f'"{one.target_resource}"' in request.filter]
        return events.ListSubscriptionsResponse.pb(events.ListSubscriptionsResponse(subscriptions=found))

    async def delete_subscription(self, request, _):
        if self.subscriptions.pop(request.name, None) is None and not request.allow_missing:
            raise LookupError(STATUS.NOT_FOUND)
        operation = operations_pb2.Operation(name="operations/2", done=True)
        operation.response.Pack(empty_pb2.Empty())
        return operation

    def _operation(self, name):
        wanted, asks = self._making[name]
        operation = operations_pb2.Operation(name=name, done=asks <= 0)
        if operation.done:
            operation.response.Pack(events.Subscription.pb(wanted))
            self.subscriptions[wanted.name] = wanted
        return operation

    def handler(self, name, method, request_type):
        async def handle(request, context):
            self.calls.append((name, dict(context.invocation_metadata())["x-acting-as"]))
            if self.failures.get(name):
                await context.abort(self.failures[name].pop(0), "planned")
            try:
                return await method(request, context)
            except LookupError as error:
                await context.abort(error.args[0], "as the reference says")

        return grpc.unary_unary_rpc_method_handler(handle, request_type.FromString, lambda m: m.SerializeToString())

    def handlers(self):
        service = {
            "CreateSubscription": (self.create_subscription, events.CreateSubscriptionRequest.pb()),
            "ListSubscriptions": (self.list_subscriptions, events.ListSubscriptionsRequest.pb()),
            "DeleteSubscription": (self.delete_subscription, events.DeleteSubscriptionRequest.pb()),
        }
        operations = {"GetOperation": (self.get_operation, operations_pb2.GetOperationRequest)}
        return [
            grpc.method_handlers_generic_handler(
                full_name, {name: self.handler(name, *method) for name, method in methods.items()}
            )
            for full_name, methods in (
                ("google.apps.events.subscriptions.v1.SubscriptionsService", service),
                ("google.longrunning.Operations", operations),
            )
        ]


@pytest.fixture
def api():
    return Events()


@pytest.fixture
async def subscriptions(api):
    server = grpc.aio.server(handlers=api.handlers())
    port = server.add_insecure_port("127.0.0.1:0")
    await server.start()
    async with grpc.aio.insecure_channel(f"127.0.0.1:{port}") as channel:
        yield WorkspaceEventsSubscriptions(
            events.SubscriptionsServiceAsyncClient(transport=SubscriptionsServiceGrpcAsyncIOTransport(channel=channel)),
            credentials=CredentialsPool(AnonymousCredentials),
            topic=TOPIC,
            attempts=2,
            grace=0.5,
        )
    await server.stop(0.1)


def existing(**about):
    return events.Subscription(
        name="subscriptions/old",
        target_resource="//cloudidentity.googleapis.com/users/1",
        **{"state": events.Subscription.State.ACTIVE, "expire_time": EXPIRES, **about},
    )


async def test_a_teacher_is_subscribed_to_for_all_rooms_and_as_long_as_may_be(subscriptions, api):
    made = await subscriptions.ensure(organizer=TEACHER)

    assert made == Subscription("subscriptions/s1", SubscriptionState.ACTIVE, EXPIRES, None)
    (wanted,) = api.subscriptions.values()
    assert wanted.target_resource == "//cloudidentity.googleapis.com/users/1"
    assert wanted.notification_endpoint.pubsub_topic == TOPIC
    assert sorted(wanted.event_types) == [
        "google.workspace.meet.conference.v2.ended",
        "google.workspace.meet.conference.v2.started",
        "google.workspace.meet.participant.v2.joined",
        "google.workspace.meet.participant.v2.left",
    ]
    assert wanted.ttl == timedelta(0)


async def test_ensuring_twice_gives_the_same_subscription(subscriptions, api):
    first = await subscriptions.ensure(organizer=TEACHER)

    assert await subscriptions.ensure(organizer=TEACHER) == first
    assert len(api.subscriptions) == 1


async def test_every_call_is_made_as_the_teacher(subscriptions, api):
    api.asks_until_done = 1
    await subscriptions.ensure(organizer=TEACHER)
    await subscriptions.ensure(organizer=TEACHER)
    await subscriptions.remove("subscriptions/s1", organizer=TEACHER)

    assert api.asked().keys() == {
        "CreateSubscription", "GetOperation", "ListSubscriptions", "DeleteSubscription"
    }  # fmt: skip
    assert {acting_as for _, acting_as in api.calls} == {"teacher@school.example"}


async def test_a_subscription_that_is_there_is_taken_over_as_it_is(subscriptions, api):
    api.subscriptions["subscriptions/old"] = existing(
        state=events.Subscription.State.SUSPENDED,
        suspension_reason=events.Subscription.ErrorType.ENDPOINT_PERMISSION_DENIED,
    )

    assert await subscriptions.ensure(organizer=TEACHER) == Subscription(
        "subscriptions/old", SubscriptionState.SUSPENDED, EXPIRES, "ENDPOINT_PERMISSION_DENIED"
    )


async def test_another_teachers_subscription_is_not_taken_over(subscriptions):
    first = await subscriptions.ensure(organizer=TEACHER)
    second = await subscriptions.ensure(organizer=Organizer(user="users/12"))

    assert first.name != second.name


async def test_a_subscription_that_takes_its_time_is_waited_for(subscriptions, api):
    api.asks_until_done = 2

    assert (await subscriptions.ensure(organizer=TEACHER)).state is SubscriptionState.ACTIVE


async def test_a_subscription_that_takes_too_long_is_pending_and_found_later(subscriptions, api):
    api.asks_until_done = 1000

    assert await subscriptions.ensure(organizer=TEACHER) == Subscription(None, SubscriptionState.PENDING)

    api.subscriptions["subscriptions/old"] = existing()
    assert (await subscriptions.ensure(organizer=TEACHER)).name == "subscriptions/old"


async def test_one_that_somebody_else_is_making_is_pending(subscriptions, api):
    api.failures["CreateSubscription"] = [STATUS.ALREADY_EXISTS]

    assert await subscriptions.ensure(organizer=TEACHER) == Subscription(None, SubscriptionState.PENDING)


async def test_an_operation_that_fails_is_named_as_the_call_itself(subscriptions, api):
    api.failed_operation = {"code": 7, "message": "may not publish to the topic"}

    with pytest.raises(SubscriptionTopicRefused) as caught:
        await subscriptions.ensure(organizer=TEACHER)

    assert "meet-api-event-push@system.gserviceaccount.com" in caught.value.hint


async def test_what_may_pass_by_itself_is_tried_again(subscriptions, api):
    api.failures["CreateSubscription"] = [STATUS.UNAVAILABLE]

    assert (await subscriptions.ensure(organizer=TEACHER)).name == "subscriptions/s1"


FAILURES = pytest.mark.parametrize(
    ("status", "error"),
    [(STATUS.UNAVAILABLE, SubscriptionsUnavailable), (STATUS.PERMISSION_DENIED, SubscriptionRefused)],
)


@FAILURES
@pytest.mark.parametrize("method", ["CreateSubscription", "GetOperation"])
async def test_a_subscription_that_cannot_be_made_is_told(subscriptions, api, method, status, error):
    api.asks_until_done = 1
    api.failures[method] = [status] * 5

    with pytest.raises(error):
        await subscriptions.ensure(organizer=TEACHER)


@FAILURES
async def test_a_subscription_that_cannot_be_found_is_told(subscriptions, api, status, error):
    api.subscriptions["subscriptions/old"] = existing()
    api.failures["ListSubscriptions"] = [status] * 5

    with pytest.raises(error):
        await subscriptions.ensure(organizer=TEACHER)


@FAILURES
async def test_a_subscription_that_cannot_be_removed_is_told(subscriptions, api, status, error):
    api.failures["DeleteSubscription"] = [status] * 5

    with pytest.raises(error):
        await subscriptions.remove("subscriptions/s1", organizer=TEACHER)


async def test_a_refusal_is_not_tried_again(subscriptions, api):
    api.failures["CreateSubscription"] = [STATUS.PERMISSION_DENIED]

    with pytest.raises(SubscriptionRefused):
        await subscriptions.ensure(organizer=TEACHER)

    assert api.asked() == {"CreateSubscription": 1}


async def test_an_organizer_known_by_address_alone_cannot_be_subscribed_to(subscriptions, api):
    with pytest.raises(OrganizerUnknown):
        await subscriptions.ensure(organizer=Organizer(email="teacher@school.example"))

    assert api.calls == []


async def test_a_subscription_that_is_removed_is_gone_and_may_be_removed_again(subscriptions, api):
    made = await subscriptions.ensure(organizer=TEACHER)

    await subscriptions.remove(made.name, organizer=TEACHER)
    await subscriptions.remove(made.name, organizer=TEACHER)

    assert api.subscriptions == {}


def because(reason):
    return gexc.PermissionDenied("ada@school.example", error_info=ErrorInfo(reason=reason, domain="googleapis.com"))


@pytest.mark.parametrize(
    ("error", "ours", "kind"),
    [
        (because("SERVICE_DISABLED"), SubscriptionsApiDisabled, NeedsOperator),
        (gexc.Forbidden("The API has not been used in project 1 before"), SubscriptionsApiDisabled, NeedsOperator),
        (because("ACCESS_TOKEN_SCOPE_INSUFFICIENT"), SubscriptionScopeMissing, NeedsOperator),
        (gexc.PermissionDenied("Cannot publish to Pub/Sub topic"), SubscriptionTopicRefused, NeedsOperator),
        (gexc.NotFound("Topic not found"), SubscriptionTopicRefused, NeedsOperator),
        (gexc.FailedPrecondition("topic is elsewhere"), SubscriptionTopicRefused, NeedsOperator),
        (gexc.PermissionDenied("ada@school.example may not"), SubscriptionRefused, NeedsOperator),
        (gexc.Unauthenticated("who"), SubscriptionRefused, NeedsOperator),
        (gexc.InvalidArgument("bad"), SubscriptionRefused, NeedsOperator),
        (gexc.ResourceExhausted("slow down"), SubscriptionsUnavailable, Retryable),
        (gexc.DeadlineExceeded("slow"), SubscriptionsUnavailable, Retryable),
        (gexc.InternalServerError("oops"), SubscriptionsUnavailable, Retryable),
        (gexc.Aborted("again"), SubscriptionsUnavailable, Retryable),
    ],
)
def test_an_error_says_what_to_do_next_and_repeats_nothing_that_google_wrote(error, ours, kind):
    translated = named(error)

    assert type(translated) is ours
    assert isinstance(translated, kind)
    assert translated.hint
    assert "ada@" not in translated.message + translated.hint
