"""What an operator looks at: log entries, figures, documents, keys, and tokens from a service account's signature."""

from __future__ import annotations

import base64
import datetime as dt
import json
import re
from collections.abc import Callable
from typing import Any
from urllib.parse import parse_qs

from infra.local.control_plane.discovery import Call, Json
from infra.local.control_plane.projects import account_name, set_policy
from infra.local.control_plane.refusals import Refusal, denied
from infra.local.control_plane.world import World, answers

_SEVERITIES = ("DEFAULT", "DEBUG", "INFO", "NOTICE", "WARNING", "ERROR", "CRITICAL", "ALERT", "EMERGENCY")
_TERM = re.compile(r'([\w.]+(?:\."[^"]*")?)(>=|=|:)(?:"([^"]*)"|(\w+)|\(((?:"[^"]*"(?: OR )?)+)\))')


@answers("logging.entries.list")
def _entries(world: World, call: Call) -> Any:  # noqa: ANN401 - JSON
    if call.body.get("resourceNames") != [f"projects/{world.project}"]:
        raise Refusal(400, "Must specify at least one resource name.")
    tests = _terms(call.body.get("filter", ""))
    found = [entry for entry in world.logs if all(test(entry) for test in tests)]
    newest = call.body.get("orderBy") == "timestamp desc"
    found.sort(key=lambda entry: entry["timestamp"], reverse=newest)
    return {"entries": found[: call.body.get("pageSize", 50)]} if found else {}


def _terms(text: str) -> list[Callable[[Json], bool]]:
    """Return the comparisons of a Cloud Logging filter. Only AND or a space may join them; other filters are refused.

    https://cloud.google.com/logging/docs/view/logging-query-language
    """
    tests, at = [], 0
    while at < len(text):
        match = _TERM.match(text, at)
        if match is None:
            raise Refusal(400, f"Unparseable filter: {text}")
        tests.append(_term(*match.groups()))
        between = re.compile(r" AND |\s+|$").match(text, match.end())
        if between is None:
            raise Refusal(400, f"Unparseable filter: {text}")
        at = between.end()
    return tests


def _term(field: str, sign: str, quoted: str | None, bare: str | None, several: str | None) -> Callable[[Json], bool]:
    wanted = re.findall(r'"([^"]*)"', several) if several else [quoted if quoted is not None else bare]

    def test(entry: Json) -> bool:
        value: Any = entry
        for part in re.findall(r'"[^"]*"|\w+', field):
            value = value.get(part.strip('"')) if isinstance(value, dict) else None
        if sign == "=":
            return value in wanted
        if sign == ":":
            return any(str(one).lower() in str(value or "").lower() for one in wanted)
        if field == "severity":
            return _SEVERITIES.index(value or "DEFAULT") >= _SEVERITIES.index(wanted[0])
        return value is not None and value >= wanted[0]

    return test


@answers("monitoring.projects.timeSeries.list")
def _series(world: World, call: Call) -> Json:
    """Return the figures of a subscription: the number of waiting messages, and the age of the oldest."""
    match = re.fullmatch(
        r'metric\.type="pubsub\.googleapis\.com/subscription/(num_undelivered_messages|oldest_unacked_message_age)" '
        r'AND resource\.labels\.subscription_id="([^"]+)"',
        call.parameter("filter"),
    )
    if match is None:
        raise Refusal(400, f"The stand-in does not support this filter: {call.parameter('filter')}")
    count, age = world.waiting.get(match[2], (0, 0))
    value = count if match[1].startswith("num") else age
    end = call.parameter("interval.endTime")
    point = {"interval": {"startTime": end, "endTime": end}, "value": {"int64Value": str(value)}}
    return {"timeSeries": [{"metric": {}, "points": [point]}]}


@answers("firestore.projects.databases.documents.runQuery")
def _run_query(world: World, call: Call) -> Any:  # noqa: ANN401 - a stream is a list
    """Return the documents of one collection: all of them, or those where a field is null."""
    query = call.body["structuredQuery"]
    database = call.name.removesuffix("/documents")
    if database not in world.resources:
        raise Refusal(404, f"The database {database.rpartition('/')[2]} does not exist for project {world.project}.")
    found = list(world.below(f"{database}/documents/{query['from'][0]['collectionId']}"))
    condition = query.get("where", {}).get("unaryFilter")
    if condition:
        if condition["op"] != "IS_NULL":
            raise Refusal(400, "The stand-in only supports IS_NULL.")
        field = condition["field"]["fieldPath"]
        found = [one for one in found if "nullValue" in one["fields"].get(field, {})]
    kept = [field["fieldPath"] for field in query.get("select", {}).get("fields", [])]
    now = _now()
    rows = [
        {
            "document": {**one, "fields": {name: one["fields"][name] for name in kept if name in one["fields"]}},
            "readTime": now,
        }
        for one in found[: query.get("limit", 1000)]
    ]
    return rows or [{"readTime": now}]


@answers("iam.projects.serviceAccounts.keys.list")
def _keys(world: World, call: Call) -> Json:
    account = account_name(world, call.name.removesuffix("/keys"))
    world.resource(account)
    if call.parameter("keyTypes") != "USER_MANAGED":
        raise Refusal(400, "The stand-in only supports keys that people made.")
    return {"keys": list(world.below(f"{account}/keys"))} if list(world.below(f"{account}/keys")) else {}


@answers("iam.projects.serviceAccounts.keys.delete")
def _delete_key(world: World, call: Call) -> Json:
    name = re.sub(r"^projects/-/", f"projects/{world.project}/", call.name)
    world.resource(name)
    del world.resources[name]
    return {}


@answers("iam.projects.serviceAccounts.enable")
def _enable_account(world: World, call: Call) -> Json:
    world.resource(account_name(world, call.name)).pop("disabled", None)
    return {}


answers("secretmanager.projects.secrets.setIamPolicy")(set_policy)


@answers("cloudscheduler.projects.locations.jobs.run")
def _run_job(world: World, call: Call) -> Json:
    """Run a job successfully: its topic accepts the message."""
    job = world.resource(call.name)
    job.update(lastAttemptTime=_now(), status={})
    return job


def _now() -> str:
    return dt.datetime.now(dt.UTC).isoformat().replace("+00:00", "Z")


@answers("iamcredentials.projects.serviceAccounts.signJwt")
def _sign(world: World, call: Call) -> Json:
    """Return a token without a real signature.

    Its header says so, and the token endpoint here accepts only such tokens.
    """
    if not call.name.startswith("projects/-/"):
        raise Refusal(400, "Request contains an invalid argument: the project must be a wildcard.")
    if account_name(world, call.name) not in world.resources:
        raise denied("iam.serviceAccounts.signJwt", call.name)
    json.loads(call.body["payload"])
    parts = [_encoded('{"alg": "stand-in"}'), _encoded(call.body["payload"]), "signature"]
    return {"keyId": "0123", "signedJwt": ".".join(parts)}


def _encoded(text: str) -> str:
    return base64.urlsafe_b64encode(text.encode()).decode().rstrip("=")


def token(world: World, content: bytes) -> tuple[int, Json]:
    """Answer at the token endpoint: give a token for an assertion about a teacher, with a scope that the school allows.

    https://developers.google.com/identity/protocols/oauth2/service-account#error-codes
    """
    form = {name: values[0] for name, values in parse_qs(content.decode()).items()}
    if form.get("grant_type") != "urn:ietf:params:oauth:grant-type:jwt-bearer":
        return 400, {"error": "unsupported_grant_type", "error_description": "Invalid grant_type"}
    payload = form["assertion"].split(".")[1]
    claims = json.loads(base64.urlsafe_b64decode(payload + "=" * (-len(payload) % 4)))
    if claims["aud"] != "https://oauth2.googleapis.com/token":
        return 400, {"error": "invalid_grant", "error_description": "Invalid JWT: wrong audience"}
    if claims["sub"] not in world.people:
        return 400, {"error": "invalid_grant", "error_description": "Invalid email or User ID"}
    if world.delegated is not None and not set(claims["scope"].split()) <= world.delegated:
        return 401, {
            "error": "unauthorized_client",
            "error_description": "Client is unauthorized to retrieve access tokens using this method, or client not "
            "authorized for any of the scopes requested.",
        }
    return 200, {"access_token": "ya29.teacher", "expires_in": 3599, "token_type": "Bearer"}
