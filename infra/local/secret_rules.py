"""The requests that Secret Manager refuses: names, limits and states as documented.

https://cloud.google.com/secret-manager/docs/reference/rpc/google.cloud.secretmanager.v1 and
https://cloud.google.com/secret-manager/quotas .
"""

import re
from collections.abc import Iterator
from typing import Any

from google.cloud import secretmanager_v1 as secret_manager
from google.iam.v1 import (  # type: ignore[import-untyped]  # the package has no py.typed
    iam_policy_pb2,
)

from infra.local.grpc_gate import Rule

Message = Any  # protobuf makes its classes at run time, so the type checker does not know them

MAX_PAYLOAD = 65_536
MAX_LABELS = 64

SECRET = "projects/{}/secrets/{}"  # noqa: S105 - a form of names
VERSION = f"{SECRET}/versions/{{}}"

_IDS = "[A-Za-z0-9_-]{1,255}"

RULES = {
    method: Rule(field, pattern, ids=_IDS)
    for method, field, pattern in [
        ("CreateSecret", "parent", "projects/{}"),
        ("GetSecret", "name", SECRET),
        ("AddSecretVersion", "parent", SECRET),
        ("AccessSecretVersion", "name", VERSION),
        ("ListSecretVersions", "parent", SECRET),
        ("DisableSecretVersion", "name", VERSION),
        ("DestroySecretVersion", "name", VERSION),
        ("GetIamPolicy", "resource", SECRET),
        ("SetIamPolicy", "resource", SECRET),
    ]
}

PERMISSIONS = {
    "CreateSecret": "secretmanager.secrets.create",
    "GetSecret": "secretmanager.secrets.get",
    "AddSecretVersion": "secretmanager.versions.add",
    "AccessSecretVersion": "secretmanager.versions.access",
    "ListSecretVersions": "secretmanager.versions.list",
    "DisableSecretVersion": "secretmanager.versions.disable",
    "DestroySecretVersion": "secretmanager.versions.destroy",
    "GetIamPolicy": "secretmanager.secrets.getIamPolicy",
    "SetIamPolicy": "secretmanager.secrets.setIamPolicy",
}
"""The permission that each method needs: https://cloud.google.com/secret-manager/docs/access-control"""

ACCESSOR = "roles/secretmanager.secretAccessor"
"""This role only has the permission `secretmanager.versions.access`."""

_SECRET_ID = re.compile(_IDS)
_LABEL_KEY = re.compile(r"[a-z][a-z0-9_-]{0,62}")
_LABEL_VALUE = re.compile(r"[a-z0-9_-]{0,63}")


def refused(request: Message) -> Iterator[str]:
    """Return each rule that a request breaks, except rules about the name of its resource."""
    match request:
        case _ if isinstance(request, secret_manager.CreateSecretRequest.pb()):
            yield from _of_new(request)
        case _ if isinstance(request, secret_manager.AddSecretVersionRequest.pb()):
            size = len(request.payload.data)
            if not 1 <= size <= MAX_PAYLOAD:
                yield f"Invalid value at 'payload.data': from 1 to {MAX_PAYLOAD} bytes, not {size}."
        case _ if isinstance(request, secret_manager.ListSecretVersionsRequest.pb()):
            if request.page_size < 0:
                # A size above 25,000 is not refused: the server uses 25,000.
                yield f"Invalid value at 'page_size': must be at least 0, not {request.page_size}."
        case _ if isinstance(request, iam_policy_pb2.SetIamPolicyRequest):
            yield from _of_policy(request.policy)
        case _ if isinstance(
            request,
            secret_manager.DisableSecretVersionRequest.pb() | secret_manager.DestroySecretVersionRequest.pb(),
        ):
            if not request.name.rpartition("/")[2].isdecimal():
                yield "Invalid value at 'name': a version is changed by its number; latest is for reading."


def _of_new(request: Message) -> Iterator[str]:
    if not _SECRET_ID.fullmatch(request.secret_id):
        yield "Invalid value at 'secret_id': up to 255 letters, digits, hyphens and underscores."
    if not request.secret.replication.WhichOneof("replication"):
        yield "Missing required field 'secret.replication': The secret must have a replication policy."
    if request.secret.name:
        yield "Invalid value at 'secret.name': Google sets it itself (output only)."
    labels = request.secret.labels
    if len(labels) > MAX_LABELS:
        yield f"Invalid value at 'secret.labels': at most {MAX_LABELS}, not {len(labels)}."
    for key, value in labels.items():
        if not _LABEL_KEY.fullmatch(key) or not _LABEL_VALUE.fullmatch(value):
            yield f"Invalid value at 'secret.labels': {key!r} is up to 63 lower-case letters, digits, - and _."


def _of_policy(policy: Message) -> Iterator[str]:
    for binding in policy.bindings:
        if not binding.role.startswith(("roles/", "projects/", "organizations/")):
            yield f"Invalid value at 'policy.bindings.role': {binding.role!r} is not a role's name."
        if binding.HasField("condition") and policy.version != 3:  # noqa: PLR2004 - the version that knows conditions
            yield "Invalid value at 'policy.version': a policy with a condition has version 3."
        for member in binding.members:
            if ":" not in member and member not in {"allUsers", "allAuthenticatedUsers"}:
                yield f"Invalid value at 'policy.bindings.members': {member!r} does not say what kind of member it is."
