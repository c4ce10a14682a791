"""An invented school, the real function `api` with its data, and an LMS that passes the pages on."""

from __future__ import annotations

import asyncio

import pytest
import pytest_asyncio

from infra.local.browser import chromium
from infra.local.function_server import function_server
from infra.local.lms_backend import php_backend, python_backend
from infra.local.metadata_server import MetadataServer
from infra.local.month import ZONE
from infra.local.processes import free_port
from infra.local.showcase import classes_of, hold_showcase
from tests.api import LMS


@pytest.fixture(scope="session")
def showcase(tmp_path_factory):
    """Return a month of a school, in an embedded store."""
    return asyncio.run(hold_showcase(tmp_path_factory.mktemp("showcase")))


@pytest.fixture(scope="session")
def api(showcase, checking, tmp_path_factory):
    """Return the address of the function; it answers only an LMS."""
    port = free_port()
    env = {
        **checking,
        "API_AUDIENCE": f"http://127.0.0.1:{port}",
        "AUTH_MODE": "anonymous",
        "API_CALLERS": f"{LMS}=lms",
        "ATTENDANCE_STORE": showcase.store,
        "MEET_API_ENDPOINT": "http://127.0.0.1:9",  # pages do not call Meet
        "SCHOOL_TIME_ZONE": str(ZONE),
    }
    log = tmp_path_factory.mktemp("api") / "api.log"
    with function_server("api", env=env, log=log, port=port, signature="http") as served:
        yield served.url


@pytest.fixture(scope="session")
def metadata_server(issuer):
    with MetadataServer(LMS, issuer).in_thread() as server:
        yield server


@pytest.fixture(scope="session")
def lms_in_python(api, showcase, metadata_server, tmp_path_factory):
    """Return the base address of the back end in Python from `docs/lms.md`."""
    folder = tmp_path_factory.mktemp("lms") / "python"
    with python_backend(api, classes=classes_of(showcase), env=metadata_server.environment, folder=folder) as address:
        yield address


@pytest.fixture(scope="session")
def lms_in_php(api, showcase, metadata_server, tmp_path_factory):
    """Return the base address of the back end in PHP."""
    folder = tmp_path_factory.mktemp("lms") / "php"
    with php_backend(api, classes=classes_of(showcase), env=metadata_server.environment, folder=folder) as address:
        yield address


@pytest_asyncio.fixture(scope="session", loop_scope="session")
async def browser():
    """Return one browser for all tests; each test has its own context in it."""
    async with chromium() as browser:
        yield browser
