"""Firestore (Native mode) as a database of documents."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from datetime import datetime
from typing import Any

from google.api_core import exceptions as gexc
from google.api_core.retry import AsyncRetry, if_exception_type
from google.cloud import firestore

from functions.adapters.database import Document, Write
from functions.adapters.firestore_writes import commit_request
from functions.domain.errors import DocumentsRefused, StoreConflict, StoreUnavailable

_TRANSIENT = (
    gexc.TooManyRequests,
    gexc.InternalServerError,
    gexc.ServiceUnavailable,
    gexc.GatewayTimeout,
    gexc.Cancelled,
)
# The library's own defaults go on for minutes; a message that comes again is better than one that hangs.
_RETRY = AsyncRetry(predicate=if_exception_type(*_TRANSIENT), initial=0.1, maximum=5, multiplier=2, timeout=30)
_TIMEOUT = 20.0


class FirestoreDatabase:
    """`functions.adapters.database.Database` on Firestore.

    Honours FIRESTORE_EMULATOR_HOST as the Google library does. Building it does no network.

    Args:
        client: The official asynchronous client.
    """

    def __init__(self, client: firestore.AsyncClient) -> None:
        self._client = client

    async def get(self, path: str) -> Document | None:
        """See `Database`."""
        with _translated():
            snapshot = await self._client.document(path).get(retry=_RETRY, timeout=_TIMEOUT)
        return _document(snapshot) if snapshot.exists else None

    async def children(self, collection: str) -> Sequence[Document]:
        """See `Database`."""
        with _translated():
            query = self._client.collection(collection)
            return [_document(snapshot) async for snapshot in query.stream(retry=_RETRY, timeout=_TIMEOUT)]

    async def commit(self, writes: Sequence[Write]) -> None:
        """See `Database`.

        Firestore does one commit at one moment. A commit whose answer was lost is tried again and then
        conflicts with itself: the caller loads again and finds its own writes.
        """
        # The one place behind the client's public face: it has no other way to take messages that are ready.
        api, database = self._client._firestore_api, self._client._database_string  # noqa: SLF001 - as said above
        metadata = self._client._rpc_metadata  # noqa: SLF001 - likewise
        conflicts: tuple[type[Exception], ...] = (gexc.Conflict,)
        if any(isinstance(write.expecting, Document) for write in writes):
            conflicts += (gexc.FailedPrecondition, gexc.NotFound)
        with _translated(conflicts=conflicts, refusals=(gexc.InvalidArgument,)):
            await api.commit(commit_request(database, writes), retry=_RETRY, timeout=_TIMEOUT, metadata=metadata)


def _document(snapshot: firestore.DocumentSnapshot[Any]) -> Document:
    return Document(
        path=snapshot.reference.path,
        fields={name: _plain(value) for name, value in (snapshot.to_dict() or {}).items()},
        version=snapshot.update_time,
    )


def _plain(value: Any) -> Any:  # noqa: ANN401 - whatever a document may hold
    """The value with the library's own time type replaced by the standard one."""
    match value:
        case dict():
            return {name: _plain(item) for name, item in value.items()}
        case list():
            return [_plain(item) for item in value]
        case datetime():
            return datetime.combine(value.date(), value.timetz())
        case _:
            return value


@contextmanager
def _translated(
    *, conflicts: tuple[type[Exception], ...] = (), refusals: tuple[type[Exception], ...] = ()
) -> Iterator[None]:
    """Turn Google's errors into ours, in one place."""
    try:
        yield
    except conflicts as error:
        raise StoreConflict("A document changed after it was loaded.") from error
    except refusals as error:
        raise DocumentsRefused("Firestore refuses the documents.") from error
    except (gexc.NotFound, gexc.Forbidden, gexc.Unauthorized, gexc.BadRequest) as error:
        raise StoreUnavailable(
            f"Firestore does not let this function in ({type(error).__name__}).",
            hint="Check that the database exists (gcloud firestore databases list) and that the function's "
            "service account has roles/datastore.user.",
        ) from error
    except gexc.GoogleAPICallError as error:
        raise StoreUnavailable(f"Firestore does not answer ({type(error).__name__}).") from error
    except gexc.RetryError as error:
        raise StoreUnavailable("Firestore does not answer.") from error
