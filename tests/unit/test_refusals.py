"""One table of the refusals of Google's services: their names, their answers and their hints."""

import pytest

from functions.adapters.google.calls import services
from functions.domain import errors
from functions.domain.errors import NeedsOperator, Permanent, Retryable
from functions.entrypoints.api import problems

SITUATIONS = {
    "unavailable": (Retryable, 503),
    "disabled": (NeedsOperator, 502),
    "denied": (NeedsOperator, 502),
    "scope_missing": (NeedsOperator, 502),
    "token_not_accepted": (NeedsOperator, 502),
    "not_shown": (NeedsOperator, 502),
    "refused": (Permanent, 502),
}
REASONS = {
    "MEET": ("meet-unavailable", "meet-api-disabled", "insufficient-permissions", "meet-request-refused"),
    "EVENTS": (
        "subscriptions-unavailable",
        "workspace-events-api-disabled",
        "subscription-refused",
        "subscription-refused",
    ),
    "PEOPLE": (
        "identities-unavailable",
        "identities-api-disabled",
        "identity-access-denied",
        "identity-request-refused",
    ),
    "DIRECTORY": (
        "identities-unavailable",
        "identities-api-disabled",
        "identity-access-denied",
        "identity-request-refused",
    ),
    "CALENDAR": (
        "calendar-unavailable",
        "calendar-api-disabled",
        "calendar-access-denied",
        "calendar-request-refused",
    ),
    "REPORTS": ("reports-unavailable", "reports-api-disabled", "reports-access-denied", "reports-request-refused"),
}
SCOPES = {
    "MEET": "meetings.space.readonly",
    "EVENTS": "meetings.space.readonly",
    "PEOPLE": "directory.readonly",
    "DIRECTORY": "admin.directory.user.readonly",
    "CALENDAR": "calendar.events",
    "REPORTS": "admin.reports.audit.readonly",
}


def rows():
    return {name: row for name, row in vars(services).items() if isinstance(row, services.Service)}


def test_every_service_is_in_this_table():
    assert rows().keys() == REASONS.keys() == SCOPES.keys()


@pytest.mark.parametrize("situation", SITUATIONS)
@pytest.mark.parametrize("name", REASONS)
def test_a_refusal_has_its_kind_its_reason_and_its_status(name, situation):
    unavailable, disabled, denied, refused = REASONS[name]
    reason = {"unavailable": unavailable, "disabled": disabled, "refused": refused}.get(situation, denied)
    kind, status = SITUATIONS[situation]

    error = getattr(rows()[name], situation)("It did not work.")

    assert isinstance(error, kind)
    assert (error.reason, error.cause, problems.of(error).status) == (reason, None, status)


@pytest.mark.parametrize("name", REASONS)
def test_what_is_stored_of_a_service_that_does_not_answer_passes_by_itself_and_of_a_refusal_does_not(name):
    row = rows()[name]

    assert errors.passes(row.unavailable("It does not answer.").reason)
    assert not errors.passes(row.denied("It refuses.").reason)


@pytest.mark.parametrize("name", REASONS)
def test_a_hint_names_the_command_or_the_scope(name):
    row = rows()[name]

    assert f"gcloud services enable {row.api}" in row.disabled("It is off.").hint
    assert f"auth/{SCOPES[name]}:" in row.scope_missing("It lacks a scope.").hint


@pytest.mark.parametrize(
    ("kind", "status"),
    [
        (errors.Retryable, 503),
        (errors.NeedsOperator, 502),
        (errors.TeacherNotAllowed, 403),
        (errors.Permanent, 502),
        (errors.ConferenceRecordGone, 404),
        (errors.NotFound, 404),
        (errors.Refused, 409),
        (errors.DomainNotAllowed, 403),
        (errors.PreconditionFailed, 412),
        (errors.ReadTooOld, 410),
        (errors.WrongSetting, 500),
    ],
)
def test_each_kind_of_error_is_answered_with_a_status_of_its_own(kind, status):
    assert problems.of(kind("It did not work.")).status == status
