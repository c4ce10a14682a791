"""Firestore (Native mode) as a database of documents."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterable, Awaitable, Callable, Iterator, Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager
from datetime import UTC, datetime
from typing import Any, Final

from google.api_core import exceptions as gexc
from google.api_core.retry import AsyncRetry
from google.cloud import firestore
from google.cloud.firestore_v1 import types

from functions.adapters.own_credentials import own_credentials_error
from functions.adapters.patience import limit, watched
from functions.adapters.store.databases.database import Document, Query, QueryResult, Write, check_readable
from functions.adapters.store.databases.firestore_decode import (
    decode_document,
    decode_time,
    get_request,
    query_request,
)
from functions.adapters.store.databases.firestore_encode import Message, commit_request
from functions.adapters.store.databases.firestore_limits import (
    HINT,
    MAX_COMMIT_BYTES,
    MAX_DOCUMENT_BYTES,
    check_commit,
)
from functions.domain.errors import DocumentsRefused, NeedsOperator, ReadTooOld, StoreConflict, StoreUnavailable

_MOST_AROUND_A_WRITE: Final = 6
"""How many bytes of a request surround a write at most: a tag and a length."""

SURELY_TAKEN: Final = 4 * 1024 * 1024
"""Requests up to this size are not estimated, because index entries make this system's commits only about a quarter
larger, and an estimate takes as long as the encoding."""

REFUSALS: Final = (gexc.InvalidArgument,)
"""The errors with which Firestore answers a commit that it will never accept."""

_MAX_GET = 500

LARGE: Final = 50
"""From this number of documents on, a synchronous client reads the answer in a thread: it needs half the time for each
message, and Firestore sends each document in one. Below this, the thread costs more than it saves."""

THREADS: Final = 4
"""How many large answers are read in threads at once. Further ones are read by the asynchronous client, so that none
waits for a thread: one that nobody needs any more keeps its thread until the answer ends, 20 seconds at most."""

_TRANSIENT = (
    gexc.TooManyRequests,
    gexc.InternalServerError,
    gexc.ServiceUnavailable,
    gexc.GatewayTimeout,
    gexc.Cancelled,
)


def _may_pass(error: Exception) -> bool:
    return isinstance(error, _TRANSIENT) and not isinstance(own_credentials_error(error), NeedsOperator)


# The library's own retries take minutes; a message that is delivered again is better than one that hangs.
_RETRY_FOR = 30.0
_TIMEOUT = 20.0


def _retry() -> AsyncRetry:
    """How a call is retried, as long as the current message's time is not over."""
    return AsyncRetry(predicate=_may_pass, initial=0.1, maximum=5, multiplier=2, timeout=limit(_RETRY_FOR))


class FirestoreDatabase:
    """`functions.adapters.store.databases.database.Database` on Firestore.

    Uses FIRESTORE_EMULATOR_HOST as the Google library does. Building it makes no network calls.

    Args:
        client: The official asynchronous client. A synchronous one with the same credentials is made from it.
    """

    def __init__(self, client: firestore.AsyncClient) -> None:
        self._client = client
        self._blocking = firestore.Client(
            project=client.project,
            credentials=client._credentials,  # noqa: SLF001 - as said below
            database=client._database,  # noqa: SLF001 - as said below
        )
        self._threads = ThreadPoolExecutor(THREADS, thread_name_prefix="firestore")
        self._reading: list[Future[Sequence[Message]]] = []

    async def get(self, path: str, *, at: datetime | None = None) -> Document | None:
        """See `Database`."""
        found, _ = await self._get([path], at=at)
        return found[0] if found else None

    async def get_many(self, paths: Sequence[str]) -> Mapping[str, Document]:
        """See `Database`."""
        found: dict[str, Document] = {}
        at: datetime | None = None
        for start in range(0, len(paths), _MAX_GET):
            part, at = await self._get(paths[start : start + _MAX_GET], at=at)
            found |= {document.path: document for document in part}
        return found

    async def children(self, collection: str, *, at: datetime | None = None) -> Sequence[Document]:
        """See `Database`."""
        return (await self.find(Query(collection, at=at))).documents

    async def find(self, query: Query) -> QueryResult:
        """See `Database`."""
        api, database = self._api()
        with translated(at=query.at):
            answers = await self._answers(api.run_query, query_request(database, query))
        documents, read_at = self._documents(answers, "document", at=query.at)
        return QueryResult.of(query, documents, read_at=read_at)

    async def commit(self, writes: Sequence[Write], *, unchanged: Sequence[Document] = ()) -> datetime:
        """See `Database`.

        Firestore does a commit at one moment. If the answer is lost, the commit is retried and conflicts with itself:
        the caller then loads the documents again and finds its own writes.
        """
        api, database = self._api()
        request = commit_request(database, writes, unchanged=unchanged)
        # protobuf encodes a message to learn its size, so this is done once for each document and not for all together.
        sizes = [one.ByteSize() for one in type(request).pb(request).writes]
        size = sum(sizes) + _MOST_AROUND_A_WRITE * len(sizes)
        if size > MAX_COMMIT_BYTES:
            raise DocumentsRefused(
                f"{len(writes)} documents at one moment are {size:,} bytes; Firestore takes {MAX_COMMIT_BYTES:,}.",
                hint=HINT,
            )
        if size > SURELY_TAKEN or max(sizes, default=0) > MAX_DOCUMENT_BYTES:
            check_commit(writes)
        conflicts: tuple[type[Exception], ...] = (gexc.Conflict,)
        if unchanged or any(isinstance(write.expecting, Document) for write in writes):
            conflicts += (gexc.FailedPrecondition, gexc.NotFound)
        with translated(conflicts=conflicts, refusals=REFUSALS), watched():
            answer = await api.commit(request, retry=_retry(), timeout=limit(_TIMEOUT), metadata=self._metadata())
        return _committed_at(type(answer).pb(answer))

    async def _get(self, paths: Sequence[str], *, at: datetime | None) -> tuple[Sequence[Document], datetime]:
        api, database = self._api()
        request = get_request(database, paths, at=at)
        with translated(at=at):
            if len(paths) >= LARGE and self._has_a_thread():
                answers = await self._large_answer(request)
            else:
                answers = await self._answers(api.batch_get_documents, request)
        return self._documents(answers, "found", at=at)

    async def _answers(self, call: Callable[..., Awaitable[AsyncIterable[Any]]], request: object) -> Sequence[Message]:
        """All messages of a streamed answer; if the stream breaks off, it is requested again from the beginning."""

        async def read() -> Sequence[Message]:
            stream = await call(request, retry=None, timeout=limit(_TIMEOUT), metadata=self._metadata())
            return [type(answer).pb(answer) async for answer in stream]

        with watched():
            return await _retry()(read)()

    def _has_a_thread(self) -> bool:
        self._reading = [reading for reading in self._reading if not reading.done()]
        return len(self._reading) < THREADS

    async def _large_answer(self, request: types.BatchGetDocumentsRequest) -> Sequence[Message]:
        """All messages of an answer with many documents. A thread reads on even if nobody waits any more."""
        api, metadata = self._blocking._firestore_api, self._metadata()  # noqa: SLF001 - as said below

        def read(timeout: float) -> Sequence[Message]:
            stream = api.batch_get_documents(request, retry=None, timeout=timeout, metadata=metadata)
            return [type(answer).pb(answer) for answer in stream]

        async def read_in_thread() -> Sequence[Message]:
            reading = self._threads.submit(read, limit(_TIMEOUT))
            self._reading.append(reading)
            return await asyncio.wrap_future(reading)

        with watched():
            return await _retry()(read_in_thread)()

    def _documents(
        self, answers: Sequence[Message], field: str, *, at: datetime | None
    ) -> tuple[Sequence[Document], datetime]:
        """The documents of an answer, and the moment at which all were like this: the last one that the answer names.

        https://cloud.google.com/firestore/docs/reference/rpc/google.firestore.v1#runqueryresponse
        """
        _, database = self._api()
        read_at = at or max(decode_time(answer.read_time) for answer in answers)
        return [
            decode_document(getattr(answer, field), database=database, seen_at=read_at)
            for answer in answers
            if answer.HasField(field)
        ], read_at

    # Private parts of the clients are used only in this class: their public API cannot take and return raw messages.

    def _api(self) -> tuple[Any, str]:
        return self._client._firestore_api, self._client._database_string  # noqa: SLF001 - as said above

    def _metadata(self) -> Sequence[tuple[str, str]]:
        metadata: Sequence[tuple[str, str]] = self._client._rpc_metadata  # noqa: SLF001 - likewise
        return metadata


def _committed_at(answer: Message) -> datetime:
    """The server time that the commit wrote, which is the same in all its documents.

    If it wrote none, the time of the commit.

    https://cloud.google.com/firestore/docs/reference/rpc/google.firestore.v1#servervalue
    """
    for result in answer.write_results:
        for transformed in result.transform_results:
            return decode_time(transformed.timestamp_value)
    return decode_time(answer.commit_time)


@contextmanager
def translated(
    *,
    at: datetime | None = None,
    conflicts: tuple[type[Exception], ...] = (),
    refusals: tuple[type[Exception], ...] = (),
) -> Iterator[None]:
    """Turn Google's errors into ours, in one place; `at` is the moment that is read, if one is given."""
    check_readable(at, now=datetime.now(UTC))  # the emulator remembers for longer
    try:
        yield
    except conflicts as error:
        raise StoreConflict("A document changed after it was loaded.") from error
    except refusals as error:
        raise DocumentsRefused("Firestore refuses the documents.") from error
    except (gexc.NotFound, gexc.Forbidden, gexc.Unauthorized, gexc.BadRequest) as error:
        if isinstance(error, gexc.FailedPrecondition) and "index" in error.message:
            raise StoreUnavailable(
                "Firestore has no index for this query, or is still building it.",
                hint="Create the indexes of infra/firestore.indexes.json (deploying does). Firestore needs a few "
                "minutes to build a new index: gcloud firestore indexes composite list.",
            ) from error
        if at and isinstance(error, gexc.BadRequest):
            raise ReadTooOld("Firestore can no longer read that moment.") from error
        raise StoreUnavailable(
            f"Firestore refuses access to this function ({type(error).__name__}).",
            hint="Check that the database exists (gcloud firestore databases list) and that the function's "
            "service account has roles/datastore.user.",
        ) from error
    except (gexc.GoogleAPICallError, gexc.RetryError) as error:
        lacking = own_credentials_error(error)
        if lacking:  # nothing can be stored about this either, so the message is delivered again
            raise StoreUnavailable(f"{lacking.message} Firestore cannot be called.", hint=lacking.hint) from error
        kind = type(error.cause if isinstance(error, gexc.RetryError) else error).__name__
        raise StoreUnavailable(f"Firestore does not answer ({kind}).") from error
