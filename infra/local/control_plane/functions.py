"""Cloud Functions of the second generation and what they create: services, triggers, subscriptions, images."""

from __future__ import annotations

import io
import re
import zipfile

from infra.local.control_plane.collections_ import Kept, patched
from infra.local.control_plane.collections_ import done as ended
from infra.local.control_plane.discovery import Call, Json
from infra.local.control_plane.messaging import SUBSCRIPTION
from infra.local.control_plane.projects import agent
from infra.local.control_plane.refusals import Refusal, denied, no_account
from infra.local.control_plane.world import World, answers

REGIONS = ("europe-west1", "europe-west3", "us-central1")


@answers(
    "cloudfunctions.projects.locations.list",
    "cloudscheduler.projects.locations.list",
    "firestore.projects.locations.list",
)
def _locations(_: World, call: Call) -> Json:
    names = [*REGIONS, *(["eur3", "nam5"] if call.api.startswith("firestore") else [])]
    return {"locations": [{"name": f"{call.name}/{region}", "locationId": region} for region in names]}


@answers("cloudfunctions.projects.locations.functions.generateUploadUrl")
def _upload_url(world: World, call: Call) -> Json:
    region = call.name.split("/")[3]
    bucket = f"gcf-v2-uploads-{world.number}.{region}.cloudfunctions.appspot.com"
    source = f"{world.serial():08}.zip"
    return {
        "uploadUrl": f"https://storage.googleapis.com/{bucket}/{source}?GoogleAccessId=gcf&Signature=0123",
        "storageSource": {"bucket": bucket, "object": source},
    }


class _Failed(Exception):
    """A deployment that begins and then fails: it leaves a function without a working service."""


@answers("cloudfunctions.projects.locations.functions.create")
def _create(world: World, call: Call) -> Json:
    region = call.name.split("/")[3]
    if region not in REGIONS:
        raise Refusal(403, f"Permission denied on 'locations/{region}' (or it may not exist).")
    short = call.parameter("functionId")
    name = f"{call.name}/functions/{short}".replace("/functions/functions/", "/functions/")
    if name in world.resources:
        raise Refusal(409, f"Could not create Cloud Run service {short}. Resource '{name}' already exists.")
    function = {**call.body, "name": name, "environment": "GEN_2", "createTime": "2026-11-27T10:00:00Z"}
    _check_settings(world, function)
    try:
        _build(world, function)
        _check_secrets(world, function)
        trigger = _make_trigger(world, function) if "eventTrigger" in function else None
    except _Failed as failed:
        world.resources[name] = _shell(function, str(failed))
        return _failure(world, call, str(failed))
    _serve(world, function)
    if trigger:
        function["eventTrigger"] = {**function["eventTrigger"], "trigger": trigger}
    world.resources[name] = function
    return done(world, call, function)


@answers("cloudfunctions.projects.locations.functions.patch")
def _patch(world: World, call: Call) -> Json:
    before = world.resource(call.name)
    mask = call.parameter("updateMask")
    names_trigger = bool(re.search(r"(^|,)(event_?[tT]rigger)(,|$|\.(?!retry))", mask))
    if names_trigger and "eventTrigger" not in before:
        raise Refusal(
            400,
            "Changing from an HTTPS function to a background triggered function is not allowed. Please delete your "
            "function and create a new one instead.",
        )
    function = patched(before, call.body, mask)
    function["name"] = before["name"]
    if mask == "labels":
        world.resources[call.name] = function
        return done(world, call, function)
    _check_settings(world, function)
    try:
        _build(world, function)
        _check_secrets(world, function)
    except _Failed as failed:
        return _failure(world, call, str(failed))
    if names_trigger:
        _remove_trigger(world, before["eventTrigger"]["trigger"])
        function["eventTrigger"] = {**function["eventTrigger"], "trigger": _make_trigger(world, function)}
    _serve(world, function)
    world.resources[call.name] = function
    return done(world, call, function)


@answers("cloudfunctions.projects.locations.functions.delete")
def _delete(world: World, call: Call) -> Json:
    function = world.resource(call.name)
    if "trigger" in function.get("eventTrigger", {}):
        _remove_trigger(world, function["eventTrigger"]["trigger"])
    del world.resources[call.name]
    service = call.name.replace("/functions/", "/services/")
    world.resources.pop(service, None)
    world.policies.pop(service, None)
    return done(world, call, {})


@answers("cloudfunctions.projects.locations.operations.get")
def _operation(world: World, call: Call) -> Json:
    return world.resources.get(call.name) or {"name": call.name, "done": True, "response": {}}


def done(world: World, call: Call, function: Json) -> Json:
    """Return a successful operation on a function. It is stored, because gcloud requests it once more."""
    operation = ended(world, call, function)
    operation["metadata"] = {
        "@type": "type.googleapis.com/google.cloud.functions.v2.OperationMetadata",
        "apiVersion": "v2",
        "stages": [{"name": "BUILD", "state": "COMPLETE", "message": ""}],
    }
    operation["response"] = {"@type": "type.googleapis.com/google.cloud.functions.v2.Function", **function}
    world.resources[operation["name"]] = operation
    return operation


def _check_settings(world: World, function: Json) -> None:
    config = function.get("serviceConfig", {})
    cpu, concurrency = config.get("availableCpu", "0.1666"), config.get("maxInstanceRequestConcurrency", 1)
    if float(cpu) < 1 < concurrency:
        raise Refusal(400, "Total cpu < 1 is not supported with concurrency > 1.")
    accounts = [
        config.get("serviceAccountEmail"),
        function.get("eventTrigger", {}).get("serviceAccountEmail"),
        function.get("buildConfig", {}).get("serviceAccount", "").rpartition("/")[2],
    ]
    for account in filter(None, accounts):
        if account not in world.accounts or world.unsettled(f"account {account}"):
            raise no_account(account)
        if world.permissions is not None and "iam.serviceAccounts.actAs" not in world.permissions:
            raise denied("iam.serviceaccounts.actAs", f"projects/-/serviceAccounts/{account}")
    for short in config.get("environmentVariables", {}):
        if short in {"PORT", "K_SERVICE", "K_REVISION", "GOOGLE_FUNCTION_TARGET", "FUNCTION_TARGET"}:
            raise Refusal(400, f"environment variable name {short} is reserved by the system")


def _build(world: World, function: Json) -> None:
    build, config = function.get("buildConfig", {}), function.get("serviceConfig", {})
    account = build.get("serviceAccount", "").rpartition("/")[2]
    may = world.holds(f"projects/{world.project}", "roles/cloudbuild.builds.builder", f"serviceAccount:{account}")
    if not may or world.unsettled(f"grant roles/cloudbuild.builds.builder serviceAccount:{account}"):
        raise _Failed(
            "Build failed with status: FAILURE. Could not build the function due to a missing permission on the build "
            "service account. If you didn't revoke that permission explicitly, this could be caused by a change in "
            "the organization policies."
        )
    source = build["source"]["storageSource"]
    uploaded = world.uploads.get(f"/{source['bucket']}/{source['object']}")
    names = zipfile.ZipFile(io.BytesIO(uploaded)).namelist() if uploaded else []
    if "main.py" not in names or "requirements.txt" not in names:
        raise _Failed(
            "Build failed with status: FAILURE and message: missing main.py and GOOGLE_FUNCTION_SOURCE not specified. "
            "Either create the function in main.py or specify GOOGLE_FUNCTION_SOURCE."
        )
    allowed = int(world.cpu_quota / (1000 * float(config["availableCpu"])))
    if config["maxInstanceCount"] > allowed:
        asked = int(config["maxInstanceCount"] * 1000 * float(config["availableCpu"]))
        raise _Failed(
            f"Max instances must be set to {allowed} or fewer to set the requested total CPU. Quota violated: "
            f"CpuAllocPerProjectRegion requested: {asked} allowed: {world.cpu_quota}"
        )


def _check_secrets(world: World, function: Json) -> None:
    """Check the secrets: a revision reads them when it starts, with the account under which it runs.

    https://docs.cloud.google.com/run/docs/configuring/services/secrets
    """
    config = function["serviceConfig"]
    account, role = f"serviceAccount:{config['serviceAccountEmail']}", "roles/secretmanager.secretAccessor"
    for wanted in config.get("secretEnvironmentVariables", ()):
        secret = f"projects/{world.project}/secrets/{wanted['secret']}"
        version = f"{secret}/versions/{wanted['version']}"
        if not world.holds(secret, role, account) or world.unsettled(f"grant {role} {account}"):
            raise _Failed(
                "Could not create or update Cloud Run service. spec.template.spec.containers[0].env: Permission denied "
                f"on secret: {version} for Revision service account {config['serviceAccountEmail']}. The service "
                "account used must be granted the 'Secret Manager Secret Accessor' role at the secret, project or "
                "higher level."
            )
        if version not in world.resources:
            raise _Failed(f"Could not create or update Cloud Run service. Secret {version} was not found.")


def _make_trigger(world: World, function: Json) -> str:
    eventarc, pubsub = agent(world, "eventarc.googleapis.com"), agent(world, "pubsub.googleapis.com")
    granted = world.holds(f"projects/{world.project}", "roles/eventarc.serviceAgent", f"serviceAccount:{eventarc}")
    if not granted or world.unsettled(f"grant roles/eventarc.serviceAgent serviceAccount:{eventarc}"):
        raise _Failed(
            "Failed to create trigger. Permission denied while using the Eventarc Service Agent. If you recently "
            "started to use Eventarc, it may take a few minutes before all necessary permissions are propagated to the "
            "Service Agent. Otherwise, verify that it has Eventarc Service Agent role."
        )
    if pubsub not in world.accounts:
        raise _Failed(f"Service account {pubsub} does not exist.")
    event = function["eventTrigger"]
    if event["pubsubTopic"] not in world.resources:
        raise _Failed(f"Failed to create trigger. Resource not found (resource={event['pubsubTopic']}).")
    _, project, _, region, _, short = function["name"].split("/")
    trigger = f"projects/{project}/locations/{region}/triggers/{short}-{100000 + world.serial()}"
    subscription = f"projects/{project}/subscriptions/eventarc-{region}-{trigger.rpartition('/')[2]}-sub-001"
    world.resources[subscription] = {
        **SUBSCRIPTION,
        "name": subscription,
        "topic": event["pubsubTopic"],
        "messageRetentionDuration": "86400s",
        "expirationPolicy": {},
        "retryPolicy": {"minimumBackoff": "10s", "maximumBackoff": "600s"},
        "pushConfig": {"oidcToken": {"serviceAccountEmail": event.get("serviceAccountEmail", "")}},
        "labels": {"goog-eventarc": ""},
    }
    world.resources[trigger] = {
        "name": trigger,
        "serviceAccount": event.get("serviceAccountEmail", ""),
        "transport": {"pubsub": {"topic": event["pubsubTopic"], "subscription": subscription}},
    }
    return trigger


def _remove_trigger(world: World, trigger: str) -> None:
    subscription = world.resources.pop(trigger)["transport"]["pubsub"]["subscription"]
    world.resources.pop(subscription, None)
    world.policies.pop(subscription, None)


def _serve(world: World, function: Json) -> None:
    _, project, _, region, _, short = function["name"].split("/")
    service = f"projects/{project}/locations/{region}/services/{short}"
    uri = f"https://{short}-abc123-ew.a.run.app"
    before = world.resources.get(service, {})
    ready = {"type": "Ready", "state": "CONDITION_SUCCEEDED"}
    world.resources[service] = {**before, "name": service, "uri": uri, "terminalCondition": ready}
    config = function["serviceConfig"]
    # Google adds this variable itself, and shows it among the others.
    variables = {"LOG_EXECUTION_ID": "true", **config.get("environmentVariables", {})}
    serving = {"service": service, "uri": uri, "revision": f"{short}-1", "environmentVariables": variables}
    function["serviceConfig"] = {**config, **serving}
    function.update({"state": "ACTIVE", "url": uri, "stateMessages": [], "updateTime": "2026-11-27T10:00:00Z"})
    repository = f"projects/{project}/locations/{region}/repositories/gcf-artifacts"
    world.resources.setdefault(repository, {"name": repository, "format": "DOCKER"})


def _shell(function: Json, message: str) -> Json:
    kept = {name: value for name, value in function.items() if name != "eventTrigger"}
    return {**kept, "state": "FAILED", "stateMessages": [{"severity": "ERROR", "type": "Failed", "message": message}]}


def _failure(world: World, call: Call, message: str) -> Json:
    operation = done(world, call, {})
    del operation["response"]
    operation["error"] = {"code": 13, "message": message}
    world.resources[operation["name"]] = operation
    return operation


Kept("cloudfunctions.projects.locations.functions", "functions").serve("get", "list")
Kept("eventarc.projects.locations.triggers", "triggers").serve("get", "list")
Kept("run.projects.locations.services", "services", wrap=ended).serve("patch")
Kept("run.projects.locations.services", "services").serve("get", "list")
Kept("artifactregistry.projects.locations.repositories", "repositories").serve("get", "list", "patch")


@answers("cloudfunctions.projects.locations.runtimes.list")
def _runtimes(_: World, __: Call) -> Json:
    return {
        "runtimes": [
            {"name": name, "displayName": name, "stage": "GA", "environment": "GEN_2"}
            for name in ("python312", "python313", "python314")
        ]
    }
