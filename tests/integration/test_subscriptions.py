"""Subscriptions are made, taken over, kept alive and ended by the official client over the network."""

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
from google.protobuf import any_pb2, duration_pb2, empty_pb2
from google.rpc import status_pb2
from google.rpc.error_details_pb2 import ErrorInfo

from functions.adapters.google.calls.pacing import Pacing
from functions.adapters.google.credentials.capabilities import AnonymousCredentials, CredentialsPool
from functions.adapters.google.workspace_events.calls import TopicRefused, named
from functions.adapters.google.workspace_events.subscriptions import EVENT_TYPES, WorkspaceEventsSubscriptions
from functions.domain.conferences.model import Organizer, Subscription, SubscriptionState
from functions.domain.errors import (
    AccessDenied,
    ApiDisabled,
    NeedsOperator,
    OrganizerUnknown,
    Retryable,
    ScopeMissing,
    Unavailable,
)
from functions.hints import suspension_hint
from infra.local.clock import TurnableClock
from infra.local.school import School
from infra.local.subscriptions import WorkspaceEventsSimulator

STATUS = grpc.StatusCode
TEACHER = Organizer(user="users/1", email="teacher@school.example")
TOPIC = "projects/p-1/topics/workspace-events"
EXPIRES = datetime(2026, 11, 30, 9, tzinfo=UTC)
RENEWED = datetime(2026, 12, 4, 9, tzinfo=UTC)
OLD = "subscriptions/old"


class Events:
    """The Workspace Events API as in its reference: one subscription per target, made and changed by operations.

    `asks_until_done` is the number of requests until an operation is done. `failures` are the next answers of a method.
    `refuses_event_types` is in the comments of the released client, but no longer in the reference.
    """

    def __init__(self):
        self.subscriptions = {}
        self.asks_until_done = 0
        self.failures = {}
        self.failed_operation = None
        self.refuses_event_types = False
        self.next_page_token = ""
        self.calls = []
        self._changes = {}

    def asked(self):
        return Counter(method for method, _ in self.calls)

    async def create_subscription(self, request, _):
        wanted = events.CreateSubscriptionRequest(request).subscription
        if any(one.target_resource == wanted.target_resource for one in self.subscriptions.values()):
            raise LookupError(STATUS.ALREADY_EXISTS)
        wanted.name = f"subscriptions/s{len(self.subscriptions) + 1}"
        wanted.state = events.Subscription.State.ACTIVE  # type: ignore[assignment]
        wanted.expire_time = EXPIRES  # type: ignore[assignment]
        return self._begin(wanted)

    async def update_subscription(self, request, _):
        if list(request.update_mask.paths) == ["event_types"]:
            if self.refuses_event_types:
                error = status_pb2.Status(code=STATUS.INVALID_ARGUMENT.value[0], message="event_types is immutable")
                return operations_pb2.Operation(name="operations/1", done=True, error=error)
            changed = events.Subscription(self._of(request.subscription.name))
            changed.event_types = list(request.subscription.event_types)
            return self._begin(changed)
        assert list(request.update_mask.paths) == ["ttl"]
        assert request.subscription.HasField("ttl")
        assert request.subscription.ttl == duration_pb2.Duration()
        return self._begin(events.Subscription(self._of(request.subscription.name), expire_time=RENEWED))

    async def reactivate_subscription(self, request, _):
        subscription = self._of(request.name)
        if subscription.state != events.Subscription.State.SUSPENDED:
            raise LookupError(STATUS.FAILED_PRECONDITION)
        return self._begin(events.Subscription(subscription, state=events.Subscription.State.ACTIVE))

    async def get_subscription(self, request, _):
        return events.Subscription.pb(self._of(request.name))

    async def get_operation(self, request, _):
        wanted, asks = self._changes[request.name]
        self._changes[request.name] = (wanted, asks - 1)
        return self._operation(request.name)

    async def list_subscriptions(self, request, _):
        assert 'event_types:"google.workspace.meet.conference.v2.ended"' in request.filter
        found = [one for one in self.subscriptions.values() if f'"{one.target_resource}"' in request.filter]
        answer = events.ListSubscriptionsResponse(subscriptions=found, next_page_token=self.next_page_token)
        return events.ListSubscriptionsResponse.pb(answer)

    async def delete_subscription(self, request, _):
        if self.subscriptions.pop(request.name, None) is None and not request.allow_missing:
            raise LookupError(STATUS.NOT_FOUND)
        operation = operations_pb2.Operation(name="operations/2", done=True)
        operation.response.Pack(empty_pb2.Empty())
        return operation

    def _of(self, name):
        if name not in self.subscriptions:
            raise LookupError(STATUS.NOT_FOUND)
        return self.subscriptions[name]

    def _begin(self, wanted):
        if self.failed_operation is not None:
            return operations_pb2.Operation(name="operations/1", done=True, error=self.failed_operation)
        self._changes["operations/1"] = (wanted, self.asks_until_done)
        return self._operation("operations/1")

    def _operation(self, name):
        wanted, asks = self._changes[name]
        operation = operations_pb2.Operation(name=name, done=asks <= 0)
        if operation.done:
            operation.response.Pack(events.Subscription.pb(wanted))
            self.subscriptions[wanted.name] = wanted
        return operation

    def handler(self, name, method, request_type):
        async def handle(request, context):
            self.calls.append((name, dict(context.invocation_metadata())["x-acting-as"]))
            if self.failures.get(name) and (status := self.failures[name].pop(0)):
                await context.abort(status, "planned")
            try:
                return await method(request, context)
            except LookupError as error:
                await context.abort(error.args[0], "as the reference says")

        return grpc.unary_unary_rpc_method_handler(handle, request_type.FromString, lambda m: m.SerializeToString())

    def handlers(self):
        service = {
            "CreateSubscription": (self.create_subscription, events.CreateSubscriptionRequest.pb()),
            "UpdateSubscription": (self.update_subscription, events.UpdateSubscriptionRequest.pb()),
            "ReactivateSubscription": (self.reactivate_subscription, events.ReactivateSubscriptionRequest.pb()),
            "GetSubscription": (self.get_subscription, events.GetSubscriptionRequest.pb()),
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


def adapter(channel, **settings):
    return WorkspaceEventsSubscriptions(
        events.SubscriptionsServiceAsyncClient(transport=SubscriptionsServiceGrpcAsyncIOTransport(channel=channel)),
        credentials=CredentialsPool(AnonymousCredentials),
        topic=TOPIC,
        **{"pacing": Pacing(per_organizer=0, overall=0), "attempts": 2, "grace": 0.5, **settings},
    )


@pytest.fixture
async def channel(api):
    server = grpc.aio.server(handlers=api.handlers())
    port = server.add_insecure_port("127.0.0.1:0")
    await server.start()
    async with grpc.aio.insecure_channel(f"127.0.0.1:{port}") as channel:
        yield channel
    await server.stop(0.1)


@pytest.fixture
def subscriptions(channel):
    return adapter(channel)


def existing(**about):
    return events.Subscription(
        name=OLD,
        **{
            "target_resource": "//cloudidentity.googleapis.com/users/1",
            "event_types": EVENT_TYPES,
            "notification_endpoint": events.NotificationEndpoint(pubsub_topic=TOPIC),
            "state": events.Subscription.State.ACTIVE,
            "expire_time": EXPIRES,
            **about,
        },
    )


def publishing_to(topic):
    return {"notification_endpoint": events.NotificationEndpoint(pubsub_topic=topic)}


ELSEWHERE = [
    publishing_to("projects/p-1/topics/old"),
    publishing_to("projects/other/topics/workspace-events"),
    publishing_to("_deleted-topic_"),
    {"event_types": EVENT_TYPES[:2]},
    {"event_types": ["google.workspace.meet.recording.v2.ended"]},
    {"target_resource": "//cloudidentity.googleapis.com/users/12"},
]


@pytest.mark.parametrize("about", ELSEWHERE, ids=str)
async def test_one_that_reports_elsewhere_or_less_is_reported_as_such_and_never_as_active(subscriptions, api, about):
    api.subscriptions[OLD] = existing(**about)
    shown = await subscriptions.get(OLD, organizer=TEACHER)

    assert shown.state is SubscriptionState.ELSEWHERE


@pytest.mark.parametrize("topic", [TOPIC, "projects/123456789012/topics/workspace-events"])
async def test_one_that_reports_more_or_names_the_project_by_its_number_is_ours(subscriptions, api, topic):
    types = [*EVENT_TYPES, "google.workspace.meet.recording.v2.ended"]
    api.subscriptions[OLD] = existing(event_types=types, **publishing_to(topic))

    assert (await subscriptions.ensure(organizer=TEACHER)).state is SubscriptionState.ACTIVE


@pytest.mark.parametrize("about", ELSEWHERE, ids=str)
async def test_one_that_reports_elsewhere_is_replaced_and_no_other_is_left(subscriptions, api, about):
    api.subscriptions[OLD] = existing(**about)
    made = await subscriptions.replace(OLD, organizer=TEACHER)

    assert made.state is SubscriptionState.ACTIVE
    [left] = api.subscriptions.values()
    assert left.name == made.name
    assert left.notification_endpoint.pubsub_topic == TOPIC
    assert sorted(left.event_types) == sorted(EVENT_TYPES)


async def test_missing_event_types_are_added_without_a_moment_without_subscription(subscriptions, api):
    api.subscriptions[OLD] = existing(event_types=EVENT_TYPES[:2])
    await subscriptions.replace(OLD, organizer=TEACHER)

    assert not api.asked().keys() & {"DeleteSubscription", "CreateSubscription"}


@pytest.mark.parametrize("at", ["the call", "the operation"])
async def test_where_event_types_cannot_be_changed_the_subscription_is_made_again(subscriptions, api, at):
    api.subscriptions[OLD] = existing(event_types=EVENT_TYPES[:2])
    if at == "the call":
        api.failures["UpdateSubscription"] = [STATUS.INVALID_ARGUMENT]
    else:
        api.refuses_event_types = True

    made = await subscriptions.replace(OLD, organizer=TEACHER)

    [left] = api.subscriptions.values()
    assert (made.name, made.state) == (left.name, SubscriptionState.ACTIVE)
    assert sorted(left.event_types) == sorted(EVENT_TYPES)


async def test_several_of_old_versions_are_all_replaced_by_one(subscriptions, api):
    for number in range(3):
        name = f"subscriptions/old-{number}"
        api.subscriptions[name] = existing(**publishing_to(f"projects/p-1/topics/old-{number}"))
        api.subscriptions[name].name = name
    await subscriptions.replace("subscriptions/old-1", organizer=TEACHER)

    assert [one.notification_endpoint.pubsub_topic for one in api.subscriptions.values()] == [TOPIC]


async def test_among_several_subscriptions_the_one_that_reports_to_us_is_taken_over(subscriptions, api):
    api.subscriptions["subscriptions/other"] = existing(**publishing_to("projects/p-1/topics/old"))
    api.subscriptions[OLD] = existing()

    assert (await subscriptions.ensure(organizer=TEACHER)).name == OLD


async def test_one_that_another_instance_replaced_meanwhile_is_taken_over(subscriptions, api):
    api.subscriptions["subscriptions/new"] = existing()
    api.subscriptions["subscriptions/new"].name = "subscriptions/new"
    made = await subscriptions.replace(OLD, organizer=TEACHER)

    assert (made.name, made.state) == ("subscriptions/new", SubscriptionState.ACTIVE)


def suspended(**about):
    return existing(
        state=events.Subscription.State.SUSPENDED,
        suspension_reason=events.Subscription.ErrorType.USER_SCOPE_REVOKED,
        **about,
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
    await subscriptions.get("subscriptions/s1", organizer=TEACHER)
    await subscriptions.renew("subscriptions/s1", organizer=TEACHER)
    await subscriptions.reactivate("subscriptions/s1", organizer=TEACHER)
    await subscriptions.remove("subscriptions/s1", organizer=TEACHER)

    assert api.asked().keys() == {
        "CreateSubscription", "GetOperation", "ListSubscriptions", "GetSubscription",
        "UpdateSubscription", "ReactivateSubscription", "DeleteSubscription",
    }  # fmt: skip
    assert {acting_as for _, acting_as in api.calls} == {"teacher@school.example"}


async def test_a_subscription_that_is_there_is_taken_over_as_it_is(subscriptions, api):
    api.subscriptions[OLD] = existing(
        state=events.Subscription.State.SUSPENDED,
        suspension_reason=events.Subscription.ErrorType.ENDPOINT_PERMISSION_DENIED,
    )

    assert await subscriptions.ensure(organizer=TEACHER) == Subscription(
        OLD, SubscriptionState.SUSPENDED, EXPIRES, "ENDPOINT_PERMISSION_DENIED"
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

    api.subscriptions[OLD] = existing()
    assert (await subscriptions.ensure(organizer=TEACHER)).name == OLD


async def test_a_subscription_that_another_caller_is_making_is_pending(subscriptions, api):
    api.failures["CreateSubscription"] = [STATUS.ALREADY_EXISTS]

    assert await subscriptions.ensure(organizer=TEACHER) == Subscription(None, SubscriptionState.PENDING)


async def test_an_operation_that_fails_is_named_as_the_call_itself(subscriptions, api):
    api.failed_operation = {"code": 7, "message": "may not publish to the topic"}

    with pytest.raises(TopicRefused) as caught:
        await subscriptions.ensure(organizer=TEACHER)

    assert "meet-api-event-push@system.gserviceaccount.com" in caught.value.hint


async def test_the_reason_of_an_operation_that_fails_is_heard(subscriptions, api):
    detail = any_pb2.Any()
    detail.Pack(ErrorInfo(reason="ACCESS_TOKEN_SCOPE_INSUFFICIENT"))
    api.failed_operation = {"code": 7, "message": "Denied.", "details": [detail]}

    with pytest.raises(ScopeMissing):
        await subscriptions.ensure(organizer=TEACHER)


async def test_an_endless_list_does_not_count_as_complete(subscriptions, api):
    api.failures["CreateSubscription"] = [STATUS.ALREADY_EXISTS]
    api.next_page_token = "again"  # noqa: S105 - of a page

    with pytest.raises(Unavailable):
        await subscriptions.ensure(organizer=TEACHER)
    api.failures = {"CreateSubscription": [STATUS.ALREADY_EXISTS], "ListSubscriptions": [None, STATUS.INVALID_ARGUMENT]}
    with pytest.raises(Unavailable):
        await subscriptions.ensure(organizer=TEACHER)


async def test_what_may_pass_by_itself_is_tried_again(subscriptions, api):
    api.failures["CreateSubscription"] = [STATUS.UNAVAILABLE]

    assert (await subscriptions.ensure(organizer=TEACHER)).name == "subscriptions/s1"


FAILURES = pytest.mark.parametrize(
    ("status", "error"),
    [(STATUS.UNAVAILABLE, Unavailable), (STATUS.PERMISSION_DENIED, AccessDenied)],
)


@FAILURES
@pytest.mark.parametrize("method", ["CreateSubscription", "GetOperation"])
async def test_a_subscription_that_cannot_be_made_is_reported(subscriptions, api, method, status, error):
    api.asks_until_done = 1
    api.failures[method] = [status] * 5

    with pytest.raises(error):
        await subscriptions.ensure(organizer=TEACHER)


@FAILURES
async def test_a_subscription_that_cannot_be_found_is_reported(subscriptions, api, status, error):
    api.subscriptions[OLD] = existing()
    api.failures["ListSubscriptions"] = [status] * 5

    with pytest.raises(error):
        await subscriptions.ensure(organizer=TEACHER)


@FAILURES
async def test_a_subscription_that_cannot_be_removed_is_reported(subscriptions, api, status, error):
    api.failures["DeleteSubscription"] = [status] * 5

    with pytest.raises(error):
        await subscriptions.remove("subscriptions/s1", organizer=TEACHER)


async def test_a_refusal_is_not_tried_again(subscriptions, api):
    api.failures["CreateSubscription"] = [STATUS.PERMISSION_DENIED]

    with pytest.raises(AccessDenied):
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


async def test_a_subscription_that_google_has_deleted_is_not_taken_over(subscriptions, api):
    api.subscriptions[OLD] = existing(state=events.Subscription.State.DELETED)

    assert await subscriptions.ensure(organizer=TEACHER) == Subscription(None, SubscriptionState.PENDING)


async def test_a_creation_whose_operation_google_has_forgotten_stays_pending(subscriptions, api):
    api.asks_until_done = 1000
    api.failures["GetOperation"] = [STATUS.NOT_FOUND] * 100

    assert await subscriptions.ensure(organizer=TEACHER) == Subscription(None, SubscriptionState.PENDING)


async def test_a_subscription_is_reported_as_it_is(subscriptions, api):
    api.subscriptions[OLD] = suspended()

    assert await subscriptions.get(OLD, organizer=TEACHER) == Subscription(
        OLD, SubscriptionState.SUSPENDED, EXPIRES, "USER_SCOPE_REVOKED"
    )


async def test_a_reason_without_a_name_in_the_client_is_reported_by_its_number(subscriptions, api):
    api.subscriptions[OLD] = existing(state=events.Subscription.State.SUSPENDED)
    events.Subscription.pb(api.subscriptions[OLD]).suspension_reason = 101

    assert (await subscriptions.get(OLD, organizer=TEACHER)).suspension_reason == "ERROR_TYPE_101"


CALLS = {"get": "GetSubscription", "renew": "UpdateSubscription", "reactivate": "ReactivateSubscription"}


@pytest.mark.parametrize("call", CALLS)
async def test_a_deleted_subscription_is_not_found(subscriptions, call):
    assert await getattr(subscriptions, call)(OLD, organizer=TEACHER) is None


@pytest.mark.parametrize("call", CALLS)
async def test_a_subscription_that_google_shows_as_deleted_is_gone(subscriptions, api, call):
    api.subscriptions[OLD] = existing(state=events.Subscription.State.DELETED)

    assert await getattr(subscriptions, call)(OLD, organizer=TEACHER) is None


async def test_renewing_gives_the_longest_life_that_there_is(subscriptions, api):
    api.subscriptions[OLD] = existing()

    assert await subscriptions.renew(OLD, organizer=TEACHER) == Subscription(OLD, SubscriptionState.ACTIVE, RENEWED)


async def test_reactivating_makes_it_tell_events_and_leaves_its_end(subscriptions, api):
    api.subscriptions[OLD] = suspended()

    assert await subscriptions.reactivate(OLD, organizer=TEACHER) == Subscription(
        OLD, SubscriptionState.ACTIVE, EXPIRES
    )


async def test_a_change_that_takes_its_time_is_waited_for(subscriptions, api):
    api.subscriptions[OLD] = existing()
    api.asks_until_done = 2

    assert (await subscriptions.renew(OLD, organizer=TEACHER)).expire_time == RENEWED
    assert api.asked() == {"UpdateSubscription": 1, "GetOperation": 2}


async def test_a_renewal_that_takes_too_long_leaves_the_end_that_google_shows(subscriptions, api):
    api.subscriptions[OLD] = existing()
    api.asks_until_done = 1000

    assert await subscriptions.renew(OLD, organizer=TEACHER) == Subscription(OLD, SubscriptionState.ACTIVE, EXPIRES)


async def test_a_reactivation_that_takes_too_long_leaves_it_suspended(subscriptions, api):
    api.subscriptions[OLD] = suspended()
    api.asks_until_done = 1000

    assert await subscriptions.reactivate(OLD, organizer=TEACHER) == Subscription(
        OLD, SubscriptionState.SUSPENDED, EXPIRES, "USER_SCOPE_REVOKED"
    )


async def test_a_change_whose_operation_google_has_forgotten_says_nothing_of_the_subscription(subscriptions, api):
    api.subscriptions[OLD] = existing()
    api.asks_until_done = 1000
    api.failures["GetOperation"] = [STATUS.NOT_FOUND] * 100

    assert await subscriptions.renew(OLD, organizer=TEACHER) == Subscription(OLD, SubscriptionState.ACTIVE, EXPIRES)


async def test_a_subscription_that_ends_during_a_change_is_gone(subscriptions, api):
    api.subscriptions[OLD] = existing()
    api.asks_until_done = 1000
    api.failures["GetSubscription"] = [STATUS.NOT_FOUND]

    assert await subscriptions.renew(OLD, organizer=TEACHER) is None


@pytest.mark.parametrize("call", ["renew", "reactivate"])
async def test_not_found_may_mean_something_else_than_the_subscription(subscriptions, api, call):
    api.subscriptions[OLD] = suspended()
    api.failures[CALLS[call]] = [STATUS.NOT_FOUND]

    with pytest.raises(AccessDenied):
        await getattr(subscriptions, call)(OLD, organizer=TEACHER)


async def test_a_change_that_fails_is_named_as_the_call_itself(subscriptions, api):
    api.subscriptions[OLD] = suspended()
    api.failed_operation = {"code": 7, "message": "may not publish to the topic"}

    with pytest.raises(TopicRefused):
        await subscriptions.reactivate(OLD, organizer=TEACHER)


async def test_a_subscription_whose_cause_is_not_fixed_is_not_reactivated_and_says_what_to_fix(subscriptions, api):
    api.subscriptions[OLD] = suspended()
    api.failures["ReactivateSubscription"] = [STATUS.FAILED_PRECONDITION]

    with pytest.raises(AccessDenied) as caught:
        await subscriptions.reactivate(OLD, organizer=TEACHER)

    assert caught.value.hint == suspension_hint("USER_SCOPE_REVOKED")


async def test_a_subscription_that_was_already_reactivated_is_active(subscriptions, api):
    api.subscriptions[OLD] = existing()

    assert await subscriptions.reactivate(OLD, organizer=TEACHER) == Subscription(
        OLD, SubscriptionState.ACTIVE, EXPIRES
    )


async def test_a_subscription_that_ends_before_its_reactivation_is_gone(subscriptions, api):
    api.failures["ReactivateSubscription"] = [STATUS.FAILED_PRECONDITION]

    assert await subscriptions.reactivate(OLD, organizer=TEACHER) is None


@FAILURES
@pytest.mark.parametrize("call", CALLS)
async def test_a_subscription_that_cannot_be_looked_at_or_changed_is_reported(subscriptions, api, call, status, error):
    api.subscriptions[OLD] = suspended()
    api.failures[CALLS[call]] = [status] * 5

    with pytest.raises(error):
        await getattr(subscriptions, call)(OLD, organizer=TEACHER)


class Minutes:
    """Seconds that pass only while a task waits for its turn."""

    def __init__(self):
        self.now = 0.0

    def __call__(self):
        return self.now

    async def sleep(self, seconds):
        self.now += seconds


@pytest.fixture
def minutes():
    return Minutes()


@pytest.fixture
def slow(channel, minutes):
    """Return subscriptions with at most two writes a minute for one teacher, and at most five for all."""
    return adapter(channel, pacing=Pacing(per_organizer=2, overall=5, clock=minutes, sleep=minutes.sleep))


async def test_a_teachers_writes_of_every_kind_wait_for_their_turn(slow, api, minutes):
    made = await slow.ensure(organizer=TEACHER)
    await slow.renew(made.name, organizer=TEACHER)
    assert minutes.now == 0

    api.subscriptions[made.name].state = events.Subscription.State.SUSPENDED
    await slow.reactivate(made.name, organizer=TEACHER)
    await slow.remove(made.name, organizer=TEACHER)
    assert minutes.now == 60

    await slow.ensure(organizer=TEACHER)
    assert minutes.now == 120


async def test_a_write_that_is_repeated_waits_for_another_turn(slow, api, minutes):
    api.failures["CreateSubscription"] = [STATUS.UNAVAILABLE]
    made = await slow.ensure(organizer=TEACHER)

    await slow.renew(made.name, organizer=TEACHER)

    assert minutes.now == 60


async def test_reading_never_waits_for_a_turn(slow, api, minutes):
    api.subscriptions[OLD] = existing()
    for _ in range(10):
        await slow.get(OLD, organizer=TEACHER)

    assert minutes.now == 0


async def test_all_teachers_writes_together_wait_too(slow, minutes):
    for number in range(6):
        await slow.ensure(organizer=Organizer(user=f"users/{number}"))

    assert minutes.now == 60


def because(reason):
    return gexc.PermissionDenied("ada@school.example", error_info=ErrorInfo(reason=reason, domain="googleapis.com"))


@pytest.mark.parametrize(
    ("error", "ours", "kind"),
    [
        (because("SERVICE_DISABLED"), ApiDisabled, NeedsOperator),
        (gexc.Forbidden("The API has not been used in project 1 before"), ApiDisabled, NeedsOperator),
        (because("ACCESS_TOKEN_SCOPE_INSUFFICIENT"), ScopeMissing, NeedsOperator),
        (gexc.PermissionDenied("Cannot publish to Pub/Sub topic"), TopicRefused, NeedsOperator),
        (gexc.NotFound("Topic not found"), TopicRefused, NeedsOperator),
        (gexc.FailedPrecondition("topic is elsewhere"), TopicRefused, NeedsOperator),
        (gexc.PermissionDenied("ada@school.example may not"), AccessDenied, NeedsOperator),
        (gexc.Unauthenticated("who"), AccessDenied, NeedsOperator),
        (gexc.InvalidArgument("bad"), AccessDenied, NeedsOperator),
        (gexc.ResourceExhausted("slow down"), Unavailable, Retryable),
        (gexc.DeadlineExceeded("slow"), Unavailable, Retryable),
        (gexc.InternalServerError("oops"), Unavailable, Retryable),
        (gexc.Aborted("again"), Unavailable, Retryable),
    ],
)
def test_an_error_says_what_to_do_next_and_repeats_nothing_that_google_wrote(error, ours, kind):
    translated = named(error)

    assert type(translated) is ours
    assert isinstance(translated, kind)
    assert translated.hint
    assert "ada@" not in translated.message + translated.hint


async def test_a_subscription_lives_as_long_as_it_is_renewed_at_every_reminder():
    clock = TurnableClock(datetime(2026, 11, 23, 9, tzinfo=UTC))
    school = School(clock, {TEACHER.email: TEACHER.user})
    async with (
        WorkspaceEventsSimulator(school, quotas=True) as google,
        grpc.aio.insecure_channel(google.endpoint.removeprefix("http://")) as channel,
    ):
        subscriptions = adapter(channel)
        made = await subscriptions.ensure(organizer=TEACHER)

        for _ in range(24 * 28):
            clock.turn(timedelta(hours=1))
            if google.due_events():
                renewed = await subscriptions.renew(made.name, organizer=TEACHER)
                assert renewed.expire_time == clock() + timedelta(days=7)

        assert google.is_active(TEACHER.user)
        assert google.calls.by_method() == {"CreateSubscription": 1, "UpdateSubscription": 4}


async def test_a_suspended_subscription_is_reactivated_once_its_cause_is_fixed():
    clock = TurnableClock(datetime(2026, 11, 23, 9, tzinfo=UTC))
    school = School(clock, {TEACHER.email: TEACHER.user})
    async with (
        WorkspaceEventsSimulator(school) as google,
        grpc.aio.insecure_channel(google.endpoint.removeprefix("http://")) as channel,
    ):
        subscriptions = adapter(channel)
        made = await subscriptions.ensure(organizer=TEACHER)
        google.suspend(TEACHER.user, "ENDPOINT_PERMISSION_DENIED")

        with pytest.raises(AccessDenied) as caught:
            await subscriptions.reactivate(made.name, organizer=TEACHER)
        assert caught.value.hint == suspension_hint("ENDPOINT_PERMISSION_DENIED")

        google.fix(TEACHER.user)
        assert await subscriptions.reactivate(made.name, organizer=TEACHER) == made
