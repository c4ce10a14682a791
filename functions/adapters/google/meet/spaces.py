"""Google Meet's rooms: how they are made, and found by what people type. In both cases a caller waits for the answer.

https://developers.google.com/workspace/meet/api/guides/meeting-spaces
"""

from __future__ import annotations

import re

from google.api_core import exceptions as gexc
from google.apps import meet_v2

from functions.adapters.google.calls.repeating import repeated
from functions.adapters.google.calls.services import MEET
from functions.adapters.google.credentials.capabilities import Capability, CredentialsPool, Metadata, accepted
from functions.adapters.google.meet.calls import ATTEMPT_TIMEOUT, MeetCalls, named
from functions.adapters.patience import limit
from functions.domain.conferences.model import Organizer, Space
from functions.domain.errors import RequestRefused, ScopeMissing

FIND_ATTEMPTS = 5
"""How often a room is requested at most: some seconds of pauses."""

CREATE_ATTEMPTS = 3
"""How often making a room is tried at most: a second of pauses. One teacher may make 10 rooms a minute."""

_LINK = re.compile(r"(?:https?://)?meet\.google\.com/([a-z-]+)(?:[/?#].*)?")
_CODE = re.compile(r"(?=.{1,128}$)[a-z]+-[a-z]+-[a-z]+")
"""https://developers.google.com/workspace/meet/api/reference/rest/v2/spaces#Space.FIELDS.meeting_code"""

_TEN_LETTERS = re.compile(r"([a-z]{3})-?([a-z]{4})-?([a-z]{3})")
"""The codes that Meet gives by itself, as people type them."""


def code_of(typed: str) -> str | None:
    """The meeting code, such as `abc-mnop-xyz`, in what somebody typed: a code, or the link to a meeting."""
    text = typed.strip().lower()
    link = _LINK.fullmatch(text)
    code = link[1] if link else text
    if _CODE.fullmatch(code):
        return code
    parts = _TEN_LETTERS.fullmatch(code)
    return "-".join(parts.groups()) if parts else None


class MeetSpaces:
    """`functions.ports.google.Spaces` on the Meet REST API v2.

    Args:
        spaces: The official asynchronous client for spaces.
        calls: How rooms are requested. Making a room counts for another quota, so it does not wait for our rate limit.
        credentials: Whose account the calls use.
    """

    def __init__(
        self, spaces: meet_v2.SpacesServiceAsyncClient, *, calls: MeetCalls, credentials: CredentialsPool
    ) -> None:
        self._spaces = spaces
        self._calls = calls
        self._credentials = credentials

    async def create(self, *, teacher: Organizer) -> Space:
        """See the port. Not repeated after an error that may have left a room behind."""
        credentials = self._credentials.of(teacher, Capability.MAKE_ROOM)

        async def once(metadata: Metadata) -> meet_v2.Space:
            request = meet_v2.CreateSpaceRequest()
            return await self._spaces.create_space(
                request, retry=None, timeout=limit(ATTEMPT_TIMEOUT), metadata=metadata
            )

        async def attempt() -> meet_v2.Space:
            return await accepted(credentials, once, unless=gexc.Unauthorized)

        try:
            return _space(await repeated(attempt, attempts=CREATE_ATTEMPTS, maximum=1.0, if_error=_nothing_was_made))
        except gexc.GoogleAPICallError as error:
            ours = named(error, if_missing=MEET.refused)
            if isinstance(ours, ScopeMissing):
                raise MEET.scope_missing(ours.message, scope=Capability.MAKE_ROOM.scopes[0]) from error
            raise ours from error

    async def find(self, meeting_code: str, *, teacher: Organizer) -> Space | None:
        """See the port."""
        code = code_of(meeting_code)
        if code is None:
            return None
        credentials = self._credentials.of(teacher, Capability.FIND_ROOM)
        call = self._calls.as_organizer(teacher.user or teacher.email or "", credentials)
        request = meet_v2.GetSpaceRequest(name=f"spaces/{code}")
        try:
            answer = await call(
                self._spaces.get_space,
                request,
                attempts=FIND_ATTEMPTS,
                if_missing=MEET.refused,
                if_hidden=MEET.refused,
            )
        except RequestRefused:
            return None
        return _space(answer)


def _nothing_was_made(error: Exception) -> bool:
    return isinstance(error, gexc.ServiceUnavailable | gexc.TooManyRequests)


def _space(answer: meet_v2.Space) -> Space:
    return Space(answer.name, answer.meeting_code or None, answer.meeting_uri or None)
