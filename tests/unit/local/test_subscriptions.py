"""The simulated Workspace Events API with the official client, on a clock that the test turns."""

import json
from datetime import UTC, datetime, timedelta
from pathlib import Path

import grpc
import pytest
from google.api_core import exceptions
from google.apps import events_subscriptions_v1 as events
from google.apps.events_subscriptions_v1.services.subscriptions_service.transports import (
    SubscriptionsServiceGrpcTransport,
)
from google.protobuf import duration_pb2, field_mask_pb2

from functions.domain.conferences.events import SubscriptionChanged, parse
from infra.local.clock import TurnableClock
from infra.local.school import School
from infra.local.subscriptions import WorkspaceEventsSimulator

NINE = datetime(2026, 3, 2, 9, tzinfo=UTC)
HOUR = timedelta(hours=1)
WEEK = timedelta(days=7)
MOMENT = timedelta(microseconds=1)
ENDED = ["google.workspace.meet.conference.v2.ended"]
SAMPLES = Path(__file__).parents[2] / "samples"


@pytest.fixture
def clock():
    return TurnableClock(NINE)


@pytest.fixture
def quotas():
    return False


@pytest.fixture
def google(clock, quotas):
    with WorkspaceEventsSimulator(School(clock), quotas=quotas).in_thread() as simulator:
        yield simulator
        assert simulator.violations == []


@pytest.fixture
def violations(google):
    """Return the reasons of refused malformed requests; a test that uses this fixture expects some."""
    yield google.violations
    assert google.violations
    google.violations.clear()


QUOTAS = pytest.mark.parametrize("quotas", [True], ids=["quotas"])


class User:
    """The calls of one user through the official client."""

    def __init__(self, client, user="users/1"):
        self._client = client
        self._as = {"metadata": (("x-acting-as", user),), "retry": None}
        self.target = f"//cloudidentity.googleapis.com/{user}"

    def wanted(self, *, topic="projects/p-1/topics/topic", **about):
        return events.Subscription(
            **{
                "target_resource": self.target,
                "event_types": ENDED,
                "notification_endpoint": events.NotificationEndpoint(pubsub_topic=topic),
                **about,
            }
        )

    def create(self, **about):
        request = events.CreateSubscriptionRequest(subscription=self.wanted(**about))
        return made(self._client.create_subscription(request, **self._as))

    def list(self, wanted, **about):
        request = events.ListSubscriptionsRequest(filter=wanted, **about)
        pager = self._client.list_subscriptions(request, **self._as)
        return next(iter(pager.pages))

    def update(self, name, *paths, **about):
        request = events.UpdateSubscriptionRequest(
            subscription=events.Subscription(name=name, **about), update_mask=field_mask_pb2.FieldMask(paths=paths)
        )
        return made(self._client.update_subscription(request, **self._as))

    def renew(self, name):
        return self.update(name, "ttl", ttl=duration_pb2.Duration())

    def reactivate(self, name):
        request = events.ReactivateSubscriptionRequest(name=name)
        return made(self._client.reactivate_subscription(request, **self._as))

    def get(self, name):
        return self._client.get_subscription(events.GetSubscriptionRequest(name=name), **self._as)

    def delete(self, name):
        request = events.DeleteSubscriptionRequest(name=name, allow_missing=True)
        assert self._client.delete_subscription(request, **self._as).operation.done


def made(operation):
    assert operation.operation.done
    return operation.result()


@pytest.fixture
def client(google):
    with grpc.insecure_channel(google.endpoint.removeprefix("http://")) as channel:
        yield events.SubscriptionsServiceClient(transport=SubscriptionsServiceGrpcTransport(channel=channel))


@pytest.fixture
def teacher(client):
    return User(client)


def told(google):
    """Return kind, time and other content of each due event."""
    return [
        (
            message.attributes["ce-type"].removeprefix("google.workspace.events.subscription.v1."),
            datetime.fromisoformat(message.attributes["ce-time"]) - NINE,
            json.loads(message.data)["subscription"],
        )
        for message in google.due_events()
    ]


def kinds(google):
    return [(kind, at) for kind, at, _ in told(google)]


def test_a_subscription_lives_seven_days_and_is_gone_for_good(google, teacher, clock):
    name = teacher.create().name
    assert teacher.get(name).expire_time == NINE + WEEK

    clock.turn(WEEK - MOMENT)
    assert teacher.get(name).state is events.Subscription.State.ACTIVE
    assert google.is_active("users/1")

    clock.turn(MOMENT)
    assert not google.is_active("users/1")
    for change in (teacher.get, teacher.renew, teacher.reactivate):
        with pytest.raises(exceptions.NotFound):
            change(name)
    assert teacher.create().name != name


def test_its_end_is_reminded_of_and_told(google, teacher, clock):
    name = teacher.create().name
    clock.turn(WEEK)
    end = {"name": name, "expire_time": "2026-03-09T09:00:00Z"}

    assert told(google) == [
        ("expirationReminder", WEEK - 12 * HOUR, end),
        ("expirationReminder", WEEK - HOUR, end),
        ("expired", WEEK, end),
    ]


def test_an_event_is_told_from_its_moment_on_and_once(google, teacher, clock):
    teacher.create()

    clock.turn(WEEK - 12 * HOUR - MOMENT)
    assert kinds(google) == []
    clock.turn(MOMENT)
    assert kinds(google) == [("expirationReminder", WEEK - 12 * HOUR)]
    assert kinds(google) == []


def test_events_of_all_subscriptions_come_in_order_of_time(google, client, clock):
    User(client, "users/1").create()
    clock.turn(6 * HOUR)
    User(client, "users/2").create()
    clock.turn(WEEK)
    events_told = told(google)

    assert [at for _, at, _ in events_told] == sorted(at for _, at, _ in events_told)
    assert [about["name"] for _, _, about in events_told] == [
        f"subscriptions/meet-users-{n}" for n in (1, 2, 1, 1, 2, 2)
    ]


def test_renewing_gives_seven_days_from_now_and_takes_back_what_was_not_told_yet(google, teacher, clock):
    name = teacher.create().name
    clock.turn(WEEK - 12 * HOUR)

    assert teacher.renew(name).expire_time == clock() + WEEK
    clock.turn(WEEK - 12 * HOUR - MOMENT)
    assert kinds(google) == [("expirationReminder", WEEK - 12 * HOUR)]
    clock.turn(MOMENT)
    assert kinds(google) == [("expirationReminder", 2 * (WEEK - 12 * HOUR))]


def test_a_short_life_has_no_reminder_from_before_it(google, teacher, clock):
    teacher.create(ttl=timedelta(hours=2))
    clock.turn(2 * HOUR)

    assert kinds(google) == [("expirationReminder", HOUR), ("expired", 2 * HOUR)]


def test_a_caller_may_request_an_end(teacher):
    name = teacher.create().name

    assert teacher.update(name, "ttl", ttl=timedelta(days=1)).expire_time == NINE + timedelta(days=1)
    assert teacher.update(name, "expire_time", expire_time=NINE + WEEK).expire_time == NINE + WEEK


def test_changing_the_event_types_leaves_the_end(teacher, clock):
    name = teacher.create().name
    clock.turn(HOUR)
    changed = teacher.update(name, "event_types", event_types=["google.workspace.meet.conference.v2.started"])

    assert changed.event_types == ["google.workspace.meet.conference.v2.started"]
    assert teacher.get(name) == changed
    assert changed.expire_time == NINE + WEEK


@pytest.mark.parametrize(
    ("paths", "about"),
    [
        (["ttl"], {"ttl": WEEK + MOMENT}),
        (["ttl"], {"ttl": -HOUR}),
        (["expire_time"], {"expire_time": NINE + WEEK + MOMENT}),
        (["expire_time"], {"expire_time": NINE}),
        (["expire_time"], {}),
        (["ttl", "expire_time"], {"ttl": HOUR}),
        (["event_types"], {}),
        (["target_resource"], {"target_resource": "//cloudidentity.googleapis.com/users/2"}),
        ([], {"ttl": HOUR, "event_types": ENDED}),
        ([], {"target_resource": "//cloudidentity.googleapis.com/users/2"}),
        (["event_types"], {"event_types": ["google.workspace.meet.participant.v2.waved"]}),
    ],
    ids=str,
)
@pytest.mark.usefixtures("violations")
def test_an_update_that_cannot_be_is_refused_and_changes_nothing(teacher, paths, about):
    before = teacher.create()

    with pytest.raises(exceptions.InvalidArgument):
        teacher.update(before.name, *paths, **about)

    assert teacher.get(before.name) == before


def test_an_update_without_a_mask_changes_what_it_holds(teacher):
    name = teacher.create().name

    assert teacher.update(name, ttl=HOUR).expire_time == NINE + HOUR


@pytest.mark.parametrize(
    ("field", "about"),
    [
        ("target_resource", {"target_resource": "//cloudidentity.googleapis.com/users/teacher@school.example"}),
        ("target_resource", {"target_resource": "users/1"}),
        ("target_resource", {"target_resource": "//chat.googleapis.com/spaces/1"}),
        ("event_types", {"event_types": []}),
        ("event_types", {"event_types": ["google.workspace.meet.conference.v2.begun"]}),
        ("event_types", {"event_types": ["google.workspace.events.subscription.v1.expired"]}),
        ("pubsub_topic", {"topic": "workspace-events"}),
        ("pubsub_topic", {"topic": "projects/p-1/topics/1st"}),
        ("pubsub_topic", {"topic": "projects/p-1/topics/google-events"}),
        ("ttl", {"ttl": WEEK + MOMENT}),
        ("expire_time", {"expire_time": NINE}),
        ("payload_options", {"payload_options": events.PayloadOptions(include_resource=True)}),
    ],
    ids=str,
)
def test_a_malformed_subscription_is_refused_by_field_and_rule_and_is_a_violation(teacher, violations, field, about):
    with pytest.raises(exceptions.InvalidArgument, match=field):
        teacher.create(**about)

    assert [field in violation for violation in violations] == [True]


def test_the_topic_has_to_be_in_the_applications_own_project(clock):
    with (
        WorkspaceEventsSimulator(School(clock), project="p-1").in_thread() as google,
        grpc.insecure_channel(google.address) as channel,
    ):
        teacher = User(events.SubscriptionsServiceClient(transport=SubscriptionsServiceGrpcTransport(channel=channel)))
        with pytest.raises(exceptions.InvalidArgument, match="same Google Cloud project"):
            teacher.create(topic="projects/p-2/topics/events")
        assert teacher.create(topic="projects/p-1/topics/events").name


@pytest.mark.parametrize(
    "wanted",
    [
        "",
        'target_resource="//cloudidentity.googleapis.com/users/1"',
        'event_types:"google.workspace.meet.conference.v2.ended" OR target_resource="//meet.googleapis.com/spaces/a"',
        'event_types:"a" OR event_types:"b" AND target_resource="//cloudidentity.googleapis.com/users/1"',
        'event_types:"google.workspace.meet.conference.v2.paused"',
        'event_types:"google.workspace.meet.conference.v2.ended" AND target_resource="users/1"',
    ],
)
@pytest.mark.usefixtures("violations")
def test_a_list_needs_a_filter_with_an_event_type_in_googles_own_grammar(teacher, wanted):
    with pytest.raises(exceptions.InvalidArgument, match=r"filter|target_resource"):
        teacher.list(wanted)


def test_a_list_gives_fifty_a_page_unless_asked_and_a_hundred_at_most(google, teacher):
    for number in range(120):
        google.plant("users/1", topic=f"projects/p-1/topics/topic-{number}", event_types=ENDED)
    wanted = f'event_types:"{ENDED[0]}" AND target_resource="{teacher.target}"'

    assert [len(teacher.list(wanted, page_size=size).subscriptions) for size in (0, 7, 500)] == [50, 7, 100]
    first = teacher.list(wanted)
    rest = teacher.list(wanted, page_size=100, page_token=first.next_page_token)
    assert len({one.name for one in (*first.subscriptions, *rest.subscriptions)}) == 120


@pytest.mark.usefixtures("violations")
def test_a_page_belongs_to_the_filter_that_it_was_asked_for_with(google, teacher):
    for number in range(3):
        google.plant("users/1", topic=f"projects/p-1/topics/topic-{number}", event_types=ENDED)
    token = teacher.list(f'event_types:"{ENDED[0]}"', page_size=1).next_page_token

    with pytest.raises(exceptions.InvalidArgument, match="filter value should match"):
        teacher.list(f'event_types:"{ENDED[0]}" AND target_resource="{teacher.target}"', page_token=token)


@pytest.mark.usefixtures("violations")
def test_a_malformed_name_is_refused(teacher):
    for change in (teacher.get, teacher.renew, teacher.reactivate, teacher.delete):
        with pytest.raises(exceptions.InvalidArgument, match=r"subscriptions/{subscription}"):
            change("meet-users-1")


def test_only_the_user_of_the_target_may_subscribe_to_it(client):
    with pytest.raises(exceptions.PermissionDenied):
        User(client, "users/1").create(target_resource="//cloudidentity.googleapis.com/users/2")


def test_an_etag_from_before_a_change_deletes_nothing(client, teacher):
    made = teacher.create()
    teacher.renew(made.name)
    request = events.DeleteSubscriptionRequest(name=made.name, etag=made.etag)

    with pytest.raises(exceptions.Aborted):
        client.delete_subscription(request, metadata=(("x-acting-as", "users/1"),), retry=None)
    assert teacher.get(made.name)


def test_a_request_that_is_only_validated_changes_nothing(google, client):
    subscription = events.Subscription(
        target_resource="//cloudidentity.googleapis.com/users/1",
        event_types=ENDED,
        notification_endpoint=events.NotificationEndpoint(pubsub_topic="projects/p-1/topics/topic"),
    )
    request = events.CreateSubscriptionRequest(subscription=subscription, validate_only=True)
    made(client.create_subscription(request, metadata=(("x-acting-as", "users/1"),), retry=None))

    assert google.subscriptions == []


def test_an_operation_may_take_its_time_and_its_target_is_taken_meanwhile(google, client, teacher):
    google.calls_until_done = 2
    request = events.CreateSubscriptionRequest(subscription=teacher.wanted())
    operation = client.create_subscription(request, metadata=(("x-acting-as", "users/1"),), retry=None).operation
    assert not operation.done
    assert google.subscriptions == []

    with pytest.raises(exceptions.AlreadyExists):
        teacher.create()
    assert client.get_operation({"name": operation.name}, metadata=(("x-acting-as", "users/1"),)).done
    assert google.is_active("users/1")


def test_nobody_else_may_change_it(google, client, teacher):
    name = teacher.create().name
    stranger = User(client, "users/2")
    for change in (stranger.get, stranger.renew, stranger.reactivate):
        with pytest.raises(exceptions.NotFound):
            change(name)
    stranger.delete(name)

    assert google.is_active("users/1")


def test_a_suspended_subscription_reports_this_and_delivers_nothing(google, teacher):
    name = teacher.create().name
    google.suspend("users/1", "USER_SCOPE_REVOKED")
    shown = teacher.get(name)

    assert (shown.state.name, shown.suspension_reason.name) == ("SUSPENDED", "USER_SCOPE_REVOKED")
    assert not google.is_active("users/1")
    assert told(google) == [("suspended", timedelta(0), {"name": name, "suspension_reason": "USER_SCOPE_REVOKED"})]


def test_it_is_reactivated_once_the_cause_is_fixed_and_keeps_its_end(google, teacher, clock):
    made = teacher.create()
    google.suspend("users/1", "ENDPOINT_NOT_FOUND")
    clock.turn(HOUR)
    with pytest.raises(exceptions.FailedPrecondition):
        teacher.reactivate(made.name)

    google.fix("users/1")
    assert not google.is_active("users/1")
    fixed = teacher.reactivate(made.name)
    assert (fixed.state, fixed.expire_time) == (events.Subscription.State.ACTIVE, made.expire_time)
    assert google.is_active("users/1")


def test_an_active_subscription_cannot_be_reactivated(teacher):
    with pytest.raises(exceptions.FailedPrecondition):
        teacher.reactivate(teacher.create().name)


def test_a_new_subscription_does_not_avoid_the_cause_of_a_suspension(google, teacher):
    teacher.create()
    google.suspend("users/1", "RESOURCE_DELETED")
    google.expire("users/1")
    with pytest.raises(exceptions.PermissionDenied):
        teacher.create()

    google.fix("users/1")
    assert teacher.create().name
    assert google.is_active("users/1")


def test_renewing_a_suspended_one_does_not_make_it_deliver(google, teacher):
    name = teacher.create().name
    google.suspend("users/1", "OTHER")

    assert teacher.renew(name).state is events.Subscription.State.SUSPENDED


def test_a_broken_endpoint_may_get_not_even_lifecycle_events(google, teacher, clock):
    teacher.create()
    google.suspend("users/1", "ENDPOINT_PERMISSION_DENIED", is_told=False)
    clock.turn(WEEK - 6 * HOUR)
    google.fix("users/1")
    clock.turn(6 * HOUR)

    assert kinds(google) == [("expirationReminder", WEEK - HOUR), ("expired", WEEK)]


@pytest.mark.parametrize("reason", ["APP_SCOPE_REVOKED", "APP_AUTHORIZATION_FAILURE"])
def test_reasons_that_the_client_does_not_know_are_reported_all_the_same(google, teacher, reason):
    name = teacher.create().name
    google.suspend("users/1", reason)

    assert events.Subscription.pb(teacher.get(name)).suspension_reason > max(
        number.value for number in list(events.Subscription.ErrorType)
    )
    assert told(google)[0][2]["suspension_reason"] == reason


def test_only_what_there_is_can_be_suspended_and_only_for_reasons_of_googles(google, teacher):
    for change in (google.expire, lambda user: google.suspend(user, "OTHER")):
        with pytest.raises(LookupError, match="users/1"):
            change("users/1")

    teacher.create()
    with pytest.raises(KeyError):
        google.suspend("users/1", "BAD_MOOD")
    assert google.is_active("users/1")


def test_an_ended_subscription_reports_this_and_sends_no_reminder(google, teacher, clock):
    name = teacher.create().name
    clock.turn(HOUR)
    google.expire("users/1")

    assert not google.is_active("users/1")
    assert told(google) == [("expired", HOUR, {"name": name, "expire_time": "2026-03-02T10:00:00Z"})]
    clock.turn(WEEK)
    assert kinds(google) == []


def test_a_deleted_subscription_reports_nothing_more(google, teacher, clock):
    teacher.delete(teacher.create().name)
    clock.turn(WEEK)

    assert google.due_events() == []


def test_lifecycle_events_have_the_shape_of_googles(google, teacher, clock):
    name = teacher.create().name
    google.suspend("users/1", "OTHER")
    clock.turn(WEEK)
    by_type = {message.attributes["ce-type"]: message for message in google.due_events()}

    assert len(by_type) == 3
    for sample in SAMPLES.glob("subscription-*.json"):
        known = json.loads(sample.read_text())["envelope"]["message"]
        message = by_type[known["attributes"]["ce-type"]]
        assert message.attributes.keys() == known["attributes"].keys()
        assert message.attributes["ce-source"] == message.attributes["ce-subject"] == message.ordering_key
        event = parse(message.attributes, json.loads(message.data))
        assert isinstance(event, SubscriptionChanged)
        assert event.subscription == name
        assert event.origin.occurred_at == message.publish_time


@QUOTAS
def test_a_user_may_write_100_times_in_any_minute(teacher, clock):
    name = teacher.create().name
    for _ in range(99):
        teacher.renew(name)
    clock.turn(timedelta(minutes=1) - MOMENT)
    with pytest.raises(exceptions.ResourceExhausted):
        teacher.renew(name)

    clock.turn(MOMENT)
    assert teacher.renew(name).name == name


@QUOTAS
def test_all_kinds_of_writes_count_and_reads_count_apart(google, teacher):
    name = teacher.create().name
    for _ in range(98):
        teacher.delete("subscriptions/none")
    google.suspend("users/1", "OTHER")
    google.fix("users/1")
    teacher.reactivate(name)
    for write in (teacher.create, lambda: teacher.delete(name), lambda: teacher.reactivate(name)):
        with pytest.raises(exceptions.ResourceExhausted):
            write()

    for _ in range(100):
        teacher.get(name)
    with pytest.raises(exceptions.ResourceExhausted):
        teacher.get(name)


@QUOTAS
def test_all_users_together_may_write_600_times(client):
    for number in range(6):
        for _ in range(100):
            User(client, f"users/{number}").delete("subscriptions/none")

    with pytest.raises(exceptions.ResourceExhausted):
        User(client, "users/7").create()


def test_nothing_is_counted_unless_asked_for(teacher):
    name = teacher.create().name
    for _ in range(100):
        teacher.renew(name)

    assert teacher.renew(name).name == name
