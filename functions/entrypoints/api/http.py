"""The function `api` as one application with its guards, built once for each application behind it."""

from __future__ import annotations

from collections.abc import Callable

from starlette.types import ASGIApp

from functions.domain.errors import WrongSetting
from functions.entrypoints.api import problems
from functions.entrypoints.api.application import application
from functions.entrypoints.api.guards import Edge, OnlyCallers, SmallJsonBodies
from functions.wiring import App

_ready: dict[str, tuple[App, ASGIApp]] = {}


def serve(build_app: Callable[[], App]) -> ASGIApp:
    """What answers a request; made once for each application.

    Args:
        build_app: Gives the application; may fail when the environment is wrong, which is told, and tried again.
    """
    try:
        app = build_app()
    except WrongSetting as error:
        return Edge(problems.of(error).response())
    if "it" not in _ready or _ready["it"][0] is not app:
        _ready["it"] = (app, guarded(app))
    return _ready["it"][1]


def guarded(app: App) -> ASGIApp:
    """The routes for this application behind all guards. Who may not call learns nothing from any of them."""
    return Edge(OnlyCallers(SmallJsonBodies(application(app)), app.callers))
