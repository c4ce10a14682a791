"""The environment, read once into one typed and frozen object."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field, fields
from datetime import timedelta
from enum import StrEnum
from pathlib import Path
from typing import TypeVar

from functions.domain.classes.policy import Policy
from functions.domain.classes.sessions import CallerRole
from functions.domain.errors import WrongSetting
from functions.settings import texts
from functions.settings.texts import WrongText, is_loopback

__all__ = ["AuthMode", "LogLevel", "Settings", "is_loopback", "load"]

Value = TypeVar("Value")


class AuthMode(StrEnum):
    """Which accounts calls to Google use."""

    DELEGATION = "delegation"
    OAUTH = "oauth"
    ANONYMOUS = "anonymous"


class LogLevel(StrEnum):
    """The lowest severity that is logged."""

    DEBUG = "DEBUG"
    INFO = "INFO"
    WARNING = "WARNING"
    ERROR = "ERROR"


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


def _variable(default: Value, read: Callable[[str], Value] = str) -> Value:  # type: ignore[assignment] # only for texts
    """A field: what counts if the variable is not set, and how its text is read."""
    return field(default=default, metadata={"read": read})


def _endpoint(default: str) -> str:
    return _variable(default, texts.endpoint)


_TOPIC = texts.matching(r"(projects/[a-z0-9][a-z0-9:.-]{1,98}/topics/)?[A-Za-z][A-Za-z0-9._~+%-]{2,254}")
_READS = texts.whole_number(0, 1_000_000)


@dataclass(frozen=True, slots=True, kw_only=True)
class Settings:
    """The settings from the environment; `load` reads them.

    Fields are the variables' names in lower case; `docs/settings.md` explains them.

    Attributes:
        named: The fields that somebody set.

    Raises:
        WrongSetting: They are not safe together.
    """

    google_cloud_project: str | None = _variable(None, texts.matching(r"[a-z0-9][a-z0-9:.-]{1,98}"))
    firestore_database: str = _variable("(default)", texts.matching(r"\(default\)|[a-z0-9][a-z0-9-]{2,62}"))
    firestore_emulator_host: str | None = _variable(None)
    attendance_store: str = _variable("firestore", texts.store)
    auth_mode: AuthMode = _variable(AuthMode.DELEGATION, texts.one_of(AuthMode))
    service_account_email: str | None = _variable(
        None, texts.matching(r"[a-z0-9.-]+@[a-z0-9.-]+\.gserviceaccount\.com")
    )
    service_account_client_id: str | None = _variable(None, texts.matching(r"[0-9]{6,30}"))
    oauth_token_file: Path | None = _variable(None, Path)
    allowed_domains: tuple[str, ...] = _variable(
        (), texts.listed(texts.matching(r"[a-z0-9.-]+\.[a-z0-9-]+", tidy=str.lower))
    )
    allowed_teachers: tuple[str, ...] = _variable((), texts.listed(texts.matching(r"[^@\s]+@[^@\s]+", tidy=str.lower)))
    api_callers: Mapping[str, CallerRole] = field(default_factory=dict, metadata={"read": texts.callers})
    api_audience: str | None = _variable(None, texts.matching(r"[!-~]{1,500}"))
    events_topic: str = _variable("workspace-events", _TOPIC)
    jobs_topic: str = _variable("attendance-jobs", _TOPIC)
    changes_topic: str | None = _variable(None, _TOPIC)
    meet_api_endpoint: str = _endpoint("meet.googleapis.com:443")
    workspace_events_api_endpoint: str = _endpoint("workspaceevents.googleapis.com:443")
    people_api_endpoint: str = _endpoint("people.googleapis.com:443")
    directory_api_endpoint: str = _endpoint("admin.googleapis.com:443")
    calendar_api_endpoint: str = _endpoint("www.googleapis.com:443")
    reports_api_endpoint: str = _endpoint("admin.googleapis.com:443")
    oauth_token_endpoint: str = _endpoint("oauth2.googleapis.com:443")
    iam_credentials_api_endpoint: str = _endpoint("iamcredentials.googleapis.com:443")
    secret_manager_api_endpoint: str = _endpoint("secretmanager.googleapis.com:443")
    id_token_certificates_endpoint: str = _endpoint("www.googleapis.com:443")
    reports_admin: str | None = _variable(
        None, texts.matching(r"[^@\s]+@[^@\s]+|users/[0-9]{1,30}", tidy=lambda text: text.strip().lower())
    )
    pubsub_emulator_host: str | None = _variable(None)
    meet_reads_per_minute: int = _variable(600, _READS)
    meet_project_reads_per_minute: int = _variable(6000, _READS)
    meet_full_reads: bool = _variable(default=False, read=texts.yes_or_no)
    meet_shared_reads_per_minute: int = _variable(0, _READS)
    settle_seconds: int = _variable(600, texts.whole_number(0, 86_400))
    school_time_zone: str = _variable("UTC", texts.time_zone)
    default_policy: Policy = _variable(Policy(), texts.policy)
    live_presence: bool = _variable(default=True, read=texts.yes_or_no)
    room_device_names: tuple[str, ...] = _variable((), texts.listed(str))
    erasure_key: str | None = field(default=None, repr=False, metadata={"read": texts.at_least(32)})
    retention_days: int | None = _variable(None, texts.whole_number(1, 36_500))
    log_level: LogLevel = _variable(LogLevel.INFO, texts.one_of(LogLevel))
    k_service: str | None = _variable(None)
    named: frozenset[str] = frozenset()

    def __post_init__(self) -> None:
        if self.sqlite_path and self.k_service:
            raise WrongSetting(
                "ATTENDANCE_STORE should be 'firestore' in the cloud: an instance's disk is lost with it"
            )
        if "*" in self.api_callers and (not self.is_local or self.k_service or self._elsewhere):
            raise WrongSetting(
                "API_CALLERS should name every caller: '*' is for stand-ins on this machine, with AUTH_MODE "
                "'anonymous' and every endpoint at http://127.0.0.1:PORT"
            )
        if self.changes_topic and not self.pubsub_in_use:
            raise WrongSetting(
                "CHANGES_TOPIC needs Pub/Sub: on your own machine set PUBSUB_EMULATOR_HOST too, or leave it unset"
            )
        if self.auth_mode is AuthMode.ANONYMOUS:
            self._require_stand_ins("with AUTH_MODE 'anonymous'", ())
        else:
            self._require_credentials()

    def _require_credentials(self) -> None:
        """Refuse settings with which teachers' tokens cannot be fetched, or would be sent to the wrong place."""
        mode = f"with AUTH_MODE '{self.auth_mode}'"
        if self.auth_mode is AuthMode.DELEGATION and self.service_account_email is None:
            raise WrongSetting(f"SERVICE_ACCOUNT_EMAIL should name the service account that signs {mode}")
        if self.auth_mode is AuthMode.OAUTH and self.oauth_token_file and self.k_service:
            raise WrongSetting("OAUTH_TOKEN_FILE is for your own machine: in the cloud, Secret Manager stores consents")
        if self.google_cloud_project is None and not (self.sqlite_path and self._consents_on_file):
            raise WrongSetting(f"GOOGLE_CLOUD_PROJECT should name the project {mode}")
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
            raise WrongSetting(
                f"{_CALLERS_ENDPOINT.upper()} should be host:port {mode}: the service at that address decides who "
                "may call"
            )
        for name in (*_ENDPOINTS, *_TOKEN_ENDPOINTS):
            if getattr(self, name).startswith("http://"):
                raise WrongSetting(
                    f"{name.upper()} should be host:port {mode}: tokens of real teachers are sent only to Google. If "
                    "all services are stand-ins, set OAUTH_TOKEN_ENDPOINT to a stand-in too"
                )

    def _require_stand_ins(self, mode: str, names: Iterable[str]) -> None:
        """Refuse anything that is used and is not on this machine."""
        for name in (*_ENDPOINTS, *names):
            needed = name in {"meet_api_endpoint", *names} or name in self.named
            if needed and not getattr(self, name).startswith("http://"):
                raise WrongSetting(
                    f"{name.upper()} should be http://127.0.0.1:PORT {mode}, which is for stand-ins on this machine"
                )
        if self.pubsub_emulator_host and not is_loopback(self.pubsub_emulator_host):
            raise WrongSetting(f"PUBSUB_EMULATOR_HOST should be 127.0.0.1:PORT {mode}")
        if self.sqlite_path is None and not is_loopback(self.firestore_emulator_host or ""):
            raise WrongSetting(
                f"FIRESTORE_EMULATOR_HOST should be 127.0.0.1:PORT {mode}, or ATTENDANCE_STORE sqlite:///PATH"
            )

    @property
    def is_local(self) -> bool:
        """Whether everything is on this machine: Google's services are stand-ins, and no data is real."""
        return self.auth_mode is AuthMode.ANONYMOUS or self.oauth_token_endpoint.startswith("http://")

    @property
    def _elsewhere(self) -> bool:
        """Whether an endpoint is named that is not on this machine, in use or not."""
        named = {*_ENDPOINTS, *_TOKEN_ENDPOINTS, _CALLERS_ENDPOINT} & self.named
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
            return self.erasure_key.strip().encode()
        return b"for trying out" if self.is_local else None

    def _in_use(self, endpoint: str) -> bool:
        return not self.is_local or getattr(self, endpoint).startswith("http://")

    def _topic(self, name: str) -> str:
        return name if "/" in name else f"projects/{self.google_cloud_project or 'local'}/topics/{name}"


def load(**given: object) -> Settings:
    """The settings of this process.

    Args:
        given: Values by the names of fields; they count before the environment. A text is read like a variable's.

    Raises:
        WrongSetting: Variables are missing or wrong; they are named, their values are not.
    """
    values: dict[str, object] = {}
    problems = []
    for one in fields(Settings):
        read = one.metadata.get("read")
        value = given.get(one.name, os.environ.get(one.name.upper()))
        if read is None or value == "":  # an empty variable is one that is not set
            continue
        if isinstance(value, str) and not isinstance(value, StrEnum):
            try:
                values[one.name] = read(value)
            except WrongText as error:
                problems.append(f"{one.name.upper()}: {error}")
        elif one.name in given:
            values[one.name] = value
    if problems:
        raise WrongSetting("; ".join(problems))
    return Settings(**values, named=frozenset(values))  # type: ignore[arg-type]  # each was read for its field
