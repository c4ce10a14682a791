"""Checks of metrics and alerts, and of the rule that the request log of the API is not stored."""

from __future__ import annotations

from infra.doctor.account import PROJECT, REGION
from infra.doctor.checks import Report, check
from infra.doctor.deployment import LOGGING, MONITORING, Deployment


@check("functions", "no request log", needs=[PROJECT, REGION])
async def _request_log(deployment: Deployment, report: Report) -> None:
    sink = await deployment.google.read(f"{LOGGING}/projects/{deployment.project}/sinks/_Default") or {}
    name, api = deployment.wanted.one("EXCLUSION"), deployment.wanted.one("API_FUNCTION")
    well = any(
        one["name"] == name
        and not one.get("disabled")
        and f'"{api}"' in one["filter"]
        and "run.googleapis.com/requests" in one["filter"]
        for one in sink.get("exclusions", [])
    )
    if not well:
        report.wrong("Google's request log of the api is kept, and may hold addresses of students", deployment.deploy)


@check("functions", "metrics", needs=[PROJECT, REGION])
async def _metrics(deployment: Deployment, report: Report) -> None:
    stored = await deployment.google.all(f"{LOGGING}/projects/{deployment.project}/metrics?pageSize=500", "metrics")
    wanted = deployment.wanted.metrics
    differing = [name for name, file in wanted.items() if not any(says(one, file) for one in stored)]
    if differing:
        report.wrong(f"missing or changed: {', '.join(differing)}", deployment.deploy)


@check("functions", "alerts", needs=[PROJECT, REGION, "metrics"])
async def _alerts(deployment: Deployment, report: Report) -> None:
    url = f"{MONITORING}/projects/{deployment.project}/alertPolicies?pageSize=500"
    stored = {
        one.get("userLabels", {}).get("meet-attendance"): one
        for one in await deployment.google.all(url, "alertPolicies")
    }
    wanted = deployment.wanted.alerts
    differing = [name for name, file in wanted.items() if not says(stored.get(name), file)]
    if differing:
        report.wrong(f"missing or changed: {', '.join(differing)}", deployment.deploy)
    off = [name for name in wanted if stored.get(name, {}).get("enabled") is False]
    if off and not differing:
        report.warning(
            f"switched off: {', '.join(off)}",
            f"gcloud alpha monitoring policies update {stored[off[0]]['name']} --enabled "
            f"--project={deployment.project}",
        )
    unheard = [name for name in wanted if name in stored and not stored[name].get("notificationChannels")]
    if unheard and not differing and not off:
        report.fact("nobody is notified yet: Monitoring > Alerting")


def says(stored: object, file: object) -> bool:
    """Whether a stored resource contains everything that is in a file.

    If Google leaves out a default value, it counts as stored.
    """
    if isinstance(file, dict):
        return all(says(stored.get(key) if isinstance(stored, dict) else None, value) for key, value in file.items())
    if isinstance(file, list):
        if not isinstance(stored, list) or len(stored) != len(file):
            return False
        return all(says(*pair) for pair in zip(stored, file, strict=True))
    return stored == file or (stored is None and file in (0, "", False, "STRING"))
