"""Two spellings of a Gmail address are one person in every comparison of teachers and students."""

from __future__ import annotations

from datetime import timedelta

from functions.adapters.consent.consents import Consent
from functions.adapters.consent.in_file import FileConsents
from functions.domain.classes.calendar import guests_of
from functions.domain.classes.roster import RosterEntry
from functions.domain.classes.sessions import Plan
from functions.domain.conferences.model import Organizer
from functions.entrypoints.api.routes.schedule import _others
from functions.services.deps import Rules
from functions.services.teachers.impersonation import _is_allowed
from tests.builders import ADA, call, expected, lesson, sheet_of
from tests.report_page import report_page


def test_a_co_teacher_who_is_the_teacher_by_another_spelling_is_left_out():
    assert _others("m.grey@gmail.com", ["mgrey@googlemail.com", "tom@school.example"]) == ("tom@school.example",)


def test_a_co_teacher_who_is_given_in_two_spellings_counts_once():
    assert _others("a@school.example", ["m.grey@gmail.com", "mgrey@gmail.com"]) == ("m.grey@gmail.com",)


def test_the_organizer_of_an_event_is_not_invited_by_another_spelling_and_others_only_once():
    plan = Plan(
        teachers=("m.grey@gmail.com", "tom@school.example"),
        roster=(RosterEntry(email="anna.b@gmail.com"), RosterEntry(email="tom@school.example")),
    )

    assert guests_of(plan, organizer="mgrey@gmail.com") == {"tom@school.example", "anna.b@gmail.com"}


async def test_a_consent_in_a_file_is_found_by_another_spelling_of_the_teachers_address(tmp_path):
    consents = FileConsents(tmp_path / "consents.json")
    consent = Consent("users/11", "m.grey@gmail.com", "client", "hidden", "1//hidden", frozenset({"scope"}))
    await consents.put(consent)

    assert await consents.get(Organizer(None, "mgrey@googlemail.com")) == consent
    assert await consents.get(Organizer(None, "mwhite@gmail.com")) is None


def test_a_teacher_who_is_on_the_roster_by_another_spelling_is_not_counted_as_expected():
    roster = (RosterEntry(email="mg.rey@googlemail.com"), *expected(ADA))
    shown = report_page(sheet_of(lesson(teachers=("m.grey@gmail.com",), roster=roster), call((ADA, (0, 60)))))

    assert [fact.texts for fact in shown.facts if fact.term == "Expected"] == [("1 student",)]


def test_a_teacher_who_is_allowed_by_name_is_allowed_by_another_spelling():
    allowed = frozenset({"m.grey@gmail.com"})
    rules = Rules(settle=timedelta(minutes=10), time_zone="UTC", allowed_teachers=allowed)

    assert _is_allowed("mgrey@googlemail.com", enrolled=False, by_admin=False, rules=rules)
    assert not _is_allowed("mwhite@gmail.com", enrolled=False, by_admin=False, rules=rules)
