"""Teachers' consents in Secret Manager: one secret for each teacher, which only the service account may read.

https://cloud.google.com/secret-manager/docs/reference/rpc/google.cloud.secretmanager.v1
"""

from __future__ import annotations

import json
import re
from typing import NamedTuple, TypeVar

from google.api_core import exceptions as gexc
from google.cloud import secretmanager_v1 as secret_manager
from google.iam.v1 import (  # type: ignore[import-untyped]  # the package has no py.typed
    iam_policy_pb2,
    options_pb2,
    policy_pb2,
)

from functions.adapters.consent.consents import Consent, UnreadableConsent, from_text, to_json
from functions.adapters.consent.errors import (
    ConsentMissing,
    ConsentStoreDenied,
    ConsentsUnavailable,
    ConsentUnreadable,
    SecretManagerDisabled,
)
from functions.adapters.google.calls.grpc import is_disabled
from functions.adapters.google.calls.repeating import Method, repeated
from functions.adapters.own_credentials import LOGIN, own_credentials_error
from functions.adapters.patience import limit
from functions.domain.conferences.model import Organizer
from functions.domain.errors import AttendanceError, OwnCredentialsMissing

ANSWER_TIMEOUT = 10.0
"""Seconds for one answer."""

ATTEMPTS = 3
"""How often one call is made at most: so that a dead endpoint is recognised within half a minute."""

ACCESSOR = "roles/secretmanager.secretAccessor"
PREFIX = "meet-attendance-token-"
LABELS = {"app": "meet-attendance"}

_POLICY_VERSION = 3
"""The version of policies that keeps conditions, which an administrator may have set and we must not lose."""

_IDS = re.compile(r"users/([A-Za-z0-9_-]{1,200})")
_SWITCHED_OFF = re.compile(r"(?:/versions/(?P<number>[0-9]+)\] )?\bis in (?:DISABLED|DESTROYED) state\b")
"""What Secret Manager says about a version that somebody disabled or destroyed. It answers FAILED_PRECONDITION for
other reasons too, such as a disabled key of the customer; the messages for those are not documented."""

_HIDDEN = re.compile(r"\bit may not exist\b")
"""What Secret Manager says to an account that may not know which secrets exist: the function may read some secrets but
not list them, so a missing secret is refused in the same way as a hidden one."""

_LOOKS = 4
"""How many versions are tried at most: the latest, and newer ones that Secret Manager does not show as the latest
yet."""

_PAGE_SIZE = 100

_State = secret_manager.SecretVersion.State

RequestT = TypeVar("RequestT")
ResponseT = TypeVar("ResponseT")


class _Stored(NamedTuple):
    """A version of a secret that can be read."""

    number: int
    content: bytes


class SecretConsents:
    """`functions.adapters.consent.consents.Consents` in Secret Manager. Nothing is cached: every `get` reads.

    Args:
        client: The official client, with this process's own credentials.
        project: The project whose Secret Manager is used.
        service_account_email: The account that may read the stored consents; without it, nobody is allowed to.
        patience: Seconds for one answer.
    """

    def __init__(
        self,
        client: secret_manager.SecretManagerServiceAsyncClient,
        *,
        project: str,
        service_account_email: str | None = None,
        patience: float = ANSWER_TIMEOUT,
    ) -> None:
        self._client = client
        self._patience = patience
        self._project = project
        self._service_account_email = service_account_email

    async def get(self, organizer: Organizer) -> Consent | None:
        """See `Consents`. If somebody disabled the newest version, the teacher has no consent."""
        name = self.secret(organizer.user)
        if name is None:
            return None
        try:
            stored = await self._newest(name)
        except gexc.GoogleAPICallError as error:
            if isinstance(error, gexc.Forbidden) and _HIDDEN.search(str(error.message or "")):
                raise ConsentMissing(
                    "The teacher has not consented yet, or this process may not read the consent.",
                    hint="If the teacher has consented: a new consent can be read after some minutes. "
                    f"{self._how_to_let_read(name)}",
                ) from None
            raise self._named(error, to_do=self._how_to_let_read(name)) from None
        if stored is None:
            return None
        try:
            return from_text(stored.content)
        except UnreadableConsent as error:
            raise ConsentUnreadable(f"The secret with the teacher's consent cannot be read: {error}.") from None

    async def put(self, consent: Consent) -> None:
        """See `Consents`. Older versions are destroyed once the new one is stored."""
        name = self.secret(consent.user)
        if name is None:
            raise ConsentUnreadable("The account's id does not have the form of Google's ids.")
        content = json.dumps(to_json(consent)).encode()
        try:
            await self._create(name)
            if self._service_account_email:
                await repeated(
                    lambda: self._let_read(name, f"serviceAccount:{self._service_account_email}"), attempts=5
                )
            newest = await self._newest(name)
            if newest is None or newest.content != content:
                added = await self._call(
                    self._client.add_secret_version,
                    secret_manager.AddSecretVersionRequest(
                        parent=name, payload=secret_manager.SecretPayload(data=content)
                    ),
                )
                newest = _Stored(_number(added.name), content)
            for version in await self._older(name, than=newest.number):
                await self._call(
                    self._client.destroy_secret_version, secret_manager.DestroySecretVersionRequest(name=version)
                )
        except gexc.GoogleAPICallError as error:
            raise self._named(error, to_do=self._how_to_let_write()) from None

    async def check(self) -> None:
        """See `Consents`."""
        try:
            await self._call(
                self._client.get_secret,
                secret_manager.GetSecretRequest(name=f"projects/{self._project}/secrets/{PREFIX}0"),
            )
        except gexc.NotFound:
            return
        except gexc.GoogleAPICallError as error:
            raise self._named(error, to_do=self._how_to_let_write()) from None

    def secret(self, user: str | None) -> str | None:
        """The name of the secret of `users/{id}`; None for an id in a form that Google never uses."""
        match = _IDS.fullmatch(user or "")
        return f"projects/{self._project}/secrets/{PREFIX}{match[1]}" if match else None

    async def _newest(self, name: str) -> _Stored | None:
        """The content of the newest version; None if no version exists, or it is disabled or destroyed.

        For minutes, at worst hours, `latest` may still mean the version before the newest, which `put` has destroyed,
        or may not exist. But a version can be read at once by its number, so we try the next number.
        https://cloud.google.com/secret-manager/docs/reference/consistency
        """
        version = "latest"
        for _ in range(_LOOKS):
            try:
                answer = await self._call(
                    self._client.access_secret_version,
                    secret_manager.AccessSecretVersionRequest(name=f"{name}/versions/{version}"),
                )
            except gexc.NotFound:
                if version != "latest":
                    return None
                version = "1"
            except gexc.FailedPrecondition as error:
                switched_off = _SWITCHED_OFF.search(str(error.message or ""))
                if not switched_off:
                    raise
                if not switched_off["number"]:
                    return None
                version = str(int(switched_off["number"]) + 1)
            else:
                return _Stored(_number(answer.name), bytes(answer.payload.data))
        return None

    async def _create(self, name: str) -> None:
        parent, _, secret_id = name.rpartition("/secrets/")
        replication = secret_manager.Replication(automatic=secret_manager.Replication.Automatic())
        try:
            await self._call(
                self._client.create_secret,
                secret_manager.CreateSecretRequest(
                    parent=parent,
                    secret_id=secret_id,
                    secret=secret_manager.Secret(replication=replication, labels=LABELS),
                ),
            )
        except gexc.AlreadyExists:
            return

    async def _let_read(self, name: str, member: str) -> None:
        """Add a reader to the secret's policy.

        If somebody else changes the policy meanwhile (ABORTED), read it again.
        """
        policy: policy_pb2.Policy = await self._call(
            self._client.get_iam_policy,
            iam_policy_pb2.GetIamPolicyRequest(
                resource=name, options=options_pb2.GetPolicyOptions(requested_policy_version=_POLICY_VERSION)
            ),
            attempts=1,
        )
        unconditional = [each for each in policy.bindings if each.role == ACCESSOR and not each.HasField("condition")]
        if any(member in binding.members for binding in unconditional):
            return
        (unconditional[0] if unconditional else policy.bindings.add(role=ACCESSOR)).members.append(member)
        policy.version = max(policy.version, _POLICY_VERSION)
        await self._call(
            self._client.set_iam_policy, iam_policy_pb2.SetIamPolicyRequest(resource=name, policy=policy), attempts=1
        )

    async def _older(self, name: str, *, than: int) -> list[str]:
        """The names of the versions before this one that are neither destroyed nor scheduled to be destroyed.

        The client's own pager asks for each following page only once, and does not retry.
        """
        older: list[str] = []
        token = ""
        while True:
            page = await self._call(
                self._client.list_secret_versions,
                secret_manager.ListSecretVersionsRequest(parent=name, page_size=_PAGE_SIZE, page_token=token),
            )
            older += [
                version.name
                for version in page.versions
                if version.state != _State.DESTROYED
                and "scheduled_destroy_time" not in version
                and _number(version.name) < than
            ]
            if not page.next_page_token:
                return older
            if page.next_page_token == token:
                raise gexc.ServiceUnavailable("Secret Manager gives the same page again and again.")  # type: ignore[no-untyped-call]
            token = page.next_page_token

    async def _call(
        self, method: Method[RequestT, ResponseT], request: RequestT, *, attempts: int = ATTEMPTS
    ) -> ResponseT:
        """Make a call; raises Google's errors. The client's own retries would take minutes."""
        return await repeated(
            lambda: method(request, retry=None, timeout=limit(self._patience), metadata=()),
            attempts=attempts,
            maximum=2.0,
        )

    def _named(self, error: gexc.GoogleAPICallError, *, to_do: str) -> AttendanceError:
        """Our error for an error of Google's. https://cloud.google.com/secret-manager/docs/access-control ."""
        kind = type(error).__name__
        lacking = own_credentials_error(error)
        if lacking:
            return lacking
        match error:
            case gexc.Forbidden() if is_disabled(error):
                return SecretManagerDisabled(
                    f"The Secret Manager API is not enabled ({kind}).",
                    hint=f"{SecretManagerDisabled.default_hint} --project={self._project}",
                )
            case gexc.Forbidden():
                return ConsentStoreDenied(f"Secret Manager refuses this process ({kind}).", hint=to_do)
            case gexc.Unauthorized():
                return OwnCredentialsMissing(
                    f"Secret Manager does not accept this process's credentials ({kind}).", hint=LOGIN
                )
            case gexc.FailedPrecondition():
                return ConsentStoreDenied(
                    f"Secret Manager cannot open the secret ({kind}).",
                    hint="If the organisation encrypts secrets with its own keys, check in the console under Security "
                    "→ Key Management that the key is enabled, and that Secret Manager's service agent may use it.",
                )
            case gexc.BadRequest() | gexc.NotFound() | gexc.MethodNotImplemented():
                return ConsentStoreDenied(
                    f"Secret Manager calls the request invalid ({kind}).",
                    hint="Check that the project and the service account exist and are spelt right, and that the "
                    "organisation's policies allow secrets with automatic replication.",
                )
            case _:
                return ConsentsUnavailable(f"Secret Manager does not answer ({kind}).")

    def _how_to_let_read(self, name: str) -> str:
        secret_id = name.rpartition("/")[2]
        return (
            f"Let the service account read the secret: gcloud secrets add-iam-policy-binding {secret_id} "
            f"--project={self._project} --member=serviceAccount:SERVICE_ACCOUNT_EMAIL --role={ACCESSOR}"
        )

    def _how_to_let_write(self) -> str:
        return (
            f"Let your own account store secrets: gcloud projects add-iam-policy-binding {self._project} "
            "--member=user:YOUR_ADDRESS --role=roles/secretmanager.admin"
        )


def _number(version: str) -> int:
    """The number in a version's name. Within one secret each new version has a higher number."""
    return int(version.rpartition("/")[2])
