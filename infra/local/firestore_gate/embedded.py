"""The gate in front of the embedded store: it checks all requests of this process against Firestore's rules.

Every store in this process announces each query and commit as an audit event
(https://docs.python.org/3/library/sys.html#sys.audit), so the gate sees all of them.
"""

from __future__ import annotations

import sys
from typing import Any

from google.api_core import exceptions as gexc

from functions.adapters.store.databases.database import Query, Write
from functions.adapters.store.databases.firestore import REFUSALS, translated
from functions.adapters.store.databases.firestore_decode import query_request
from functions.adapters.store.databases.firestore_encode import commit_request
from functions.adapters.store.databases.sqlite import COMMIT_EVENT, QUERY_EVENT
from infra.local.firestore_gate.gate import FAILED_PRECONDITION, Gate, Refused

_DATABASE = "projects/embedded/databases/(default)"


def install(gate: Gate) -> None:
    """Check everything with a gate from now on. An audit hook cannot be removed until the process ends.

    Args:
        gate: The rules for queries and commits.
    """

    def hook(event: str, arguments: tuple[Any, ...]) -> None:
        if event == QUERY_EVENT:
            _query(gate, arguments[0])
        elif event == COMMIT_EVENT:
            _commit(gate, arguments[0])

    sys.addaudithook(hook)


def _query(gate: Gate, query: Query) -> None:
    request = query_request(_DATABASE, query)
    with translated(at=None):
        try:
            gate.query(type(request).pb(request).structured_query)
        except Refused as error:
            raise _as_google_raises_it(error) from None


def _commit(gate: Gate, writes: tuple[Write, ...]) -> None:
    request = commit_request(_DATABASE, [Write(write.path, write.fields) for write in writes])
    with translated(refusals=REFUSALS):
        try:
            gate.commit(type(request).pb(request))
        except Refused as error:
            raise _as_google_raises_it(error) from None


def _as_google_raises_it(error: Refused) -> Exception:
    kind = gexc.FailedPrecondition if error.refusal.status == FAILED_PRECONDITION else gexc.InvalidArgument
    return kind(error.refusal.words)
