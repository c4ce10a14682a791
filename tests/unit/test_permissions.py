"""Every call from the code to Google is in `infra/iam.toml`, with the permission or scope that it needs."""

import ast
import importlib
import json
import tomllib
from functools import cache
from pathlib import Path

import googleapiclient
import pytest

from functions.adapters.google.credentials.capabilities import Capability

ROOT = Path(__file__).parents[2]
TABLE = tomllib.loads((ROOT / "infra" / "iam.toml").read_text())
CALLS = {call["call"]: call for call in TABLE["calls"]}
SCOPES = "https://www.googleapis.com/auth/"

SERVICES = {
    "google.apps.meet_v2": {
        "conference_records_service": "google.apps.meet.v2.ConferenceRecordsService",
        "spaces_service": "google.apps.meet.v2.SpacesService",
    },
    "google.apps.events_subscriptions_v1": {
        "subscriptions_service": "google.apps.events.subscriptions.v1.SubscriptionsService"
    },
    "google.pubsub_v1": {"publisher": "google.pubsub.v1.Publisher", "subscriber": "google.pubsub.v1.Subscriber"},
    "google.cloud.secretmanager_v1": {"secret_manager_service": "google.cloud.secretmanager.v1.SecretManagerService"},
    "google.cloud.firestore_v1": {"firestore": "google.firestore.v1.Firestore"},
}
"""Google's gRPC services that the code uses, by the packages of their clients."""

REST = {"people": "people.v1", "admin": "admin.directory_v1", "reports": "admin.reports_v1", "calendar": "calendar.v3"}
DISCOVERY = Path(googleapiclient.__file__).parent / "discovery_cache" / "documents"
IAM = {"GetIamPolicy", "SetIamPolicy", "TestIamPermissions"}
SIGNERS = {"Signer": "signBlob", "impersonated_credentials": "signJwt"}
"""The parts of google-auth that sign as a service account, and how they sign."""


@cache
def methods_of(package, service):
    """Return the RPCs of a service by their names in its client."""
    transports = importlib.import_module(f"{package}.services.{service}.transports")
    [base] = [value for name, value in vars(transports).items() if name.endswith("Transport") and _is_base(value)]
    no_rpc = {"kind", "host", "operations_client", "get_operation", "list_operations", "cancel_operation"}
    names = {name for name, value in vars(base).items() if isinstance(value, property)} - no_rpc
    return {name: "".join(part.title() for part in name.split("_")) for name in names}


def _is_base(transport):
    return transport.__module__.endswith(".base")


@cache
def rest_methods():
    """Return (resource, method) -> the API that has it."""
    found = {}
    for api in REST.values():
        document = json.loads((DISCOVERY / f"{api}.json").read_text())
        for resource, about in document["resources"].items():
            for method in about.get("methods", {}):
                found[resource, method] = f"{api.split('.')[0]}.{resource}.{method}"
    return found


def sources():
    return sorted((ROOT / "functions").rglob("*.py"))


def calls_in(source):
    """Return every call to Google that a module names in any way."""
    tree = ast.parse(source.read_text())
    imported = {node.module or "" for node in ast.walk(tree) if isinstance(node, ast.ImportFrom)}
    imported |= {
        f"{node.module}.{name.name}"
        for node in ast.walk(tree)
        if isinstance(node, ast.ImportFrom)
        for name in node.names
    }
    attributes = [node for node in ast.walk(tree) if isinstance(node, ast.Attribute)]
    for package, services in SERVICES.items():
        uses = any(name == package or name.startswith(f"{package}.") for name in imported)
        if not uses and not (package == "google.cloud.firestore_v1" and "google.cloud.firestore" in imported):
            continue
        for service, full_name in services.items():
            methods = methods_of(package, service)
            yield from (f"{full_name}/{methods[node.attr]}" for node in attributes if node.attr in methods)
    for node in attributes:
        if node.attr == "get_operation":
            yield "google.longrunning.Operations/GetOperation"
        if isinstance(node.value, ast.Call) and isinstance(node.value.func, ast.Attribute):
            method = node.attr.removesuffix("_next")
            if call := rest_methods().get((node.value.func.attr, method)):
                yield call
        if node.attr in SIGNERS:
            yield f"iamcredentials.projects.serviceAccounts.{SIGNERS[node.attr]}"


def made():
    return {call: source for source in sources() for call in calls_in(source)}


def test_every_call_of_the_code_is_in_the_table():
    unknown = {call: str(source.relative_to(ROOT)) for call, source in made().items() if call not in CALLS}

    assert unknown == {}, "Add it to infra/iam.toml with the permission or the scope that it needs"


def test_the_table_holds_no_call_that_nobody_makes():
    assert CALLS.keys() - made().keys() == set()


def test_a_new_call_is_noticed(tmp_path):
    module = tmp_path / "new.py"
    module.write_text(
        "from google.apps.meet_v2 import SpacesServiceAsyncClient\n"
        "async def end(client, service):\n"
        "    await client.end_active_conference(None)\n"
        "    service.events().move(calendarId='primary')\n"
    )

    assert sorted(calls_in(module)) == [
        "calendar.events.move",
        "google.apps.meet.v2.SpacesService/EndActiveConference",
    ]


@pytest.mark.parametrize("call", CALLS.values(), ids=CALLS.keys())
def test_each_call_names_either_permissions_or_scopes(call):
    assert ("permission" in call) != ("scope" in call)
    assert call.get("by") in {None, "operator"}


def test_every_permission_of_the_running_functions_is_given_by_a_grant_to_their_account():
    given = {
        permission
        for grant in TABLE["grants"]
        if grant["account"] == "meet-attendance"
        for permission in TABLE["roles"][grant["role"]]
    }
    needed = {p for call in CALLS.values() if "by" not in call for p in call.get("permission", [])}

    assert needed - given == set()


def test_the_functions_account_is_granted_no_role_that_no_call_needs():
    needed = {p for call in CALLS.values() if "by" not in call for p in call.get("permission", [])}
    roles = {grant["role"] for grant in TABLE["grants"] if grant["account"] == "meet-attendance"}

    assert [role for role in roles if needed.isdisjoint(TABLE["roles"][role])] == []


def test_only_firestore_is_granted_on_the_whole_project_to_the_functions_account():
    wide = [
        grant["role"]
        for grant in TABLE["grants"]
        if grant["account"] == "meet-attendance" and grant["resource"] == "project"
    ]

    assert wide == ["roles/datastore.user"]


def test_the_scopes_of_the_calls_are_those_that_the_capabilities_ask_for():
    asked = {scope.removeprefix(SCOPES) for capability in Capability for scope in capability.scopes}

    assert {scope for call in CALLS.values() for scope in call.get("scope", [])} == asked


def discovered():
    """Return the scopes that Google's discovery documents accept for each REST method in the table."""
    for name, call in CALLS.items():
        api, _, rest = name.partition(".")
        resource, _, method = rest.partition(".")
        for document in (REST.get(api), "admin.reports_v1" if api == "admin" else None):
            if document is None:
                continue
            resources = json.loads((DISCOVERY / f"{document}.json").read_text())["resources"]
            if about := resources.get(resource, {}).get("methods", {}).get(method):
                yield name, call["scope"], {scope.removeprefix(SCOPES) for scope in about["scopes"]}


def test_each_scope_is_one_that_google_accepts_for_its_call():
    checked = list(discovered())

    assert len(checked) == sum("scope" in call and "/" not in name for name, call in CALLS.items())
    assert [name for name, scopes, accepted in checked if not set(scopes) & accepted] == []


@pytest.mark.parametrize("grant", TABLE["grants"], ids=lambda grant: f"{grant['account']} {grant['resource']}")
def test_each_grant_says_what_for_and_where_google_says_so(grant):
    assert grant.keys() <= {"account", "role", "resource", "when", "made_by", "because", "link"}
    assert grant["link"].startswith(("https://docs.cloud.google.com/", "https://developers.google.com/"))
    assert grant["because"]
