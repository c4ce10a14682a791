"""The guide's section on troubleshooting: each problem is provoked, and the system says what to do."""

from __future__ import annotations

import grpc
import pytest

from infra.local.faults import Fault
from tests.api import slug
from tests.classroom import held, scheduled, the_class

REFUSED = grpc.StatusCode.PERMISSION_DENIED


@pytest.fixture
def api(delegated, calling):
    return calling(delegated())


async def pulled(api, made):
    return await api.post(f"/api/webhook/sessions/{made['session_id']}/sync-participants")


async def test_meet_api_not_enabled(api, school, meet):
    made = await scheduled(api)
    school.hold(the_class(made["space"], made["meeting_code"]))
    meet.faults.set(Fault("ListConferenceRecords", REFUSED, reason="SERVICE_DISABLED"))

    answer = await pulled(api, made)

    assert (answer.status_code, slug(answer)) == (502, "meet-api-disabled")
    assert "gcloud services enable meet.googleapis.com" in answer.json()["hint"]


@pytest.mark.parametrize(
    ("status", "reason", "hint"),
    [
        (grpc.StatusCode.UNAUTHENTICATED, None, "credentials are no longer valid"),
        (REFUSED, None, "only to its organizer and its participants"),
        (REFUSED, "ACCESS_TOKEN_SCOPE_INSUFFICIENT", "https://www.googleapis.com/auth/meetings.space.readonly"),
    ],
)
async def test_invalid_credentials_or_insufficient_permissions(*, api, school, meet, status, reason, hint):
    made = await scheduled(api)
    school.hold(the_class(made["space"], made["meeting_code"]))
    meet.faults.set(Fault("ListConferenceRecords", status, reason=reason))

    answer = await pulled(api, made)

    assert (answer.status_code, slug(answer)) == (502, "insufficient-permissions")
    assert hint in answer.json()["hint"]


async def test_no_conference_record_found(api):
    made = await scheduled(api)

    answer = await pulled(api, made)

    assert (answer.status_code, slug(answer)) == (404, "no-conference-record")
    assert "nobody has joined the class's Meet link yet" in answer.json()["hint"]


async def test_conference_record_exists_but_no_participants(api, school):
    made = await scheduled(api)
    school.hold(held(made["space"], made["meeting_code"]))

    answer = await pulled(api, made)

    assert (answer.status_code, answer.json()["participants"]) == (200, [])
    assert answer.json()["message"] == "Conference has no participants yet"
    assert "asks again by itself" in answer.json()["hint"]
