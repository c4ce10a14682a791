"""Accounts looked up by the official client over the wire, from services that answer as their reference says."""

import asyncio
import json
import logging
import threading
import time
from collections import Counter
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.parse import parse_qs, unquote, urlsplit

import pytest

from functions import logs
from functions.adapters.credentials import AnonymousCredentials, CredentialsPool
from functions.adapters.directory import Directory
from functions.adapters.identities import GoogleIdentities
from functions.adapters.people import People
from functions.domain.errors import IdentitiesApiDisabled, IdentitiesUnavailable, IdentityScopeMissing
from functions.domain.model import Identity, IdentitySource, Organizer

TEACHER = Organizer(user="users/1", email="teacher@school.example")


class Google(ThreadingHTTPServer):
    """What the two services know, how they fail, and which calls came: (service, as whom, for how many)."""

    daemon_threads = True
    request_queue_size = 64

    def __init__(self):
        super().__init__(("127.0.0.1", 0), _Answers)
        self.people = {}
        self.directory = {}
        self.failures = {}
        self.calls = []
        self.released = threading.Event()

    @property
    def endpoint(self):
        return f"http://127.0.0.1:{self.server_port}"

    def people_knows(self, number, *addresses, name="Ada"):
        """Each address is itself, or itself and its metadata."""
        entries = [{"value": each} if isinstance(each, str) else {"value": each[0], **each[1]} for each in addresses]
        self.people[str(number)] = {"emailAddresses": entries, "names": [{"displayName": name}]}

    def directory_knows(self, number, email, **fields):
        user = {"id": str(number), "primaryEmail": email, "name": {"fullName": "Ada"}, **fields}
        self.directory[str(number)] = self.directory[email] = user

    def fails(self, service, status, *, reason="backendError", times=10**9):
        self.failures[service] = (status, reason, times)

    def asked(self):
        return Counter(service for service, _, _ in self.calls)


class _Answers(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    server: Google

    def log_message(self, *_):
        """Say nothing."""

    def do_POST(self):
        # As the client asks where the address would be too long: with the method that it means.
        assert self.headers["x-http-method-override"] == "GET"
        self.do_GET()

    def do_GET(self):
        url = urlsplit(self.path)
        body = self.rfile.read(int(self.headers["content-length"] or 0)).decode()
        query = parse_qs(url.query or body)
        service = "directory" if url.path.startswith("/admin/directory/v1/users/") else "people"
        self.server.calls.append((service, self.headers["x-acting-as"], len(query.get("resourceNames", "1"))))
        status, reason, times = self.server.failures.get(service, (200, "", 0))
        if times:
            self.server.failures[service] = (status, reason, times - 1)
            if status == "hang":
                self.server.released.wait(30)
                return
            if status == "page":
                self.answer(200, "<html>", "text/html")
                return
            self.answer(status, {"error": {"code": status, "message": "no", "errors": [{"reason": reason}]}})
        elif service == "directory":
            user = self.server.directory.get(unquote(url.path.rpartition("/")[2]))
            self.answer(200, user) if user else self.answer(404, {"error": {"code": 404, "message": "not found"}})
        elif url.path == "/v1/people:batchGet":
            assert len(query["resourceNames"]) <= 200
            assert query["personFields"] == ["names,emailAddresses"]
            self.answer(200, {"responses": [self.person(name) for name in query["resourceNames"]]})
        else:
            mine = next((id_ for id_, person in self.server.people.items() if self.is_of(person)), None)
            person = {"resourceName": f"people/{mine}", **self.server.people[mine]} if mine else {}
            self.answer(200 if mine else 404, person)

    def is_of(self, person):
        return any(entry["value"] == self.headers["x-acting-as"] for entry in person["emailAddresses"])

    def person(self, name):
        known = self.server.people.get(name.removeprefix("people/"))
        if known is None:
            return {"requestedResourceName": name, "status": {"code": 5}, "httpStatusCode": 404}
        if "status" in known:
            return {"requestedResourceName": name, **known}
        return {"requestedResourceName": name, "httpStatusCode": 200, "person": {"resourceName": name, **known}}

    def answer(self, status, message, kind="application/json"):
        content = (message if isinstance(message, str) else json.dumps(message)).encode()
        self.send_response(status)
        self.send_header("content-type", kind)
        self.send_header("content-length", str(len(content)))
        self.end_headers()
        self.wfile.write(content)


@pytest.fixture
def _as_it_was():
    """Logging, once a test has configured it, as it was for all others."""
    root = logging.getLogger()
    handlers, level = root.handlers[:], root.level
    yield
    root.handlers[:] = handlers
    root.setLevel(level)


@pytest.fixture
def google():
    with Google() as server:
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        yield server
        server.released.set()
        server.shutdown()
        thread.join()


@pytest.fixture
def identities(google):
    started = []

    def start(**settings):
        made = GoogleIdentities(
            People(google.endpoint),
            Directory(google.endpoint),
            credentials=CredentialsPool(AnonymousCredentials),
            **settings,
        )
        started.append(made)
        return made

    yield start
    google.released.set()
    for made in started:
        made.close()


def users(*numbers):
    return [f"users/{number}" for number in numbers]


def contact(address, **metadata):
    return address, {"metadata": {"source": {"type": "CONTACT"}, **metadata}}


def profile(address, **metadata):
    return address, {"metadata": {"source": {"type": "DOMAIN_PROFILE"}, **metadata}}


async def test_people_tells_who_somebody_is_with_all_their_addresses(google, identities):
    google.people_knows(
        2, profile("Second@School.example"), profile("Ada@School.example", primary=True), name="Ada\nL."
    )

    look_up = await identities().look_up(users(2), acting_as=TEACHER)

    assert look_up.found == {
        "users/2": Identity(
            "users/2", "ada@school.example", ("second@school.example",), "Ada L.", IdentitySource.PEOPLE
        )
    }
    assert (look_up.unknown, look_up.unavailable, look_up.reasons) == (frozenset(), frozenset(), frozenset())


async def test_the_directory_tells_of_those_whom_people_gives_no_address_for(google, identities):
    google.people_knows(2)
    for number in (2, 3):
        google.directory_knows(
            number,
            f"S{number}@school.example",
            aliases=[f"Alias{number}@school.example"],
            emails=[{"address": f"s{number}@school.example"}, {"address": "home@mail.example"}],
        )

    look_up = await identities().look_up(users(2, 3), acting_as=TEACHER)

    assert look_up.found["users/3"] == Identity(
        "users/3",
        "s3@school.example",
        ("alias3@school.example", "home@mail.example"),
        "Ada",
        IdentitySource.DIRECTORY,
    )
    assert look_up.found.keys() == {"users/2", "users/3"}


async def test_the_directory_is_not_asked_for_whom_people_knows(google, identities):
    google.people_knows(2, "ada@school.example")
    google.directory_knows(2, "ada@school.example")

    await identities().look_up(users(2), acting_as=TEACHER)

    assert google.asked() == {"people": 1}


@pytest.mark.parametrize(
    ("status", "email", "unavailable"),
    [(None, "new@school.example", set()), (503, None, {"users/2"}), (403, "old@school.example", set())],
    ids=["answers", "does not answer", "refuses"],
)
async def test_whom_the_directory_knew_it_is_asked_for_again_whatever_people_tells(
    *, google, identities, status, email, unavailable
):
    """Only the Directory tells which address is the primary one."""
    google.people_knows(2, "old@school.example")
    google.directory_knows(2, "new@school.example", aliases=["old@school.example"])
    if status:
        google.fails("directory", status)

    look_up = await identities().look_up(users(2), acting_as=TEACHER, known_to_directory=users(2))

    assert {one.email for one in look_up.found.values()} == ({email} if email else set())
    assert look_up.unavailable == unavailable


async def test_an_address_out_of_a_contact_gives_way_to_the_directorys(google, identities):
    """A teacher's contacts may name a parent's address; it is no alias of the account either."""
    google.people_knows(2, contact("parent@mail.example", primary=True))
    google.directory_knows(2, "ada@school.example")
    google.people_knows(3, contact("parent@mail.example", primary=True), profile("bo@school.example"))
    google.people_knows(4, contact("guest@mail.example"))

    look_up = await identities().look_up(users(2, 3, 4), acting_as=TEACHER)

    assert {user: (one.email, one.aliases) for user, one in look_up.found.items()} == {
        "users/2": ("ada@school.example", ()),
        "users/3": ("bo@school.example", ()),
        "users/4": ("guest@mail.example", ()),
    }


async def test_an_address_out_of_a_contact_does_not_count_while_the_directory_cannot_be_asked(google, identities):
    google.people_knows(2, contact("parent@mail.example"))
    google.fails("directory", 503)

    look_up = await identities().look_up(users(2), acting_as=TEACHER)

    assert (look_up.found, look_up.unavailable) == ({}, {"users/2"})


async def test_nobody_knows_whom_neither_service_knows(identities):
    look_up = await identities().look_up(users(2), acting_as=TEACHER)

    assert (look_up.found, look_up.unknown, look_up.unavailable) == ({}, {"users/2"}, frozenset())


async def test_five_hundred_accounts_take_three_calls_to_people(google, identities):
    for number in range(500):
        google.people_knows(number, f"s{number}@school.example")

    look_up = await identities().look_up(users(*range(500), 7, 7), acting_as=TEACHER)

    assert look_up.found.keys() == set(users(*range(500)))
    assert sorted(count for _, _, count in google.calls) == [100, 200, 200]


async def test_looking_nobody_up_asks_nobody(google, identities):
    assert (await identities().look_up([], acting_as=TEACHER)).found == {}
    assert google.calls == []


async def test_every_call_is_made_as_the_teacher(google, identities):
    await identities().look_up(users(2), acting_as=TEACHER)
    await identities().look_up(users(2), acting_as=Organizer(user="users/1"))

    assert Counter(acting_as for _, acting_as, _ in google.calls) == {"teacher@school.example": 2, "users/1": 2}


@pytest.mark.parametrize("service", ["people", "directory"])
@pytest.mark.parametrize(
    ("status", "reason"), [(429, "rateLimitExceeded"), (500, ""), (503, ""), (403, "quotaExceeded"), ("page", "")]
)
async def test_what_may_pass_by_itself_is_asked_again(google, identities, service, status, reason):
    google.directory_knows(2, "ada@school.example")
    google.fails(service, status, reason=reason, times=1)

    look_up = await identities().look_up(users(2), acting_as=TEACHER)

    assert look_up.found.keys() == {"users/2"}
    assert google.asked()[service] == 2


@pytest.mark.parametrize(("service", "other"), [("people", "directory"), ("directory", "people")])
async def test_one_service_that_fails_leaves_open_whom_the_other_does_not_know(google, identities, service, other):
    google.people_knows(2, "ada@school.example")
    google.directory_knows(2, "ada@school.example")
    google.fails(service, 403, reason="forbidden")

    look_up = await identities().look_up(users(2, 3), acting_as=TEACHER)

    assert {identity.source for identity in look_up.found.values()} == {IdentitySource(other)}
    assert (look_up.unknown, look_up.unavailable) == (frozenset(), {"users/3"})


@pytest.mark.parametrize(("service", "other"), [("people", "directory"), ("directory", "people")])
async def test_a_service_that_the_school_does_not_let_us_ask_is_not_waited_for(google, identities, service, other):
    google.people_knows(2, "ada@school.example")
    google.directory_knows(2, "ada@school.example")
    google.fails(service, 403, reason="insufficientPermissions")

    look_up = await identities().look_up(users(2, 3), acting_as=TEACHER)

    assert {identity.source for identity in look_up.found.values()} == {IdentitySource(other)}
    assert (look_up.unknown, look_up.unavailable) == ({"users/3"}, frozenset())


async def test_without_any_service_that_may_be_asked_nobody_is_called_unknown(google, identities):
    for service in ("people", "directory"):
        google.fails(service, 403, reason="insufficientPermissions")

    look_up = await identities().look_up(users(2), acting_as=TEACHER)

    assert (look_up.unknown, look_up.unavailable) == (frozenset(), {"users/2"})
    assert look_up.reasons == {"identity-access-denied"}


async def test_a_directory_that_refuses_the_teacher_is_not_asked_for_everybody(google, identities):
    google.fails("directory", 403, reason="accessNotConfigured")

    look_up = await identities().look_up(users(*range(100)), acting_as=TEACHER)

    assert len(look_up.unavailable) == 100
    assert look_up.reasons == {"identities-api-disabled"}
    assert google.asked()["directory"] <= 10


async def test_one_person_whom_people_could_not_look_up_is_left_open(google, identities):
    google.people["2"] = {"status": {"code": 14}, "httpStatusCode": 503}

    look_up = await identities().look_up(users(2, 3), acting_as=TEACHER)

    assert (look_up.unknown, look_up.unavailable) == ({"users/3"}, {"users/2"})
    assert look_up.reasons == {"identities-unavailable"}


@pytest.mark.parametrize("service", ["people", "directory"])
async def test_a_service_that_hangs_costs_no_more_than_the_deadline(google, identities, service):
    google.people_knows(2, "ada@school.example")
    google.directory_knows(2, "ada@school.example")
    google.fails(service, "hang")
    began = time.monotonic()

    look_up = await identities(deadline=0.6).look_up(users(2, 3), acting_as=TEACHER)

    assert time.monotonic() - began < 5
    assert (look_up.found.keys(), look_up.unavailable) == ({"users/2"}, {"users/3"})
    assert look_up.reasons == {"identities-unavailable"}


async def test_other_work_goes_on_while_services_are_waited_for(google, identities):
    google.fails("people", "hang")
    looking = asyncio.create_task(identities(deadline=0.6).look_up(users(2), acting_as=TEACHER))
    turns = 0
    while not looking.done():
        await asyncio.sleep(0)
        turns += 1

    assert turns > 100


async def test_services_out_of_reach_are_told_and_not_raised():
    nowhere = "http://127.0.0.1:1"
    identities = GoogleIdentities(
        People(nowhere), Directory(nowhere), credentials=CredentialsPool(AnonymousCredentials), deadline=0.5
    )

    look_up = await identities.look_up(users(2), acting_as=TEACHER)
    identities.close()

    assert (look_up.unavailable, look_up.reasons) == ({"users/2"}, {"identities-unavailable"})


async def test_an_account_is_found_by_its_address_as_that_person(google, identities):
    google.directory_knows(1, "teacher@school.example")

    account = await identities().account(" Teacher@School.example")

    assert (account.user, account.email) == ("users/1", "teacher@school.example")
    assert google.calls == [("directory", "teacher@school.example", 1)]


@pytest.mark.usefixtures("_as_it_was")
async def test_no_address_is_logged_however_much_is(google, identities, caplog):
    logs.configure("DEBUG")
    logging.getLogger().addHandler(caplog.handler)
    google.directory_knows(1, "teacher@school.example")

    await identities().account("teacher@school.example")
    google.fails("directory", 403, reason="<p>teacher@school.example may not</p>")
    google.people_knows(1, "teacher@school.example")
    await identities().account("teacher@school.example")

    assert google.asked() == {"directory": 2, "people": 1}
    told = json.dumps([record.__dict__ for record in caplog.records], default=str)
    assert "@school.example" not in told
    assert "%40school.example" not in told


async def test_an_account_that_the_directory_may_not_tell_is_told_by_the_person(google, identities):
    google.people_knows(1, "teacher@school.example")
    google.fails("directory", 403, reason="insufficientPermissions")

    account = await identities().account("teacher@school.example")

    assert (account.user, account.source) == ("users/1", IdentitySource.PEOPLE)


async def test_an_address_without_an_account_is_nobodys(identities):
    assert await identities().account("nobody@school.example") is None


@pytest.mark.parametrize(
    ("reason", "error", "hint"),
    [
        ("insufficientPermissions", IdentityScopeMissing, "admin.directory.user.readonly"),
        ("accessNotConfigured", IdentitiesApiDisabled, "admin.googleapis.com"),
    ],
)
async def test_an_account_that_nobody_may_tell_says_what_to_mend(google, identities, reason, error, hint):
    google.fails("directory", 403, reason=reason)

    with pytest.raises(error) as caught:
        await identities().account("teacher@school.example")

    assert hint in caught.value.hint
    assert "teacher@school.example" not in str(caught.value)


async def test_an_account_that_cannot_be_told_now_may_be_asked_for_later(google, identities):
    google.fails("directory", 503)

    with pytest.raises(IdentitiesUnavailable):
        await identities().account("teacher@school.example")
