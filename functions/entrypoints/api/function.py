"""The function `api` as one application with its guards, built once for each application behind it."""

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
    """What answers a request; made once for each application.

    Args:
        build_app: Gives the application; may fail when the environment is wrong or has no Google credentials, which
            is told, and tried again.
    """
    try:
        app = build_app()
    except WrongSetting as error:  # which is logged with its variable
        return Edge(problems.of(error).response())
    except OwnCredentialsMissing as error:
        log.error("request.failed", extra={"reason": error.reason, "detail": error.message, "hint": error.hint})  # noqa: TRY400 - no bug
        return Edge(problems.of(error).response())
    if "it" not in _ready or _ready["it"][0] is not app:
        _ready["it"] = (app, guarded(app))
    return _ready["it"][1]


def guarded(app: App) -> ASGIApp:
    """The routes for this application behind all guards. Who may not call learns nothing from any of them."""
    inner = OnlyCallers(SmallJsonBodies(application(app)), app.callers, app.id_tokens)
    return Edge(inner, patience=app.patience)
