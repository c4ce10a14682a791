"""Checks of the three functions: do they run, are they set up correctly, and which callers do they answer?"""

from __future__ import annotations

import asyncio
import datetime as dt
from urllib.parse import quote

from infra.doctor.account import BILLED, PROJECT, REGION
from infra.doctor.checks import Report, check
from infra.doctor.deployment import ARTIFACTS, MONITORING, PUBSUB, Deployment, Json
from infra.doctor.grants import ACCOUNTS, AGENTS, invokers, wanted_on
from infra.doctor.policies import holds
from infra.doctor.wanted import WantedFunction, read_wanted

_RUNS = [PROJECT, BILLED, REGION, ACCOUNTS, AGENTS, "grants on the project", "topics"]
"""The checks of what must exist before a function can be made."""


def _of(function: WantedFunction) -> str:
    return f"function {function.name}"


def _checks() -> None:
    for function in read_wanted().functions:

        async def look(deployment: Deployment, report: Report, function: WantedFunction = function) -> None:
            await _function(deployment, report, function)

        check("functions", _of(function), needs=_RUNS)(look)


async def _function(deployment: Deployment, report: Report, wanted: WantedFunction) -> None:
    deployed = await deployment.function(wanted.name)
    if deployed is None:
        report.wrong("it is not deployed", deployment.deploy)
        return
    state = deployed.get("state", "ACTIVE")
    trigger = deployed.get("eventTrigger", {}).get("trigger")
    if state == "FAILED" and not trigger and not deployed.get("serviceConfig", {}).get("uri"):
        said = " ".join(message.get("message", "") for message in deployed.get("stateMessages", []))
        report.wrong(f"a failed deployment left an incomplete function: {said[:300]}", deployment.deploy)
        return
    if wanted.topic and not trigger:
        report.wrong("it has no trigger, so no messages reach it", deployment.deploy_without([wanted.name]))
    elif wanted.topic and deployed["eventTrigger"].get("pubsubTopic", "").rpartition("/")[2] != wanted.topic:
        report.wrong(f"its trigger uses another topic than {wanted.topic}", deployment.deploy_without([wanted.name]))
    await _is_ready(deployment, report, wanted, deployed)
    differences = _differences(deployment, wanted, deployed)
    if differences:
        report.wrong(f"it differs in: {', '.join(differences)}", deployment.deploy)


async def _is_ready(deployment: Deployment, report: Report, wanted: WantedFunction, deployed: Json) -> None:
    service = await deployment.service(wanted.name)
    if service is None:
        report.wrong("its Cloud Run service is missing", deployment.deploy_without([wanted.name]))
        return
    condition = service.get("terminalCondition", {})
    failed = deployed.get("state", "ACTIVE") not in {"ACTIVE", "DEPLOYING"}
    if not failed and condition.get("state", "CONDITION_SUCCEEDED") in {"CONDITION_SUCCEEDED", "CONDITION_RECONCILING"}:
        return
    lines = await _last_lines(deployment, wanted.name)
    said = condition.get("message") or " ".join(one.get("message", "") for one in deployed.get("stateMessages", []))
    logged = f"; its log ends with: {' | '.join(lines)}" if lines else ""
    report.wrong(f"it does not run: {said[:300]}{logged}", deployment.deploy)


async def _last_lines(deployment: Deployment, name: str) -> list[str]:
    since = (dt.datetime.now(dt.UTC) - dt.timedelta(days=7)).strftime("%Y-%m-%dT%H:%M:%SZ")
    entries = await deployment.log(
        f'resource.type="cloud_run_revision" AND resource.labels.service_name="{name}" AND severity>=WARNING '
        f'AND timestamp>="{since}"',
        most=3,
    )
    lines = [one.get("textPayload") or one.get("jsonPayload", {}).get("message") or "" for one in reversed(entries)]
    return [str(line).strip().splitlines()[-1][:200] for line in lines if str(line).strip()]


def _differences(deployment: Deployment, wanted: WantedFunction, deployed: Json) -> list[str]:
    build, config, names = deployed.get("buildConfig", {}), deployed.get("serviceConfig", {}), deployment.wanted
    account = f"projects/{deployment.project}/serviceAccounts/{deployment.address(names.one('BUILD_ACCOUNT'))}"
    settings, secrets = config.get("environmentVariables", {}), config.get("secretEnvironmentVariables", [])
    compared = {
        "entry point": build.get("entryPoint") == wanted.entry,
        "runtime": build.get("runtime") == names.one("RUNTIME"),
        "build account": build.get("serviceAccount") == account,
        "memory": str(config.get("availableMemory", "")).rstrip("i") == names.one("MEMORY").rstrip("i"),
        "CPU": float(config.get("availableCpu", 0)) == float(names.one("CPU")),
        "concurrency": config.get("maxInstanceRequestConcurrency")
        == int(names.one("CONCURRENCY" if wanted.topic else "API_CONCURRENCY")),
        "timeout": config.get("timeoutSeconds") == wanted.timeout,
        "cap on instances": bool(config.get("maxInstanceCount")),
        "account": config.get("serviceAccountEmail") == deployment.address(names.one("ACCOUNT")),
        "ERASURE_KEY": [(one.get("key"), one.get("secret"), one.get("version")) for one in secrets]
        == [("ERASURE_KEY", names.one("ERASURE_SECRET"), "1")],
        "GOOGLE_CLOUD_PROJECT": settings.get("GOOGLE_CLOUD_PROJECT") == deployment.project,
        **{name: settings.get(name) == names.one(name) for name in ("EVENTS_TOPIC", "JOBS_TOPIC", "CHANGES_TOPIC")},
    }
    event = deployed.get("eventTrigger", {})
    if wanted.topic and event:
        compared["retry"] = event.get("retryPolicy") == "RETRY_POLICY_RETRY"
        trigger_account = deployment.address(names.one("TRIGGER_ACCOUNT"))
        compared["trigger's account"] = event.get("serviceAccountEmail") == trigger_account
    return [name for name, same in compared.items() if not same]


_checks()
EVERY = [_of(function) for function in read_wanted().functions]
"""The names of the checks of the functions."""


@check("functions", "same settings", needs=EVERY)
async def _same(deployment: Deployment, report: Report) -> None:
    found = [await deployment.function(name) for name in deployment.wanted.many("FUNCTIONS")]
    settings = [one["serviceConfig"].get("environmentVariables", {}) for one in found if one and "serviceConfig" in one]
    differing = sorted(
        {name for one in settings for name in {*one, *settings[0]} if one.get(name) != settings[0].get(name)}
    )
    if differing:
        report.wrong(f"the functions have different values for: {', '.join(differing)}", deployment.deploy)


@check("functions", "reads of Meet", needs=EVERY)
async def _reads(deployment: Deployment, report: Report) -> None:
    found = [await deployment.function(name) for name in deployment.wanted.many("FUNCTIONS")]
    most = int(deployment.wanted.one("MEET_READS"))
    total = 0
    for one in filter(None, found):
        config = one.get("serviceConfig", {})
        each = config.get("environmentVariables", {}).get("MEET_PROJECT_READS_PER_MINUTE", "")
        if not each.isdigit() or each == "0":
            report.wrong("MEET_PROJECT_READS_PER_MINUTE sets no ceiling", deployment.deploy)
            return
        total += int(each) * int(config.get("maxInstanceCount", 0))
        shared = config.get("environmentVariables", {}).get("MEET_SHARED_READS_PER_MINUTE", "0")
        if not shared.isdigit() or int(shared) > most:
            report.wrong(f"MEET_SHARED_READS_PER_MINUTE is {shared}, and Meet allows {most}", deployment.deploy)
            return
    if total > most:
        report.wrong(f"up to {total} reads a minute, and Meet allows {most}", deployment.deploy)
    else:
        report.fact(f"{total} of {most} a minute")


@check("functions", "subscriptions of the triggers", needs=["topics", *EVERY, "dead letters"])
async def _subscriptions(deployment: Deployment, report: Report) -> None:
    names = deployment.wanted
    for function in (one for one in names.functions if one.topic):
        if await deployment.function(function.name) is None:
            continue
        subscription = await deployment.trigger_subscription(function.name)
        if subscription is None:
            report.wrong(
                f"{function.name}: its trigger has no subscription", deployment.deploy_without([function.name])
            )
            continue
        if (subscription.get("topic") or "").rpartition("/")[2] != function.topic:
            report.wrong(
                f"{function.name}: the topic of its subscription was deleted, and a topic of the same name does not "
                "replace it: nothing reaches the function",
                deployment.deploy_without([function.name]),
            )
            continue
        dead = subscription.get("deadLetterPolicy", {})
        topic = f"projects/{deployment.project}/topics/{names.one('DEAD_LETTERS')}"
        pauses = {"minimumBackoff": names.one("SHORTEST_PAUSE"), "maximumBackoff": names.one("LONGEST_PAUSE")}
        well = {
            "dead letters": dead.get("deadLetterTopic") == topic
            and dead.get("maxDeliveryAttempts") == int(names.one("ATTEMPTS")),
            "backoff": subscription.get("retryPolicy") == pauses,
            "ack deadline": subscription.get("ackDeadlineSeconds") == int(names.one("ACK_DEADLINE")),
            "retention": subscription.get("messageRetentionDuration") == names.one("KEPT_FOR"),
            "no expiry": not subscription.get("expirationPolicy", {}).get("ttl"),
        }
        differing = [name for name, same in well.items() if not same]
        if differing:
            report.wrong(f"{function.name}: {', '.join(differing)}", deployment.deploy)
        if subscription.get("detached"):
            report.wrong(f"{function.name}: the subscription is detached", deployment.deploy_without([function.name]))
        policy = await deployment.google.policy(f"{PUBSUB}/{subscription['name']}")
        for role, member in await wanted_on(deployment, f"trigger-subscription/{function.name}"):
            if not holds(policy, role, member):
                report.wrong(f"{function.name}: gcp-sa-pubsub lacks {role}", deployment.deploy, because=AGENTS)


_EVERYBODY = {"allUsers", "allAuthenticatedUsers"}


def _lower(member: str) -> str:
    """A member with its address in lower case.

    API_CALLERS stores addresses in lower case; a policy stores them as they were typed.
    """
    return member if member in _EVERYBODY else f"{member.partition(':')[0]}:{member.partition(':')[2].lower()}"


@check("functions", "who may call", needs=[*EVERY, ACCOUNTS])
async def _who_may_call(deployment: Deployment, report: Report) -> None:
    for name in deployment.wanted.many("FUNCTIONS"):
        service = await deployment.service(name)
        if service is None:
            continue
        if service.get("invokerIamDisabled"):
            report.wrong(f"{name} answers anybody: its check of callers is off", deployment.deploy)
        wanted, policy = await invokers(deployment, name)
        role = deployment.wanted.one("INVOKER_ROLE")
        held = {
            _lower(member)
            for binding in (policy or {}).get("bindings", [])
            if binding["role"] == role
            for member in binding.get("members", [])
        }
        public = sorted(held & _EVERYBODY)
        if public:
            report.wrong(f"{name} answers anybody: {public[0]} has {role}", deployment.deploy)
        members = {member for _, member in wanted}
        surplus = len(held - members - set(public))
        if surplus:
            report.wrong(f"{name} answers {surplus} more than it should", deployment.deploy)
        lacking = len(members - held)
        if lacking:
            report.wrong(f"{name}: {lacking} of {len(members)} lack {role}", deployment.deploy)


@check("functions", "few images", needs=EVERY)
async def _images(deployment: Deployment, report: Report) -> None:
    repository = await deployment.google.read(f"{ARTIFACTS}/{deployment.place}/repositories/gcf-artifacts")
    if repository is None:
        return
    policies = list(repository.get("cleanupPolicies", {}).values())
    keeps = any(one.get("action") == "KEEP" and one.get("mostRecentVersions", {}).get("keepCount") for one in policies)
    deletes = any(one.get("action") == "DELETE" for one in policies)
    if not (keeps and deletes) or repository.get("cleanupPolicyDryRun"):
        report.warning(
            "images of old versions in gcf-artifacts are never deleted, and storing them costs money", deployment.deploy
        )


@check("functions", "nothing waits", needs=[*EVERY, "subscriptions of the triggers", "who may call"])
async def _backlog(deployment: Deployment, report: Report) -> None:
    names = deployment.wanted
    waiting = {}
    for function in (one for one in names.functions if one.topic):
        subscription = await deployment.trigger_subscription(function.name)
        if subscription:
            waiting[function.name] = subscription["name"].rpartition("/")[2]
    ages = await asyncio.gather(
        *(_latest(deployment, "oldest_unacked_message_age", short) for short in waiting.values())
    )
    counts = await asyncio.gather(
        *(_latest(deployment, "num_undelivered_messages", short) for short in waiting.values())
    )
    for name, age, count in zip(waiting, ages, counts, strict=True):
        if age > _LONG and count:
            report.wrong(
                f"{name}: {count} messages wait, the oldest for {age // 60} minutes",
                f"gcloud functions logs read {name} --gen2 --region={deployment.region} "
                f"--project={deployment.project} --min-log-level=error --limit=20",
            )
    letters = await _latest(deployment, "num_undelivered_messages", names.one("DEAD_LETTERS"))
    if letters and await _latest(deployment, "oldest_unacked_message_age", names.one("DEAD_LETTERS")) > 2 * 3600:
        report.wrong(
            f"{letters} dead letters wait for longer than two hours: reconcile does not process them",
            f"gcloud scheduler jobs run attendance-reconcile --location={deployment.region} "
            f"--project={deployment.project}",
        )


_LONG = 900
"""Seconds that a message may wait. This is longer than the longest pause between two attempts."""


async def _latest(deployment: Deployment, metric: str, subscription: str) -> int:
    """The newest value of a subscription's metric; 0 if there is none.

    https://cloud.google.com/monitoring/api/metrics_gcp_p_z#gcp-pubsub
    """
    end = dt.datetime.now(dt.UTC)
    query = (
        f'metric.type="pubsub.googleapis.com/subscription/{metric}" '
        f'AND resource.labels.subscription_id="{subscription}"'
    )
    parameters = {
        "filter": query,
        "interval.startTime": (end - dt.timedelta(minutes=15)).strftime("%Y-%m-%dT%H:%M:%SZ"),
        "interval.endTime": end.strftime("%Y-%m-%dT%H:%M:%SZ"),
        "pageSize": "1",
    }
    encoded = "&".join(f"{name}={quote(value, safe='')}" for name, value in parameters.items())
    answer = await deployment.google.read(f"{MONITORING}/projects/{deployment.project}/timeSeries?{encoded}")
    series = (answer or {}).get("timeSeries", [])
    points = series[0].get("points", []) if series else []
    return int(points[0].get("value", {}).get("int64Value", 0)) if points else 0
