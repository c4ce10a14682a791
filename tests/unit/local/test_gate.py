"""The gate of every HTTP stand-in refuses what Google would refuse, names the rule, and makes the test fail."""

from __future__ import annotations

import base64
import importlib
import json
import pkgutil
import re
from pathlib import Path
from urllib.parse import urlencode

import httplib2
import httpx
import pytest
from googleapiclient import discovery
from googleapiclient.errors import HttpError
from starlette.applications import Starlette
from starlette.responses import JSONResponse
from starlette.routing import Route

import infra.local
from infra.local.calendar import CalendarSimulator
from infra.local.gate.calls import FORM, Answer, Call, CallsRefused
from infra.local.gate.discovery import discovered
from infra.local.gate.endpoints import JWT_BEARER, OAUTH, metadata
from infra.local.google_apis import GoogleApis, RestFault
from infra.local.id_tokens import IdTokenIssuer
from infra.local.metadata_server import MetadataServer
from infra.local.oauth_server import OAuthServer
from infra.local.school import Account, School
from infra.local.serving import HttpStandIn
from tests.builders import NINE

BATCH = "/v1/people:batchGet"
ADA = "/v1/people/2"
USER = "/admin/directory/v1/users/2"
ACTIVITIES = "/admin/reports/v1/activity/users/all/applications/meet"
EVENTS = "/calendar/v3/calendars/primary/events"
SIGN = "/v1/projects/-/serviceAccounts/a@b.iam.gserviceaccount.com:signBlob"
NAMES = "resourceNames=people/2&personFields=names"
APIS = [discovered(name) for name in ("people.v1", "admin.directory_v1", "admin.reports_v1", "calendar.v3")]
SOURCES = "READ_SOURCE_TYPE_UNSPECIFIED, READ_SOURCE_TYPE_PROFILE, READ_SOURCE_TYPE_CONTACT"
TIME = {"dateTime": "2026-03-02T09:00:00+01:00"}


def sentences(verb, path, query="", body=None, content_type="application/json"):
    """Return what is wrong with a call according to Google's documents."""
    content = b"" if body is None else body if isinstance(body, bytes) else json.dumps(body).encode()
    headers = {"content-type": content_type} if content else {}
    apis = [*APIS, discovered("iamcredentials.v1")]
    rule = next(found for api in apis if (found := api.find(verb, path)))
    return [violation.sentence for violation in rule.broken_by(Call(verb, path, query, headers, content))]


@pytest.mark.parametrize(
    ("path", "query"),
    [
        (BATCH, NAMES),
        (BATCH, f"{NAMES}&resourceNames=people/3&sources=READ_SOURCE_TYPE_PROFILE&sources=READ_SOURCE_TYPE_CONTACT"),
        (BATCH, f"{NAMES},emailAddresses&alt=json&prettyPrint=false&quotaUser=me&key=k&%24.xgafv=2"),
        (BATCH, "resourceNames=people/2&requestMask.includeField=person.names"),
        (BATCH, f"{NAMES}&fields=responses(person/names(displayName),httpStatusCode)"),
        (USER, "viewType=domain_public&projection=basic&fields=id,name(fullName),emails(address,type)"),
        (USER, "fields=*"),
        ("/admin/directory/v1/users/a%2Fb%40school.example", ""),
        (ACTIVITIES, "maxResults=1000&startTime=2026-03-02T09:00:00.000Z&filters=meeting_code==ABC,duration_seconds>5"),
        (f"{EVENTS}/abcde", ""),
        (f"{EVENTS}/abcde/instances", "maxResults=250&showDeleted=true&timeMin=2026-03-02T09:00:00Z"),
    ],
)
def test_a_call_that_google_documents_breaks_no_rule(path, query):
    assert sentences("GET", path, query) == []


@pytest.mark.parametrize(
    ("path", "query", "rules"),
    [
        (BATCH, f"{NAMES}&pageSize=3", ['Unknown name "pageSize": Cannot bind query parameter.']),
        (BATCH, f"{NAMES}&person_fields=names", ['Unknown name "person_fields": Cannot bind query parameter.']),
        (BATCH, "personFields=names", ["Missing required parameter: resourceNames"]),
        (BATCH, "resourceNames=people/2", ["Missing required parameter: personFields"]),
        (
            BATCH,
            f"{NAMES}&sources=%28%27READ_SOURCE_TYPE_PROFILE%27%2C+%27READ_SOURCE_TYPE_CONTACT%27%29",
            [f"Invalid value at 'sources' (one of {SOURCES}"],
        ),
        (BATCH, f"{NAMES}&sources=READ_SOURCE_TYPE_PROFILE&sources=PROFILE", ["Invalid value at 'sources' (one of "]),
        (BATCH, f"{NAMES}&personFields=names", ["Invalid value at 'personFields' (not repeated)"]),
        (BATCH, "resourceNames=people/2&personFields=names,emails", ['Invalid personFields mask path: "emails".']),
        (
            BATCH,
            "resourceNames=people/2&personFields=names, emailAddresses",
            ["(format google-fieldmask)", "mask path"],
        ),
        (BATCH, f"{NAMES}&alt=xml", ["Invalid value at 'alt' (one of json, media, proto)", "answers json"]),
        (BATCH, f"{NAMES}&alt=proto", ["Invalid value at 'alt' (this stand-in answers json)"]),
        (BATCH, f"{NAMES}&prettyPrint=yes", ["Invalid value at 'prettyPrint' (TYPE_BOOL, true or false)"]),
        (BATCH, f"{NAMES}&fields=people", ["Invalid field selection people"]),
        (BATCH, f"{NAMES}&fields=responses(person/emails)", ["Invalid field selection emails"]),
        (BATCH, f"{NAMES}&fields=responses(person", ["Invalid field selection responses(person"]),
        (BATCH, f"{NAMES}&fields=", ["Invalid field selection "]),
        (BATCH, f"{NAMES}&fields=responses,,", ["Invalid field selection responses,,"]),
        (USER, "viewType=public", ["Invalid value at 'viewType' (one of admin_view, domain_public), \"public\""]),
        (USER, "viewType=domain_public&viewType=admin_view", ["Invalid value at 'viewType' (not repeated)"]),
        (USER, "fields=primaryEmail,alias", ["Invalid field selection alias"]),
        (USER, "fields=name(displayed)", ["Invalid field selection displayed"]),
        (ACTIVITIES, "maxResults=1001", ["Invalid value at 'maxResults' (from 1 to 1000), \"1001\""]),
        (ACTIVITIES, "maxResults=many", ["Invalid value at 'maxResults' (TYPE_INT32), \"many\""]),
        (ACTIVITIES, "startTime=yesterday", ["Invalid value at 'startTime' (pattern "]),
        (ACTIVITIES, "filters=meeting_code", ["Invalid value at 'filters' (pattern "]),
        (ACTIVITIES.replace("meet", "zoom"), "", ["Invalid value at 'applicationName' (one of "]),
        (f"{EVENTS}/abcde/instances", "maxResults=0", ["Invalid value at 'maxResults' (from 1 to 2147483647)"]),
        (f"{EVENTS}/abcde/instances", "maxResults=99999999999", ["Invalid value at 'maxResults' (from 1 to "]),
        (f"{EVENTS}/abcde/instances", "timeMin=2026-03-02T09:00:00", ["Invalid value at 'timeMin' (format date-time)"]),
        (
            f"{EVENTS}/abcde/instances",
            "timeMin=2026-02-30T09:00:00Z",
            ["Invalid value at 'timeMin' (format date-time)"],
        ),
        (f"{EVENTS}/abcde", "calendarId=other", ['Unknown name "calendarId": Cannot bind query parameter.']),
    ],
)
def test_a_parameter_that_breaks_a_rule_is_named_with_the_rule(path, query, rules):
    found = sentences("GET", path, query)

    assert len(found) == len(rules), found
    assert all(rule in sentence for rule, sentence in zip(rules, found, strict=True)), found


@pytest.mark.parametrize(
    "body",
    [
        {"start": TIME, "end": TIME, "attendees": [{"email": "a@b.example", "resource": True}], "reminders": None},
        {"start": {"date": "2026-03-02"}, "end": {"date": "2026-03-03"}, "sequence": 2},
        {"start": {"dateTime": "2026-03-02T09:00:00", "timeZone": "Europe/Berlin"}, "end": TIME},
        {"start": TIME, "end": TIME, "extendedProperties": {"private": {"anything": "goes"}}},
    ],
)
def test_a_body_that_google_documents_breaks_no_rule(body):
    assert sentences("POST", EVENTS, "conferenceDataVersion=1&sendUpdates=all", body) == []


@pytest.mark.parametrize(
    ("verb", "path", "body", "rules"),
    [
        (
            "POST",
            EVENTS,
            {"start": TIME, "end": TIME, "title": "Mathematics"},
            ['Invalid JSON payload received. Unknown name "title": Cannot find field.'],
        ),
        (
            "POST",
            EVENTS,
            {"start": {**TIME, "zone": "UTC"}, "end": TIME, "attendees": [{"mail": "a@b.example"}]},
            [
                "Invalid JSON payload received. Unknown name \"zone\" at 'start': Cannot find field.",
                "Invalid JSON payload received. Unknown name \"mail\" at 'attendees[0]': Cannot find field.",
            ],
        ),
        ("POST", EVENTS, {"start": TIME}, ["Missing required field: end (required by calendar.events.insert)."]),
        ("PATCH", f"{EVENTS}/abcde", {"start": None, "summary": 5}, ["Invalid value at 'summary' (TYPE_STRING), 5"]),
        ("PATCH", f"{EVENTS}/abcde", {"sequence": "2"}, ["Invalid value at 'sequence' (TYPE_INT32), \"2\""]),
        ("PATCH", f"{EVENTS}/abcde", {"sequence": 2**31}, ["Invalid value at 'sequence' (from "]),
        ("PATCH", f"{EVENTS}/abcde", {"locked": "true"}, ["Invalid value at 'locked' (TYPE_BOOL), \"true\""]),
        ("PATCH", f"{EVENTS}/abcde", {"attendees": {}}, ["Invalid value at 'attendees' (a list), {}"]),
        ("PATCH", f"{EVENTS}/abcde", {"start": "2026-03-02"}, ["Invalid value at 'start' (EventDateTime)"]),
        (
            "PATCH",
            f"{EVENTS}/abcde",
            {"start": {"dateTime": "2026-03-02T09:00:00"}},
            ["Invalid value at 'start.dateTime' (format date-time), \"2026-03-02T09:00:00\""],
        ),
        ("PATCH", f"{EVENTS}/abcde", {"start": {"date": "2.3.2026"}}, ["Invalid value at 'start.date' (format date)"]),
        ("PATCH", f"{EVENTS}/abcde", [], ["Invalid value at '' (Event), []"]),
        ("PATCH", f"{EVENTS}/abcde", b"{", ["Invalid JSON payload received."]),
        ("GET", f"{EVENTS}/abcde", {}, ["calendar.events.get takes no request body."]),
        ("DELETE", f"{EVENTS}/abcde", {}, ["calendar.events.delete takes no request body."]),
        ("POST", SIGN, {}, ["Missing required field: payload."]),
        ("POST", SIGN, {"payload": "no base64!"}, ["Invalid value at 'payload' (format byte), \"no base64!\""]),
        ("POST", SIGN, {"payload": "YQ==", "audience": "x"}, ['Unknown name "audience": Cannot find field.']),
        (
            "POST",
            "/v1/people:createContact",
            {"metadata": {"objectType": "PERSON"}},
            [
                "Missing required parameter: personFields",
                "Invalid value at 'metadata' (output only): Google sets this field.",
                "Invalid value at 'metadata.objectType' (output only)",
            ],
        ),
    ],
)
def test_a_body_that_breaks_a_rule_is_named_with_the_rule(verb, path, body, rules):
    found = sentences(verb, path, body=body)

    assert len(found) == len(rules), found
    assert all(rule in sentence for rule, sentence in zip(rules, found, strict=True)), found


@pytest.mark.parametrize("content_type", ["text/plain", FORM, ""])
def test_a_body_comes_as_json_and_as_nothing_else(content_type):
    [sentence] = sentences("POST", SIGN, body={"payload": "YQ=="}, content_type=content_type)

    assert sentence.startswith(f'Invalid content type "{content_type}": ')


@pytest.mark.parametrize(
    ("verb", "path"),
    [("GET", "/v1/peoples"), ("DELETE", BATCH), ("GET", "/v2/people/2"), ("POST", USER), ("GET", "/v1/people/2/3")],
)
def test_a_method_that_no_document_has_is_not_found(verb, path):
    assert [api.find(verb, path) for api in APIS] == [None] * len(APIS)


def test_the_most_literal_path_is_the_methods():
    calendar = discovered("calendar.v3")

    assert calendar.find("POST", f"{EVENTS}/import").id == "calendar.events.import"
    assert calendar.find("GET", f"{EVENTS}/import").id == "calendar.events.get"


@pytest.fixture
def school():
    school = School(lambda: NINE)
    school.enrol(Account("users/1", "teacher@school.example", display_name="The Teacher"))
    school.enrol(Account("users/2", "ada@school.example", display_name="Ada"))
    return school


@pytest.fixture
def apis(school):
    with GoogleApis(school).in_thread() as apis:
        yield apis


@pytest.fixture
def ask(apis):
    """Return a function that calls the stand-in and returns the status and the answer."""
    with httpx.Client(
        base_url=apis.endpoint, trust_env=False, headers={"x-acting-as": "teacher@school.example"}
    ) as http:

        def ask(path, query="", verb="GET", **more):
            answer = http.request(verb, f"{path}?{query}" if query else path, **more)
            return answer.status_code, answer.json()

        yield ask


def test_a_refusal_has_googles_shape_and_all_broken_rules(ask, apis):
    status, answer = ask(BATCH, "personFields=names&pageSize=3")

    unknown = (
        'Invalid JSON payload received. Unknown name "pageSize": Cannot bind query parameter. '
        "Field 'pageSize' could not be found in request message."
    )
    missing = "Missing required parameter: resourceNames (required by people.people.getBatchGet)."
    assert status == 400
    assert answer == {
        "error": {
            "code": 400,
            "message": f"{unknown}\n{missing}",
            "errors": [{"message": f"{unknown}\n{missing}", "domain": "global", "reason": "invalid"}],
            "status": "INVALID_ARGUMENT",
            "details": [
                {
                    "@type": "type.googleapis.com/google.rpc.BadRequest",
                    "fieldViolations": [
                        {"field": "pageSize", "description": unknown},
                        {"field": "resourceNames", "description": missing},
                    ],
                }
            ],
        }
    }
    assert [str(one) for one in apis.refusals.take()] == [f"GET {BATCH}: {unknown}\n{missing}"]


def test_an_unknown_method_is_refused_and_recorded(ask, apis):
    status, answer = ask("/v1/people:search", "query=ada")

    assert (status, answer["error"]["status"]) == (404, "NOT_FOUND")
    assert len(apis.refusals.take()) == 1


def test_a_refused_call_is_not_a_call_that_the_service_had(ask, apis):
    ask(BATCH, "personFields=names")

    assert apis.calls == []
    assert len(apis.refusals.take()) == 1


def test_what_is_too_long_for_an_address_may_be_posted_and_is_held_to_the_same_rules(ask, apis):
    override = {"x-http-method-override": "GET", "content-type": FORM}

    assert ask(BATCH, verb="POST", content=NAMES, headers=override)[0] == 200
    assert ask(BATCH, verb="POST", content=f"{NAMES}&pageSize=3", headers=override)[0] == 400
    assert ask(BATCH, verb="POST", content=NAMES, headers={**override, "content-type": "text/plain"})[0] == 400
    assert ask(BATCH, NAMES, verb="POST", headers=override)[0] == 400
    assert ask(BATCH, NAMES, headers={"x-http-method-override": "GET"})[0] == 400
    assert ask(BATCH, verb="POST", content=NAMES, headers={"content-type": FORM})[0] == 404
    assert len(apis.refusals.take()) == 5


def test_an_answer_holds_nothing_but_what_fields_asks_for(ask):
    assert ask(USER, "viewType=domain_public&fields=id,name/fullName") == (
        200,
        {"id": "2", "name": {"fullName": "Ada"}},
    )
    assert ask(USER, "viewType=domain_public&fields=emails(address)") == (
        200,
        {"emails": [{"address": "ada@school.example"}]},
    )


def test_more_people_at_once_than_google_takes_are_refused_and_recorded(ask, apis):
    names = "&".join(f"resourceNames=people/{number}" for number in range(201))

    assert ask(BATCH, f"{names}&personFields=names")[0] == 400
    assert len(apis.refusals.take()) == 1


class _Answers(HttpStandIn):
    """A service with given answers."""

    def __init__(self, answer, status=200):
        self.answer, self.status = answer, status

    def _rules(self):
        return (discovered("people.v1"),)

    def _application(self):
        return Starlette(routes=[Route(ADA, lambda _: JSONResponse(self.answer, self.status))])


def called(stand_in, path, *, expected):
    """Serve a stand-in for one call."""
    with stand_in.in_thread():
        status = httpx.get(f"{stand_in.endpoint}{path}", trust_env=False).status_code
        assert expected == status, f"{expected} == {status}"


@pytest.mark.parametrize(
    ("status", "answer", "words"),
    [
        (200, {"resourceName": "people/2", "email": "a@b"}, 'Unknown name "email"'),
        (200, {"resourceName": 2}, "Invalid value at 'resourceName' (TYPE_STRING), 2"),
        (200, {"names": [{"metadata": {"source": {"type": "FRIEND"}}}]}, "names[0].metadata.source.type"),
        (200, {"names": None}, "Invalid value at 'names' (a list), None"),
        (200, [], "Invalid value at '' (Person), []"),
        (404, {"detail": "not found"}, "An error has its code and a message."),
        (404, {"error": {"code": 400, "message": "no"}}, "An error has its code and a message."),
    ],
)
def test_a_stand_in_that_answers_what_google_does_not_have_fails(status, answer, words):
    with pytest.raises(CallsRefused, match=re.escape(words)):
        called(_Answers(answer, status), f"{ADA}?personFields=names", expected=500)


def test_a_stand_in_that_breaks_down_fails():
    broken = _Answers({1})  # it cannot be written as JSON

    with pytest.raises(CallsRefused, match="the stand-in answered wrongly: TypeError"):
        called(broken, f"{ADA}?personFields=names", expected=500)


def test_serving_fails_at_the_end_if_a_call_was_refused(school):
    with pytest.raises(CallsRefused, match=r"(?s)GoogleApis refused 1 calls as Google would.*parameter: personFields"):
        called(GoogleApis(school), f"{BATCH}?resourceNames=people/2", expected=400)


def test_another_failure_is_reported_together_with_the_refusals(school):
    with pytest.raises(AssertionError, match="200 == 400") as caught:
        called(GoogleApis(school), f"{BATCH}?{NAMES}&pageSize=3", expected=200)

    assert not isinstance(caught.value, CallsRefused)
    assert "pageSize" in caught.value.__notes__[0]


def test_refusals_that_a_test_takes_fail_nothing(school):
    with GoogleApis(school).in_thread() as apis:
        httpx.get(f"{apis.endpoint}{BATCH}", trust_env=False)
        assert len(apis.refusals.take()) == 1


def test_a_planned_fault_is_not_a_refusal_and_tells_nobody_that_it_was_planned(apis):
    apis.fail(RestFault("users.get", 400, "invalid"), RestFault("people.get", page=True))

    answers = [httpx.get(f"{apis.endpoint}{path}", trust_env=False) for path in (USER, f"{ADA}?personFields=names")]

    assert [answer.status_code for answer in answers] == [400, 200]
    assert not any("planned" in name for answer in answers for name in answer.headers)


def test_a_tuple_for_a_repeated_parameter_is_refused_by_its_value(apis):
    """The client repeats a parameter only for a list."""
    http = httplib2.Http(proxy_info=None)
    options = {"api_endpoint": apis.endpoint}
    built = discovery.build("people", "v1", http=http, static_discovery=True, client_options=options)
    people = built.people()
    kinds = ("READ_SOURCE_TYPE_PROFILE", "READ_SOURCE_TYPE_CONTACT")

    with pytest.raises(HttpError, match="Invalid value at 'sources'"):
        people.getBatchGet(resourceNames=["people/2"], personFields="names", sources=kinds).execute()
    people.getBatchGet(resourceNames=["people/2"], personFields="names", sources=list(kinds)).execute()
    http.close()

    assert [refusal.call for refusal in apis.refusals.take()] == [f"GET {BATCH}"]


def oauth(form, **headers):
    call = Call("POST", "/token", "", {"content-type": FORM, **headers}, urlencode(form).encode())
    rule = OAUTH.find("POST", "/token")
    violations = rule.broken_by(call)
    code = json.loads(rule.refusal(violations).body)["error"] if violations else None
    return code, [violation.sentence for violation in violations]


CLIENT = {"client_id": "c", "client_secret": "s"}
CODE = {"grant_type": "authorization_code", "code": "4/0", "redirect_uri": "http://127.0.0.1:9/", **CLIENT}
REFRESH = {"grant_type": "refresh_token", "refresh_token": "1//0", **CLIENT}


@pytest.mark.parametrize(
    ("form", "code", "words"),
    [
        (CODE, None, None),
        (REFRESH, None, None),
        ({**REFRESH, "scope": "openid email"}, None, None),
        ({}, "invalid_request", "Missing required parameter: grant_type"),
        ({"grant_type": "password"}, "unsupported_grant_type", "Invalid grant_type: password"),
        ({**CODE, "code_verifier": "short"}, "invalid_request", "Invalid value at 'code_verifier' (pattern"),
        ({**CODE, "state": "x"}, "invalid_request", "Parameter not allowed for this message type: state"),
        ({**REFRESH, "refresh_tokens": "x"}, "invalid_request", "not allowed for this message type: refresh_tokens"),
        ({"grant_type": "refresh_token", **CLIENT}, "invalid_request", "Missing required parameter: refresh_token"),
        ({"grant_type": "refresh_token", "refresh_token": "1//0"}, "invalid_request", "parameter: client_id"),
        ({"grant_type": JWT_BEARER}, "invalid_request", "Missing required parameter: assertion"),
        ({"grant_type": JWT_BEARER, "assertion": "no.assertion"}, "invalid_request", "(a signed JWT)"),
    ],
)
def test_the_token_endpoint_takes_what_is_documented_for_each_grant(form, code, words):
    found, said = oauth(form)

    assert found == code
    assert words is None or words in said[0]


def test_the_token_endpoint_takes_each_parameter_once_in_the_body_of_a_form():
    rule = OAUTH.find("POST", "/token")
    headers = {"content-type": FORM}
    twice = Call(
        "POST",
        "/token",
        "",
        headers,
        b"grant_type=refresh_token&refresh_token=1&refresh_token=2&client_id=c&client_secret=s",
    )
    as_json = Call("POST", "/token", "", {"content-type": "application/json"}, b"{}")

    assert "more than once: refresh_token" in rule.broken_by(twice)[0].sentence
    assert any("Invalid content type" in one.sentence for one in rule.broken_by(as_json))
    assert rule.checked(twice, Answer(200, "application/json", b'{"access_token": "x", "user": "y"}'))[1]


ISSUED = int(NINE.timestamp())
CLAIMS = {
    "iss": "a@b.iam.gserviceaccount.com",
    "sub": "teacher@school.example",
    "scope": "https://www.googleapis.com/auth/meetings.space.readonly",
    "aud": "https://oauth2.googleapis.com/token",
    "iat": ISSUED,
    "exp": ISSUED + 3600,
}


def assertion(claims, header=None):
    parts = [json.dumps(part).encode() for part in (header or {"alg": "RS256", "typ": "JWT"}, claims)]
    return ".".join([*(base64.urlsafe_b64encode(part).decode().rstrip("=") for part in parts), "c2lnbmVk"])


@pytest.mark.parametrize(
    ("changes", "code", "words"),
    [
        ({}, None, None),
        ({"sub": None}, None, None),
        ({"iss": None}, "invalid_grant", "missing required claim: iss"),
        ({"aud": None}, "invalid_grant", "missing required claim: aud"),
        ({"iat": None}, "invalid_grant", "missing required claim: iat"),
        ({"exp": None}, "invalid_grant", "missing required claim: exp"),
        ({"scope": None}, "invalid_scope", "Empty or missing scope not allowed."),
        ({"scope": ""}, "invalid_scope", "Empty or missing scope not allowed."),
        ({"scope": ["a"]}, "invalid_grant", "Invalid JWT: scope (of type str)"),
        ({"exp": str(ISSUED)}, "invalid_grant", "Invalid JWT: exp (of type int)"),
        ({"exp": ISSUED + 3601}, "invalid_grant", "short-lived token"),
        ({"exp": ISSUED}, "invalid_grant", "short-lived token"),
        ({"aud": "https://example.com"}, "invalid_grant", "Failed audience check"),
        ({"subject": "x"}, "invalid_grant", "claim not known: subject"),
    ],
)
def test_a_service_accounts_assertion_has_the_claims_that_are_documented(changes, code, words):
    claims = {name: value for name, value in {**CLAIMS, **changes}.items() if value is not None}

    found, said = oauth({"grant_type": JWT_BEARER, "assertion": assertion(claims)})

    assert found == code
    assert words is None or any(words in one for one in said)


def test_a_service_accounts_assertion_is_signed_with_rsa():
    signed = assertion(CLAIMS, header={"alg": "none", "typ": "JWT"})

    assert oauth({"grant_type": JWT_BEARER, "assertion": signed})[0] == "invalid_grant"


IDENTITY = "/computeMetadata/v1/instance/service-accounts/default/identity"
FLAVOR = {"metadata-flavor": "Google"}


@pytest.mark.parametrize(
    ("query", "headers", "status"),
    [
        ("audience=https://x.example&format=full", FLAVOR, None),
        ("audience=https://x.example&format=full", {}, 403),
        ("format=full", FLAVOR, 400),
        ("audience=", FLAVOR, 400),
        ("audience=https://x.example&format=long", FLAVOR, 400),
        ("audience=https://x.example&fromat=full", FLAVOR, 400),
    ],
)
def test_the_metadata_server_takes_what_is_documented(query, headers, status):
    rule = metadata("lms@school.example").find("GET", IDENTITY)

    violations = rule.broken_by(Call("GET", IDENTITY, query, headers))

    assert (rule.refusal(violations).status if violations else None) == status


def _stand_ins():
    """Return every HTTP stand-in."""
    for module in pkgutil.walk_packages(infra.local.__path__, "infra.local."):
        importlib.import_module(module.name)
    found, asked = [], [HttpStandIn]
    while asked:
        asked += (inner := asked.pop().__subclasses__())
        found += inner
    return [one for one in found if one.__module__.startswith("infra.")]


def test_no_stand_in_is_served_around_the_gate():
    """Only the base class serves, and no other code of ours that replaces Google opens an HTTP port."""
    stand_ins = _stand_ins()
    root = Path(infra.local.__path__[0]).parents[1]
    sources = [*root.glob("infra/**/*.py"), *root.glob("tests/**/*.py"), *root.glob("bench/**/*.py")]
    serves = re.compile(r"uvicorn\.(Config|Server|run)\(|HTTPServer\(|make_server\(|WSGIServer\(")
    serving = {str(path.relative_to(root)) for path in sources if serves.search(path.read_text())}

    assert {GoogleApis, CalendarSimulator, OAuthServer} <= set(stand_ins)
    assert not [one for one in stand_ins if {"in_thread", "_served", "refusals"} & vars(one).keys()]
    assert serving - {"tests/unit/local/test_gate.py"} == {
        "infra/local/serving.py",
        "infra/local/lms_page.py",  # our own files in docs/lms
        "infra/local/run.py",  # our own controls of the local stack
        "tests/integration/credentials/googles_hosts.py",  # a proxy that only passes bytes on
    }


@pytest.mark.parametrize("stand_in", _stand_ins(), ids=lambda one: one.__name__)
def test_every_path_that_a_stand_in_serves_is_in_its_rules(stand_in):
    needs = {IdTokenIssuer: (), MetadataServer: ("a@b.iam.gserviceaccount.com", IdTokenIssuer())}
    made = stand_in(*needs.get(stand_in, (School(lambda: NINE),)))

    for route in made._application().routes:
        path = re.sub(r"\{\w+\}", "meet", route.path)
        verb = next(iter(route.methods - {"HEAD"}))
        assert any(rules.find(verb, path) for rules in made._rules()), (verb, path)


def test_a_path_that_no_rules_have_is_not_served(school):
    class Careless(GoogleApis):
        def _application(self):
            return Starlette(routes=[Route("/v1/other", lambda _: JSONResponse({}))])

    with Careless(school).in_thread() as careless:
        assert httpx.get(f"{careless.endpoint}/v1/other", trust_env=False).status_code == 404
        assert len(careless.refusals.take()) == 1
