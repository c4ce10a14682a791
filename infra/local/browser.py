"""A real browser for tests: Debian's Chromium without a window. It opens pages and contacts no other host."""

from __future__ import annotations

import contextlib
import shutil
from collections.abc import AsyncIterator

from playwright.async_api import Browser, async_playwright

from infra.local.processes import StartError

# No sandbox: tests also run as root in containers, and they only open pages of this machine.
_ARGUMENTS = (
    *("--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run"),
    *("--disable-background-networking", "--disable-component-update", "--disable-sync"),
)


@contextlib.asynccontextmanager
async def chromium() -> AsyncIterator[Browser]:
    """Give a running Chromium. If it is not installed, StartError says how to install it."""
    program = shutil.which("chromium")
    if program is None:
        raise StartError("Chromium is not installed. Run: make debian-packages")
    async with async_playwright() as playwright:
        browser = await playwright.chromium.launch(executable_path=program, args=list(_ARGUMENTS))
        try:
            yield browser
        finally:
            await browser.close()
