"""The environment, read once into one typed and frozen object."""

from __future__ import annotations

import ipaddress
import json
import re
from collections.abc import Iterable, Mapping
from datetime import timedelta
from enum import StrEnum
from pathlib import Path
from typing import Annotated, Literal

from pydantic import (
    AfterValidator,
    BeforeValidator,
    Field,
    SecretStr,
    StringConstraints,
    ValidationError,
    field_validator,
    model_validator,
)
from pydantic_settings import BaseSettings, NoDecode, SettingsConfigDict

from functions.domain.classes.policy import Policy
from functions.domain.classes.sessions import CallerRole
from functions.domain.errors import InvalidRequest, WrongSetting
from functions.domain.zones import is_time_zone

_HOST_AND_PORT = re.compile(r"(?P<host>\[[0-9A-Fa-f:]+\]|[A-Za-z0-9.-]+):(?P<port>\d{1,5})")


class AuthMode(StrEnum):
    """Which accounts calls to Google use."""

    DELEGATION = "delegation"
    OAUTH = "oauth"
    ANONYMOUS = "anonymous"


def _host_and_port(target: str) -> re.Match[str] | None:
    match = _HOST_AND_PORT.fullmatch(target)
    return match if match and 0 < int(match["port"]) <= 65_535 else None  # noqa: PLR2004 - the largest port


def is_loopback(target: str) -> bool:
    """Whether `host:port` is on this machine, by its address alone: no name is looked up."""
    match = _host_and_port(target)
    if match is None:
        return False
    host = match["host"].strip("[]")
    try:
        return host == "localhost" or ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False


def _endpoint(value: str) -> str:
    local = value.removeprefix("http://").removesuffix("/")
    if value.startswith("http://") and is_loopback(local):
        return f"http://{local}"
    if _host_and_port(value):
        return value
    raise ValueError("should be host:port of the real service, or http://127.0.0.1:PORT of a stand-in on this machine")


def _listed(value: object) -> object:
    """The parts of a list with commas."""
    return tuple(filter(None, map(str.strip, value.split(",")))) if isinstance(value, str) else value


def _callers(value: object) -> object:
    """Roles by e-mail, of `email=role,…`."""
    roles: dict[str, CallerRole] = {}
    for pair in _listed(value) if isinstance(value, str) else ():  # type: ignore[attr-defined] # a text gives parts
        email, _, role = (part.strip() for part in pair.rpartition("="))
        known = email == "*" or _EMAIL.fullmatch(email)
        if not known or role not in set(CallerRole) or email.lower() in roles:
            raise ValueError("should be email=role,… with the roles lms and admin, and every e-mail once")
        roles[email.lower()] = CallerRole(role)
    return roles if isinstance(value, str) else value


def _policy(value: object) -> object:
    """The policy that JSON describes."""
    if not isinstance(value, str):
        return value
    try:
        wanted = json.loads(value)
    except (ValueError, RecursionError):
        wanted = None
    if not isinstance(wanted, dict):
        raise ValueError('should be a JSON object such as {"late_after_minutes": 10}')  # noqa: TRY004 - told by pydantic
    try:
        return Policy().changed(wanted)
    except InvalidRequest as error:
        raise ValueError("; ".join(f"{one.field} {one.reason}" for one in error.errors)) from None


_EMAIL = re.compile(r"[^@\s,=]+@[^@\s,=]+")

Endpoint = Annotated[str, AfterValidator(_endpoint)]
Domain = Annotated[str, Field(pattern=r"^[A-Za-z0-9.-]+\.[A-Za-z0-9-]+$"), AfterValidator(str.lower)]
Account = Annotated[
    str,
    StringConstraints(pattern=r"^([^@\s]+@[^@\s]+|users/\d{1,30})$", strip_whitespace=True),
    AfterValidator(str.lower),
]
Teacher = Annotated[str, Field(pattern=r"^[^@\s]+@[^@\s]+$"), AfterValidator(str.lower)]
ServiceAccount = Annotated[str, Field(pattern=r"^[a-z0-9.-]+@[a-z0-9.-]+\.gserviceaccount\.com$")]
Topic = Annotated[
    str, Field(pattern=r"^(projects/[a-z0-9][a-z0-9:.-]{1,98}/topics/)?[A-Za-z][A-Za-z0-9._~+%-]{2,254}$")
]
ProjectId = Annotated[str, Field(pattern=r"^[a-z0-9][a-z0-9:.-]{1,98}$")]
DatabaseId = Annotated[str, Field(pattern=r"^(\(default\)|[a-z0-9][a-z0-9-]{2,62})$")]


_ENDPOINTS = (
    "meet_api_endpoint",
    "workspace_events_api_endpoint",
    "people_api_endpoint",
    "directory_api_endpoint",
    "calendar_api_endpoint",
    "reports_api_endpoint",
)
"""The services to which teachers' tokens are sent.

If everything is on one machine, all except Meet may keep the real address: they are not used then.
"""

_TOKEN_ENDPOINTS = ("oauth_token_endpoint", "iam_credentials_api_endpoint", "secret_manager_api_endpoint")
"""Where they come from."""

_CALLERS_ENDPOINT = "id_token_certificates_endpoint"
"""What callers' tokens are checked by."""


class Settings(BaseSettings):
    """The settings from the environment.

    Fields are the variables' names in lower case; `docs/settings.md` explains them.
    """

    model_config = SettingsConfigDict(frozen=True, env_ignore_empty=True, hide_input_in_errors=True, extra="ignore")

    google_cloud_project: ProjectId | None = None
    firestore_database: DatabaseId = "(default)"
    firestore_emulator_host: str | None = None
    attendance_store: str = "firestore"
    auth_mode: AuthMode = AuthMode.DELEGATION
    service_account_email: ServiceAccount | None = None
    service_account_client_id: Annotated[str, Field(pattern=r"^\d{6,30}$")] | None = None
    oauth_token_file: Path | None = None
    allowed_domains: Annotated[tuple[Domain, ...], NoDecode, BeforeValidator(_listed)] = ()
    allowed_teachers: Annotated[tuple[Teacher, ...], NoDecode, BeforeValidator(_listed)] = ()
    api_callers: Annotated[Mapping[str, CallerRole], NoDecode, BeforeValidator(_callers)] = {}
    api_audience: Annotated[str, Field(pattern=r"^[!-~]{1,500}$")] | None = None
    events_topic: Topic = "workspace-events"
    jobs_topic: Topic = "attendance-jobs"
    changes_topic: Topic | None = None
    meet_api_endpoint: Endpoint = "meet.googleapis.com:443"
    workspace_events_api_endpoint: Endpoint = "workspaceevents.googleapis.com:443"
    people_api_endpoint: Endpoint = "people.googleapis.com:443"
    directory_api_endpoint: Endpoint = "admin.googleapis.com:443"
    calendar_api_endpoint: Endpoint = "www.googleapis.com:443"
    reports_api_endpoint: Endpoint = "admin.googleapis.com:443"
    oauth_token_endpoint: Endpoint = "oauth2.googleapis.com:443"  # noqa: S105 - an address
    iam_credentials_api_endpoint: Endpoint = "iamcredentials.googleapis.com:443"
    secret_manager_api_endpoint: Endpoint = "secretmanager.googleapis.com:443"  # noqa: S105 - an address
    id_token_certificates_endpoint: Endpoint = "www.googleapis.com:443"  # noqa: S105 - an address
    reports_admin: Account | None = None
    pubsub_emulator_host: str | None = None
    meet_reads_per_minute: Annotated[int, Field(ge=0, le=1_000_000)] = 600
    meet_project_reads_per_minute: Annotated[int, Field(ge=0, le=1_000_000)] = 6000
    meet_full_reads: bool = False
    meet_shared_reads_per_minute: Annotated[int, Field(ge=0, le=1_000_000)] = 0
    settle_seconds: Annotated[int, Field(ge=0, le=86_400)] = 600
    school_time_zone: str = "UTC"
    default_policy: Annotated[Policy, NoDecode, BeforeValidator(_policy)] = Policy()
    live_presence: bool = True
    room_device_names: Annotated[tuple[str, ...], NoDecode, BeforeValidator(_listed)] = ()
    erasure_key: Annotated[SecretStr, Field(min_length=32)] | None = None
    retention_days: Annotated[int, Field(ge=1, le=36_500)] | None = None
    log_level: Literal["DEBUG", "INFO", "WARNING", "ERROR"] = "INFO"
    k_service: str | None = None

    @field_validator("attendance_store")
    @classmethod
    def _a_known_store(cls, value: str) -> str:
        if value != "firestore" and not re.fullmatch(r"sqlite:///.+", value):
            raise ValueError("should be 'firestore' or 'sqlite:///PATH'")
        return value

    @field_validator("school_time_zone")
    @classmethod
    def _a_known_time_zone(cls, value: str) -> str:
        if not is_time_zone(value):
            raise ValueError("should be an IANA time zone such as 'Europe/Berlin'")
        return value

    @model_validator(mode="after")
    def _safe_together(self) -> Settings:
        if self.sqlite_path and self.k_service:
            raise ValueError("ATTENDANCE_STORE should be 'firestore' in the cloud: an instance's disk is lost with it")
        if "*" in self.api_callers and (not self.is_local or self.k_service or self._elsewhere):
            raise ValueError(
                "API_CALLERS should name every caller: '*' is for stand-ins on this machine, with AUTH_MODE "
                "'anonymous' and every endpoint at http://127.0.0.1:PORT"
            )
        if self.changes_topic and not self.pubsub_in_use:
            raise ValueError(
                "CHANGES_TOPIC needs Pub/Sub: on your own machine set PUBSUB_EMULATOR_HOST too, or leave it unset"
            )
        if self.auth_mode is AuthMode.ANONYMOUS:
            self._require_stand_ins("with AUTH_MODE 'anonymous'", ())
        else:
            self._require_credentials()
        return self

    def _require_credentials(self) -> None:
        """Refuse settings with which teachers' tokens cannot be fetched, or would be sent to the wrong place."""
        mode = f"with AUTH_MODE '{self.auth_mode}'"
        if self.auth_mode is AuthMode.DELEGATION and self.service_account_email is None:
            raise ValueError(f"SERVICE_ACCOUNT_EMAIL should name the service account that signs {mode}")
        if self.auth_mode is AuthMode.OAUTH and self.oauth_token_file and self.k_service:
            raise ValueError("OAUTH_TOKEN_FILE is for your own machine: in the cloud, Secret Manager stores consents")
        if self.google_cloud_project is None and not (self.sqlite_path and self._consents_on_file):
            raise ValueError(f"GOOGLE_CLOUD_PROJECT should name the project {mode}")
        if self.is_local:
            keeper = {
                AuthMode.DELEGATION: "iam_credentials_api_endpoint",
                AuthMode.OAUTH: None if self._consents_on_file else "secret_manager_api_endpoint",
            }[self.auth_mode]
            self._require_stand_ins(
                f"with OAUTH_TOKEN_ENDPOINT on this machine and {mode[5:]}", [keeper] if keeper else []
            )
            return
        if getattr(self, _CALLERS_ENDPOINT).startswith("http://"):
            raise ValueError(
                f"{_CALLERS_ENDPOINT.upper()} should be host:port {mode}: the service at that address decides who "
                "may call"
            )
        for name in (*_ENDPOINTS, *_TOKEN_ENDPOINTS):
            if getattr(self, name).startswith("http://"):
                raise ValueError(
                    f"{name.upper()} should be host:port {mode}: tokens of real teachers are sent only to Google. If "
                    "all services are stand-ins, set OAUTH_TOKEN_ENDPOINT to a stand-in too"
                )

    def _require_stand_ins(self, mode: str, names: Iterable[str]) -> None:
        """Refuse anything that is used and is not on this machine."""
        for name in (*_ENDPOINTS, *names):
            needed = name in {"meet_api_endpoint", *names} or name in self.model_fields_set
            if needed and not getattr(self, name).startswith("http://"):
                raise ValueError(
                    f"{name.upper()} should be http://127.0.0.1:PORT {mode}, which is for stand-ins on this machine"
                )
        if self.pubsub_emulator_host and not is_loopback(self.pubsub_emulator_host):
            raise ValueError(f"PUBSUB_EMULATOR_HOST should be 127.0.0.1:PORT {mode}")
        if self.sqlite_path is None and not is_loopback(self.firestore_emulator_host or ""):
            raise ValueError(
                f"FIRESTORE_EMULATOR_HOST should be 127.0.0.1:PORT {mode}, or ATTENDANCE_STORE sqlite:///PATH"
            )

    @property
    def is_local(self) -> bool:
        """Whether everything is on this machine: Google's services are stand-ins, and no data is real."""
        return self.auth_mode is AuthMode.ANONYMOUS or self.oauth_token_endpoint.startswith("http://")

    @property
    def _elsewhere(self) -> bool:
        """Whether an endpoint is named that is not on this machine, in use or not."""
        named = {*_ENDPOINTS, *_TOKEN_ENDPOINTS, _CALLERS_ENDPOINT} & self.model_fields_set
        return any(not getattr(self, name).startswith("http://") for name in named)

    @property
    def _consents_on_file(self) -> bool:
        return self.auth_mode is AuthMode.OAUTH and self.oauth_token_file is not None

    @property
    def sqlite_path(self) -> Path | None:
        """The embedded store's file; None with Firestore."""
        return None if self.attendance_store == "firestore" else Path(self.attendance_store[len("sqlite:///") :])

    @property
    def workspace_events_in_use(self) -> bool:
        """Whether teachers can be subscribed to: on one machine only if there is a stand-in for it."""
        return self._in_use("workspace_events_api_endpoint")

    @property
    def people_in_use(self) -> bool:
        """Whether the People API can be asked; likewise."""
        return self._in_use("people_api_endpoint")

    @property
    def directory_in_use(self) -> bool:
        """Whether the Directory API can be asked; likewise."""
        return self._in_use("directory_api_endpoint")

    @property
    def calendar_in_use(self) -> bool:
        """Whether classes can be put into Calendar; likewise."""
        return self._in_use("calendar_api_endpoint")

    @property
    def reports_in_use(self) -> bool:
        """Whether the Reports API can be asked; likewise."""
        return self._in_use("reports_api_endpoint")

    @property
    def pubsub_in_use(self) -> bool:
        """Whether jobs go through Pub/Sub: without a project, and on one machine, only if there is an emulator."""
        in_the_cloud = not self.is_local and self.google_cloud_project is not None
        return in_the_cloud or self.pubsub_emulator_host is not None

    @property
    def events_topic_name(self) -> str:
        """The events' topic, `projects/{project}/topics/{topic}`."""
        return self._topic(self.events_topic)

    @property
    def jobs_topic_name(self) -> str:
        """The jobs' topic, `projects/{project}/topics/{topic}`."""
        return self._topic(self.jobs_topic)

    @property
    def changes_topic_name(self) -> str | None:
        """The topic of changes, `projects/{project}/topics/{topic}`; None if changes are published nowhere."""
        return self._topic(self.changes_topic) if self.changes_topic else None

    @property
    def dead_letter_subscription(self) -> str:
        """The subscription that dead letters wait in; the deployment names it."""
        return f"projects/{self.google_cloud_project or 'local'}/subscriptions/attendance-dead-letter"

    @property
    def settle(self) -> timedelta:
        """How long after its end a conference may still change."""
        return timedelta(seconds=self.settle_seconds)

    @property
    def retention(self) -> timedelta | None:
        """How long personal data is kept; None keeps it."""
        return timedelta(days=self.retention_days) if self.retention_days else None

    @property
    def key_of_erased_names(self) -> bytes | None:
        """The key of what is kept of erased people's names; where everything is a stand-in, one for trying out."""
        if self.erasure_key:
            return self.erasure_key.get_secret_value().strip().encode()
        return b"for trying out" if self.is_local else None

    def _in_use(self, endpoint: str) -> bool:
        return not self.is_local or getattr(self, endpoint).startswith("http://")

    def _topic(self, name: str) -> str:
        return name if "/" in name else f"projects/{self.google_cloud_project or 'local'}/topics/{name}"


def load(**given: object) -> Settings:
    """The settings of this process.

    Args:
        given: Values from a command, by the names of fields; they count before the environment.

    Raises:
        WrongSetting: Variables are missing or wrong; they are named, their values are not.
    """
    try:
        return Settings(**given)  # type: ignore[arg-type]  # checking them is what it does
    except ValidationError as error:
        problems = (
            f"{'.'.join(map(str, problem['loc'])).upper()}: {problem['msg']}" if problem["loc"] else problem["msg"]
            for problem in error.errors(include_url=False, include_input=False)
        )
        raise WrongSetting("; ".join(text.replace("Value error, ", "") for text in problems)) from None
