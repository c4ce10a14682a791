"""Firebase in a project, and its web apps."""

from __future__ import annotations

from infra.local.control_plane.collections_ import done
from infra.local.control_plane.discovery import Call, Json
from infra.local.control_plane.refusals import Refusal, not_found
from infra.local.control_plane.world import World, answers


def _project(world: World, name: str) -> Json:
    project = world.resources.get(f"firebase/{name}")
    if project is None:
        raise not_found(name)
    return project


@answers("firebase.projects.get")
def _get(world: World, call: Call) -> Json:
    return _project(world, call.name)


@answers("firebase.projects.addFirebase")
def _add(world: World, call: Call) -> Json:
    if f"firebase/{call.name}" in world.resources:
        raise Refusal(409, "Requested entity already exists")
    world.resources[f"firebase/{call.name}"] = {"name": call.name, "projectId": world.project, "state": "ACTIVE"}
    return done(world, call, {})


@answers("firebase.projects.webApps.list")
def _list_apps(world: World, call: Call) -> Json:
    _project(world, f"projects/{world.project}")
    return {"apps": list(world.below(call.name))}


@answers("firebase.projects.webApps.create")
def _create_app(world: World, call: Call) -> Json:
    _project(world, f"projects/{world.project}")
    app = f"1:{world.number}:web:{world.serial():016x}"
    name = f"{call.name}/{app}"
    world.resources[name] = {**call.body, "name": name, "appId": app, "projectId": world.project, "state": "ACTIVE"}
    return done(world, call, {})


@answers("firebase.projects.webApps.getConfig")
def _configuration(world: World, call: Call) -> Json:
    app = world.resource(call.name.removesuffix("/config"))
    return {
        "projectId": world.project,
        "appId": app["appId"],
        "apiKey": "not-a-secret",
        "authDomain": f"{world.project}.firebaseapp.com",
        "messagingSenderId": world.number,
    }
