"""Checks of Cloud Scheduler: the jobs, the results of their last runs, and whether `reconcile` finishes."""

from __future__ import annotations

import datetime as dt

from infra.doctor.account import PROJECT, REGION
from infra.doctor.checks import Report, check
from infra.doctor.deployment import SCHEDULER, Deployment, Json
from infra.doctor.events import ago, parsed

AREA = "schedule"


async def _jobs(deployment: Deployment) -> dict[str, Json]:
    jobs = await deployment.google.all(f"{SCHEDULER}/{deployment.place}/jobs?pageSize=500", "jobs")
    return {job["name"].rpartition("/")[2]: job for job in jobs}


@check(AREA, "jobs", needs=[PROJECT, REGION, "topics"])
async def _are_there(deployment: Deployment, report: Report) -> None:
    jobs = await _jobs(deployment)
    topic = f"projects/{deployment.project}/topics/{deployment.wanted.one('JOBS_TOPIC')}"
    for entry in deployment.wanted.many("SCHEDULE"):
        name, when, what = entry.split("|")
        job = jobs.get(name)
        if job is None:
            report.wrong(f"{name} is missing", deployment.deploy)
            continue
        if job.get("state") != "ENABLED":
            report.wrong(f"{name} is {str(job.get('state', 'unknown')).lower()}", deployment.deploy)
        target = job.get("pubsubTarget", {})
        as_wanted = (job.get("schedule"), job.get("timeZone"), target.get("topicName")) == (when, "Etc/UTC", topic)
        if not as_wanted or target.get("attributes", {}).get("job") != what:
            report.wrong(f"{name} is not configured as it should be", deployment.deploy)


@check(AREA, "last runs", needs=[PROJECT, REGION, "jobs", "Google's agents"])
async def _last_runs(deployment: Deployment, report: Report) -> None:
    jobs, now = await _jobs(deployment), dt.datetime.now(dt.UTC)
    shortest = None
    for entry in deployment.wanted.many("SCHEDULE"):
        name = entry.partition("|")[0]
        job = jobs.get(name)
        if job is None:
            continue
        run = f"gcloud scheduler jobs run {name} --location={deployment.region} --project={deployment.project}"
        code = job.get("status", {}).get("code")
        last = parsed(job["lastAttemptTime"]) if job.get("lastAttemptTime") else None
        if code:
            report.wrong(f"{name} failed ({job['status'].get('message') or f'code {code}'})", run)
        elif last and now - last > _PATIENCE:
            report.wrong(f"{name} last ran {ago(last, now)}", run)
        if last and (shortest is None or last > shortest):
            shortest = last
    report.fact(f"the last one {ago(shortest, now)}" if shortest else "none has run yet")


_PATIENCE = dt.timedelta(hours=12, minutes=15)
"""More than twice the longest pause between two runs of a job."""


@check(AREA, "looks at itself", needs=[PROJECT, REGION, "jobs", "last runs", "nothing waits"])
async def _surveys(deployment: Deployment, report: Report) -> None:
    """Each `reconcile` writes a log line. If there was no line for two hours, the job does not finish."""
    jobs, now = await _jobs(deployment), dt.datetime.now(dt.UTC)
    ran = jobs.get("attendance-reconcile", {}).get("lastAttemptTime")
    if not ran:
        return
    since = (now - dt.timedelta(hours=2)).strftime("%Y-%m-%dT%H:%M:%SZ")
    name = deployment.wanted.one("JOBS_FUNCTION")
    entries = await deployment.log(
        f'resource.type="cloud_run_revision" AND resource.labels.service_name="{name}" '
        f'AND jsonPayload.message="system.surveyed" AND timestamp>="{since}"'
    )
    if not entries:
        report.wrong(
            "reconcile has not finished for two hours",
            f"gcloud functions logs read {name} --gen2 --region={deployment.region} --project={deployment.project} "
            "--min-log-level=error --limit=20",
        )
        return
    facts = entries[0].get("jsonPayload", {})
    kinds = ("failed_conferences", "overdue_sessions")
    troubles = [f"{facts[kind]} {kind.replace('_', ' ')}" for kind in kinds if facts.get(kind)]
    if troubles:
        report.warning(", ".join(troubles), f"make status PROJECT={deployment.project}")
