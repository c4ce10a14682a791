"""Workload identity federation, and a project's exceptions from the organisation's policies."""

from __future__ import annotations

import re

from infra.local.control_plane.collections_ import Kept
from infra.local.control_plane.discovery import Call, Json
from infra.local.control_plane.refusals import Refusal, not_found
from infra.local.control_plane.world import World, answers

_POOLS = "iam.projects.locations.workloadIdentityPools"


def _done(world: World, call: Call, resource: Json) -> Json:
    return {
        "name": f"{resource.get('name', call.name)}/operations/op-{world.serial()}",
        "done": True,
        "response": resource,
    }


def _check_provider(_: World, name: str, provider: Json) -> None:
    """https://cloud.google.com/iam/docs/workload-identity-federation-with-other-providers#mappings-and-conditions ."""
    if "google.subject" not in provider.get("attributeMapping", {}):
        raise Refusal(400, f"The attribute mapping of {name} must map google.subject.")
    if not str(provider.get("oidc", {}).get("issuerUri", "")).startswith("https://"):
        raise Refusal(400, "Issuer URI must be HTTPS.")


Kept(_POOLS, "workloadIdentityPools", "workloadIdentityPoolId", defaults={"state": "ACTIVE"}, wrap=_done).serve(
    "create", "get", "list"
)
Kept(
    f"{_POOLS}.providers",
    "workloadIdentityPoolProviders",
    "workloadIdentityPoolProviderId",
    defaults={"state": "ACTIVE"},
    wrap=_done,
    check=_check_provider,
).serve("create", "get", "list")


@answers(f"{_POOLS}.operations.get")
@answers(f"{_POOLS}.providers.operations.get")
def _operation(_: World, call: Call) -> Json:
    return {"name": call.name, "done": True}


_CONSTRAINTS = {
    "iam.allowedPolicyMemberDomains": "listConstraint",
    "iam.managed.allowedPolicyMembers": "booleanConstraint",
    "gcp.resourceLocations": "listConstraint",
}
"""Constraints, and whether their policies list values or are enforced.

https://docs.cloud.google.com/resource-manager/docs/organization-policy/org-policy-constraints
"""

_RULES = {
    "listConstraint": {"allowAll", "denyAll", "values"},
    "booleanConstraint": {"enforce", "parameters"},
}
"""The fields of a rule. https://docs.cloud.google.com/resource-manager/docs/reference/orgpolicy/rest/v2/PolicySpec"""


@answers("orgpolicy.projects.constraints.list")
def _constraints(_: World, call: Call) -> Json:
    return {
        "constraints": [
            {"name": f"{call.name}/constraints/{constraint}", kind: {}} for constraint, kind in _CONSTRAINTS.items()
        ]
    }


@answers("orgpolicy.projects.policies.get")
def _policy(world: World, call: Call) -> Json:
    return {name: value for name, value in world.resource(call.name).items() if name != "inherited"}


def _checked(world: World, call: Call) -> tuple[str, str]:
    """Return the name and the constraint of the policy in a body. Raises `Refusal`."""
    constraint = str(call.body["name"]).rpartition("/")[2]
    kind = _CONSTRAINTS.get(constraint)
    if kind is None:
        raise Refusal(400, f"Invalid constraint: {constraint}.")
    rules = call.body.get("spec", {}).get("rules", [])
    if not rules:
        raise Refusal(400, "A policy must have rules, or inherit or reset them.")
    for rule in rules:
        if not rule.keys() - {"condition"} or not rule.keys() - {"condition"} <= _RULES[kind]:
            raise Refusal(400, f"The policy value is invalid for the constraint {constraint}.")
    return f"projects/{world.project}/policies/{constraint}", constraint


@answers("orgpolicy.projects.policies.create")
def _create_policy(world: World, call: Call) -> Json:
    name, constraint = _checked(world, call)
    if name in world.resources:
        raise Refusal(409, f"Policy {name} already exists.")
    inherited = world.organisation.get(constraint)
    world.resources[name] = {**call.body, "name": name, "inherited": inherited}
    world.organisation[constraint] = call.body["spec"]
    return call.body


@answers("orgpolicy.projects.policies.patch")
def _update_policy(world: World, call: Call) -> Json:
    name, constraint = _checked(world, call)
    world.resource(name).update(spec=call.body["spec"])
    world.organisation[constraint] = call.body["spec"]
    return call.body


@answers("orgpolicy.projects.policies.delete")
def _delete_policy(world: World, call: Call) -> Json:
    policy = world.resources.pop(call.name, None)
    if policy is None:
        raise not_found(call.name)
    constraint = re.sub(r".*/", "", call.name)
    world.organisation.pop(constraint, None)
    if policy["inherited"] is not None:
        world.organisation[constraint] = policy["inherited"]
    return {}
