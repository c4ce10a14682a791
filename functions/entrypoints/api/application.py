"""The routes as one application: its OpenAPI document, and every error as a problem."""

from __future__ import annotations

from typing import Any, cast

from fastapi import FastAPI
from fastapi.exceptions import RequestValidationError
from fastapi.responses import Response
from fastapi.routing import APIRoute
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.routing import BaseRoute, Match

from functions.domain.errors import AttendanceError
from functions.entrypoints.api import problems
from functions.entrypoints.api.description import TITLE, VERSION, description_of
from functions.entrypoints.api.routes import attendance, corrections, operators, schedule, sessions
from functions.wiring import App

_ROUTERS = (schedule, sessions, attendance, corrections, operators)


def all_routes() -> list[BaseRoute]:
    """All paths of the API."""
    return [route for module in _ROUTERS for route in module.router.routes]


def application(app: App) -> FastAPI:
    """The routes, working with this application. Callers never see the web framework's own pages or errors."""
    api = FastAPI(
        title=TITLE,
        version=VERSION,
        docs_url=None,
        redoc_url=None,
        redirect_slashes=False,  # a redirect would repeat the path, and nobody types these paths by hand
        routes=all_routes(),
        exception_handlers={
            AttendanceError: _attendance_error,
            RequestValidationError: _invalid,
            HTTPException: _http_error,
            Exception: _unforeseen,
        },
    )
    api.state.attendance = app
    api.openapi = lambda: _openapi(api)  # type: ignore[method-assign] # FastAPI's documented way to extend it
    return api


async def _attendance_error(_: Request, error: Exception) -> Response:
    return problems.of(cast("AttendanceError", error)).response()


async def _invalid(request: Request, error: Exception) -> Response:
    errors = cast("RequestValidationError", error).errors()
    if problems.malformed(errors):
        return problems.MALFORMED.response()
    route = request.scope.get("route")
    body = route.body_field.field_info.annotation if isinstance(route, APIRoute) and route.body_field else None
    query = route.dependant.query_params if isinstance(route, APIRoute) else []
    wanted = query[0].field_info.annotation if query else None
    return problems.of(problems.invalid(errors, body=body, query=wanted)).response()


async def _http_error(request: Request, error: Exception) -> Response:
    """The problem for requests that the framework itself refuses: unknown path, unknown method, unreadable body."""
    status = cast("HTTPException", error).status_code
    if status == 404:  # noqa: PLR2004 - an HTTP status, likewise below
        return (problems.EMPTY_PART if "//" in request.scope["path"] else problems.UNKNOWN_PATH).response()
    if status == 405:  # noqa: PLR2004
        allowed = {"Allow": ", ".join(sorted(_methods(request)))}
        if request.method == "OPTIONS":
            return Response(status_code=204, headers=allowed)
        refused = problems.WRONG_METHOD.response()
        refused.headers.update(allowed)
        return refused
    return (problems.MALFORMED if status == 400 else problems.INTERNAL).response()  # noqa: PLR2004


async def _unforeseen(_request: Request, _error: Exception) -> Response:
    return problems.INTERNAL.response()  # the guard around the application logs the cause


def _methods(request: Request) -> set[str]:
    """Every method that this path supports."""
    methods = {"OPTIONS"}
    for route in request.app.routes:
        match, _ = route.matches(dict(request.scope))
        if match is not Match.NONE:
            methods |= set(getattr(route, "methods", None) or ())
    return methods | ({"HEAD"} if "GET" in methods else set())


def _openapi(api: FastAPI) -> dict[str, Any]:
    if api.openapi_schema is None:
        api.openapi_schema = description_of(api.routes)
    return api.openapi_schema
