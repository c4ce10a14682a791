"""Checks of Firestore: the database, backups, indexes, automatic deletion, and the rules for browsers."""

from __future__ import annotations

from infra.doctor.account import PROJECT, REGION
from infra.doctor.checks import Report, check
from infra.doctor.deployment import FIREBASE, FIRESTORE, RULES, Deployment, Json

DATABASE = "database"


@check("store", DATABASE, needs=[PROJECT, REGION])
async def _database(deployment: Deployment, report: Report) -> None:
    name = await deployment.database()
    short = name.rpartition("/")[2]
    database = await deployment.google.read(f"{FIRESTORE}/{name}")
    if database is None:
        report.wrong(f"the database {short} does not exist", deployment.deploy)
        return
    if database.get("type") != "FIRESTORE_NATIVE":
        report.wrong(
            f"the database {short} is in Datastore mode, which this system cannot use",
            f"{deployment.deploy} FIRESTORE_DATABASE=attendance",
        )
        return
    if database.get("deleteProtectionState") != "DELETE_PROTECTION_ENABLED":
        report.wrong("it may be deleted by mistake: delete protection is off", deployment.deploy)
    if database.get("pointInTimeRecoveryEnablement") != "POINT_IN_TIME_RECOVERY_ENABLED":
        report.wrong("point-in-time recovery is off", deployment.deploy)
    report.fact(f"{short} in {database.get('locationId', '?')}")


@check("store", "backups", needs=[PROJECT, REGION, DATABASE])
async def _backups(deployment: Deployment, report: Report) -> None:
    if (await deployment.labels()).get("meet-attendance-backups") == "no":
        report.fact("none, as BACKUPS=no says")
        return
    answer = await deployment.google.read(f"{FIRESTORE}/{await deployment.database()}/backupSchedules") or {}
    daily = [one for one in answer.get("backupSchedules", []) if "dailyRecurrence" in one]
    if not daily:
        report.wrong("no daily backup is made", deployment.deploy)


@check("store", "indexes", needs=[PROJECT, REGION, DATABASE])
async def _indexes(deployment: Deployment, report: Report) -> None:
    base = f"{FIRESTORE}/{await deployment.database()}/collectionGroups/-/indexes?pageSize=300"
    stored = await deployment.google.all(base, "indexes")
    states = {_index(one, one["name"].split("/")[-3]): one.get("state", "READY") for one in stored}
    missing, building = [], 0
    for one in deployment.wanted.indexes["indexes"]:
        state = states.get(_index(one, one["collectionGroup"]))
        building += state == "CREATING"
        if state is None or state == "NEEDS_REPAIR":
            missing.append(f"{one['collectionGroup']} by {', '.join(field['fieldPath'] for field in one['fields'])}")
    if missing:
        report.wrong(f"missing: {_some(missing)}", deployment.deploy)
    if building:
        report.warning(f"{building} are still being built", f"make doctor {deployment.options}")


def _index(index: Json, group: str) -> str:
    fields = [
        (one["fieldPath"], one.get("order"), one.get("arrayConfig"))
        for one in index["fields"]
        if one["fieldPath"] != "__name__"
    ]
    return str((group, index.get("queryScope", "COLLECTION"), fields))


async def _fields(deployment: Deployment) -> list[Json]:
    """The single fields whose settings differ from the default.

    https://cloud.google.com/firestore/docs/reference/rest
    """
    query = "filter=indexConfig.usesAncestorConfig:false%20OR%20ttlConfig:*"
    base = f"{FIRESTORE}/{await deployment.database()}/collectionGroups/-/fields?pageSize=300&{query}"
    return await deployment.google.all(base, "fields")


@check("store", "single fields", needs=[PROJECT, REGION, DATABASE])
async def _overrides(deployment: Deployment, report: Report) -> None:
    stored = {
        (one["name"].split("/")[-3], one["name"].split("/")[-1]): [
            {"queryScope": index.get("queryScope"), **index["fields"][0]}
            for index in one.get("indexConfig", {}).get("indexes", [])
        ]
        for one in await _fields(deployment)
        if not one.get("indexConfig", {}).get("usesAncestorConfig")
    }
    differing = []
    for one in deployment.wanted.indexes["fieldOverrides"]:
        found = stored.get((one["collectionGroup"], one["fieldPath"]))
        if found is None or _single(found) != _single(one["indexes"]):
            differing.append(f"{one['collectionGroup']}.{one['fieldPath']}")
    if differing:
        report.wrong(f"indexes differ from infra/firestore.indexes.json: {_some(differing)}", deployment.deploy)


def _single(indexes: list[Json]) -> list[str]:
    return sorted(
        str((one.get("queryScope") or "COLLECTION", one.get("order"), one.get("arrayConfig"))) for one in indexes
    )


@check("store", "deletion in time", needs=[PROJECT, REGION, DATABASE])
async def _expiry(deployment: Deployment, report: Report) -> None:
    found = {
        one["name"].split("/")[-3]
        for one in await _fields(deployment)
        if one["name"].endswith("/expire_at")
        and one.get("ttlConfig", {}).get("state", "ACTIVE") != "NEEDS_REPAIR"
        and "ttlConfig" in one
    }
    missing = [group for group in deployment.wanted.many("EXPIRING") if group not in found]
    if missing:
        report.wrong(f"documents are not deleted after expire_at: {_some(missing)}", deployment.deploy)


@check("store", "rules", needs=[PROJECT, REGION, DATABASE])
async def _rules(deployment: Deployment, report: Report) -> None:
    short = (await deployment.database()).rpartition("/")[2]
    name = f"projects/{deployment.project}/releases/cloud.firestore"
    release = await deployment.google.read(f"{RULES}/{name if short == '(default)' else f'{name}/{short}'}")
    ruleset = await deployment.google.read(f"{RULES}/{release['rulesetName']}") if release else None
    contents = [file.get("content") for file in (ruleset or {}).get("source", {}).get("files", [])]
    for_browsers = (await deployment.labels()).get("meet-attendance-browser") == "yes"
    wanted = "infra/firestore.rules" if for_browsers else "infra/firestore.closed.rules"
    if contents != [deployment.wanted.rules(wanted)]:
        report.wrong(f"what browsers may read differs from what {wanted} says", deployment.deploy)


@check("store", "Firebase", needs=[PROJECT, REGION])
async def _firebase(deployment: Deployment, report: Report) -> None:
    if (await deployment.labels()).get("meet-attendance-browser") != "yes":
        return
    apps = await deployment.google.read(f"{FIREBASE}/projects/{deployment.project}/webApps")
    if apps is None or not any(one.get("displayName") == "Meet Attendance" for one in apps.get("apps", [])):
        report.wrong("BROWSER=yes, but the web app Meet Attendance is missing", deployment.deploy)


@check("store", "no parked messages", needs=[PROJECT, REGION, DATABASE])
async def _parked(deployment: Deployment, report: Report) -> None:
    found = await deployment.documents(
        {
            "from": [{"collectionId": "parked_events"}],
            "select": {"fields": [{"fieldPath": "reason"}]},
            "where": {"unaryFilter": {"op": "IS_NULL", "field": {"fieldPath": "replayed_at"}}},
            "limit": _SHOWN,
        }
    )
    if found:
        count = f"{_SHOWN} or more" if len(found) >= _SHOWN else str(len(found))
        reasons = sorted({str(one.get("reason")) for one in found})
        report.warning(f"{count} wait for a person: {_some(reasons)}", f"make replay PROJECT={deployment.project}")


_SHOWN = 100


def _some(names: list[str]) -> str:
    return ", ".join(names[:3]) + (f" and {len(names) - 3} more" if len(names) > 3 else "")  # noqa: PLR2004
