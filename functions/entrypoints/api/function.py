"""The function `api`: the routes with their guards, built once for each application behind it."""

from __future__ import annotations

import logging
from collections.abc import Callable

from starlette.types import ASGIApp

from functions.domain.errors import OwnCredentialsMissing, WrongSetting
from functions.entrypoints.api import problems
from functions.entrypoints.api.application import application
from functions.entrypoints.api.middleware import Edge, OnlyCallers, SmallJsonBodies
from functions.wiring import App

log = logging.getLogger(__name__)

_ready: dict[str, tuple[App, ASGIApp]] = {}


def serve(build_app: Callable[[], App]) -> ASGIApp:
    """Answers requests; the routes are built once for each application.

    Args:
        build_app: Returns the application. If it fails because the environment is wrong or has no Google credentials,
            the caller gets this error, and the next request tries again.
    """
    try:
        app = build_app()
    except WrongSetting as error:  # it is logged with the name of the variable
        return Edge(problems.of(error).response())
    except OwnCredentialsMissing as error:
        log.error("request.failed", extra={"reason": error.reason, "detail": error.message, "hint": error.hint})  # noqa: TRY400 - no bug
        return Edge(problems.of(error).response())
    if "it" not in _ready or _ready["it"][0] is not app:
        _ready["it"] = (app, guarded(app))
    return _ready["it"][1]


def guarded(app: App) -> ASGIApp:
    """The routes for this application behind all guards. Callers without permission learn nothing from any of them."""
    inner = OnlyCallers(SmallJsonBodies(application(app)), app.callers, app.id_tokens)
    return Edge(inner, patience=app.patience)
