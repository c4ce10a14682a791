"""Accounts are looked up by the official client over the network, in stand-ins that are as strict as the services."""

import asyncio
import contextlib
import json
import logging
from collections import Counter
from typing import Any

import pytest

from functions import logs
from functions.adapters.google.credentials.capabilities import AnonymousCredentials, Capability, CredentialsPool
from functions.adapters.google.people.directory import Directory
from functions.adapters.google.people.identities import GoogleIdentities
from functions.adapters.google.people.people_api import People
from functions.adapters.patience import Patience
from functions.domain.conferences.model import Identity, IdentitySource, Organizer
from functions.domain.errors import AccessDenied, ApiDisabled, ScopeMissing, Unavailable
from infra.local.google_apis import GoogleApis, RestFault
from infra.local.school import Account, Contact, ProfileAddress, School
from tests.builders import NINE

TEACHER = Organizer(user="users/1", email="teacher@school.example")
PEOPLE, DIRECTORY = "people.batchGet", "users.get"
ADA = "ada@school.example"
OF_A_NEW_LIMIT = '{"error": {"code": 403, "errors": [null, {"domain": "usageLimits", "reason": "aNewLimitExceeded"}]}}'
"""The error's domain shows that it is about quotas; there are many possible reasons."""


@pytest.fixture
def _as_it_was():
    """Restore logging after a test that configured it."""
    root = logging.getLogger()
    handlers, level = root.handlers[:], root.level
    yield
    root.handlers[:] = handlers
    root.setLevel(level)


@pytest.fixture
def school():
    school = School(lambda: NINE)
    school.enrol(Account("users/1", "teacher@school.example", display_name="The Teacher"))
    return school


@pytest.fixture
def google(school):
    with GoogleApis(school).in_thread() as apis:
        yield apis


@pytest.fixture
def identities(google):
    started = []

    def start(*, domains=(), **settings):
        made = GoogleIdentities(
            People(google.endpoint, domains=domains),
            Directory(google.endpoint),
            credentials=CredentialsPool(AnonymousCredentials),
            **settings,
        )
        started.append(made)
        return made

    yield start
    for made in started:
        made.close()


@pytest.fixture
def asked(google):
    """Return how often each service was called."""

    def asked():
        counted = google.calls.by_method()
        return {"people": counted[PEOPLE], "directory": counted[DIRECTORY]}

    return asked


def users(*numbers):
    return [f"users/{number}" for number in numbers]


def notes(school, *contacts):
    """Give the teacher these contacts."""
    school.enrol(
        Account("users/1", "teacher@school.example", display_name="The Teacher", contacts=tuple(contacts)),
    )


def emails(look_up):
    return {user: (identity.email, identity.aliases) for user, identity in look_up.found.items()}


async def test_people_says_who_somebody_is_with_all_their_addresses(school, identities):
    school.people_tells_aliases = True
    school.enrol(Account("users/2", "Ada@School.example", ("Second@School.example",), "Ada\nL."))

    look_up = await identities().look_up(users(2), acting_as=TEACHER)

    assert look_up.found == {
        "users/2": Identity("users/2", ADA, ("second@school.example",), "Ada L.", IdentitySource.PEOPLE)
    }
    assert (look_up.unknown, look_up.unavailable, look_up.reasons) == (frozenset(), frozenset(), frozenset())


async def test_the_directory_is_asked_for_accounts_of_which_people_shows_no_address(school, identities):
    school.enrol(
        Account("users/2", "S2@school.example", people_shows_address=False),
        Account(
            "users/3",
            "S3@school.example",
            aliases=("Alias3@school.example",),
            non_editable_aliases=("S3@school.example.test-google-a.com",),
            display_name="Ada L.",
            in_people=False,
        ),
    )

    look_up = await identities().look_up(users(2, 3), acting_as=TEACHER)

    assert look_up.found["users/3"] == Identity(
        "users/3",
        "s3@school.example",
        ("alias3@school.example", "s3@school.example.test-google-a.com"),
        "Ada L.",
        IdentitySource.DIRECTORY,
    )
    assert look_up.found["users/2"].source is IdentitySource.DIRECTORY


async def test_an_address_that_somebody_typed_into_the_directory_is_not_the_accounts(school, identities):
    school.enrol(Account("users/2", ADA, ("a@school.example",), in_people=False, typed_addresses=("bo@mail.example",)))

    look_up = await identities().look_up(users(2), acting_as=TEACHER)

    assert emails(look_up) == {"users/2": (ADA, ("a@school.example",))}


async def test_the_directory_is_not_asked_for_accounts_that_people_knows(school, identities, asked):
    school.enrol(Account("users/2", ADA))

    await identities().look_up(users(2), acting_as=TEACHER)

    assert asked() == {"people": 1, "directory": 0}


@pytest.mark.parametrize(
    ("status", "email", "unavailable"),
    [(None, "new@school.example", set()), (503, None, {"users/2"}), (403, "old@school.example", set())],
    ids=["answers", "does not answer", "refuses"],
)
async def test_accounts_that_the_directory_knew_are_asked_for_there_again_whatever_people_says(
    *, school, google, identities, status, email, unavailable
):
    """Only the Directory knows the primary address."""
    school.people_tells_aliases = False
    school.enrol(Account("users/2", "old@school.example" if status else "new@school.example"))
    if status:
        google.fail(RestFault(DIRECTORY, status, "forbidden" if status == 403 else "backendError"))

    look_up = await identities().look_up(users(2), acting_as=TEACHER, known_to_directory=users(2))

    assert {identity.email for identity in look_up.found.values()} == ({email} if email else set())
    assert look_up.unavailable == unavailable


async def test_every_source_is_asked_for_as_a_parameter_of_its_own(school, identities):
    """The addresses come from contacts and are verified by Google.

    Each is returned only if its source was understood.
    """
    kinds: Any = ["CONTACT", "OTHER_CONTACT", "DOMAIN_CONTACT"]
    notes(
        school,
        *(
            Contact(f"users/{n}", f"p{n}@mail.example", kind=kind, verified=True)
            for n, kind in enumerate(kinds, start=2)
        ),
    )
    school.enrol(Account("users/5", "p5@mail.example", in_directory=False))

    look_up = await identities().look_up(users(2, 3, 4, 5), acting_as=TEACHER)

    assert look_up.found.keys() == set(users(2, 3, 5))


async def test_what_somebody_wrote_into_their_profile_counts_only_if_google_has_verified_it(school, identities):
    stranger: Any = {"in_directory": False, "people_shows_address": False}
    school.enrol(
        Account("users/2", "x@x.example", profile_addresses=(ProfileAddress(ADA),), **stranger),
        Account("users/3", "x@x.example", profile_addresses=(ProfileAddress("teacher@school.example"),), **stranger),
        Account("users/4", "x@x.example", profile_addresses=(ProfileAddress("bo@mail.example", True),), **stranger),
        Account("users/5", "cy@school.example", profile_addresses=(ProfileAddress(ADA),)),
    )

    look_up = await identities().look_up(users(2, 3, 4, 5), acting_as=TEACHER)

    assert emails(look_up) == {"users/4": ("bo@mail.example", ()), "users/5": ("cy@school.example", ())}
    assert look_up.unknown == {"users/2", "users/3"}


@pytest.mark.parametrize("kind", ["CONTACT", "OTHER_CONTACT"])
async def test_what_a_teacher_has_noted_for_somebody_is_neither_their_address_nor_their_name(school, identities, kind):
    """This is true although it is the person's primary entry for this teacher."""
    noted = [Contact(f"users/{n}", "parent@mail.example", "Noisy boy, row 3", kind=kind) for n in (2, 3, 4)]
    notes(school, *noted, Contact("users/5", "dee@mail.example", "Noisy girl", kind=kind, verified=True))
    school.enrol(
        Account("users/2", ADA, display_name="Ada", in_people=False),
        Account("users/3", "bo@school.example", display_name="Bo"),
    )

    look_up = await identities().look_up(users(2, 3, 4, 5), acting_as=TEACHER)

    assert emails(look_up) == {
        "users/2": (ADA, ()),
        "users/3": ("bo@school.example", ()),
        "users/5": ("dee@mail.example", ()),
    }
    assert {user: one.display_name for user, one in look_up.found.items()} == {
        "users/2": "Ada",
        "users/3": "Bo",
        "users/5": None,
    }
    assert look_up.unknown == {"users/4"}


async def test_what_a_teacher_has_noted_counts_no_more_while_the_directory_cannot_be_asked(school, google, identities):
    notes(school, Contact("users/2", "parent@mail.example"))
    google.fail(RestFault(DIRECTORY, 503))

    look_up = await identities().look_up(users(2), acting_as=TEACHER)

    assert (look_up.found, look_up.unavailable) == ({}, {"users/2"})


@pytest.mark.parametrize(
    ("domains", "found"),
    [((), {"users/2", "users/3", "users/4", "users/5"}), (("school.example",), {"users/5"})],
    ids=["domains not configured", "domains configured"],
)
async def test_an_address_of_the_school_counts_only_from_the_schools_own_profile(*, school, identities, domains, found):
    """A private account can have an address of the school that Google has verified."""
    notes(school, Contact("users/4", "C@School.Example", verified=True))
    school.enrol(
        Account("users/2", "A@School.Example", in_directory=False),
        Account(
            "users/3",
            "x@x.example",
            in_directory=False,
            people_shows_address=False,
            profile_addresses=(ProfileAddress("b@school.example", verified=True),),
        ),
        Account("users/5", "d@school.example"),
    )

    look_up = await identities(domains=domains).look_up(users(2, 3, 4, 5), acting_as=TEACHER)

    assert look_up.found.keys() == found


async def test_an_address_of_another_domain_counts_from_any_account(school, identities):
    school.enrol(
        Account("users/2", "a@gmail.example", in_directory=False),
        Account("users/3", "b@other.school.example", in_directory=False),
    )

    look_up = await identities(domains=["school.example"]).look_up(users(2, 3), acting_as=TEACHER)

    assert look_up.found.keys() == {"users/2", "users/3"}


@pytest.mark.parametrize("strangers", ["forbidden", "missing"])
async def test_nobody_knows_accounts_that_neither_service_knows(school, identities, strangers):
    school.strangers = strangers

    look_up = await identities().look_up(users(2), acting_as=TEACHER)

    assert (look_up.found, look_up.unknown, look_up.unavailable) == ({}, {"users/2"}, frozenset())
    assert look_up.reasons == frozenset()


@pytest.mark.parametrize(("strangers", "more"), [("forbidden", 1), ("missing", 0)])
async def test_strangers_that_the_directory_forbids_cost_one_call_more_in_all(
    *, school, identities, asked, strangers, more
):
    """The Directory is asked for the teacher's own account: if it answers, it does not know the strangers."""
    school.strangers = strangers
    school.enrol(Account("users/2", ADA, in_people=False))

    look_up = await identities().look_up(users(2, *range(300, 530)), acting_as=TEACHER)

    assert emails(look_up) == {"users/2": (ADA, ())}
    assert len(look_up.unknown) == 230
    assert asked() == {"people": 2, "directory": 231 + more}


@pytest.mark.parametrize("acting_as", [Organizer(user="users/1"), Organizer(email="teacher@school.example")])
async def test_the_teacher_may_be_known_by_the_account_or_by_the_address_alone(identities, acting_as):
    assert (await identities().look_up(users(2), acting_as=acting_as)).unknown == {"users/2"}


async def test_a_directory_that_forbids_the_teachers_own_account_knows_nobody_and_calls_nobody_unknown(
    school, identities
):
    school.enrol(
        Account("users/1", "teacher@elsewhere.example", in_directory=False),
        Account("users/3", "bo@school.example"),
    )

    look_up = await identities().look_up(users(1, 2, 3), acting_as=TEACHER)

    assert look_up.found.keys() == {"users/1", "users/3"}  # with the People API's data
    assert (look_up.unknown, look_up.unavailable) == (frozenset(), {"users/2"})
    assert look_up.reasons == {"identity-access-denied"}


async def test_strangers_are_left_open_while_the_directory_cannot_say_whether_it_answers_for_the_teacher(
    google, identities, asked
):
    google.fail(RestFault(DIRECTORY, 503, key="1"))

    look_up = await identities().look_up(users(2, 3), acting_as=TEACHER)

    assert (look_up.unknown, look_up.unavailable) == (frozenset(), {"users/2", "users/3"})
    assert look_up.reasons == {"identities-unavailable"}
    assert asked()["directory"] == 2 + 4  # one question, repeated as often as any other

    google.fail()
    assert (await identities().look_up(users(2, 3), acting_as=TEACHER)).unknown == {"users/2", "users/3"}


async def test_a_teacher_whose_profile_is_hidden_may_ask_for_others(google, identities):
    google.fail(RestFault(DIRECTORY, 404, "notFound", key="1"))

    assert (await identities().look_up(users(2), acting_as=TEACHER)).unknown == {"users/2"}


async def test_an_account_that_left_the_school_is_known_by_what_people_says(school, identities):
    school.enrol(Account("users/2", "ada@mail.example", in_directory=False))

    look_up = await identities().look_up(users(2), acting_as=TEACHER, known_to_directory=users(2))

    assert emails(look_up) == {"users/2": ("ada@mail.example", ())}


async def test_five_hundred_accounts_take_three_calls_to_people(school, google, identities):
    school.enrol(*(Account(f"users/{number}", f"s{number}@school.example") for number in range(500)))

    look_up = await identities().look_up(users(*range(500), 7, 7), acting_as=TEACHER)

    assert look_up.found.keys() == set(users(*range(500)))
    assert sorted(call.asked_for for call in google.calls) == [100, 200, 200]


async def test_looking_nobody_up_asks_nobody(google, identities):
    assert (await identities().look_up([], acting_as=TEACHER)).found == {}
    assert google.calls == []


async def test_every_call_is_made_as_the_teacher(google, identities):
    await identities().look_up(users(2), acting_as=TEACHER)
    await identities().look_up(users(2), acting_as=Organizer(user="users/1"))

    assert Counter(call.acting_as for call in google.calls) == {"teacher@school.example": 3, "users/1": 3}


@pytest.mark.parametrize("service", [PEOPLE, DIRECTORY])
@pytest.mark.parametrize(
    "fault",
    [
        {"status": 429, "reason": "rateLimitExceeded"},
        {"status": 500},
        {"status": 503},
        {"status": 403, "reason": "quotaExceeded"},
        {"page": True},
        {"page": True, "status": 404},
        {"status": 403, "content": OF_A_NEW_LIMIT},
        {"status": 403, "content": f"[{OF_A_NEW_LIMIT}]"},
        {"status": 403, "content": '{"error": {"code": 403, "status": "RESOURCE_EXHAUSTED"}}'},
    ],
    ids=str,
)
async def test_what_may_pass_by_itself_is_asked_again(school, google, identities, service, fault):
    school.enrol(Account("users/2", ADA, in_people=False))
    google.fail(RestFault(service, times=1, **fault))

    look_up = await identities().look_up(users(2), acting_as=TEACHER)

    assert look_up.found.keys() == {"users/2"}
    assert google.calls.by_method()[service] == 2


@pytest.mark.parametrize(
    "answer",
    [
        {"retry_after": "7"},
        {"retry_after": "Tue, 01 Jan 2999 00:00:00 GMT"},
        {"content": '{"error": {"details": [{"retryDelay": "7s"}]}}'},
    ],
    ids=str,
)
async def test_a_service_that_says_how_long_to_wait_is_not_asked_again_before(google, school, asked, answer):
    school.enrol(Account("users/2", ADA))
    google.fail(RestFault(DIRECTORY, 429, times=1, **answer))
    pauses = []

    async def pause(seconds):
        pauses.append(seconds)

    directory = Directory(google.endpoint)
    with contextlib.closing(directory), Patience(1e12, sleep=pause).started():
        found = await directory.get("2", AnonymousCredentials(TEACHER, Capability.DIRECTORY))

    assert found.email == ADA
    assert asked()["directory"] == 2
    assert min(pauses) >= 7


async def test_an_account_that_people_leaves_out_of_its_answer_is_not_called_unknown(google, identities):
    google.not_mentioned = frozenset(users(2))

    look_up = await identities().look_up(users(2, 3), acting_as=TEACHER)

    assert (look_up.unknown, look_up.unavailable) == ({"users/3"}, {"users/2"})
    assert look_up.reasons == {"identities-unavailable"}


async def test_an_answer_of_people_without_anybody_makes_nobody_unknown(google, identities):
    google.not_mentioned = frozenset(users(2, 3))

    look_up = await identities().look_up(users(2, 3), acting_as=TEACHER)

    assert (look_up.unknown, look_up.unavailable) == (frozenset(), set(users(2, 3)))


async def test_a_look_up_continues_if_people_knows_no_account_of_a_batch(school, google, identities):
    school.enrol(Account("users/2", ADA))
    google.fail(RestFault(PEOPLE, 404, "notFound"))

    look_up = await identities().look_up(users(2, 3), acting_as=TEACHER)

    assert emails(look_up) == {"users/2": (ADA, ())}
    assert (look_up.unknown, look_up.unavailable) == (frozenset(), {"users/3"})


@pytest.mark.parametrize("refuse_all", [False, True])
async def test_an_id_that_people_cannot_read_is_unknown_and_does_not_prevent_other_results(
    *, school, google, identities, refuse_all
):
    school.enrol(*(Account(f"users/{n}", f"pupil{n}@school.example") for n in range(2, 200)))
    google.malformed, google.malformed_refuse_all = frozenset({"users/200", "users/201"}), refuse_all

    look_up = await identities().look_up(users(*range(2, 202)), acting_as=TEACHER)

    assert look_up.found.keys() == set(users(*range(2, 200)))
    assert (look_up.unknown, look_up.unavailable) == ({"users/200", "users/201"}, frozenset())


async def test_people_that_refuses_every_request_calls_nobody_unknown(google, identities):
    google.fail(RestFault(PEOPLE, 400, "badRequest"))

    look_up = await identities().look_up(users(2), acting_as=TEACHER)

    assert (look_up.unknown, look_up.unavailable) == (frozenset(), {"users/2"})
    assert look_up.reasons == {"identity-request-refused"}


@pytest.mark.parametrize(("status", "reason"), [(409, "aborted"), (412, "conditionNotMet")])
async def test_a_directory_that_is_in_between_two_states_of_an_account_calls_nobody_unknown(
    google, identities, status, reason
):
    google.fail(RestFault(DIRECTORY, status, reason))

    look_up = await identities().look_up(users(2), acting_as=TEACHER)

    assert (look_up.unknown, look_up.unavailable) == (frozenset(), {"users/2"})


@pytest.mark.parametrize(("service", "other"), [(PEOPLE, "directory"), (DIRECTORY, "people")])
async def test_one_service_that_refuses_leaves_open_accounts_that_the_other_does_not_know(
    school, google, identities, service, other
):
    school.enrol(Account("users/2", ADA))
    google.fail(RestFault(service, 403, "forbidden"))

    look_up = await identities().look_up(users(2, 3), acting_as=TEACHER)

    assert {identity.source for identity in look_up.found.values()} == {IdentitySource(other)}
    assert (look_up.unknown, look_up.unavailable) == (frozenset(), {"users/3"})


@pytest.mark.parametrize(("service", "other"), [(PEOPLE, "directory"), (DIRECTORY, "people")])
async def test_a_service_that_the_school_does_not_let_us_ask_is_not_waited_for(
    school, google, identities, service, other
):
    school.enrol(Account("users/2", ADA))
    google.fail(RestFault(service, 403, "insufficientPermissions"))

    look_up = await identities().look_up(users(2, 3), acting_as=TEACHER)

    assert {identity.source for identity in look_up.found.values()} == {IdentitySource(other)}
    assert (look_up.unknown, look_up.unavailable) == ({"users/3"}, frozenset())


async def test_without_any_service_that_may_be_asked_nobody_is_called_unknown(google, identities):
    google.fail(*(RestFault(service, 403, "insufficientPermissions") for service in (PEOPLE, DIRECTORY)))

    look_up = await identities().look_up(users(2), acting_as=TEACHER)

    assert (look_up.unknown, look_up.unavailable) == (frozenset(), {"users/2"})
    assert look_up.reasons == {"identity-access-denied"}


@pytest.mark.parametrize(
    ("reason", "slug"),
    [
        ("accessNotConfigured", "identities-api-disabled"),
        ("insufficientPermissions", "identity-access-denied"),
        ("forbidden", "identity-access-denied"),
    ],
)
async def test_a_directory_that_refuses_the_teacher_is_not_asked_for_everybody(
    *, google, identities, asked, reason, slug
):
    google.fail(RestFault(DIRECTORY, 403, reason))

    look_up = await identities().look_up(users(*range(100, 200)), acting_as=TEACHER)

    assert look_up.reasons == {slug}
    assert look_up.found == {}
    assert asked()["directory"] <= 10 + (reason == "forbidden")


async def test_one_person_that_people_could_not_look_up_is_left_open(google, identities):
    google.not_now = frozenset({"users/2"})

    look_up = await identities().look_up(users(2, 3), acting_as=TEACHER)

    assert (look_up.unknown, look_up.unavailable) == ({"users/3"}, {"users/2"})
    assert look_up.reasons == {"identities-unavailable"}


@pytest.mark.parametrize("service", [PEOPLE, DIRECTORY])
async def test_a_service_that_hangs_is_given_up_at_the_deadline(school, google, identities, service):
    """It is not given up at the timeout of the connection, because then it would be called again."""
    school.enrol(Account("users/2", ADA, in_people=service == DIRECTORY))
    google.fail(RestFault(service, hangs=True))

    look_up = await identities(deadline=1.0).look_up(users(2, 3), acting_as=TEACHER)

    assert (look_up.found.keys(), look_up.unavailable) == ({"users/2"}, {"users/3"})
    assert look_up.reasons == {"identities-unavailable"}
    assert google.calls.by_method()[service] == 1


async def test_other_work_goes_on_while_services_are_waited_for(google, identities):
    google.fail(RestFault(PEOPLE, hangs=True))
    looking = asyncio.create_task(identities(deadline=0.6).look_up(users(2), acting_as=TEACHER))
    turns = 0
    while not looking.done():
        await asyncio.sleep(0)
        turns += 1

    assert turns > 100


async def test_services_out_of_reach_are_reported_and_not_raised():
    nowhere = "http://127.0.0.1:1"
    identities = GoogleIdentities(
        People(nowhere), Directory(nowhere), credentials=CredentialsPool(AnonymousCredentials), deadline=0.5
    )

    look_up = await identities.look_up(users(2), acting_as=TEACHER)
    identities.close()

    assert (look_up.unavailable, look_up.reasons) == (frozenset({"users/2"}), frozenset({"identities-unavailable"}))


async def test_an_account_is_found_by_its_address_as_that_person(google, identities):
    account = await identities().account(" Teacher@School.example")

    assert (account.user, account.email) == ("users/1", "teacher@school.example")
    assert [(call.method, call.acting_as) for call in google.calls] == [(DIRECTORY, "teacher@school.example")]


@pytest.mark.usefixtures("_as_it_was")
async def test_no_address_is_logged_at_any_log_level(google, identities, caplog):
    logs.configure("DEBUG")
    logging.getLogger().addHandler(caplog.handler)

    await identities().account("teacher@school.example")
    google.fail(RestFault(DIRECTORY, 403, "<p>teacher@school.example may not</p>"))
    await identities().account("teacher@school.example")
    await identities().look_up(users(2), acting_as=Organizer(email="teacher@school.example"))

    assert google.calls.by_method() == {DIRECTORY: 4, "people.get": 1, PEOPLE: 1}
    told = json.dumps([record.__dict__ for record in caplog.records], default=str)
    assert "@school.example" not in told
    assert "%40school.example" not in told


async def test_an_account_that_the_directory_may_not_tell_is_told_by_the_person(google, identities):
    google.fail(RestFault(DIRECTORY, 403, "insufficientPermissions"))

    account = await identities(domains=["school.example"]).account("teacher@school.example")

    assert (account.user, account.source) == ("users/1", IdentitySource.PEOPLE)


async def test_an_address_in_a_profile_does_not_turn_an_account_into_another_person(school, identities):
    """The caller is the account itself: an address in its profile is not the account's address."""
    written = (ProfileAddress("head@school.example"),)
    school.enrol(Account("users/2", "x@x.example", in_directory=False, profile_addresses=written))
    school.know("head@school.example", "users/2")

    with pytest.raises(AccessDenied):
        await identities().account("head@school.example")


async def test_an_address_without_an_account_is_nobodys(identities):
    assert await identities().account("nobody@school.example") is None


@pytest.mark.parametrize(
    ("reason", "error", "hint"),
    [
        ("insufficientPermissions", ScopeMissing, "admin.directory.user.readonly"),
        ("accessNotConfigured", ApiDisabled, "admin.googleapis.com"),
    ],
)
async def test_an_account_that_nobody_may_tell_says_what_to_fix(google, identities, reason, error, hint):
    google.fail(RestFault(DIRECTORY, 403, reason), RestFault("people.get", 403, reason))

    with pytest.raises(error) as caught:
        await identities().account("teacher@school.example")

    assert hint in caught.value.hint
    assert "teacher@school.example" not in str(caught.value)


async def test_an_account_that_cannot_be_told_now_may_be_asked_for_later(google, identities):
    google.fail(RestFault(DIRECTORY, 503))

    with pytest.raises(Unavailable):
        await identities().account("teacher@school.example")
