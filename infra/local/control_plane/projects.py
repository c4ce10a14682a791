"""Projects and their policies, service accounts, APIs, billing, quotas, organisation policies, and the caller."""

from __future__ import annotations

import base64
import re

from infra.local.control_plane.discovery import Call, Json
from infra.local.control_plane.refusals import Refusal, no_account, not_found, restricted
from infra.local.control_plane.world import World, answers

_AGENTS = {
    "cloudbuild.googleapis.com": ("gcp-sa-cloudbuild", "roles/cloudbuild.serviceAgent"),
    "cloudfunctions.googleapis.com": ("gcf-admin-robot", "roles/cloudfunctions.serviceAgent"),
    "cloudscheduler.googleapis.com": ("gcp-sa-cloudscheduler", "roles/cloudscheduler.serviceAgent"),
    "eventarc.googleapis.com": ("gcp-sa-eventarc", None),
    "pubsub.googleapis.com": ("gcp-sa-pubsub", None),
    "run.googleapis.com": ("serverless-robot-prod", "roles/run.serviceAgent"),
}
"""Google's agent for each API, and the role that it gets automatically."""

_AT_FIRST_USE = {"eventarc.googleapis.com", "pubsub.googleapis.com"}
"""APIs whose agent is not created when they are enabled."""


@answers("oauth2.userinfo.get")
def _who_asks(world: World, _: Call) -> Json:
    return {"id": "104729", "email": world.deployer, "verified_email": True}


@answers("cloudresourcemanager.projects.get")
def _project(world: World, call: Call) -> Json:
    if call.api.endswith("v1"):
        return {"projectId": world.project, "projectNumber": world.number, "lifecycleState": world.state}
    return {"name": f"projects/{world.number}", "projectId": world.project, "state": world.state}


@answers("cloudresourcemanager.projects.undelete")
def _undelete(world: World, call: Call) -> Json:
    """Restore the project as it was, but without its billing account.

    https://docs.cloud.google.com/resource-manager/docs/delete-restore-projects
    """
    if world.state != "DELETE_REQUESTED":
        raise Refusal(400, "Precondition check failed.", status="FAILED_PRECONDITION")
    world.state = "ACTIVE"
    if call.api.endswith("v1"):
        return {}
    return {"name": f"operations/up.{world.serial()}", "done": True, "response": {}}


@answers("cloudresourcemanager.projects.testIamPermissions")
def _test_permissions(world: World, call: Call) -> Json:
    asked = call.body.get("permissions", [])
    return {"permissions": [one for one in asked if world.permissions is None or one in world.permissions]}


@answers("cloudbilling.projects.getBillingInfo")
def _billing(world: World, call: Call) -> Json:
    return _billing_info(world, call.name.removesuffix("/billingInfo"))


BILLING_ACCOUNT = "012345-6789AB-CDEF01"
"""The only billing account."""


def _billing_info(world: World, project: str) -> Json:
    account = f"billingAccounts/{BILLING_ACCOUNT}" if world.billing else ""
    return {"name": f"{project}/billingInfo", "billingEnabled": world.billing, "billingAccountName": account}


@answers("cloudbilling.projects.updateBillingInfo")
def _link_billing(world: World, call: Call) -> Json:
    """Link a billing account to the project; an empty name unlinks it.

    https://docs.cloud.google.com/billing/docs/reference/rest/v1/projects/updateBillingInfo
    """
    account = call.body.get("billingAccountName", "")
    if account and not re.fullmatch(r"billingAccounts/[0-9A-F]{6}(-[0-9A-F]{6}){2}", account):
        raise Refusal(400, "Request contains an invalid argument.")
    if account not in {"", f"billingAccounts/{BILLING_ACCOUNT}"} or world.state != "ACTIVE":
        raise Refusal(403, "The caller does not have permission")
    world.billing = bool(account)
    return _billing_info(world, call.name.removesuffix("/billingInfo"))


@answers("orgpolicy.projects.policies.getEffectivePolicy")
def _effective_policy(world: World, call: Call) -> Json:
    constraint = call.name.rpartition("/")[2]
    return {"name": call.name, "spec": world.organisation.get(constraint, {"rules": [{"allowAll": True}]})}


# -- policies -------------------------------------------------------------------------------------------------------


@answers(
    "cloudresourcemanager.projects.getIamPolicy",
    "iam.projects.serviceAccounts.getIamPolicy",
    "pubsub.projects.topics.getIamPolicy",
    "pubsub.projects.subscriptions.getIamPolicy",
    "run.projects.locations.services.getIamPolicy",
    "secretmanager.projects.secrets.getIamPolicy",
)
def get_policy(world: World, call: Call) -> Json:
    """Return a policy; conditions are only shown if version 3 is requested."""
    name = _governed(world, call)
    policy = world.policy(name)
    options = call.body.get("options", {})
    version = int(call.parameter("options.requestedPolicyVersion", str(options.get("requestedPolicyVersion", 1))))
    if version < 3 and any("condition" in binding for binding in policy["bindings"]):  # noqa: PLR2004 - Google's number
        shown = [
            {**binding, "role": f"{binding['role']}_withcond_0123"} if "condition" in binding else binding
            for binding in policy["bindings"]
        ]
        return {**policy, "bindings": [{k: v for k, v in one.items() if k != "condition"} for one in shown]}
    return policy


@answers(
    "cloudresourcemanager.projects.setIamPolicy",
    "iam.projects.serviceAccounts.setIamPolicy",
    "pubsub.projects.topics.setIamPolicy",
    "pubsub.projects.subscriptions.setIamPolicy",
    "run.projects.locations.services.setIamPolicy",
)
def set_policy(world: World, call: Call) -> Json:
    """Replace a policy. Members must exist, and the organisation must allow them."""
    name = _governed(world, call)
    policy, before = call.body["policy"], world.policy(name)
    if policy.get("etag") and policy["etag"] != before["etag"]:
        raise Refusal(409, "There were concurrent policy changes. Please retry the whole read-modify-write.")
    conditional = any("condition" in binding for binding in before["bindings"])
    if conditional and policy.get("version", 1) < 3:  # noqa: PLR2004 - Google's number
        raise Refusal(400, "Policies with conditions must be set with version 3, or the conditions would be lost.")
    held = {(binding["role"], member) for binding in before["bindings"] for member in binding["members"]}
    for binding in policy.get("bindings", []):
        for member in binding["members"]:
            if (binding["role"], member) not in held:
                _check_member(world, member)
                world.settle(f"grant {binding['role']} {member}")
    world.policies[name] = {
        "version": policy.get("version", 1),
        "bindings": [binding for binding in policy.get("bindings", []) if binding["members"]],
        # Valid base64 of whole bytes: gcloud decodes it and encodes it again.
        "etag": base64.b64encode(world.serial().to_bytes(8)).decode(),
    }
    return world.policies[name]


def _governed(world: World, call: Call) -> str:
    name = account_name(world, call.name) if "/serviceAccounts/" in call.name else call.name
    if name.count("/") > 1:
        world.resource(name)
    return name


def _check_member(world: World, member: str) -> None:
    kind, _, email = member.partition(":")
    outside = member in {"allUsers", "allAuthenticatedUsers"} or email.endswith("@system.gserviceaccount.com")
    for constraint in ("iam.allowedPolicyMemberDomains", "iam.managed.allowedPolicyMembers"):
        if constraint in world.organisation and outside and not _allows(world.organisation[constraint]):
            raise restricted(constraint)
    if kind == "serviceAccount" and _is_ours(world, email) and email not in world.accounts:
        raise no_account(email)
    if kind == "serviceAccount" and world.unsettled(f"account {email}"):
        raise no_account(email)


def _allows(spec: Json) -> bool:
    rules = spec.get("rules", [])
    return any(rule.get("allowAll") or rule.get("enforce") is False for rule in rules)


def _is_ours(world: World, email: str) -> bool:
    own = email.endswith(f"@{world.project}.iam.gserviceaccount.com")
    return own or re.match(rf"(service-)?{world.number}@", email) is not None


# -- service accounts -----------------------------------------------------------------------------------------------


def account_name(world: World, name: str) -> str:
    """Return a service account's name with its project; the request may write the project as `-`."""
    return f"projects/{world.project}/serviceAccounts/{name.rpartition('/')[2]}"


@answers("iam.projects.serviceAccounts.create")
def _create_account(world: World, call: Call) -> Json:
    email = f"{call.body['accountId']}@{world.project}.iam.gserviceaccount.com"
    name = f"{call.name}/{email}"
    if name in world.resources:
        raise Refusal(409, f"Service account {call.body['accountId']} already exists within project {call.name}.")
    world.accounts.add(email)
    world.settle(f"account {email}")
    world.resources[name] = {
        **call.body.get("serviceAccount", {}),
        "name": name,
        "projectId": world.project,
        "email": email,
        "uniqueId": str(100_000_000_000_000_000_000 + world.serial()),
    }
    return world.resources[name]


@answers("iam.projects.serviceAccounts.get")
def _get_account(world: World, call: Call) -> Json:
    name = account_name(world, call.name)
    if name not in world.resources:
        raise Refusal(404, f"Unknown service account: {name.rpartition('/')[2]}")
    return world.resources[name]


@answers("iam.projects.serviceAccounts.list")
def _list_accounts(world: World, call: Call) -> Json:
    return {"accounts": list(world.below(f"{call.name}"))}


@answers("iam.projects.serviceAccounts.delete")
def _delete_account(world: World, call: Call) -> Json:
    name = account_name(world, call.name)
    account = world.resource(name)
    del world.resources[name]
    world.policies.pop(name, None)
    world.accounts.discard(account["email"])
    return {}


# -- APIs -----------------------------------------------------------------------------------------------------------


def _service(world: World, name: str) -> Json:
    service = name.rpartition("/")[2]
    state = "ENABLED" if service in world.enabled else "DISABLED"
    return {
        "name": f"projects/{world.number}/services/{service}",
        "parent": f"projects/{world.number}",
        "config": {"name": service},
        "state": state,
    }


@answers("serviceusage.services.get")
def _get_service(world: World, call: Call) -> Json:
    return _service(world, call.name)


@answers("serviceusage.services.list")
def _list_services(world: World, call: Call) -> Json:
    if call.parameter("filter") not in {"state:ENABLED", ""}:
        raise Refusal(400, "Invalid filter.")
    return {"services": [_service(world, name) for name in sorted(world.enabled)]}


@answers("serviceusage.services.batchGet")
def _get_services(world: World, call: Call) -> Json:
    if len(call.query["names"]) > 30:  # noqa: PLR2004 - Google's number
        raise Refusal(400, "At most 30 services can be asked for at once.")
    return {"services": [_service(world, name) for name in call.query["names"]]}


@answers("serviceusage.services.enable", "serviceusage.services.batchEnable")
def _enable(world: World, call: Call) -> Json:
    services = call.body.get("serviceIds") or [call.name.rpartition("/")[2]]
    if len(services) > 20:  # noqa: PLR2004 - Google's number
        raise Refusal(400, "At most 20 services can be enabled at once.")
    if not world.billing:
        raise Refusal(
            400,
            f"Billing account for project '{world.number}' is not found. Billing must be enabled for activation of "
            f"service(s) '{','.join(services)}' to proceed.",
            status="FAILED_PRECONDITION",
        )
    for service in services:
        if service not in world.enabled:
            world.enabled.add(service)
            world.settle(f"api {service}")
            if service in _AGENTS and service not in _AT_FIRST_USE:
                _make_agent(world, service)
    return {"name": f"operations/acf.{world.serial()}", "done": True, "response": {}}


@answers("serviceusage.operations.get")
def _operation(_: World, call: Call) -> Json:
    return {"name": call.name, "done": True, "response": {}}


def agent(world: World, service: str) -> str:
    """Return the address of Google's agent for an API in this project."""
    return f"service-{world.number}@{_AGENTS[service][0]}.iam.gserviceaccount.com"


def _make_agent(world: World, service: str) -> str:
    email = agent(world, service)
    if email not in world.accounts:
        world.accounts.add(email)
        world.settle(f"account {email}")
        role = _AGENTS[service][1]
        if role:
            binding = {"role": role, "members": [f"serviceAccount:{email}"]}
            world.policy(f"projects/{world.project}")["bindings"].append(binding)
    return email


@answers("serviceusage.services.generateServiceIdentity")
def _generate_identity(world: World, call: Call) -> Json:
    service = call.name.rpartition("/")[2]
    if service not in _AGENTS:
        raise not_found(call.name)
    email = _make_agent(world, service)
    identity = {
        "@type": "type.googleapis.com/google.api.serviceusage.v1beta1.ServiceIdentity",
        "email": email,
        "uniqueId": str(world.number),
    }
    return {"name": f"operations/finished.{world.serial()}", "done": True, "response": identity}


@answers("serviceusage.services.consumerQuotaMetrics.get")
def _quota(world: World, call: Call) -> Json:
    if not call.name.endswith("services/run.googleapis.com/consumerQuotaMetrics/run.googleapis.com/cpu_allocation"):
        raise not_found(call.name)
    bucket = {"effectiveLimit": str(world.cpu_quota), "defaultLimit": str(world.cpu_quota)}
    region = {"dimensions": {"region": "europe-west1"}}
    return {
        "name": call.name,
        "metric": "run.googleapis.com/cpu_allocation",
        "consumerQuotaLimits": [
            {
                "name": f"{call.name}/limits/%2Fproject%2Fregion",
                "unit": "1/{project}/{region}",
                "quotaBuckets": [bucket, {**bucket, **region}],
            }
        ],
    }
