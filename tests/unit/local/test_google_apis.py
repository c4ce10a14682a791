"""The stand-ins of the People and Directory APIs: what they show about an account, and to which callers."""

from __future__ import annotations

import httpx
import pytest

from infra.local.callers import SCOPES
from infra.local.google_apis import GoogleApis
from infra.local.people_answers import Question, person
from infra.local.school import Account, Contact, ProfileAddress, School
from tests.builders import NINE

TEACHER = Account(
    "users/1",
    "teacher@school.example",
    display_name="The Teacher",
    contacts=(
        Contact("users/2", "noted@mail.example", "My Ada"),
        Contact("users/2", "mailed@mail.example", kind="OTHER_CONTACT"),
        Contact("users/2", "shared@school.example", kind="DOMAIN_CONTACT", verified=True),
        Contact("users/3", "parent@mail.example", "Bo's mother"),
    ),
)
ADA = Account(
    "users/2",
    "ada@school.example",
    ("a@school.example",),
    "Ada L.",
    non_editable_aliases=("ada@school.example.test-google-a.com",),
    typed_addresses=("ada@home.example",),
    profile_addresses=(ProfileAddress("ada@blog.example"), ProfileAddress("ada@shop.example", verified=True)),
)
STRANGER = Account("users/9", "someone@mail.example", display_name="Someone", in_directory=False)
EVERY_SOURCE = [f"READ_SOURCE_TYPE_{kind}" for kind in ("PROFILE", "CONTACT", "OTHER_CONTACT", "DOMAIN_CONTACT")]


def shown(account, *, sources=(), scopes=None, caller=TEACHER, fields="names,emailAddresses", user=None, aliases=True):
    question = Question(fields, sources, None if scopes is None else frozenset(scopes), caller, aliases)
    return person(account, user or account.user, question)


def addresses(answer):
    return [
        (each["metadata"]["source"]["type"], each["value"], each["metadata"].get("verified", False))
        for each in answer.get("emailAddresses", ())
    ]


def test_people_names_the_source_of_each_address_and_whether_it_is_verified():
    assert addresses(shown(ADA, sources=EVERY_SOURCE)) == [
        ("CONTACT", "noted@mail.example", False),
        ("OTHER_CONTACT", "mailed@mail.example", False),
        ("DOMAIN_CONTACT", "shared@school.example", True),
        ("PROFILE", "ada@blog.example", False),
        ("PROFILE", "ada@shop.example", True),
        ("DOMAIN_PROFILE", "ada@school.example", True),
        ("DOMAIN_PROFILE", "a@school.example", True),
    ]
    assert addresses(shown(STRANGER)) == [("ACCOUNT", "someone@mail.example", True)]


def test_one_entry_is_the_persons_primary_one_and_one_of_each_source_is_the_sources():
    answer = shown(ADA, sources=["READ_SOURCE_TYPE_PROFILE"])

    marks = [(e["metadata"].get("primary"), e["metadata"].get("sourcePrimary")) for e in answer["emailAddresses"]]
    assert marks == [(True, True), (None, None), (None, True), (None, None)]
    assert answer["names"][0]["metadata"]["primary"]


def test_only_the_sources_that_are_asked_for_are_shown_or_else_profiles_and_contacts():
    assert {kind for kind, *_ in addresses(shown(ADA, sources=["READ_SOURCE_TYPE_OTHER_CONTACT"]))} == {"OTHER_CONTACT"}
    assert {kind for kind, *_ in addresses(shown(ADA))} == {"CONTACT", "PROFILE", "DOMAIN_PROFILE"}


def test_only_the_fields_that_are_asked_for_are_shown():
    assert shown(ADA, fields="names").keys() == {"resourceName", "etag", "names"}
    assert shown(ADA, fields="photos").keys() == {"resourceName", "etag"}


@pytest.mark.parametrize(
    ("scope", "kinds"),
    [
        ("directory.readonly", {"PROFILE", "DOMAIN_PROFILE", "DOMAIN_CONTACT"}),
        ("contacts.readonly", {"PROFILE", "DOMAIN_PROFILE", "CONTACT"}),
        ("contacts.other.readonly", {"PROFILE", "DOMAIN_PROFILE", "OTHER_CONTACT"}),
    ],
)
def test_contacts_are_shown_only_to_a_token_with_their_scope(scope, kinds):
    assert {kind for kind, *_ in addresses(shown(ADA, sources=EVERY_SOURCE, scopes=[f"{SCOPES}{scope}"]))} == kinds


def test_contacts_are_shown_only_to_the_account_that_noted_them():
    assert {kind for kind, *_ in addresses(shown(ADA, sources=EVERY_SOURCE, caller=STRANGER))} == {
        "PROFILE",
        "DOMAIN_PROFILE",
    }


def test_an_account_that_people_hides_is_shown_as_a_contact_alone():
    hidden = Account("users/3", "bo@school.example", display_name="Bo", in_people=False)

    answer = shown(hidden)

    assert addresses(answer) == [("CONTACT", "parent@mail.example", False)]
    assert [name["displayName"] for name in answer["names"]] == ["Bo's mother"]
    assert shown(hidden, caller=STRANGER) is None
    assert addresses(shown(hidden, caller=hidden)) == [("DOMAIN_PROFILE", "bo@school.example", True)]


def test_aliases_are_shown_where_the_school_says_so():
    assert addresses(shown(ADA, sources=["READ_SOURCE_TYPE_PROFILE"], aliases=False))[-1][1] == "ada@school.example"


@pytest.fixture
def school():
    school = School(lambda: NINE)
    school.enrol(TEACHER, ADA, STRANGER)
    return school


@pytest.fixture
def directory(school):
    with (
        GoogleApis(school).in_thread() as apis,
        httpx.Client(base_url=f"{apis.endpoint}/admin/directory/v1/users", trust_env=False) as http,
    ):

        def ask(key, *, acting_as=TEACHER.email, view="domain_public"):
            answer = http.get(f"/{key}?viewType={view}", headers={"x-acting-as": acting_as})
            return answer.status_code, answer.json()

        yield ask


@pytest.mark.parametrize("key", ["2", "ada@school.example", "a@school.example"])
def test_the_directory_knows_an_account_by_its_number_and_its_addresses(directory, key):
    status, answer = directory(key)

    assert (status, answer["id"], answer["primaryEmail"]) == (200, "2", "ada@school.example")
    assert answer["aliases"] == ["a@school.example"]
    assert answer["nonEditableAliases"] == ["ada@school.example.test-google-a.com"]
    assert {"address": "ada@home.example", "type": "home"} in answer["emails"]
    assert not {"isAdmin", "suspended", "recoveryEmail", "orgUnitPath"} & answer.keys()


@pytest.mark.parametrize(
    ("strangers", "key", "status", "reason"),
    [
        ("forbidden", "9", 403, "forbidden"),
        ("forbidden", "12345", 403, "forbidden"),
        ("missing", "9", 404, "notFound"),
        ("forbidden", "nobody@school.example", 404, "notFound"),
    ],
)
def test_the_directory_forbids_strangers_or_does_not_know_them(*, school, directory, strangers, key, status, reason):
    school.strangers = strangers

    answered, answer = directory(key)

    assert (answered, answer["error"]["errors"][0]["reason"]) == (status, reason)


def test_the_directory_answers_the_schools_accounts_alone_and_shows_administrators_fields_to_none(directory):
    assert directory("2", acting_as=STRANGER.email)[0] == 403
    assert directory("2", view="admin_view")[0] == 403
