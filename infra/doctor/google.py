"""Reads Google's REST APIs with gcloud's own token. Each URL is read once, even if several checks need it."""

from __future__ import annotations

import asyncio
import json
import os
import re
import ssl
from collections.abc import Mapping
from pathlib import Path
from typing import Any
from urllib.parse import urlencode, urlsplit

import certifi
import httpx

Json = dict[str, Any]

_FORM = {"content-type": "application/x-www-form-urlencoded", "authorization": ""}

_AGAIN = {429, 500, 502, 503, 504}


class Unreadable(Exception):
    """Google did not return what was requested."""


class Denied(Unreadable):
    """A permission is missing.

    Args:
        permission: The permission that is missing.
    """

    def __init__(self, permission: str) -> None:
        super().__init__(f"the permission {permission} is missing")
        self.permission = permission


class ApiOff(Unreadable):
    """The API is not enabled."""

    def __init__(self, service: str) -> None:
        super().__init__(f"the API {service} does not answer: it is off, or was enabled a moment ago")
        self.service = service


class LoginExpired(Unreadable):
    """Google does not accept gcloud's token."""


class Silent(Unreadable):
    """No answer came in time."""

    def __init__(self, host: str) -> None:
        super().__init__(f"{host} does not answer")


class Google:
    """Reads with the account that is logged in to gcloud.

    Args:
        http: The client, with gcloud's token in its headers.
        project: The project that pays for the calls.
        patience: Maximum seconds for one answer.
    """

    def __init__(self, http: httpx.AsyncClient, project: str, *, patience: float) -> None:
        self._http = http
        self._payer = {"x-goog-user-project": project}
        self._patience = patience
        self._asked: dict[str, asyncio.Task[Any]] = {}

    async def read(self, url: str, body: object = None, *, unpaid: bool = False) -> Any:  # noqa: ANN401 - JSON
        """What Google returns for a URL; None if the resource does not exist.

        Args:
            url: The URL.
            body: The body of the request; None for a request without a body.
            unpaid: Whether to leave out the project as the payer. In an empty project the API would be off.

        Raises:
            Unreadable: Google did not return the data.
        """
        key = json.dumps([url, body, unpaid])
        if key not in self._asked:
            self._asked[key] = asyncio.create_task(self._read(url, body, headers={} if unpaid else self._payer))
        return await asyncio.shield(self._asked[key])

    async def all(self, url: str, items: str) -> list[Json]:
        """The items of all pages of a list; an empty list if its parent does not exist."""
        found: list[Json] = []
        joined = "&" if "?" in url else "?"
        page = url
        while True:
            answer = await self.read(page) or {}
            found += answer.get(items, [])
            if not answer.get("nextPageToken"):
                return found
            page = f"{url}{joined}pageToken={httpx.QueryParams({'t': answer['nextPageToken']})['t']}"

    async def policy(self, resource: str, *, method: str = "GET", unpaid: bool = False) -> Json | None:
        """The grants on a resource, with their conditions; None if the resource does not exist."""
        if method == "GET":
            answer = await self.read(f"{resource}:getIamPolicy?options.requestedPolicyVersion=3")
        elif unpaid:
            answer = await self.read(
                f"{resource}:getIamPolicy", {"options": {"requestedPolicyVersion": 3}}, unpaid=True
            )
        else:
            answer = await self.read(f"{resource}:getIamPolicy?options.requestedPolicyVersion=3", {})
        return answer if answer is None or isinstance(answer, dict) else {}

    async def exchange(self, assertion: str) -> Json:
        """The token endpoint's answer to an assertion: a token, or an error.

        https://developers.google.com/identity/protocols/oauth2/service-account#httprest
        """
        form = {"grant_type": "urn:ietf:params:oauth:grant-type:jwt-bearer", "assertion": assertion}
        url = "https://oauth2.googleapis.com/token"
        try:
            async with asyncio.timeout(self._patience):
                # gcloud's token is not for this endpoint, so it is not sent.
                answer = await self._send("POST", url, urlencode(form).encode(), _FORM)
        except (TimeoutError, httpx.HTTPError):
            raise Silent("oauth2.googleapis.com") from None
        body = _body(answer)
        if not isinstance(body, dict):
            raise Unreadable(f"oauth2.googleapis.com says HTTP {answer.status_code}")
        return body

    async def _read(self, url: str, body: object, *, headers: Mapping[str, str]) -> Any:  # noqa: ANN401 - JSON
        host = urlsplit(url).netloc
        try:
            async with asyncio.timeout(self._patience):
                answer = await self._ask(url, body, headers)
        except (TimeoutError, httpx.HTTPError):
            raise Silent(host) from None
        if answer.status_code == 404:  # noqa: PLR2004 - it does not exist
            return None
        said = _body(answer)
        if answer.is_success:
            return said
        raise _refusal(host, answer.status_code, said)

    async def _ask(self, url: str, body: object, headers: Mapping[str, str]) -> httpx.Response:
        method = "GET" if body is None else "POST"
        content = json.dumps(body).encode() if body else b""  # some methods accept no body, not even an empty object
        headers = {**headers, "content-type": "application/json"} if body else headers
        return await self._send(method, url, content, headers)

    async def _send(self, method: str, url: str, content: bytes, headers: Mapping[str, str]) -> httpx.Response:
        """Send a request and return the answer.

        The request is sent once more if the connection breaks or the service is busy. A read changes nothing, so this
        is safe.
        """
        try:
            answer = await self._http.request(method, url, content=content, headers=headers)
        except httpx.TransportError:
            answer = None
        if answer is not None and answer.status_code not in _AGAIN:
            return answer
        await asyncio.sleep(0.5)
        return await self._http.request(method, url, content=content, headers=headers)


def _body(answer: httpx.Response) -> Any:  # noqa: ANN401 - JSON
    try:
        return answer.json()
    except ValueError:
        return None


def _refusal(host: str, status: int, said: object) -> Unreadable:
    if isinstance(said, list) and said:  # if a stream is refused, the answer is a list that contains the refusal
        said = said[0]
    error = said.get("error") if isinstance(said, dict) else None
    error = error if isinstance(error, dict) else {}
    message = str(error.get("message", ""))
    details = [detail for detail in error.get("details", []) if isinstance(detail, dict) and "reason" in detail]
    reason = details[0]["reason"] if details else ""
    about = details[0].get("metadata", {}) if details else {}
    if reason == "SERVICE_DISABLED":
        return ApiOff(str(about.get("service", host)))
    if status == 401:  # noqa: PLR2004
        return LoginExpired("gcloud's login is no longer valid")
    if status == 403:  # noqa: PLR2004
        named = about.get("permission") or _permission_in(message)
        return Denied(str(named) if named else f"to read {host}")
    return Unreadable(f"{host} says HTTP {status}: {message[:200]}")


def _permission_in(message: str) -> str | None:
    """The permission in Google's message, in one of the forms that Google uses; None if there is none."""
    found = re.search(r"\b([a-z]+(?:\.[a-zA-Z]+){2})\b(?! *@)", message)
    if "serviceusage.services.use" in message:
        return "serviceusage.services.use"
    return found[1] if found and not found[1].endswith((".com", ".google")) else None


def certificates() -> ssl.SSLContext:
    """The certificates to trust: the bundle that is set for gcloud, Python or curl, otherwise certifi's."""
    for name in ("CLOUDSDK_CORE_CUSTOM_CA_CERTS_FILE", "SSL_CERT_FILE", "REQUESTS_CA_BUNDLE", "CURL_CA_BUNDLE"):
        bundle = os.environ.get(name)
        if bundle and Path(bundle).is_file():
            return ssl.create_default_context(cafile=bundle)
    return ssl.create_default_context(cafile=certifi.where())


def client(token: str) -> httpx.AsyncClient:
    """A client that sends a token with each call. It uses the proxy of the environment if there is one."""
    return httpx.AsyncClient(
        headers={"authorization": f"Bearer {token}"},
        verify=certificates(),
        timeout=None,  # noqa: S113 - each read has its own time limit
        limits=httpx.Limits(max_connections=16, max_keepalive_connections=16),
    )


class NotLoggedIn(Exception):
    """gcloud has no token."""


async def gcloud_token(patience: float) -> str:
    """The token with which gcloud makes its calls. Raises `NotLoggedIn`."""
    file = os.environ.get("CLOUDSDK_AUTH_ACCESS_TOKEN_FILE")
    if file:
        try:
            return Path(file).read_text().strip()  # noqa: ASYNC240 - it is one line, and nothing else runs yet
        except OSError:
            raise NotLoggedIn("CLOUDSDK_AUTH_ACCESS_TOKEN_FILE names a file that cannot be read.") from None
    try:
        gcloud = await asyncio.create_subprocess_exec(
            "gcloud", "auth", "print-access-token", "--quiet",
            stdin=asyncio.subprocess.DEVNULL, stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.PIPE,
        )  # fmt: skip
    except FileNotFoundError:
        raise NotLoggedIn("The program 'gcloud' is missing: https://cloud.google.com/sdk/docs/install") from None
    try:
        async with asyncio.timeout(patience):
            said, _ = await gcloud.communicate()
    except TimeoutError:
        gcloud.kill()
        raise NotLoggedIn("gcloud does not say which token it uses.") from None
    if gcloud.returncode or not said.strip():
        raise NotLoggedIn("gcloud is not logged in.")
    return said.decode().strip()
