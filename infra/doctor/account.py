"""Checks of the user's account and of the project: areas `account` and `project`."""

from __future__ import annotations

from infra.doctor.checks import APIS, LOGIN, YOU, Report, check
from infra.doctor.deployment import BILLING, CRM, FUNCTIONS, USAGE, Deployment
from infra.doctor.google import ApiOff, Denied

PROJECT = "project"
REGION = "region"
QUOTAS_PAGE = "https://console.cloud.google.com/iam-admin/quotas"
BILLED = "billing"

LOOKING = (
    "datastore.entities.list",
    "iam.serviceAccountKeys.list",
    "logging.logEntries.list",
    "monitoring.timeSeries.list",
)
"""Permissions that the doctor needs in addition to those for deploying.

`iam.serviceAccounts.signJwt` is missing here: it is checked on the service account itself.
"""


@check("account", LOGIN)
async def _login(deployment: Deployment, report: Report) -> None:
    """Google accepts gcloud's token. `preflight` has found this out before any check runs."""


@check("account", YOU)
async def _you(deployment: Deployment, report: Report) -> None:
    asked = [*deployment.wanted.many("PERMISSIONS"), *LOOKING]
    held = await deployment.google.read(
        f"{CRM}/projects/{deployment.project}:testIamPermissions", {"permissions": asked}, unpaid=True
    )
    missing = sorted(set(asked) - set((held or {}).get("permissions", [])))
    if missing:
        shown = ", ".join(missing[:6]) + (f" and {len(missing) - 6} more" if len(missing) > 6 else "")  # noqa: PLR2004
        report.warning(
            f"you lack {shown}, so not everything can be checked or deployed; an owner can grant it",
            f"gcloud projects add-iam-policy-binding {deployment.project} --member=user:YOUR_ADDRESS "
            "--role=roles/owner --condition=None",
        )


@check("project", PROJECT)
async def _project(deployment: Deployment, report: Report) -> None:
    project = await deployment.google.read(f"{CRM}/projects/{deployment.project}", unpaid=True)
    if project and project.get("state", "ACTIVE") != "ACTIVE":
        report.wrong(
            f"the project was shut down ({project['state']}): Google deletes it within 30 days, and until then it can "
            "be restored; afterwards its billing account must be linked again",
            f"gcloud projects undelete {deployment.project}",
        )


@check("project", BILLED, needs=[PROJECT])
async def _billing(deployment: Deployment, report: Report) -> None:
    billing = await deployment.google.read(f"{BILLING}/projects/{deployment.project}/billingInfo", unpaid=True)
    if not (billing or {}).get("billingEnabled"):
        report.wrong(
            "the project has no billing account, so Google runs nothing in it",
            f"gcloud billing projects link {deployment.project} --billing-account=BILLING_ACCOUNT",
        )


@check("project", APIS, needs=[PROJECT, BILLED])
async def _apis(deployment: Deployment, report: Report) -> None:
    off = await apis_off(deployment)
    if off:
        report.wrong(f"not enabled: {', '.join(off)}", deployment.deploy)
    else:
        report.fact(f"{len(deployment.wanted.many('APIS'))} enabled")


async def apis_off(deployment: Deployment) -> list[str]:
    """The deployment's APIs that are not enabled."""
    names = [f"projects/{deployment.project}/services/{api}.googleapis.com" for api in deployment.wanted.many("APIS")]
    query = "&".join(f"names={name}" for name in names)
    answer = await deployment.google.read(
        f"{USAGE}/v1/projects/{deployment.project}/services:batchGet?{query}", unpaid=True
    )
    services = (answer or {}).get("services", [])
    off = [one["name"].rpartition("/")[2] for one in services if one["state"] != "ENABLED"]
    return [name.removesuffix(".googleapis.com") for name in off]


@check("project", REGION, needs=[PROJECT, BILLED])
async def _region(deployment: Deployment, report: Report) -> None:
    names = deployment.wanted.many("FUNCTIONS")
    ours = {one["name"].split("/")[3] for one in await deployment.functions() if one["name"].split("/")[-1] in names}
    elsewhere = sorted(ours - {deployment.region})
    if not ours:
        report.wrong("nothing is deployed yet", deployment.deploy)
        return
    if elsewhere and deployment.region not in ours:
        report.wrong(
            f"nothing is deployed in {deployment.region}, but in {elsewhere[0]}",
            f"make doctor PROJECT={deployment.project} REGION={elsewhere[0]}",
        )
    elif elsewhere:
        report.wrong(
            f"it is also deployed in {elsewhere[0]}, so everything is done twice",
            f"make destroy PROJECT={deployment.project} REGION={elsewhere[0]}",
        )


@check("project", "CPU quota", needs=[PROJECT, BILLED, REGION])
async def _quota(deployment: Deployment, report: Report) -> None:
    allowed = await _cpu(deployment)
    if allowed is None:
        return
    functions = [await deployment.function(name) for name in deployment.wanted.many("FUNCTIONS")]
    caps = [int((one or {}).get("serviceConfig", {}).get("maxInstanceCount", 0)) for one in functions]
    wanted = sum(caps) * int(deployment.wanted.one("CPU"))
    if wanted * 1000 > allowed:
        fits = allowed // 1000 // len(caps) // int(deployment.wanted.one("CPU"))
        report.wrong(
            f"the functions may use {wanted} CPU, and the region allows {allowed // 1000} (CpuAllocPerProjectRegion)"
            + ("" if fits else f"; ask for {len(caps)} or more: {QUOTAS_PAGE}?project={deployment.project}"),
            f"{deployment.deploy} MAX_INSTANCES={fits}" if fits else None,
        )
    else:
        report.fact(f"{wanted} of {allowed // 1000} CPU")


async def _cpu(deployment: Deployment) -> int | None:
    """The CPU that the region allows, in thousandths; None if Google does not say."""
    answer = await deployment.google.read(
        f"{USAGE}/v1beta1/projects/{deployment.project}/services/run.googleapis.com/consumerQuotaMetrics"
        "/run.googleapis.com%2Fcpu_allocation",
        unpaid=True,
    )
    for limit in (answer or {}).get("consumerQuotaLimits", []):
        if limit.get("unit") == "1/{project}/{region}":
            buckets = limit.get("quotaBuckets", [])
            here = [one for one in buckets if one.get("dimensions", {}).get("region") == deployment.region]
            found = here or [one for one in buckets if not one.get("dimensions")]
            if found and "effectiveLimit" in found[0]:
                return int(found[0]["effectiveLimit"])
    return None


class BadInput(Exception):
    """The options cannot be used, or name a project or region that does not exist."""


async def preflight(deployment: Deployment) -> None:
    """Check that Google answers, and that the project and the region exist.

    Raises:
        BadInput: One of them does not exist.
        Unreadable: Google did not return the data.
    """
    google, project = deployment.google, deployment.project
    try:
        found = await google.read(f"{CRM}/projects/{project}", unpaid=True)
    except Denied:
        found = None
    if found is None:
        raise BadInput(
            f"The project '{project}' does not exist, or you may not see it. List your projects: gcloud projects list"
        )
    try:
        places = await google.all(f"{FUNCTIONS}/projects/{project}/locations", "locations")
        known = [place["locationId"] for place in places]
    except (ApiOff, Denied):
        known = deployment.wanted.regions
    if known and deployment.region not in known:
        raise BadInput(
            f"The region '{deployment.region}' does not exist for Cloud Functions. Choose one of: {' '.join(known)}"
        )
