"""Checks of the organisation's policies that can stop Meet's events."""

from __future__ import annotations

from infra.doctor.account import PROJECT
from infra.doctor.checks import Report, check
from infra.doctor.deployment import ORG_POLICY, PUBSUB, Deployment, Json

MEMBERS = "policy of members"
PLACES = "policy of places"

_COST = "classes are read at their scheduled end and by reconcile, not right after they end"


@check("policies", MEMBERS, needs=[PROJECT])
async def _members(deployment: Deployment, report: Report) -> None:
    """An existing grant stays valid, even if the policy forbids it later."""
    topic = f"{PUBSUB}/projects/{deployment.project}/topics/{deployment.wanted.one('EVENTS_TOPIC')}"
    publisher = deployment.wanted.one("MEET_PUBLISHER")
    domains = await _policy(deployment, "iam.allowedPolicyMemberDomains")
    managed = await _policy(deployment, "iam.managed.allowedPolicyMembers")
    exceptions = []
    if _restricts(domains):
        exceptions.append(("iam.allowedPolicyMemberDomains", "allowAll: true"))
    if _restricts(managed) and "meet-api-event-push" not in str(managed):
        exceptions.append(("iam.managed.allowedPolicyMembers", "enforce: false"))
    if exceptions and not holds(await deployment.google.policy(topic), "roles/pubsub.publisher", publisher):
        report.warning(
            f"{exceptions[0][0]} keeps Meet from publishing: {_COST}; an administrator of the organisation's policies "
            "(roles/orgpolicy.policyAdmin) makes an exception, then deploy again",
            _exceptions(deployment, exceptions),
        )


@check("policies", PLACES, needs=[PROJECT])
async def _places(deployment: Deployment, report: Report) -> None:
    topic = await deployment.google.read(
        f"{PUBSUB}/projects/{deployment.project}/topics/{deployment.wanted.one('EVENTS_TOPIC')}"
    )
    if topic is not None and not topic.get("messageStoragePolicy"):
        return
    if _restricts(await _policy(deployment, "gcp.resourceLocations")):
        report.warning(
            "gcp.resourceLocations gives the topic of events a storage policy, and Meet does not publish there: "
            f"{_COST}; an administrator of the organisation's policies makes an exception, then deploy again",
            _exceptions(deployment, [("gcp.resourceLocations", "allowAll: true")]),
        )


async def _policy(deployment: Deployment, constraint: str) -> Json:
    url = f"{ORG_POLICY}/projects/{deployment.project}/policies/{constraint}:getEffectivePolicy"
    return dict(await deployment.google.read(url, unpaid=True) or {})


def _restricts(policy: Json) -> bool:
    rules = policy.get("spec", {}).get("rules", [])
    return bool(rules) and not any(rule.get("allowAll") or rule.get("enforce") is False for rule in rules)


def _exceptions(deployment: Deployment, exceptions: list[tuple[str, str]]) -> str:
    """A command in one line. An administrator of the organisation's policies runs it to make the exceptions."""
    return " && ".join(
        f"printf '{{name: projects/{deployment.project}/policies/{constraint}, spec: {{rules: [{{{rule}}}]}}}}' "
        ">exception.yaml && gcloud org-policies set-policy exception.yaml && rm exception.yaml"
        for constraint, rule in exceptions
    )


def holds(policy: Json | None, role: str, member: str) -> bool:
    """Whether a member has a role without a condition."""
    return any(
        binding["role"] == role and member in binding.get("members", []) and "condition" not in binding
        for binding in (policy or {}).get("bindings", [])
    )
