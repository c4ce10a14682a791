"""The environment, read once into one typed and frozen object."""

from __future__ import annotations

import ipaddress
import re
from datetime import timedelta
from enum import StrEnum
from pathlib import Path
from typing import Annotated, Literal
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from pydantic import AfterValidator, Field, ValidationError, field_validator, model_validator
from pydantic_settings import BaseSettings, SettingsConfigDict

from functions.domain.errors import WrongSetting

_HOST_AND_PORT = re.compile(r"(?P<host>\[[0-9A-Fa-f:]+\]|[A-Za-z0-9.-]+):(?P<port>\d{1,5})")


class AuthMode(StrEnum):
    """As whom calls to Google are made."""

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


Endpoint = Annotated[str, AfterValidator(_endpoint)]
ProjectId = Annotated[str, Field(pattern=r"^[a-z0-9][a-z0-9:.-]{1,98}$")]
DatabaseId = Annotated[str, Field(pattern=r"^(\(default\)|[a-z0-9][a-z0-9-]{2,62})$")]


class Settings(BaseSettings):
    """What the environment says. Fields are the variables' names in lower case; `docs/settings.md` explains them."""

    model_config = SettingsConfigDict(frozen=True, env_ignore_empty=True, hide_input_in_errors=True, extra="ignore")

    google_cloud_project: ProjectId | None = None
    firestore_database: DatabaseId = "(default)"
    firestore_emulator_host: str | None = None
    attendance_store: str = "firestore"
    auth_mode: AuthMode = AuthMode.DELEGATION
    meet_api_endpoint: Endpoint = "meet.googleapis.com:443"
    meet_reads_per_minute: Annotated[int, Field(ge=0, le=1_000_000)] = 600
    meet_project_reads_per_minute: Annotated[int, Field(ge=0, le=1_000_000)] = 6000
    settle_seconds: Annotated[int, Field(ge=0, le=86_400)] = 600
    school_time_zone: str = "UTC"
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
        try:
            ZoneInfo(value)
        except (ZoneInfoNotFoundError, ValueError, OSError):
            raise ValueError("should be an IANA time zone such as 'Europe/Berlin'") from None
        return value

    @model_validator(mode="after")
    def _safe_together(self) -> Settings:
        if self.sqlite_path and self.k_service:
            raise ValueError("ATTENDANCE_STORE should be 'firestore' in the cloud: an instance's disk is lost with it")
        if self.auth_mode is not AuthMode.ANONYMOUS:
            raise ValueError(
                f"AUTH_MODE '{self.auth_mode}' is not available in this version, which runs against stand-ins: "
                "should be 'anonymous'"
            )
        if not self.meet_api_endpoint.startswith("http://"):
            raise ValueError(
                "MEET_API_ENDPOINT should be http://127.0.0.1:PORT with AUTH_MODE 'anonymous', "
                "which is for stand-ins on this machine"
            )
        if self.sqlite_path is None and not is_loopback(self.firestore_emulator_host or ""):
            raise ValueError(
                "FIRESTORE_EMULATOR_HOST should be 127.0.0.1:PORT with AUTH_MODE 'anonymous', "
                "or ATTENDANCE_STORE sqlite:///PATH"
            )
        return self

    @property
    def sqlite_path(self) -> Path | None:
        """The embedded store's file; None with Firestore."""
        return None if self.attendance_store == "firestore" else Path(self.attendance_store[len("sqlite:///") :])

    @property
    def settle(self) -> timedelta:
        """How long after its end a conference may still change."""
        return timedelta(seconds=self.settle_seconds)

    @property
    def retention(self) -> timedelta | None:
        """How long personal data is kept; None keeps it."""
        return timedelta(days=self.retention_days) if self.retention_days else None


def load() -> Settings:
    """The settings of this process.

    Raises:
        WrongSetting: Variables are missing or wrong; they are named, their values are not.
    """
    try:
        return Settings()
    except ValidationError as error:
        problems = (
            f"{'.'.join(map(str, problem['loc'])).upper()}: {problem['msg']}" if problem["loc"] else problem["msg"]
            for problem in error.errors(include_url=False, include_input=False)
        )
        raise WrongSetting("; ".join(text.replace("Value error, ", "") for text in problems)) from None
