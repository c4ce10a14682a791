"""What exists in the stand-in, who may do what with it, and what was changed."""

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
"""APIs that need not be enabled in the project that they are asked about, unless it is named as the payer."""


def answers(*methods: str) -> Callable[[Handler], Handler]:
    """The function answers these methods (`pubsub.projects.topics.create`)."""

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
    """A project with its organisation. Any thread may use it while it is served.

    Attributes:
        project: Its id.
        number: Its number.
        exists: Whether there is such a project.
        state: `ACTIVE`, or `DELETE_REQUESTED` for 30 days after somebody shut the project down.
        billing: Whether a billing account pays for it.
        deployer: Whose token is used.
        permissions: What the deployer may do; None is everything.
        organisation: Effective policies by constraint, as the organisation-policy API gives their `spec`.
        cpu_quota: Milli-vCPU of Cloud Run in each region.
        settling: How many uses fail before a new API, account or grant is seen everywhere.
        mutations_left: After so many changes every further one is refused; None is never.
        refusals: Refusals to come, by method, each used once.
        resources: What exists, by name.
        policies: IAM policies by the name of their resource.
        enabled: APIs.
        accounts: Service accounts that exist, Google's agents too.
        logs: Entries of the log.
        waiting: How many messages wait in a subscription, and for how many seconds the oldest does.
        people: Accounts of the school's Workspace.
        delegated: Scopes that a Workspace administrator has allowed; None is all.
        silent: Hosts that do not answer.
        uploads: Sources that were uploaded, by their object.
        calls: How often each method was called.
        mutations: What was changed, in order.
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
        # Every project begins with these, https://cloud.google.com/service-usage/docs/enabled-service .
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
        """The answer to a request. Raises `Refusal`."""
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
            raise Refusal(400, f"The stand-in was told to refuse every further change, and so {call.id}.")
        answer = handler(self, call)
        if self.mutations_left is not None:
            self.mutations_left -= 1
        self.mutations.append(Mutation(call.id, call.name, call.body))
        return answer

    def _normal(self, call: Call) -> Call:
        """The same call with the project's id for its number."""
        named = re.sub(rf"^(projects|namespaces)/{self.number}(?=/|$)", rf"\1/{self.project}", call.name)
        return Call(call.id, call.api, call.http_method, named, call.query, call.body, call.headers)

    def _check_project(self, call: Call) -> None:
        named = re.match(r"(?:projects|namespaces)/([^/:]+)", call.name)
        if named and named[1] != "-" and (named[1] != self.project or not self.exists):
            if call.api == "cloudbilling.v1":
                raise Refusal(403, "The caller does not have permission")
            raise Refusal(403, f"Project '{named[1]}' not found or permission denied.", reason="USER_PROJECT_DENIED")
        if self.state != "ACTIVE" and call.api.split(".")[0] not in {"cloudresourcemanager", "cloudbilling", "oauth2"}:
            # Each API has words of its own for it; the reason is that of google.api.ErrorReason.
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
        """Something new exists, and is not seen everywhere yet."""
        self._settling[what] = self.settling

    def unsettled(self, what: str) -> bool:
        """Whether a use of something new fails still; each use brings it nearer."""
        left = min(self._settling.get(what, 0), self.settling)
        if left:
            self._settling[what] = left - 1
        return bool(left)

    def resource(self, name: str) -> Json:
        """A resource that exists. Raises `Refusal`."""
        if name not in self.resources:
            raise not_found(name)
        return self.resources[name]

    def below(self, collection: str) -> Iterator[Json]:
        """The resources of a collection; `-` names every parent."""
        pattern = re.compile("/".join("[^/]+" if part == "-" else re.escape(part) for part in collection.split("/")))
        for name in sorted(self.resources):
            parent, _, _ = name.rpartition("/")
            if pattern.fullmatch(parent):
                yield self.resources[name]

    def policy(self, name: str) -> Json:
        """A resource's IAM policy."""
        return self.policies.setdefault(name, {"version": 1, "bindings": [], "etag": "BwAAAAAAAAA="})

    def holds(self, name: str, role: str, member: str) -> bool:
        """Whether a member has a role in a resource's policy, and without a condition."""
        return any(
            binding["role"] == role and member in binding["members"] and "condition" not in binding
            for binding in self.policy(name)["bindings"]
        )

    def serial(self) -> int:
        """A number that was not given before."""
        self._serial += 1
        return self._serial

    def copy(self) -> World:
        """Another world that begins as this one is, with nothing changed in it yet."""
        with self._lock:
            kept = {name: copy.deepcopy(value) for name, value in vars(self).items() if name != "_lock"}
        world = World(project=self.project)
        vars(world).update(kept, calls=Counter(), mutations=[])
        return world

    def __getstate__(self) -> dict[str, Any]:
        """Without the lock, which cannot be written to a file."""
        return {name: value for name, value in vars(self).items() if name != "_lock"}

    def __setstate__(self, state: dict[str, Any]) -> None:
        """See `__getstate__`."""
        vars(self).update(state, _lock=threading.RLock())

    def mutated(self) -> list[str]:
        """What was changed, as one line each, for a test to show."""
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
