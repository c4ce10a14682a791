"""Cloud Logging and Cloud Monitoring."""

from __future__ import annotations

import re

from infra.local.control_plane.collections_ import Kept, patched
from infra.local.control_plane.discovery import Call, Json
from infra.local.control_plane.refusals import Refusal
from infra.local.control_plane.world import World, answers

Kept("logging.projects.metrics", "metrics").serve("get", "delete")


@answers("logging.projects.metrics.list")
def _list_metrics(world: World, call: Call) -> Json:
    return {"metrics": list(world.below(call.name))}


@answers("logging.projects.metrics.create")
def _create_metric(world: World, call: Call) -> Json:
    name = f"{call.name}/{call.body['name']}"
    if name in world.resources:
        raise Refusal(409, f"Metric {call.body['name']} already exists.")
    world.settle(f"metric {call.body['name']}")
    world.resources[name] = _with_descriptor(world, call.body)
    return world.resources[name]


@answers("logging.projects.metrics.update")
def _update_metric(world: World, call: Call) -> Json:
    world.resources[call.name] = _with_descriptor(world, call.body)
    return world.resources[call.name]


def _with_descriptor(world: World, metric: Json) -> Json:
    kind = f"logging.googleapis.com/user/{metric['name']}"
    descriptor = {
        **metric.get("metricDescriptor", {}),
        "name": f"projects/{world.project}/metricDescriptors/{kind}",
        "type": kind,
    }
    for label in descriptor.get("labels", []):
        if label.get("valueType") == "STRING":
            del label["valueType"]  # answers leave out the default
    return {**metric, "metricDescriptor": descriptor, "createTime": "2026-11-27T10:00:00Z"}


Kept("logging.projects.sinks", "sinks").serve("get", "list")


@answers("logging.projects.sinks.update", "logging.projects.sinks.patch")
def _update_sink(world: World, call: Call) -> Json:
    before = world.resource(call.name)
    mask = call.parameter("updateMask")
    after = patched(before, call.body, mask) if mask else {**before, **call.body}
    after["name"] = before["name"]
    for exclusion in after.get("exclusions", []):
        if not re.fullmatch(r"[A-Za-z][A-Za-z0-9_.-]{0,99}", exclusion["name"]) or not exclusion["filter"]:
            raise Refusal(400, "An exclusion needs a name and a filter.")
    world.resources[call.name] = after
    return after


def _check_policy(world: World, _: str, policy: Json) -> None:
    for condition in policy.get("conditions", []):
        for kind in ("conditionThreshold", "conditionAbsent"):
            for metric in re.findall(
                r"logging\.googleapis\.com/user/([\w-]+)", condition.get(kind, {}).get("filter", "")
            ):
                if f"projects/{world.project}/metrics/{metric}" not in world.resources or world.unsettled(
                    f"metric {metric}"
                ):
                    raise Refusal(
                        404,
                        f'Cannot find metric that matches type = "logging.googleapis.com/user/{metric}". If a metric '
                        "was created recently, it could take up to 10 minutes to become available. Please try again "
                        "soon.",
                    )


Kept("monitoring.projects.alertPolicies", "alertPolicies", defaults={"enabled": True}, check=_check_policy).serve(
    "create", "get", "list", "patch", "delete"
)
