"""Everything that can break in a deployment, each thing alone, and how the doctor must name it."""

from __future__ import annotations

import copy
import re
from collections.abc import Callable
from typing import Any

from infra.local.control_plane import World
from infra.local.control_plane.messaging import delete_topic
from tests.deploy.complete import DATABASE, PLACE, ROOT, account, agent, subscription_of
from tests.deploy.living import log_line, moment, organizer, parked

PROJECT = "projects/my-school"
FOR_BROWSERS = ROOT / "infra/firestore.rules"
DEPLOY = "make deploy PROJECT=my-school REGION=europe-west1"


class EverythingBut(set[str]):
    """All permissions except one."""

    def __init__(self, missing: str) -> None:
        super().__init__()
        self._missing = missing

    def __contains__(self, permission: object) -> bool:
        return permission != self._missing


def without_grant(world: World, resource: str, role: str, member: str) -> None:
    bindings = world.policy(resource)["bindings"]
    held = [one for one in bindings if one["role"] == role and member in one["members"]]
    assert held, f"{member} has no {role} on {resource}"
    for binding in held:
        binding["members"].remove(member)


def grant(world: World, resource: str, role: str, member: str) -> None:
    world.policy(resource)["bindings"].append({"role": role, "members": [member]})


def function(world: World, name: str = "meet-attendance-events") -> dict[str, Any]:
    return world.resources[f"{PLACE}/functions/{name}"]


def restricted(world: World, constraint: str, rule: dict[str, Any]) -> None:
    world.organisation[constraint] = {"rules": [rule]}
    publisher = "serviceAccount:meet-api-event-push@system.gserviceaccount.com"
    without_grant(world, f"{PROJECT}/topics/workspace-events", "roles/pubsub.publisher", publisher)


def remove(world: World, *parts: str) -> None:
    names = [name for name, one in world.resources.items() if all(part in f"{name} {one}" for part in parts)]
    assert names, parts
    del world.resources[names[0]]


def failed_shell(world: World) -> None:
    shell = function(world, "meet-attendance-jobs")
    trigger = world.resources.pop(shell.pop("eventTrigger")["trigger"])
    world.resources.pop(trigger["transport"]["pubsub"]["subscription"])
    shell.update(state="FAILED", stateMessages=[{"severity": "ERROR", "type": "x", "message": "Build failed"}])
    del shell["serviceConfig"]["uri"]


def without_trigger(world: World) -> None:
    event = function(world).pop("eventTrigger")
    world.resources.pop(world.resources.pop(event["trigger"])["transport"]["pubsub"]["subscription"])


def does_not_listen(world: World) -> None:
    world.resources[f"{PLACE}/services/meet-attendance-api"]["terminalCondition"] = {
        "type": "Ready",
        "state": "CONDITION_FAILED",
        "message": "Container Healthcheck failed. The user-provided container failed to start and listen on the port "
        "defined provided by the PORT=8080",
    }
    log_line(world, "meet-attendance-api", "ModuleNotFoundError: jinja2", severity="ERROR", at=moment(minutes=1))


def database(world: World, **changes: Any) -> None:
    world.resources[DATABASE].update(changes)


def job(world: World, name: str = "attendance-reconcile") -> dict[str, Any]:
    return world.resources[f"{PLACE}/jobs/{name}"]


def made_again(world: World, topic: str) -> None:
    """Delete and create a topic again, with its grants: the old subscriptions no longer belong to it."""
    name = f"{PROJECT}/topics/{topic}"
    kept, policy = world.resources[name], world.policy(name)
    delete_topic(world, name)
    world.resources[name], world.policies[name] = kept, policy


def shut_down(world: World) -> None:
    world.state, world.billing = "DELETE_REQUESTED", False


def in_another_region_too(world: World) -> None:
    """Add functions and jobs in a second region."""
    for name in [name for name in world.resources if re.match(f"{PLACE}/(functions|jobs|services|triggers)/", name)]:
        moved = name.replace("europe-west1", "europe-west3")
        world.resources[moved] = {**copy.deepcopy(world.resources[name]), "name": moved}
        if "eventTrigger" in world.resources[moved]:
            del world.resources[moved]["eventTrigger"]


def rules(world: World) -> dict[str, Any]:
    return world.resources[world.resources[f"{PROJECT}/releases/cloud.firestore"]["rulesetName"]]


def with_oauth(world: World) -> None:
    for name in ("events", "jobs", "api"):
        function(world, f"meet-attendance-{name}")["serviceConfig"]["environmentVariables"]["AUTH_MODE"] = "oauth"
    secret = f"{PROJECT}/secrets/meet-attendance-token-0123"
    world.resources[secret] = {"name": secret}


def without_events(world: World) -> None:
    world.logs = [line for line in world.logs if line["resource"]["labels"]["service_name"] != "meet-attendance-events"]


def refused_class(world: World) -> None:
    log_line(world, "meet-attendance-events", "conference.failed", severity="ERROR", at=moment(minutes=1))


OWN = f"{PROJECT}/serviceAccounts/meet-attendance@my-school.iam.gserviceaccount.com"
RUNS, TRIGGERS, BUILDS = map(account, ("meet-attendance", "meet-attendance-trigger", "meet-attendance-build"))
KEY_FOR_ERASING = f"{PROJECT}/secrets/meet-attendance-erasure-key"
LMS = "serviceAccount:lms@school-lms.iam.gserviceaccount.com"
TRIGGER_ADDRESS = "meet-attendance-trigger@my-school.iam.gserviceaccount.com"

BREAKS: dict[str, tuple[Callable[[World], Any], str, str, str]] = {
    # each entry has: what is broken and how, the check that names it, its name, and the beginning of the command
    "a permission of the deployer": (
        lambda w: setattr(w, "permissions", EverythingBut("iam.serviceAccounts.actAs")),
        "what you may do",
        "iam.serviceAccounts.actAs",
        "gcloud projects add-iam-policy-binding",
    ),
    "no quota project": (
        lambda w: setattr(w, "permissions", EverythingBut("serviceusage.services.use")),
        "what you may do",
        "serviceusage.services.use",
        "gcloud projects add-iam-policy-binding",
    ),
    "a project that was shut down": (shut_down, "project", "was shut down", "gcloud projects undelete my-school"),
    "two regions": (
        in_another_region_too,
        "region",
        "also deployed in europe-west3",
        "make destroy PROJECT=my-school REGION=europe-west3",
    ),
    "billing": (
        lambda w: setattr(w, "billing", False),
        "billing",
        "no billing account",
        "gcloud billing projects link",
    ),
    "an API": (lambda w: w.enabled.discard("people.googleapis.com"), "APIs", "people", DEPLOY),
    "the CPU quota": (lambda w: setattr(w, "cpu_quota", 10_000), "CPU quota", "CpuAlloc", f"{DEPLOY} MAX_INSTANCES=3"),
    "domain-restricted sharing": (
        lambda w: restricted(w, "iam.allowedPolicyMemberDomains", {"values": {"allowedValues": ["C0123"]}}),
        "policy of members",
        "iam.allowedPolicyMemberDomains",
        "printf",
    ),
    "managed members": (
        lambda w: restricted(w, "iam.managed.allowedPolicyMembers", {"enforce": True}),
        "policy of members",
        "iam.managed.allowedPolicyMembers",
        "printf",
    ),
    "a policy of places": (
        lambda w: (
            w.organisation.update({"gcp.resourceLocations": {"rules": [{"values": {"allowedValues": ["in:eu"]}}]}}),
            w.resources[f"{PROJECT}/topics/workspace-events"].update(
                messageStoragePolicy={"allowedPersistenceRegions": ["europe-west1"]}
            ),
        ),
        "policy of places",
        "gcp.resourceLocations",
        "printf",
    ),
    "a storage policy that stayed": (
        lambda w: w.resources[f"{PROJECT}/topics/workspace-events"].update(
            messageStoragePolicy={"allowedPersistenceRegions": ["europe-west1"]}
        ),
        "topic without storage policy",
        "Meet does not publish there",
        DEPLOY,
    ),
    "the build account": (
        lambda w: remove(w, "serviceAccounts/meet-attendance-build"),
        "service accounts",
        "meet-attendance-build",
        DEPLOY,
    ),
    "the account": (lambda w: w.resources.pop(OWN), "service accounts", "meet-attendance does not exist", DEPLOY),
    "a disabled account": (
        lambda w: w.resources[OWN].update(disabled=True),
        "service accounts",
        "disabled",
        "gcloud iam service-accounts enable",
    ),
    "the agent of Eventarc": (
        lambda w: without_grant(w, PROJECT, "roles/eventarc.serviceAgent", agent(w, "gcp-sa-eventarc")),
        "Google's agents",
        "gcp-sa-eventarc",
        DEPLOY,
    ),
    "the agent of Pub/Sub": (
        lambda w: without_grant(w, PROJECT, "roles/pubsub.serviceAgent", agent(w, "gcp-sa-pubsub")),
        "Google's agents",
        "gcp-sa-pubsub",
        DEPLOY,
    ),
    "the agent of Cloud Scheduler": (
        lambda w: without_grant(w, PROJECT, "roles/cloudscheduler.serviceAgent", agent(w, "gcp-sa-cloudscheduler")),
        "Google's agents",
        "gcp-sa-cloudscheduler",
        "gcloud projects add-iam-policy-binding",
    ),
    "the grant on documents": (
        lambda w: without_grant(w, PROJECT, "roles/datastore.user", RUNS),
        "grants on the project",
        "datastore.user",
        DEPLOY,
    ),
    "a grant that has a condition": (
        lambda w: next(one for one in w.policy(PROJECT)["bindings"] if one["role"] == "roles/datastore.user").update(
            condition={"title": "until summer", "expression": "false"}
        ),
        "grants on the project",
        "datastore.user",
        DEPLOY,
    ),
    "the grant to build": (
        lambda w: without_grant(w, PROJECT, "roles/cloudbuild.builds.builder", BUILDS),
        "grants on the project",
        "cloudbuild.builds.builder",
        DEPLOY,
    ),
    "a grant too many": (
        lambda w: grant(w, PROJECT, "roles/editor", RUNS),
        "grants on the project",
        "roles/editor, which it does not need",
        "gcloud projects remove-iam-policy-binding",
    ),
    "signing as itself": (
        lambda w: without_grant(w, OWN, "roles/iam.serviceAccountTokenCreator", RUNS),
        "grants on the account",
        "serviceAccountTokenCreator",
        DEPLOY,
    ),
    "a key file": (
        lambda w: w.resources.update({f"{OWN}/keys/0123": {"name": f"{OWN}/keys/0123"}}),
        "no keys",
        "meet-attendance has a key",
        "gcloud iam service-accounts keys delete 0123",
    ),
    "the key for erasing": (
        lambda w: w.resources.pop(f"{KEY_FOR_ERASING}/versions/1"),
        "key for erasing",
        "nobody can be erased",
        DEPLOY,
    ),
    "a disabled key for erasing": (
        lambda w: w.resources[f"{KEY_FOR_ERASING}/versions/1"].update(state="DISABLED"),
        "key for erasing",
        "is not enabled",
        "gcloud secrets versions enable 1",
    ),
    "reading the key for erasing": (
        lambda w: without_grant(w, KEY_FOR_ERASING, "roles/secretmanager.secretAccessor", RUNS),
        "key for erasing",
        "secretAccessor",
        DEPLOY,
    ),
    "a consent": (with_oauth, "secrets", "meet-attendance-token-0123", "gcloud secrets add-iam-policy-binding"),
    **{
        f"the topic {name}": (lambda w, name=name: delete_topic(w, f"{PROJECT}/topics/{name}"), "topics", name, command)
        for name, command in (
            ("workspace-events", "gcloud functions delete meet-attendance-events "),
            ("attendance-jobs", "gcloud functions delete meet-attendance-jobs "),
            ("attendance-changed", DEPLOY),
            ("attendance-dead-letter", "gcloud pubsub subscriptions delete attendance-dead-letter "),
        )
    },
    "a topic and the topic of dead letters": (
        lambda w: [
            delete_topic(w, f"{PROJECT}/topics/{name}") for name in ("attendance-jobs", "attendance-dead-letter")
        ],
        "topics",
        "attendance-jobs, attendance-dead-letter",
        "gcloud functions delete meet-attendance-jobs ",
    ),
    "a topic that was made again": (
        lambda w: made_again(w, "workspace-events"),
        "subscriptions of the triggers",
        "meet-attendance-events: the topic of its subscription was deleted",
        "gcloud functions delete meet-attendance-events ",
    ),
    "a topic of dead letters that was made again": (
        lambda w: made_again(w, "attendance-dead-letter"),
        "dead letters",
        "does not belong to the topic",
        "gcloud pubsub subscriptions delete attendance-dead-letter ",
    ),
    "Meet's publisher": (
        lambda w: without_grant(
            w,
            f"{PROJECT}/topics/workspace-events",
            "roles/pubsub.publisher",
            "serviceAccount:meet-api-event-push@system.gserviceaccount.com",
        ),
        "Meet may publish",
        "no event comes",
        DEPLOY,
    ),
    "publishing jobs": (
        lambda w: without_grant(w, f"{PROJECT}/topics/attendance-jobs", "roles/pubsub.publisher", RUNS),
        "grants on topics",
        "attendance-jobs",
        DEPLOY,
    ),
    "publishing changes": (
        lambda w: without_grant(w, f"{PROJECT}/topics/attendance-changed", "roles/pubsub.publisher", RUNS),
        "grants on topics",
        "attendance-changed",
        DEPLOY,
    ),
    "the LMS's subscribing": (
        lambda w: without_grant(w, f"{PROJECT}/topics/attendance-changed", "roles/pubsub.subscriber", LMS),
        "grants on topics",
        "lms lacks roles/pubsub.subscriber",
        DEPLOY,
    ),
    "publishing dead letters": (
        lambda w: without_grant(
            w, f"{PROJECT}/topics/attendance-dead-letter", "roles/pubsub.publisher", agent(w, "gcp-sa-pubsub")
        ),
        "grants on topics",
        "attendance-dead-letter",
        DEPLOY,
    ),
    "the subscription of dead letters": (
        lambda w: w.resources.pop(f"{PROJECT}/subscriptions/attendance-dead-letter"),
        "dead letters",
        "missing",
        DEPLOY,
    ),
    "a subscription of dead letters that expires": (
        lambda w: w.resources[f"{PROJECT}/subscriptions/attendance-dead-letter"].update(
            expirationPolicy={"ttl": "86400s"}
        ),
        "dead letters",
        "expires",
        DEPLOY,
    ),
    "pulling dead letters": (
        lambda w: without_grant(w, f"{PROJECT}/subscriptions/attendance-dead-letter", "roles/pubsub.subscriber", RUNS),
        "dead letters",
        "lacks roles/pubsub.subscriber",
        DEPLOY,
    ),
    "a function": (
        lambda w: w.resources.pop(f"{PLACE}/functions/meet-attendance-api"),
        "function meet-attendance-api",
        "not deployed",
        DEPLOY,
    ),
    "a shell": (failed_shell, "function meet-attendance-jobs", "incomplete function: Build failed", DEPLOY),
    "a trigger": (without_trigger, "function meet-attendance-events", "no trigger", "gcloud functions delete"),
    "a function that does not start": (
        does_not_listen,
        "function meet-attendance-api",
        "ModuleNotFoundError: jinja2",
        DEPLOY,
    ),
    **{
        f"{what} of a function": (
            lambda w, part=part, change=change: function(w)[part].update(change),
            "function meet-attendance-events",
            what,
            DEPLOY,
        )
        for what, part, change in (
            ("entry point", "buildConfig", {"entryPoint": "on_job"}),
            ("runtime", "buildConfig", {"runtime": "python312"}),
            ("build account", "buildConfig", {"serviceAccount": ""}),
            ("memory", "serviceConfig", {"availableMemory": "256M"}),
            ("CPU", "serviceConfig", {"availableCpu": "2"}),
            ("concurrency", "serviceConfig", {"maxInstanceRequestConcurrency": 1}),
            ("timeout", "serviceConfig", {"timeoutSeconds": 60}),
            ("account", "serviceConfig", {"serviceAccountEmail": "104729-compute@developer.gserviceaccount.com"}),
            ("retry", "eventTrigger", {"retryPolicy": "RETRY_POLICY_DO_NOT_RETRY"}),
        )
    },
    "settings that differ": (
        lambda w: function(w)["serviceConfig"]["environmentVariables"].update(SCHOOL_TIME_ZONE="UTC"),
        "same settings",
        "SCHOOL_TIME_ZONE",
        DEPLOY,
    ),
    "reads of Meet": (
        lambda w: [
            function(w, f"meet-attendance-{name}")["serviceConfig"]["environmentVariables"].update(
                MEET_PROJECT_READS_PER_MINUTE="6000"
            )
            for name in ("events", "jobs", "api")
        ],
        "reads of Meet",
        "Meet allows 6000",
        DEPLOY,
    ),
    **{
        f"{what} of a trigger's subscription": (
            lambda w, change=change: subscription_of(w, "meet-attendance-jobs").update(change),
            "subscriptions of the triggers",
            what,
            DEPLOY,
        )
        for what, change in (
            ("dead letters", {"deadLetterPolicy": {}}),
            ("backoff", {"retryPolicy": {"minimumBackoff": "0s", "maximumBackoff": "600s"}}),
            ("ack deadline", {"ackDeadlineSeconds": 10}),
            ("retention", {"messageRetentionDuration": "86400s"}),
            ("no expiry", {"expirationPolicy": {"ttl": "2678400s"}}),
        )
    },
    "taking dead letters away": (
        lambda w: without_grant(
            w, subscription_of(w, "meet-attendance-jobs")["name"], "roles/pubsub.subscriber", agent(w, "gcp-sa-pubsub")
        ),
        "subscriptions of the triggers",
        "gcp-sa-pubsub lacks",
        DEPLOY,
    ),
    "an api for everybody": (
        lambda w: grant(w, f"{PLACE}/services/meet-attendance-api", "roles/run.invoker", "allUsers"),
        "who may call",
        "allUsers",
        DEPLOY,
    ),
    "a switched-off check of callers": (
        lambda w: w.resources[f"{PLACE}/services/meet-attendance-api"].update(invokerIamDisabled=True),
        "who may call",
        "its check of callers is off",
        DEPLOY,
    ),
    "the trigger's invoker": (
        lambda w: without_grant(w, f"{PLACE}/services/meet-attendance-events", "roles/run.invoker", TRIGGERS),
        "who may call",
        "meet-attendance-events: 1 of 1 lack roles/run.invoker",
        DEPLOY,
    ),
    "the LMS's invoker": (
        lambda w: without_grant(w, f"{PLACE}/services/meet-attendance-api", "roles/run.invoker", LMS),
        "who may call",
        "meet-attendance-api: 1 of 2 lack",
        DEPLOY,
    ),
    "somebody else's invoker": (
        lambda w: grant(w, f"{PLACE}/services/meet-attendance-api", "roles/run.invoker", "user:eve@school.example"),
        "who may call",
        "1 more than it should",
        DEPLOY,
    ),
    "images": (
        lambda w: w.resources[f"{PLACE}/repositories/gcf-artifacts"].update(cleanupPolicies={}),
        "few images",
        "never deleted",
        DEPLOY,
    ),
    "images that would be deleted": (
        lambda w: w.resources[f"{PLACE}/repositories/gcf-artifacts"].update(cleanupPolicyDryRun=True),
        "few images",
        "never deleted",
        DEPLOY,
    ),
    "events that wait": (
        lambda w: w.waiting.update(
            {subscription_of(w, "meet-attendance-events")["name"].rpartition("/")[2]: (7, 3600)}
        ),
        "nothing waits",
        "7 messages wait, the oldest for 60 minutes",
        "gcloud functions logs read meet-attendance-events",
    ),
    "dead letters that wait": (
        lambda w: w.waiting.update({"attendance-dead-letter": (3, 9000)}),
        "nothing waits",
        "3 dead letters",
        "gcloud scheduler jobs run attendance-reconcile",
    ),
    "the request log": (
        lambda w: w.resources[f"{PROJECT}/sinks/_Default"].update(exclusions=[]),
        "no request log",
        "addresses",
        DEPLOY,
    ),
    "the request log, switched on again": (
        lambda w: w.resources[f"{PROJECT}/sinks/_Default"]["exclusions"][0].update(disabled=True),
        "no request log",
        "addresses",
        DEPLOY,
    ),
    "a metric": (lambda w: remove(w, "/metrics/attendance-surveys"), "metrics", "attendance-surveys", DEPLOY),
    "a metric's filter": (
        lambda w: w.resources[f"{PROJECT}/metrics/attendance-surveys"].update(filter="severity>=ERROR"),
        "metrics",
        "attendance-surveys",
        DEPLOY,
    ),
    "an alert": (lambda w: remove(w, "/alertPolicies/"), "alerts", "missing or changed", DEPLOY),
    "a switched-off alert": (
        lambda w: next(w.below(f"{PROJECT}/alertPolicies")).update(enabled=False),
        "alerts",
        "switched off",
        "gcloud alpha monitoring policies update",
    ),
    "the database": (
        lambda w: [w.resources.pop(name) for name in list(w.resources) if name.startswith(DATABASE)],
        "database",
        "does not exist",
        DEPLOY,
    ),
    "Datastore mode": (
        lambda w: database(w, type="DATASTORE_MODE"),
        "database",
        "Datastore mode",
        f"{DEPLOY} FIRESTORE_DATABASE=",
    ),
    "delete protection": (
        lambda w: database(w, deleteProtectionState="DELETE_PROTECTION_DISABLED"),
        "database",
        "delete protection",
        DEPLOY,
    ),
    "point-in-time recovery": (
        lambda w: database(w, pointInTimeRecoveryEnablement="POINT_IN_TIME_RECOVERY_DISABLED"),
        "database",
        "point-in-time",
        DEPLOY,
    ),
    "backups": (lambda w: remove(w, "/backupSchedules/"), "backups", "no daily backup", DEPLOY),
    "an index": (lambda w: remove(w, "/collectionGroups/attendance/indexes/"), "indexes", "attendance by", DEPLOY),
    "an exemption": (
        lambda w: remove(w, "/collectionGroups/audit/fields/", "'indexes'"),
        "single fields",
        "audit.",
        DEPLOY,
    ),
    "deletion in time": (
        lambda w: next(one for name, one in w.resources.items() if name.endswith("/audit/fields/expire_at")).pop(
            "ttlConfig"
        ),
        "deletion in time",
        "audit",
        DEPLOY,
    ),
    "rules": (lambda w: remove(w, "/releases/"), "rules", "infra/firestore.closed.rules", DEPLOY),
    "other rules": (
        lambda w: rules(w)["source"]["files"][0].update(content="rules_version = '2';"),
        "rules",
        "browsers",
        DEPLOY,
    ),
    "Firebase": (
        lambda w: (
            function(w)["labels"].update({"meet-attendance-browser": "yes"}),
            w.enabled.add("firebase.googleapis.com"),
            rules(w)["source"]["files"][0].update(content=FOR_BROWSERS.read_text()),
        ),
        "Firebase",
        "web app Meet Attendance is missing",
        DEPLOY,
    ),
    "a parked message": (
        lambda w: parked(w, "0123", "unreadable-message"),
        "no parked messages",
        "unreadable-message",
        "make replay",
    ),
    "a job": (lambda w: remove(w, "/jobs/attendance-sync-due"), "jobs", "attendance-sync-due is missing", DEPLOY),
    "a paused job": (lambda w: job(w).update(state="PAUSED"), "jobs", "attendance-reconcile is paused", DEPLOY),
    "a job's schedule": (
        lambda w: job(w).update(schedule="0 0 * * *"),
        "jobs",
        "not configured as it should be",
        DEPLOY,
    ),
    "a job that failed": (
        lambda w: job(w).update(status={"code": 7, "message": "no publisher"}),
        "last runs",
        "no publisher",
        "gcloud scheduler jobs run attendance-reconcile",
    ),
    "jobs that do not run": (
        lambda w: job(w).update(lastAttemptTime=moment(days=2)),
        "last runs",
        "2 days ago",
        "gcloud scheduler jobs run attendance-reconcile",
    ),
    "surveys": (
        lambda w: setattr(w, "logs", [one for one in w.logs if one["jsonPayload"]["message"] != "system.surveyed"]),
        "looks at itself",
        "two hours",
        "gcloud functions logs read meet-attendance-jobs",
    ),
    "failed conferences": (
        lambda w: w.logs[-1]["jsonPayload"].update(failed_conferences=2),
        "looks at itself",
        "2 failed conferences",
        "make status PROJECT=my-school",
    ),
    "teachers": (lambda w: remove(w, "/documents/organizers/"), "enrolled", "no teacher is enrolled", "make enroll"),
    "a suspended subscription": (
        lambda w: organizer(w, "users-1", state="suspended", error={"reason": "scope-missing"}),
        "subscriptions",
        "1 of 1 teachers have no active subscription (scope-missing)",
        "gcloud scheduler jobs run attendance-renew-subscriptions",
    ),
    "a subscription that ran out": (
        lambda w: organizer(w, "users-1", expire_time=moment(hours=1)),
        "subscriptions",
        "no active subscription",
        "gcloud scheduler jobs run attendance-renew-subscriptions",
    ),
    "events that stay away": (
        without_events,
        "last event",
        "no event ever came",
        "gcloud scheduler jobs run attendance-renew-subscriptions",
    ),
    "a class that could not be read": (
        refused_class,
        "last class marked because of an event",
        "could not be read",
        "make status",
    ),
}
