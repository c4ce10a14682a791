"""Stand-ins for the People, Directory and Reports APIs, for the official client over HTTP on loopback.

They answer from a `School`'s accounts as documented in https://developers.google.com/people/api/rest/v1/people and
https://developers.google.com/workspace/admin/directory/reference/rest/v1/users, and fail where a fault plan says so.
`infra.local.gate` checks calls and answers against the discovery documents. The caller is the account that the header
`x-acting-as` names, or, where tokens are issued, the account of the token.
"""

import asyncio
import threading
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import grpc
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import HTMLResponse, JSONResponse, Response
from starlette.routing import Route

from infra.local.callers import SCOPES, Tokens, caller_of, scopes_of
from infra.local.faults import Refusal
from infra.local.gate.calls import Rules
from infra.local.gate.discovery import discovered
from infra.local.gate.middleware import PLANNED
from infra.local.people_answers import Question, person
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
    """One way in which calls of `method` fail: `people.batchGet`, `people.get`, `users.get` or `activities.list`.

    The first `times` of these calls (None: all) get the answer `status` with Google's `reason`, after `delay` seconds.
    Without a status, the correct answer comes late. With `page`, the answer is an HTML page, as a proxy or Google's own
    front end sends it. With `hangs`, there is no answer until the stand-in stops. `content` replaces the whole body,
    and `retry_after` is the header of that name. `key` is the account that the call is about; None means any account.
    With `following`, only calls with a page token fail.
    """

    method: str
    status: int | None = None
    reason: str = "backendError"
    times: int | None = None
    delay: float = 0.0
    page: bool = False
    hangs: bool = False
    key: str | None = None
    content: str | None = None
    retry_after: str | None = None
    following: bool = False

    def concerns(self, method: str, *, key: str | None, follows: bool) -> bool:
        """Return whether this fault applies to this call."""
        return self.method == method and self.key in {None, key} and (follows or not self.following)


@dataclass(frozen=True)
class RestCall:
    """One call that arrived: its method, the calling account, and the number of requested accounts."""

    method: str
    acting_as: str | None
    asked_for: int


class RestCalls(list[RestCall]):
    """Every call in the order of arrival."""

    def by_method(self) -> Counter[str]:
        """Count the calls of each method."""
        return Counter(call.method for call in self.copy())


class GoogleApis(HttpStandIn):
    """Serves a school's accounts through the People and Directory APIs, and its calls through the Reports API.

    `fail`, `calls`, `reports` and `not_now` may be used from any thread.

    Attributes:
        not_now: Accounts that the People API cannot look up now; it can look up others.
        not_mentioned: Accounts that the People API leaves out of a batch answer.
        malformed: Accounts whose ids the People API cannot read. It is not known whether it reports each of them or
            refuses the whole request: `malformed_refuse_all` chooses.
    """

    def __init__(self, school: School, *, tokens: Tokens | None = None) -> None:
        self.school = school
        self._tokens = tokens
        self.calls = RestCalls()
        self.reports = Reports(school)
        self.not_now: frozenset[str] = frozenset()
        self.not_mentioned: frozenset[str] = frozenset()
        self.malformed: frozenset[str] = frozenset()
        self.malformed_refuse_all = False
        self._stopping = threading.Event()
        self._faults: list[tuple[RestFault, list[None]]] = []
        self._lock = threading.Lock()

    def fail(self, *faults: RestFault) -> None:
        """Replace the fault plan; without faults, every call succeeds."""
        with self._lock:
            self._faults = [(fault, []) for fault in faults]

    def _rules(self) -> Sequence[Rules]:
        return discovered("people.v1"), discovered("admin.directory_v1"), discovered("admin.reports_v1")

    def _before_stop(self) -> None:
        self._stopping.set()

    def _application(self) -> Starlette:
        return Starlette(
            routes=[
                Route("/v1/people:batchGet", self._batch_get),
                Route("/v1/people/{id}", self._get),
                Route("/admin/directory/v1/users/{key}", self._directory_get),
                Route("/admin/reports/v1/activity/users/{key}/applications/{application}", self._activities),
            ]
        )

    async def _batch_get(self, request: Request) -> Response:
        names = request.query_params.getlist("resourceNames")
        asking, refusal = await self._arrived("people.batchGet", request, len(names), accepted=PEOPLE)
        if refusal:
            return refusal
        if len(names) > MOST_IN_BATCH:
            return _error(400, "badRequest", f"resourceNames (at most {MOST_IN_BATCH}), {len(names)} came")
        if self.malformed_refuse_all and any(_user_of(name) in self.malformed for name in names):
            answer = _error(400, "badRequest", "Resource name is not valid.")
            answer.headers[PLANNED] = "1"
            return answer
        question = self._question(request, asking)
        told = [name for name in names if _user_of(name) not in self.not_mentioned]
        # As in all of Google's JSON, an empty list is left out.
        return JSONResponse({"responses": [self._response(name, question) for name in told]} if told else {})

    async def _get(self, request: Request) -> Response:
        wanted = request.path_params["id"]
        scopes = OWN_ACCOUNT if wanted == "me" else PEOPLE
        asking, refusal = await self._arrived("people.get", request, 1, accepted=scopes)
        if refusal:
            return refusal
        user = (self.school.user(asking or "") or "") if wanted == "me" else f"users/{wanted}"
        shown = person(self.school.account(user), user, self._question(request, asking))
        if shown is None:
            return _error(404, "notFound", "Requested entity was not found.")
        return JSONResponse(shown)

    async def _directory_get(self, request: Request) -> Response:
        key = request.path_params["key"]
        asking, refusal = await self._arrived("users.get", request, 1, accepted=DIRECTORY, key=key)
        if refusal:
            return refusal
        caller = self.school.account(self.school.user(asking or "") or "")
        everybody = request.query_params.get("viewType", "admin_view") == "domain_public"
        if not everybody or (caller is not None and not caller.in_directory):
            return _error(403, "forbidden", "Not Authorized to access this resource/api")
        user = self.school.user(key) if "@" in key else f"users/{key}"
        account = self.school.account(user or "")
        if account is not None and account.in_directory:
            return JSONResponse(_user(account))
        if "@" not in key and self.school.strangers == "forbidden":
            return _error(403, "forbidden", "Not Authorized to access this resource/api")
        return _error(404, "notFound", "Resource Not Found: userKey")

    async def _activities(self, request: Request) -> Response:
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

    def _question(self, request: Request, asking: str | None) -> Question:
        query = request.query_params
        return Question(
            fields=query.get("personFields", ""),
            sources=query.getlist("sources"),
            scopes=scopes_of(request.headers, self._tokens),
            caller=self.school.account(self.school.user(asking or "") or ""),
            with_aliases=self.school.people_tells_aliases,
        )

    def _response(self, name: str, question: Question) -> Mapping[str, object]:
        user = _user_of(name)
        if name == "people/me" and question.caller:
            user = question.caller.user
        if user in self.malformed:
            status = {"code": 3, "message": "Resource name is not valid."}
            return {"requestedResourceName": name, "httpStatusCode": 400, "status": status}
        if user in self.not_now:
            status = {"code": 14, "message": "The service is currently unavailable."}
            return {"requestedResourceName": name, "httpStatusCode": 503, "status": status}
        shown = person(self.school.account(user), user, question)
        if shown is None:
            status = {"code": 5, "message": "Requested entity was not found."}
            return {"requestedResourceName": name, "httpStatusCode": 404, "status": status}
        return {"requestedResourceName": name, "httpStatusCode": 200, "person": shown}

    async def _arrived(
        self, method: str, request: Request, asked_for: int, *, accepted: frozenset[str], key: str | None = None
    ) -> tuple[str | None, Response | None]:
        """Log a call. Return the account that makes it, and its error, if one is due or planned."""
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
                    if fault.concerns(method, key=key, follows="pageToken" in request.query_params)
                    and (fault.times is None or len(done) < fault.times)
                ),
                None,
            )
            if struck is None:
                return caller, None
            fault, done = struck
            done.append(None)
        await asyncio.sleep(fault.delay)
        if fault.hangs:
            await asyncio.to_thread(self._stopping.wait)
        return caller, _planned(fault)


def _user_of(name: str) -> str:
    return name.replace("people/", "users/", 1)


def _planned(fault: RestFault) -> Response | None:
    """Return the answer that a fault plans, if it plans one."""
    answer: Response
    if fault.page:
        answer = HTMLResponse("<html>", status_code=fault.status or 200)
    elif fault.content is not None:
        answer = Response(fault.content, status_code=fault.status or 200, media_type="application/json")
    elif fault.status:
        answer = _error(fault.status, fault.reason, "Planned fault")
    else:
        return None
    answer.headers[PLANNED] = "1"
    if fault.retry_after is not None:
        answer.headers["Retry-After"] = fault.retry_after
    return answer


def _user(account: Account) -> dict[str, Any]:
    """Return a User as `viewType=domain_public` shows it: "a standard set of core fields".

    Google does not list these fields.

    https://developers.google.com/workspace/admin/directory/v1/guides/manage-users#retrieve_users_non_admin
    """
    given, _, family = account.display_name.rpartition(" ")
    return {
        "kind": "admin#directory#user",
        "id": account.user.removeprefix("users/"),
        "primaryEmail": account.email,
        "name": {"fullName": account.display_name, "givenName": given, "familyName": family},
        "emails": [
            {"address": account.email, "primary": True},
            *({"address": address} for address in (*account.aliases, *account.non_editable_aliases)),
            *({"address": address, "type": "home"} for address in account.typed_addresses),
        ],
        **({"aliases": list(account.aliases)} if account.aliases else {}),
        **({"nonEditableAliases": list(account.non_editable_aliases)} if account.non_editable_aliases else {}),
    }


def _error(status: int, reason: str, message: str) -> JSONResponse:
    """Return an error with the older list too: https://cloud.google.com/apis/design/errors#http_mapping."""
    details = [{"@type": "type.googleapis.com/google.rpc.ErrorInfo", "reason": reason, "domain": "googleapis.com"}]
    error = {"code": status, "message": message, "errors": [{"reason": reason, "message": message}], "details": details}
    return JSONResponse({"error": error}, status_code=status)
