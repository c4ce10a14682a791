"""A stand-in for Secret Manager, for the official gRPC client over loopback without TLS.

It has secrets with versions and policies as documented in
https://cloud.google.com/secret-manager/docs/reference/rpc/google.cloud.secretmanager.v1 . Every caller may do
everything, unless `caller` is set: this caller may only read versions, and only if the secret's policy allows it. Tests
plan other refusals as faults.
"""

import asyncio
import threading
from collections import Counter
from collections.abc import Awaitable, Callable, Iterable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any

import grpc
import grpc.aio
from google.cloud import secretmanager_v1 as secret_manager
from google.iam.v1 import (  # type: ignore[import-untyped]  # the package has no py.typed
    iam_policy_pb2,
    policy_pb2,
)

from infra.local import filters
from infra.local.callers import metadata_of
from infra.local.faults import Faults, Refusal, Request
from infra.local.gate.calls import Refusal as Malformed
from infra.local.grpc_gate import broken_by
from infra.local.secret_rules import ACCESSOR, PERMISSIONS, RULES, refused
from infra.local.serving import GrpcStandIn

Message = Any  # protobuf makes its classes at run time, so the type checker does not know them
Context = grpc.aio.ServicerContext[Message, Message]
Method = Callable[[Message], Message]

_State: Message = secret_manager.SecretVersion.State


@dataclass
class Version:
    """A version of a secret.

    Its `content` is deleted when it is destroyed; `is_doomed` means that this is scheduled.
    """

    content: bytes
    state: Message = _State.ENABLED
    is_doomed: bool = False


@dataclass
class Secret:
    """A secret: its labels, its versions with the oldest first, and its access policy."""

    labels: dict[str, str]
    versions: list[Version] = field(default_factory=list)
    policy: policy_pb2.Policy = field(default_factory=lambda: policy_pb2.Policy(etag=b"0"))


class SecretManagerSimulator(GrpcStandIn):
    """Serves the secrets of any project. Any thread may use it while it runs.

    Args:
        faults: Which calls fail.

    Attributes:
        secrets: By their names, `projects/{project}/secrets/{id}`.
        calls: How often each method was called.
        caller: The policy member that makes the calls; None may do everything.
        unseen: How many of the newest versions `latest` and lists do not show yet: a new version is only visible
            immediately when it is requested by its number
            (https://cloud.google.com/secret-manager/docs/reference/consistency).
        destroys_later: Whether a version is only scheduled to be destroyed, and disabled until then
            (https://cloud.google.com/secret-manager/docs/delay-destruction-of-secret-versions).
    """

    def __init__(self, *, faults: Faults | None = None) -> None:
        self.faults = faults if faults is not None else Faults()
        self.secrets: dict[str, Secret] = {}
        self.calls: Counter[str] = Counter()
        self.caller: str | None = None
        self.unseen = 0
        self.destroys_later = False
        self._lock = threading.RLock()
        self._tokens = filters.PageTokens()

    def _create_secret(self, request: Message) -> Message:
        name = f"{request.parent}/secrets/{request.secret_id}"
        if name in self.secrets:
            raise Refusal(grpc.StatusCode.ALREADY_EXISTS, f"Secret [{name}] already exists.")
        self.secrets[name] = Secret(dict(request.secret.labels))
        return self._get_secret(secret_manager.GetSecretRequest.pb()(name=name))

    def _get_secret(self, request: Message) -> Message:
        secret = self._named(request.name)
        replication = secret_manager.Replication(automatic=secret_manager.Replication.Automatic())
        return secret_manager.Secret.pb(
            secret_manager.Secret(name=request.name, labels=secret.labels, replication=replication)
        )

    def _add_version(self, request: Message) -> Message:
        secret = self._named(request.parent)
        secret.versions.append(Version(request.payload.data))
        return self._shown(request.parent, len(secret.versions))

    def _access(self, request: Message) -> Message:
        name, number, version = self._version(request.name)
        if version.state is not _State.ENABLED:
            # The answer always uses the project's number, even if the request used its id.
            shown = f"projects/225994000000/secrets/{name.rpartition('/')[2]}/versions/{number}"
            message = f"Secret Version [{shown}] is in {version.state.name} state."
            raise Refusal(grpc.StatusCode.FAILED_PRECONDITION, message)
        return secret_manager.AccessSecretVersionResponse.pb(
            secret_manager.AccessSecretVersionResponse(
                name=f"{name}/versions/{number}", payload=secret_manager.SecretPayload(data=version.content)
            )
        )

    def _list_versions(self, request: Message) -> Message:
        """Return the newest versions first.

        Pages have at most two versions, so that a caller that ignores further pages fails.
        """
        secret = self._named(request.parent)
        numbers = range(len(secret.versions) - self.unseen, 0, -1)
        listing = f"{request.parent} {request.filter}"
        page, begin = self._page(request)
        end = begin + min(request.page_size or 2, 2)
        return secret_manager.ListSecretVersionsResponse.pb()(
            versions=[self._shown(request.parent, number) for number in numbers[begin:end]],
            next_page_token=self._tokens.issue(listing, page + 1, end) if end < len(numbers) else "",
            total_size=len(numbers),
        )

    def _page(self, request: Message) -> tuple[int, int]:
        """Return the number of the requested page of versions, from 1, and where it begins."""
        try:
            return self._tokens.read(f"{request.parent} {request.filter}", request.page_token)
        except filters.PageError as error:
            self.refusals.add(Malformed("ListSecretVersions", str(error)))
            raise Refusal(grpc.StatusCode.INVALID_ARGUMENT, str(error)) from error

    def _disable(self, request: Message) -> Message:
        return self._set_state(request.name, _State.DISABLED)

    def _destroy(self, request: Message) -> Message:
        return self._set_state(request.name, _State.DESTROYED)

    def _get_policy(self, request: Message) -> Message:
        return self._named(request.resource).policy

    def _set_policy(self, request: Message) -> Message:
        secret = self._named(request.resource)
        if request.policy.etag and request.policy.etag != secret.policy.etag:
            raise Refusal(
                grpc.StatusCode.ABORTED,
                "There were concurrent policy changes. Please retry the whole read-modify-write with exponential "
                "backoff.",
            )
        secret.policy = policy_pb2.Policy()
        secret.policy.CopyFrom(request.policy)
        secret.policy.etag = str(int(request.policy.etag or b"0") + 1).encode()
        return secret.policy

    def _set_state(self, name: str, state: Message) -> Message:
        secret, number, version = self._version(name)
        if version.state is _State.DESTROYED and state is not _State.DESTROYED:
            message = f"Secret Version [{secret}/versions/{number}] is in DESTROYED state."
            raise Refusal(grpc.StatusCode.FAILED_PRECONDITION, message)
        version.is_doomed = state is _State.DESTROYED and self.destroys_later
        version.state = _State.DISABLED if version.is_doomed else state
        if version.state is _State.DESTROYED:
            version.content = b""
        return self._shown(secret, number)

    def _named(self, name: str) -> Secret:
        if name not in self.secrets:
            raise Refusal(grpc.StatusCode.NOT_FOUND, f"Secret [{name}] not found.")
        return self.secrets[name]

    def _version(self, name: str) -> tuple[str, int, Version]:
        """Return the secret's name, the version's number and the version; `latest` is the newest one in any state."""
        secret_name, _, number = name.partition("/versions/")
        secret = self._named(secret_name)
        place = len(secret.versions) - self.unseen if number == "latest" else int(number)
        if not 1 <= place <= len(secret.versions):
            raise Refusal(
                grpc.StatusCode.NOT_FOUND, f"Secret [{secret_name}] not found or has no versions.", "NOT_FOUND"
            )
        return secret_name, place, secret.versions[place - 1]

    def _shown(self, name: str, number: int) -> Message:
        version = self.secrets[name].versions[number - 1]
        shown = secret_manager.SecretVersion(name=f"{name}/versions/{number}", state=version.state)
        if version.is_doomed:
            secret_manager.SecretVersion.pb(shown).scheduled_destroy_time.FromDatetime(
                datetime.now(UTC) + timedelta(days=1)
            )
        return secret_manager.SecretVersion.pb(shown)

    @property
    def methods(self) -> dict[str, tuple[Method, Message]]:
        """Return the served methods, each with the type of its request."""
        return {
            "CreateSecret": (self._create_secret, secret_manager.CreateSecretRequest.pb()),
            "GetSecret": (self._get_secret, secret_manager.GetSecretRequest.pb()),
            "AddSecretVersion": (self._add_version, secret_manager.AddSecretVersionRequest.pb()),
            "AccessSecretVersion": (self._access, secret_manager.AccessSecretVersionRequest.pb()),
            "ListSecretVersions": (self._list_versions, secret_manager.ListSecretVersionsRequest.pb()),
            "DisableSecretVersion": (self._disable, secret_manager.DisableSecretVersionRequest.pb()),
            "DestroySecretVersion": (self._destroy, secret_manager.DestroySecretVersionRequest.pb()),
            "GetIamPolicy": (self._get_policy, iam_policy_pb2.GetIamPolicyRequest),
            "SetIamPolicy": (self._set_policy, iam_policy_pb2.SetIamPolicyRequest),
        }

    def _handlers(self) -> list[grpc.GenericRpcHandler]:
        return [
            grpc.method_handlers_generic_handler(
                "google.cloud.secretmanager.v1.SecretManagerService",
                {method: self._handler(method, *about) for method, about in self.methods.items()},
            )
        ]

    def _handler(
        self, name: str, method: Method, request_type: Message
    ) -> "grpc.RpcMethodHandler[Message, Message]":  # generic in stubs only
        async def handle(request: Message, context: Context) -> Message:
            resource = (
                getattr(request, "name", "") or getattr(request, "parent", "") or getattr(request, "resource", "")
            )
            try:
                self.calls[name] += 1
                self._hold(name, request, metadata_of(context), context.time_remaining())
                page = self._page(request)[0] if name == "ListSecretVersions" else 1
                await self._strike(Request(name, resource, page))
                with self._lock:
                    self._permit(name, resource)
                    return method(request)
            except Refusal as refusal:
                await context.abort(refusal.status, refusal.message, refusal.trailing_metadata())

        handler: Callable[[Message, Context], Awaitable[Message]] = handle
        return grpc.unary_unary_rpc_method_handler(handler, request_type.FromString, lambda m: m.SerializeToString())

    def _hold(self, method: str, request: Message, metadata: Mapping[str, str], remaining: float | None) -> None:
        """Refuse and record a request that Google would always refuse."""
        broken = [*broken_by(RULES[method], request, metadata, deadline=remaining), *refused(request)]
        if broken:
            self.refusals.add(Malformed(method, " ".join(broken)))
            raise Refusal(grpc.StatusCode.INVALID_ARGUMENT, "\n".join(broken))

    def _permit(self, method: str, resource: str) -> None:
        """Refuse what no policy allows the caller. A resource that does not exist gives the same answer."""
        if self.caller is None:
            return
        secret = self.secrets.get(resource.partition("/versions/")[0])
        readers = {member for binding in secret.policy.bindings for member in _readers(binding)} if secret else set()
        if method != "AccessSecretVersion" or self.caller not in readers:
            words = f"Permission '{PERMISSIONS[method]}' denied for resource '{resource}' (or it may not exist)."
            raise Refusal(grpc.StatusCode.PERMISSION_DENIED, words, "IAM_PERMISSION_DENIED")

    async def _strike(self, request: Request) -> None:
        fault = self.faults.strike(request)
        if fault is None:
            return
        if fault.drop:
            await asyncio.Event().wait()
        if fault.delay is not None:
            await asyncio.sleep(fault.delay.total_seconds())
        if fault.status is not None:
            raise Refusal(fault.status, f"Planned fault: {fault.status.name}", fault.reason)


def _readers(binding: policy_pb2.Binding) -> Iterable[str]:
    return binding.members if binding.role == ACCESSOR else ()
