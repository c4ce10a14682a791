"""What exists in the stand-in, who may use it, and what was changed."""

from __future__ import annotations

import copy
import json
import re
import threading
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import SplitResult, parse_qs

from infra.local.control_plane.discovery import Call, Json, title_of, understood
from infra.local.control_plane.permissions import is_reading, permission_for
from infra.local.control_plane.refusals import Refusal, api_disabled, denied, not_found

Handler = Callable[["World", Call], Json]

_HANDLERS: dict[str, Handler] = {}

_WITHOUT_PROJECT = {"cloudresourcemanager", "serviceusage", "cloudbilling", "orgpolicy", "oauth2"}
"""APIs that need not be enabled in the project that a request is about, unless the request names it as the payer."""


def answers(*methods: str) -> Callable[[Handler], Handler]:
    """Mark a function as the answer to these methods (`pubsub.projects.topics.create`)."""

    def keep(handler: Handler) -> Handler:
        _HANDLERS.update(dict.fromkeys(methods, handler))
        return handler

    return keep


@dataclass(frozen=True)
class Mutation:
    """A call that changed something."""

    method: str
    name: str
    body: Json = field(compare=False, default_factory=dict)


@dataclass
class World:
    """A project and its organisation. Any thread may use it while it is served.

    Attributes:
        project: Its id.
        number: Its number.
        exists: Whether the project exists.
        state: `ACTIVE`, or `DELETE_REQUESTED` for 30 days after the project was shut down.
        billing: Whether a billing account pays for it.
        deployer: The account whose token is used.
        permissions: The deployer's permissions; None means all.
        organisation: Effective policies by constraint, in the form of `spec` in the organisation-policy API.
        cpu_quota: The quota of Cloud Run in each region, in milli-vCPU.
        settling: How many uses fail before a new API, account or grant is visible everywhere.
        mutations_left: The number of changes before every further change is refused; None means no limit.
        refusals: Planned refusals by method; each is used once.
        resources: What exists, by name.
        policies: IAM policies, by the name of their resource.
        enabled: The enabled APIs.
        accounts: Existing service accounts, including Google's agents.
        logs: Entries of the log.
        waiting: The number of waiting messages in a subscription, and the age of the oldest in seconds.
        people: Accounts of the school's Workspace.
        delegated: Scopes that a Workspace administrator has allowed; None means all.
        silent: Hosts that do not answer.
        uploads: Uploaded sources, by their object.
        calls: How often each method was called.
        mutations: All changes, in order.
    """

    project: str = "my-school"
    number: str = "104729104729"
    exists: bool = True
    state: str = "ACTIVE"
    billing: bool = True
    deployer: str = "ada@school.example"
    permissions: set[str] | None = None
    organisation: dict[str, Json] = field(default_factory=dict)
    cpu_quota: int = 20_000
    settling: int = 0
    mutations_left: int | None = None
    refusals: dict[str, list[Refusal]] = field(default_factory=dict)
    resources: dict[str, Json] = field(default_factory=dict)
    policies: dict[str, Json] = field(default_factory=dict)
    enabled: set[str] = field(default_factory=set)
    accounts: set[str] = field(default_factory=set)
    logs: list[Json] = field(default_factory=list)
    waiting: dict[str, tuple[int, int]] = field(default_factory=dict)
    people: set[str] = field(default_factory=set)
    delegated: set[str] | None = None
    silent: set[str] = field(default_factory=set)
    uploads: dict[str, bytes] = field(default_factory=dict)
    calls: Counter[str] = field(default_factory=Counter)
    mutations: list[Mutation] = field(default_factory=list)
    _settling: dict[str, int] = field(default_factory=dict)
    _lock: threading.RLock = field(default_factory=threading.RLock)
    _serial: int = 0

    def __post_init__(self) -> None:
        # Every new project has these APIs, https://cloud.google.com/service-usage/docs/enabled-service .
        self.enabled |= {
            "serviceusage.googleapis.com",
            "servicemanagement.googleapis.com",
            "logging.googleapis.com",
            "monitoring.googleapis.com",
            "storage.googleapis.com",
        }
        self.policy(f"projects/{self.project}")["bindings"].append(
            {"role": "roles/owner", "members": [f"user:{self.deployer}"]}
        )
        for sink, where in (("_Default", "_Default"), ("_Required", "_Required")):
            self.resources[f"projects/{self.project}/sinks/{sink}"] = {
                "name": sink,
                "destination": f"logging.googleapis.com/projects/{self.project}/locations/global/buckets/{where}",
            }

    def answer(
        self, http_method: str, host: str, address: SplitResult, content: bytes, headers: dict[str, str]
    ) -> tuple[int, Json]:
        """Return the answer to a request. Raises `Refusal`."""
        if host == "storage.googleapis.com" and http_method == "PUT":
            with self._lock:
                self.uploads[address.path] = content
            return 200, {}
        if host in self.silent or "*" in self.silent:
            threading.Event().wait(60)
        if host == "oauth2.googleapis.com" and address.path == "/token":
            from infra.local.control_plane.operating import token  # noqa: PLC0415 - which needs a world

            return token(self, content)
        if headers.get("authorization") != "Bearer ya29.stand-in":
            raise Refusal(401, "Request had invalid authentication credentials. Expected OAuth 2 access token.")
        query = parse_qs(address.query, keep_blank_values=True)
        body = _as_json(content)
        call = self._normal(understood(http_method, host, address.path, query=query, body=body, headers=headers))
        with self._lock:
            self.calls[call.id] += 1
            return 200, self._perform(call)

    def _perform(self, call: Call) -> Json:
        self._check_project(call)
        self._check_api(call)
        self._check_permission(call)
        if self.refusals.get(call.id):
            raise self.refusals[call.id].pop(0)
        handler = _HANDLERS.get(call.id)
        if handler is None:
            raise Refusal(400, f"The stand-in does not answer {call.id} yet.")
        if is_reading(call):
            return handler(self, call)
        if self.mutations_left == 0:
            raise Refusal(400, f"The stand-in was told to refuse every further change, such as {call.id}.")
        answer = handler(self, call)
        if self.mutations_left is not None:
            self.mutations_left -= 1
        self.mutations.append(Mutation(call.id, call.name, call.body))
        return answer

    def _normal(self, call: Call) -> Call:
        """Return the same call with the project's id instead of its number."""
        named = re.sub(rf"^(projects|namespaces)/{self.number}(?=/|$)", rf"\1/{self.project}", call.name)
        return Call(call.id, call.api, call.http_method, named, call.query, call.body, call.headers)

    def _check_project(self, call: Call) -> None:
        named = re.match(r"(?:projects|namespaces)/([^/:]+)", call.name)
        if named and named[1] != "-" and (named[1] != self.project or not self.exists):
            if call.api == "cloudbilling.v1":
                raise Refusal(403, "The caller does not have permission")
            raise Refusal(403, f"Project '{named[1]}' not found or permission denied.", reason="USER_PROJECT_DENIED")
        if self.state != "ACTIVE" and call.api.split(".")[0] not in {"cloudresourcemanager", "cloudbilling", "oauth2"}:
            # Each API has its own words for this; the reason comes from google.api.ErrorReason.
            raise Refusal(403, f"Project '{self.project}' has been deleted.", reason="CONSUMER_INVALID")

    def _check_api(self, call: Call) -> None:
        exempt = call.api.split(".")[0] in _WITHOUT_PROJECT and "x-goog-user-project" not in call.headers
        if exempt:
            return
        if call.service not in self.enabled or self.unsettled(f"api {call.service}"):
            raise api_disabled(call.service, title_of(call.api), self.project)

    def _check_permission(self, call: Call) -> None:
        if self.permissions is None:
            return
        for permission in permission_for(call):
            if permission not in self.permissions:
                raise denied(permission, f"projects/{self.project}")

    def settle(self, what: str) -> None:
        """Record that something new exists that is not visible everywhere yet."""
        self._settling[what] = self.settling

    def unsettled(self, what: str) -> bool:
        """Return whether the use of something new still fails; each use counts towards `settling`."""
        left = min(self._settling.get(what, 0), self.settling)
        if left:
            self._settling[what] = left - 1
        return bool(left)

    def resource(self, name: str) -> Json:
        """Return an existing resource. Raises `Refusal`."""
        if name not in self.resources:
            raise not_found(name)
        return self.resources[name]

    def below(self, collection: str) -> Iterator[Json]:
        """Return the resources of a collection; `-` means every parent."""
        pattern = re.compile("/".join("[^/]+" if part == "-" else re.escape(part) for part in collection.split("/")))
        for name in sorted(self.resources):
            parent, _, _ = name.rpartition("/")
            if pattern.fullmatch(parent):
                yield self.resources[name]

    def policy(self, name: str) -> Json:
        """Return a resource's IAM policy."""
        return self.policies.setdefault(name, {"version": 1, "bindings": [], "etag": "BwAAAAAAAAA="})

    def holds(self, name: str, role: str, member: str) -> bool:
        """Return whether a member has a role without a condition in a resource's policy."""
        return any(
            binding["role"] == role and member in binding["members"] and "condition" not in binding
            for binding in self.policy(name)["bindings"]
        )

    def serial(self) -> int:
        """Return a number that was not used before."""
        self._serial += 1
        return self._serial

    def copy(self) -> World:
        """Return a copy of this world as it is now, without recorded changes."""
        with self._lock:
            kept = {name: copy.deepcopy(value) for name, value in vars(self).items() if name != "_lock"}
        world = World(project=self.project)
        vars(world).update(kept, calls=Counter(), mutations=[])
        return world

    def __getstate__(self) -> dict[str, Any]:
        """Leave out the lock, which cannot be pickled."""
        return {name: value for name, value in vars(self).items() if name != "_lock"}

    def __setstate__(self, state: dict[str, Any]) -> None:
        """Restore the attributes with a new lock."""
        vars(self).update(state, _lock=threading.RLock())

    def mutated(self) -> list[str]:
        """Return each change as one line, for the output of tests."""
        return [f"{mutation.method} {mutation.name}" for mutation in self.mutations]


def _as_json(content: bytes) -> Json:
    if not content.strip():
        return {}
    try:
        body: Any = json.loads(content)
    except ValueError:
        raise Refusal(400, "Invalid JSON payload received. Unexpected token.") from None
    if not isinstance(body, dict):
        raise Refusal(400, "Invalid JSON payload received. Expected an object.")
    return body
