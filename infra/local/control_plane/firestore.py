"""Firestore's administration and the security rules."""

from __future__ import annotations

import re

from infra.local.control_plane.collections_ import Kept, done, patched
from infra.local.control_plane.discovery import Call, Json
from infra.local.control_plane.refusals import Refusal, not_found
from infra.local.control_plane.world import World, answers

_DEFAULT_FIELD = "__default__/fields/*"


def _check_database(_: World, name: str, database: Json) -> None:
    if not database.get("locationId") or database.get("type") not in {"FIRESTORE_NATIVE", "DATASTORE_MODE"}:
        raise Refusal(400, f"A database needs a location and a type: {name}")


_databases = Kept(
    "firestore.projects.databases",
    "databases",
    id_parameter="databaseId",
    defaults={
        "deleteProtectionState": "DELETE_PROTECTION_DISABLED",
        "pointInTimeRecoveryEnablement": "POINT_IN_TIME_RECOVERY_DISABLED",
    },
    wrap=done,
    check=_check_database,
)
_databases.serve("create", "get", "list", "patch")


@answers("firestore.projects.databases.delete")
def _delete_database(world: World, call: Call) -> Json:
    database = world.resource(call.name)
    if database["deleteProtectionState"] == "DELETE_PROTECTION_ENABLED":
        raise Refusal(
            400,
            "Database has delete protection enabled. Disable delete protection before deleting the database.",
            status="FAILED_PRECONDITION",
        )
    for name in [name for name in world.resources if name == call.name or name.startswith(f"{call.name}/")]:
        del world.resources[name]
    return done(world, call, {})


Kept("firestore.projects.databases.backupSchedules", "backupSchedules").serve(
    "create", "get", "list", "patch", "delete"
)


Kept("firestore.projects.locations.backups", "backups").serve("list", "delete")
Kept("secretmanager.projects.secrets", "secrets", id_parameter="secretId").serve("create", "get", "list", "delete")
Kept("secretmanager.projects.secrets.versions", "versions").serve("get")


@answers("secretmanager.projects.secrets.versions.enable")
def _enable_version(world: World, call: Call) -> Json:
    version = world.resource(call.name.removesuffix(":enable"))
    version["state"] = "ENABLED"
    return version


@answers("secretmanager.projects.secrets.addVersion")
def _add_version(world: World, call: Call) -> Json:
    secret = call.name.removesuffix(":addVersion")
    world.resource(secret)
    payload = call.body.get("payload", {})
    if not payload.get("data"):
        raise Refusal(400, "The payload is empty.")
    number = 1 + sum(1 for _ in world.below(f"{secret}/versions"))
    version: Json = {"name": f"{secret}/versions/{number}", "state": "ENABLED"}
    if "dataCrc32c" in payload:
        version["clientSpecifiedPayloadChecksum"] = True  # without it, gcloud treats the version as damaged
    world.resources[version["name"]] = version
    return version


def _native(world: World, name: str) -> None:
    database = "/".join(name.split("/")[:4])
    if database not in world.resources:
        raise Refusal(404, f"The database {database.rpartition('/')[2]} does not exist for project {world.project}.")
    if world.resources[database]["type"] != "FIRESTORE_NATIVE":
        raise Refusal(
            400,
            "The Cloud Firestore API is not available for Firestore in Datastore Mode database.",
            status="FAILED_PRECONDITION",
        )


@answers("firestore.projects.databases.collectionGroups.indexes.create")
def _create_index(world: World, call: Call) -> Json:
    _native(world, call.name)
    fields = call.body["fields"]
    if len(fields) < 2:  # noqa: PLR2004 - Google's number
        raise Refusal(400, "this index is not necessary, configure using single field index controls")
    for index in world.below(call.name):
        if _signature(index) == _signature(call.body):
            raise Refusal(409, "index already exists")
    last = fields[-1].get("order", "ASCENDING")
    implicit = [] if fields[-1]["fieldPath"] == "__name__" else [{"fieldPath": "__name__", "order": last}]
    name = f"{call.name}/CICAgO{world.serial():04}"
    world.resources[name] = {**call.body, "fields": fields + implicit, "name": name, "state": "READY"}
    return done(world, call, {})


def _signature(index: Json) -> str:
    named = [field for field in index["fields"] if field["fieldPath"] != "__name__"]
    return str((index.get("queryScope", "COLLECTION"), named))


@answers("firestore.projects.databases.collectionGroups.indexes.list")
def _list_indexes(world: World, call: Call) -> Json:
    _native(world, call.name)
    return {"indexes": list(world.below(call.name))}


@answers("firestore.projects.databases.collectionGroups.fields.list")
def _list_fields(world: World, call: Call) -> Json:
    _native(world, call.name)
    if not re.search(r"indexConfig.usesAncestorConfig[:=]false|ttlConfig:\*", call.parameter("filter")):
        raise Refusal(
            400, "Only overridden fields can be listed; filter by indexConfig.usesAncestorConfig or ttlConfig"
        )
    return {"fields": list(world.below(call.name))}


@answers("firestore.projects.databases.collectionGroups.fields.patch")
def _patch_field(world: World, call: Call) -> Json:
    _native(world, call.name)
    before = world.resources.get(call.name, {"name": call.name, "indexConfig": {"usesAncestorConfig": True}})
    mask = call.parameter("updateMask")
    after = patched(before, call.body, mask)
    if "indexConfig" in mask:
        if "indexConfig" in call.body:
            for index in after["indexConfig"].get("indexes", []):
                _check_single(index, call.name)
        else:
            after["indexConfig"] = {"usesAncestorConfig": True}
    if "ttlConfig" in after:
        after["ttlConfig"] = {"state": "ACTIVE"}
    after["name"] = call.name
    world.resources[call.name] = after
    return done(world, call, after)


def _check_single(index: Json, name: str) -> None:
    field = name.rpartition("/")[2]
    fields = index.get("fields", [])
    if len(fields) != 1 or fields[0].get("fieldPath", field) != field:
        raise Refusal(400, f"An index of a single field has that field alone: {field}")
    if "queryScope" not in index:
        raise Refusal(400, "Index must specify a query scope.")


Kept("firebaserules.projects.rulesets", "rulesets").serve("get", "list", "delete")


@answers("firebaserules.projects.rulesets.create")
def _create_ruleset(world: World, call: Call) -> Json:
    files = call.body["source"]["files"]
    if not all("rules_version" in file["content"] and "service cloud.firestore" in file["content"] for file in files):
        raise Refusal(400, "Compilation errors in the rules source.")
    name = f"{call.name}/00000000-0000-0000-0000-{world.serial():012}"
    world.resources[name] = {**call.body, "name": name, "createTime": "2026-11-27T10:00:00Z"}
    return world.resources[name]


@answers("firebaserules.projects.releases.get")
def _get_release(world: World, call: Call) -> Json:
    return world.resource(call.name)


@answers("firebaserules.projects.releases.create")
def _create_release(world: World, call: Call) -> Json:
    if call.body["name"] in world.resources:
        raise Refusal(409, "Requested entity already exists")
    world.resource(call.body["rulesetName"])
    world.resources[call.body["name"]] = call.body
    return call.body


@answers("firebaserules.projects.releases.patch")
def _patch_release(world: World, call: Call) -> Json:
    if call.name not in world.resources:
        raise not_found(call.name)
    world.resource(call.body["release"]["rulesetName"])
    world.resources[call.name] = call.body["release"]
    return world.resources[call.name]
