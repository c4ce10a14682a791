"""Resources that the stand-in only stores: created, read, listed, patched, deleted."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from infra.local.control_plane.discovery import Call, Json
from infra.local.control_plane.refusals import Refusal
from infra.local.control_plane.world import World, answers


@dataclass(frozen=True)
class Kept:
    """A kind of resource.

    Args:
        methods: The prefix of its methods, such as `cloudscheduler.projects.locations.jobs`.
        items: The field with the resources in the answer of a list call.
        id_parameter: The query parameter with the id of a new resource; without it, the id comes from the body's
            `name`.
        defaults: Fields that a new resource gets if its body does not have them.
        wrap: Makes the operation that answers a change, if changes are answered with operations.
        check: Refuses new or changed resources that Google would refuse.
    """

    methods: str
    items: str
    id_parameter: str = ""
    defaults: Mapping[str, Any] = field(default_factory=dict)
    wrap: Callable[[World, Call, Json], Json] = lambda _, __, resource: resource
    check: Callable[[World, str, Json], None] = lambda _, __, ___: None

    def serve(self, *verbs: str) -> None:
        """Serve these methods."""
        handlers = {
            "create": self._create,
            "get": lambda world, call: world.resource(call.name),
            "list": lambda world, call: {self.items: list(world.below(call.name))},
            "patch": self._patch,
            "update": self._patch,
            "delete": self._delete,
        }
        for verb in verbs:
            answers(f"{self.methods}.{verb}")(handlers[verb])

    def _create(self, world: World, call: Call) -> Json:
        given = call.parameter(self.id_parameter) if self.id_parameter else str(call.body.get("name", ""))
        short = given.rpartition("/")[2] or str(1000 + world.serial())
        name = call.name if call.http_method == "PUT" else f"{call.name}/{short}"
        if name in world.resources:
            raise Refusal(409, f"Resource '{name}' already exists")
        resource = {**self.defaults, **call.body, "name": name}
        self.check(world, name, resource)
        world.resources[name] = resource
        return self.wrap(world, call, resource)

    def _patch(self, world: World, call: Call) -> Json:
        before = world.resource(call.name)
        mask = call.parameter("updateMask") or call.body.get("updateMask", "")
        after = patched(before, call.body, mask) if mask else {**before, **call.body}
        after["name"] = before["name"]
        self.check(world, call.name, after)
        world.resources[call.name] = after
        return self.wrap(world, call, after)

    def _delete(self, world: World, call: Call) -> Json:
        world.resource(call.name)
        for name in [name for name in world.resources if name == call.name or name.startswith(f"{call.name}/")]:
            del world.resources[name]
            world.policies.pop(name, None)
        return self.wrap(world, call, {})


def patched(before: Json, body: Json, mask: str) -> Json:
    """Return a resource whose masked fields come from a body; fields that the body lacks are cleared."""
    after: Json = dict(before)
    for path in filter(None, mask.split(",")):
        *parents, last = [_camel(part) for part in path.split(".")]
        target, source = after, body
        for parent in parents:
            target[parent] = dict(target.get(parent) or {})
            target = target[parent]
            source = source.get(parent) or {}
        if last in source:
            target[last] = source[last]
        else:
            target.pop(last, None)
    return after


def _camel(name: str) -> str:
    first, *rest = name.split("_")
    return first + "".join(part.capitalize() for part in rest)


def done(world: World, call: Call, resource: Json) -> Json:
    """Return an operation that has succeeded."""
    parent = "/".join(call.name.split("/")[:4])
    return {"name": f"{parent}/operations/op-{world.serial()}", "done": True, "response": resource}
