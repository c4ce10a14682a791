"""The next step for a subscription, and what an operator does about a suspended one."""

from datetime import UTC, datetime, timedelta

import pytest

from functions.domain.conferences.model import Subscription, SubscriptionState
from functions.domain.conferences.subscriptions import LIFE, RENEW_BEFORE, Action, has_missed_events, next_action
from functions.hints import suspension_hint

NOW = datetime(2026, 11, 23, 9, tzinfo=UTC)
MOMENT = timedelta(microseconds=1)


def lasting(left, state=SubscriptionState.ACTIVE):
    return Subscription("subscriptions/s", state, NOW + left)


def test_a_teacher_without_a_subscription_gets_one():
    assert next_action(None, now=NOW) is Action.MAKE


def test_one_whose_making_was_under_way_is_asked_for_again():
    assert next_action(Subscription(None, SubscriptionState.PENDING), now=NOW) is Action.MAKE


def test_a_fresh_subscription_is_kept():
    assert next_action(lasting(LIFE), now=NOW) is Action.KEEP


@pytest.mark.parametrize(
    ("left", "action"),
    [
        (RENEW_BEFORE + MOMENT, Action.KEEP),
        (RENEW_BEFORE, Action.RENEW),
        (MOMENT, Action.RENEW),
        (timedelta(0), Action.MAKE),
        (-MOMENT, Action.MAKE),
    ],
)
def test_it_is_renewed_in_the_second_half_of_its_life_and_made_again_from_its_end_on(left, action):
    assert next_action(lasting(left), now=NOW) is action


@pytest.mark.parametrize(
    ("left", "action"),
    [
        (LIFE, Action.REACTIVATE),
        (MOMENT, Action.REACTIVATE),
        (timedelta(0), Action.MAKE),
    ],
)
def test_a_suspended_one_is_reactivated_before_anything_else_until_it_ends(left, action):
    assert next_action(lasting(left, SubscriptionState.SUSPENDED), now=NOW) is action


@pytest.mark.parametrize(
    ("state", "action"),
    [(SubscriptionState.ACTIVE, Action.KEEP), (SubscriptionState.SUSPENDED, Action.REACTIVATE)],
)
def test_a_subscription_without_an_end_need_not_be_renewed(state, action):
    assert next_action(Subscription("subscriptions/s", state), now=NOW) is action


def test_events_may_have_been_missed_where_none_could_come():
    assert {action for action in Action if has_missed_events(action)} == {
        Action.MAKE,
        Action.REPLACE,
        Action.REACTIVATE,
    }


def test_one_that_reports_elsewhere_is_replaced_whenever_it_ends_and_made_again_once_it_has_ended():
    elsewhere = Subscription("subscriptions/s", SubscriptionState.ELSEWHERE, NOW + LIFE, "OTHER")
    assert next_action(elsewhere, now=NOW) is Action.REPLACE
    assert next_action(elsewhere, now=NOW + LIFE) is Action.MAKE


@pytest.mark.parametrize(
    ("reason", "step"),
    [
        ("USER_SCOPE_REVOKED", "consent again"),
        ("APP_SCOPE_REVOKED", "Manage domain-wide delegation"),
        ("RESOURCE_DELETED", "Recently deleted"),
        ("USER_AUTHORIZATION_FAILURE", "Directory > Users"),
        ("APP_AUTHORIZATION_FAILURE", "Manage app access"),
        ("ENDPOINT_PERMISSION_DENIED", "serviceAccount:meet-api-event-push@system.gserviceaccount.com"),
        ("ENDPOINT_NOT_FOUND", "gcloud pubsub topics create"),
        ("ENDPOINT_RESOURCE_EXHAUSTED", "Quotas"),
        ("OTHER", "gcloud pubsub topics get-iam-policy"),
    ],
)
def test_every_reason_of_a_suspension_names_its_own_step(reason, step):
    assert step in suspension_hint(reason)


@pytest.mark.parametrize("reason", [None, "", "MOON_IN_THE_WRONG_HOUSE"])
def test_an_unknown_reason_is_handled_like_a_missing_one(reason):
    assert suspension_hint(reason) == suspension_hint("OTHER")
