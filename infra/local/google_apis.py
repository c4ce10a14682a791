"""Stand-ins for the People, the Directory and the Reports API, for the official client over HTTP on loopback.

They tell of a `School`'s accounts as documented in https://developers.google.com/people/api/rest/v1/people and
https://developers.google.com/workspace/admin/directory/reference/rest/v1/users, and fail where a fault plan says so.
The caller is whoever the header `x-acting-as` names, or, where tokens are issued, whoever the token is of.
"""

import asyncio
import threading
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any
from urllib.parse import parse_qs

import grpc
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse
from starlette.routing import Route

from infra.local.callers import SCOPES, Tokens, caller_of
from infra.local.faults import Refusal
from infra.local.reports import BadRequest, Reports
from infra.local.school import Account, School
from infra.local.serving import HttpStandIn

MOST_IN_BATCH = 200
"""https://developers.google.com/people/api/rest/v1/people/getBatchGet"""


PEOPLE = frozenset({f"{SCOPES}directory.readonly", f"{SCOPES}contacts.readonly"})
OWN_ACCOUNT = frozenset({f"{SCOPES}userinfo.email", f"{SCOPES}userinfo.profile"})
DIRECTORY = frozenset({f"{SCOPES}admin.directory.user.readonly"})
REPORTS = frozenset({f"{SCOPES}admin.reports.audit.readonly"})


@dataclass(frozen=True)
class RestFault:
    """One way for calls of `method` to go wrong: `people.batchGet`, `people.get`, `users.get` or `activities.list`.

    The first `times` of them (None: always) are answered with `status` and Google's `reason`, after `delay` seconds.
    Without a status the right answer comes late.
    """

    method: str
    status: int | None = None
    reason: str = "backendError"
    times: int | None = None
    delay: float = 0.0


@dataclass(frozen=True)
class RestCall:
    """One call that arrived: which, as whom, for how many."""

    method: str
    acting_as: str | None
    asked_for: int


class RestCalls(list[RestCall]):
    """Every call in the order of arrival."""

    def by_method(self) -> Counter[str]:
        """Count the calls of each method."""
        return Counter(call.method for call in self.copy())


class GoogleApis(HttpStandIn):
    """Serves a school's accounts as People and Directory, and its calls as Reports.

    `fail`, `calls` and `reports` may be used from any thread.
    """

    def __init__(self, school: School, *, tokens: Tokens | None = None) -> None:
        self.school = school
        self._tokens = tokens
        self.calls = RestCalls()
        self.reports = Reports(school)
        self._faults: list[tuple[RestFault, list[None]]] = []
        self._lock = threading.Lock()

    def fail(self, *faults: RestFault) -> None:
        """Replace the plan of faults; without any everything succeeds."""
        with self._lock:
            self._faults = [(fault, []) for fault in faults]

    def _application(self) -> Starlette:
        return Starlette(
            routes=[
                Route("/v1/people:batchGet", self._batch_get, methods=["GET", "POST"]),
                Route("/v1/people/{id}", self._get),
                Route("/admin/directory/v1/users/{key}", self._directory_get),
                Route("/admin/reports/v1/activity/users/{key}/applications/{application}", self._activities),
            ]
        )

    async def _batch_get(self, request: Request) -> JSONResponse:
        # The client posts what is too long for an address, with the method that it means in a header.
        body = (await request.body()).decode()
        query = parse_qs(request.url.query or body)
        names = query.get("resourceNames", [])
        _, refusal = await self._arrived("people.batchGet", request, len(names), accepted=PEOPLE)
        if refusal:
            return refusal
        if not 1 <= len(names) <= MOST_IN_BATCH or not query.get("personFields"):
            return _error(400, "badRequest", "resourceNames and personFields are needed")
        return JSONResponse({"responses": [self._response(name) for name in names]})

    async def _get(self, request: Request) -> JSONResponse:
        wanted = request.path_params["id"]
        scopes = OWN_ACCOUNT if wanted == "me" else PEOPLE
        asking, refusal = await self._arrived("people.get", request, 1, accepted=scopes)
        if refusal:
            return refusal
        caller = self.school.user(asking or "")
        account = self.school.account(caller or "" if wanted == "me" else f"users/{wanted}")
        if account is None or not (account.in_people or wanted == "me"):
            return _error(404, "notFound", "Requested entity was not found.")
        return JSONResponse(_person(account))

    async def _directory_get(self, request: Request) -> JSONResponse:
        _, refusal = await self._arrived("users.get", request, 1, accepted=DIRECTORY)
        if refusal:
            return refusal
        if request.query_params.get("viewType", "admin_view") != "domain_public":
            return _error(403, "forbidden", "Not Authorized to access this resource/api")
        key = request.path_params["key"]
        user = self.school.user(key) if "@" in key else f"users/{key}"
        account = self.school.account(user or "")
        if account is None or not account.in_directory:
            return _error(404, "notFound", "Resource Not Found: userKey")
        return JSONResponse(_user(account))

    async def _activities(self, request: Request) -> JSONResponse:
        caller, refusal = await self._arrived("activities.list", request, 1, accepted=REPORTS)
        if refusal:
            return refusal
        if not self.reports.admits(caller):
            return _error(403, "forbidden", "Not Authorized to access this resource/api")
        key, application = request.path_params["key"], request.path_params["application"]
        try:
            return JSONResponse(self.reports.answer(key, application, dict(request.query_params)))
        except BadRequest as error:
            return _error(400, "invalid", str(error))

    def _response(self, name: str) -> Mapping[str, object]:
        account = self.school.account(name.replace("people/", "users/", 1))
        if account is None or not account.in_people:
            status = {"code": 5, "message": "Requested entity was not found."}
            return {"requestedResourceName": name, "httpStatusCode": 404, "status": status}
        return {"requestedResourceName": name, "httpStatusCode": 200, "person": _person(account)}

    async def _arrived(
        self, method: str, request: Request, asked_for: int, *, accepted: frozenset[str]
    ) -> tuple[str | None, JSONResponse | None]:
        """Log a call; gives as whom it is made, and the error that is due or planned for it."""
        try:
            caller = caller_of(request.headers, self._tokens, accepted=accepted)
        except Refusal as refusal:
            status = 401 if refusal.status is grpc.StatusCode.UNAUTHENTICATED else 403
            return None, _error(status, refusal.reason or "authError", refusal.message)
        self.calls.append(RestCall(method, caller, asked_for))
        with self._lock:
            struck = next(
                (
                    (fault, done)
                    for fault, done in self._faults
                    if fault.method == method and (fault.times is None or len(done) < fault.times)
                ),
                None,
            )
            if struck is None:
                return caller, None
            fault, done = struck
            done.append(None)
        await asyncio.sleep(fault.delay)
        return caller, _error(fault.status, fault.reason, "Planned fault") if fault.status else None


def _person(account: Account) -> dict[str, Any]:
    """A Person as far as names and addresses go."""
    metadata = {"source": {"type": "DOMAIN_PROFILE", "id": account.user.removeprefix("users/")}}
    addresses: Sequence[dict[str, Any]] = [
        {"value": email, "metadata": {**metadata, "primary": email == account.email}}
        for email in (account.email, *account.aliases)
    ]
    return {
        "resourceName": account.user.replace("users/", "people/", 1),
        "etag": "%EgUBAj03Lg==",
        "names": [{"displayName": account.display_name, "metadata": {**metadata, "primary": True}}],
        "emailAddresses": addresses,
    }


def _user(account: Account) -> dict[str, Any]:
    """A User as `viewType=domain_public` shows it."""
    return {
        "kind": "admin#directory#user",
        "id": account.user.removeprefix("users/"),
        "primaryEmail": account.email,
        "name": {"fullName": account.display_name},
        "emails": [{"address": account.email, "primary": True}],
        "aliases": list(account.aliases),
        "suspended": False,
    }


def _error(status: int, reason: str, message: str) -> JSONResponse:
    """https://cloud.google.com/apis/design/errors#http_mapping, with the older list of errors beside it."""
    details = [{"@type": "type.googleapis.com/google.rpc.ErrorInfo", "reason": reason, "domain": "googleapis.com"}]
    error = {"code": status, "message": message, "errors": [{"reason": reason, "message": message}], "details": details}
    return JSONResponse({"error": error}, status_code=status)
