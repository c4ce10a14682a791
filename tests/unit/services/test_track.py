"""What scheduling a class reports about the tracking of its teacher."""

import pytest

from functions.domain.classes.sessions import Caller, CallerRole, Tracking
from functions.services.teachers.organizers import track
from tests.builders import EMAILS, TEACHER

LMS = Caller("lms@school.example", CallerRole.LMS)


@pytest.fixture
def tracked(school):
    return lambda: track(EMAILS[TEACHER], caller=LMS, deps=school.deps)


async def test_a_teacher_that_google_knows_is_tracked(tracked):
    assert await tracked() == (Tracking.ACTIVE, None)


async def test_a_subscription_that_could_not_be_made_is_tried_again_by_itself(school, tracked):
    school.subscriptions.unavailable = True

    assert await tracked() == (Tracking.FAILED, "The system tries again by itself.")
    assert TEACHER in school.store.documents.organizers


async def test_a_teacher_who_could_not_be_enrolled_is_to_be_enrolled_by_hand(school, tracked):
    school.directory.unavailable = True

    tracking, hint = await tracked()

    assert tracking is Tracking.FAILED
    assert "POST /api/organizers" in hint
    assert "tries again by itself" not in hint
    assert school.store.documents.organizers == {}
