"""Teachers' consents in a file on your own machine.

Only its owner may read it, and it is always replaced as a whole.
"""

from __future__ import annotations

import asyncio
import contextlib
import errno
import fcntl
import json
import os
import stat
import tempfile
from collections.abc import Iterator, Sequence
from pathlib import Path

from functions.adapters.consent.consents import Consent, UnreadableConsent, from_json, to_json
from functions.adapters.consent.errors import ConsentsUnavailable, ConsentUnreadable, TokenFileOpen
from functions.domain.conferences.model import Organizer
from functions.domain.marking.addresses import mailbox

MOST_BYTES = 1 << 20


class FileConsents:
    """`functions.adapters.consent.consents.Consents` in a file.

    One teacher is stored as an object, which Google's own tools can read; several are stored as a list.

    Args:
        path: The file; it need not exist yet, but its directory must.
    """

    def __init__(self, path: Path) -> None:
        self._path = path

    async def get(self, organizer: Organizer) -> Consent | None:
        """See `Consents`.

        The e-mail address works too, because nobody else can have written into the user's own file.
        """
        kept = await asyncio.to_thread(self._read)
        by_user = (each for each in kept if each.user == organizer.user)
        by_email = (each for each in kept if organizer.user is None and _is_of(each, organizer.email))
        return next(by_user, None) or next(by_email, None)

    async def put(self, consent: Consent) -> None:
        """See `Consents`. A reader sees either the old file or the new one, never a mixture."""
        await asyncio.to_thread(self._put, consent)

    async def check(self) -> None:
        """See `Consents`."""
        await asyncio.to_thread(self._read)
        if not os.access(self._path.parent, os.W_OK | os.X_OK):
            raise ConsentsUnavailable(
                "The file for the teacher's consent cannot be written.",
                hint="Its folder must exist, and you must be allowed to write to it.",
            )

    def _put(self, consent: Consent) -> None:
        with self._alone():
            self._replace(consent)

    @contextlib.contextmanager
    def _alone(self) -> Iterator[None]:
        """Keep other processes from replacing the file meanwhile.

        Each would write what it had read, without the other's consent.
        """
        with contextlib.ExitStack() as held:
            with contextlib.suppress(OSError):  # a missing directory is reported when the file is written
                folder = os.open(self._path.parent, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
                held.callback(os.close, folder)
                fcntl.flock(folder, fcntl.LOCK_EX)
            yield

    def _replace(self, consent: Consent) -> None:
        kept = [each for each in self._read() if each.user != consent.user]
        stored = [to_json(each) for each in [*kept, consent]]
        content = json.dumps(stored if len(stored) > 1 else stored[0], indent=2).encode() + b"\n"
        try:
            # Only its owner may read a file that `tempfile` makes.
            opened, draft = tempfile.mkstemp(prefix=f".{self._path.name}.", dir=self._path.parent)
            try:
                with os.fdopen(opened, "wb") as file:
                    file.write(content)
                    file.flush()
                    os.fsync(file.fileno())
                Path(draft).replace(self._path)
            except BaseException:
                with contextlib.suppress(OSError):
                    Path(draft).unlink()
                raise
        except OSError as error:
            raise ConsentsUnavailable(
                f"The file for the teacher's consent cannot be written ({_kind(error)}).",
                hint="Its folder must exist, and you must be allowed to write to it.",
            ) from None

    def _read(self) -> Sequence[Consent]:
        """The consents of all teachers in the file; empty if the file does not exist."""
        try:
            opened = os.open(self._path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC)
        except FileNotFoundError:
            return []
        except OSError as error:
            if error.errno == errno.ELOOP:
                raise TokenFileOpen(
                    "The file with the teacher's consent is a symbolic link, so others could replace it.",
                    hint="Give the path of the file itself, not of a link.",
                ) from None
            raise ConsentsUnavailable(
                f"The file with the teacher's consent cannot be read ({_kind(error)}).",
                hint="The file must belong to you.",
            ) from None
        try:
            self._require_private(os.fstat(opened))
            with os.fdopen(opened, "rb", closefd=False) as file:
                content = file.read(MOST_BYTES)
        finally:
            os.close(opened)
        try:
            stored = json.loads(content)
            return [from_json(each) for each in (stored if isinstance(stored, list) else [stored])]
        except (ValueError, RecursionError) as error:
            problem = str(error) if isinstance(error, UnreadableConsent) else "it is not JSON"
            raise ConsentUnreadable(
                f"The file with the teacher's consent cannot be read: {problem}.",
                hint="Move it away and let the teacher consent again: .venv/bin/python -m functions.setup_oauth --meet "
                "--file …",
            ) from None

    def _require_private(self, found: os.stat_result) -> None:
        if not stat.S_ISREG(found.st_mode):
            raise TokenFileOpen(
                "The path for the teacher's consent does not lead to a file.", hint="Give the path of a file."
            )
        if found.st_uid != os.geteuid():
            raise TokenFileOpen(
                "The file with the teacher's consent belongs to another user of this machine.",
                hint=f"Make your own copy that only you can read: chmod 600 {self._path.name}",
            )
        if stat.S_IMODE(found.st_mode) & 0o077:
            raise TokenFileOpen(
                "Other users of this machine can read the file with the teacher's consent: its mode is "
                f"{stat.S_IMODE(found.st_mode):o}.",
                hint=f"Make it private: chmod 600 {self._path.name}. If others may have read it, ask the teacher to "
                "remove the consent at https://myaccount.google.com/permissions and to consent again.",
            )


def _kind(error: OSError) -> str:
    return errno.errorcode.get(error.errno or 0, type(error).__name__)


def _is_of(consent: Consent, email: str | None) -> bool:
    return bool(email and consent.email) and mailbox(consent.email or "") == mailbox(email or "")
