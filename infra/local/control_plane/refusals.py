"""Google's refusals, with Google's words."""

from __future__ import annotations

from typing import Any

STATUSES = {
    400: "INVALID_ARGUMENT",
    401: "UNAUTHENTICATED",
    403: "PERMISSION_DENIED",
    404: "NOT_FOUND",
    409: "ALREADY_EXISTS",
    412: "FAILED_PRECONDITION",
    429: "RESOURCE_EXHAUSTED",
    501: "UNIMPLEMENTED",
}


class Refusal(Exception):
    """A refused call.

    Args:
        code: The HTTP status.
        message: Google's message.
        status: The canonical name, if the HTTP status has several.
        reason: The reason of `google.rpc.ErrorInfo`, if Google gives one.
        metadata: The metadata of the reason.
    """

    def __init__(
        self,
        code: int,
        message: str,
        *,
        status: str | None = None,
        reason: str | None = None,
        metadata: dict[str, str] | None = None,
    ) -> None:
        super().__init__(message)
        self.code = code
        self.message = message
        self.status = status or STATUSES.get(code, "UNKNOWN")
        self.reason = reason
        self.metadata = metadata or {}

    def body(self) -> dict[str, Any]:
        """Return the body of the answer: https://cloud.google.com/apis/design/errors#http_mapping ."""
        error: dict[str, Any] = {"code": self.code, "message": self.message, "status": self.status}
        if self.reason:
            error["details"] = [
                {
                    "@type": "type.googleapis.com/google.rpc.ErrorInfo",
                    "reason": self.reason,
                    "domain": "googleapis.com",
                    "metadata": self.metadata,
                }
            ]
        return {"error": error}


def unknown_name(name: str, where: str = "") -> Refusal:
    """Refuse a field or parameter that the method does not have."""
    at = f' at "{where}"' if where else ""
    kind = (
        "Cannot find field." if where else "Cannot bind query parameter. Field could not be found in request message."
    )
    return Refusal(400, f'Invalid JSON payload received. Unknown name "{name}"{at}: {kind}')


def invalid_value(where: str, value: object, kind: str) -> Refusal:
    """Refuse a value of the wrong type or outside its enumeration."""
    return Refusal(400, f'Invalid value at "{where}" ({kind}), "{value}"')


def api_disabled(service: str, title: str, project: str) -> Refusal:
    """Refuse an API that is not enabled, or that was enabled so recently that this has not propagated."""
    return Refusal(
        403,
        f"{title} has not been used in project {project} before or it is disabled. Enable it by visiting "
        f"https://console.developers.google.com/apis/api/{service}/overview?project={project} then retry. If you "
        "enabled this API recently, wait a few minutes for the action to propagate to our systems and retry.",
        reason="SERVICE_DISABLED",
        metadata={"service": service, "consumer": f"projects/{project}"},
    )


def denied(permission: str, resource: str) -> Refusal:
    """Refuse a call for which the caller lacks a permission."""
    return Refusal(
        403,
        f"Permission '{permission}' denied on resource '{resource}' (or it may not exist).",
        reason="IAM_PERMISSION_DENIED",
        metadata={"permission": permission, "resource": resource},
    )


def not_found(name: str) -> Refusal:
    """Refuse a resource that does not exist."""
    return Refusal(404, f"Resource '{name}' was not found")


def no_account(email: str) -> Refusal:
    """Refuse a policy member that does not exist, or that is not visible everywhere yet."""
    return Refusal(400, f"Service account {email} does not exist.")


def restricted(constraint: str) -> Refusal:
    """Refuse a member that an organisation policy does not allow."""
    return Refusal(
        400,
        "One or more users named in the policy do not belong to a permitted customer, perhaps due to an organization "
        f"policy (constraints/{constraint}).",
        status="FAILED_PRECONDITION",
    )
