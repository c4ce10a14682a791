"""Pictures of the pages with invented classes: in a browser, through an LMS's back end, into `build/screenshots`.

`make screenshots` takes them. It also takes the pictures of the page in `docs/lms`, which need the Firestore emulator.
Some pictures show the first printed page.
"""

from __future__ import annotations

import asyncio
import subprocess
import sys
import tempfile
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from playwright.async_api import Browser

from infra.local.browser import chromium
from infra.local.function_server import ROOT, function_server
from infra.local.id_tokens import IdTokenIssuer
from infra.local.lms_backend import python_backend
from infra.local.lms_pictures import take_lms_page
from infra.local.metadata_server import MetadataServer
from infra.local.month import MONTH, ZONE
from infra.local.processes import StartError, bypass_proxies, free_port, terminate_as_interrupt
from infra.local.showcase import CLASS_ID, HOSTILE_CLASS_ID, LARGE_CLASS_ID, Showcase, classes_of, hold_showcase

FOLDER = ROOT / "build" / "screenshots"

_LMS = "lms@school.example"
_DESKTOP, _PHONE = {"width": 1280, "height": 1100}, {"width": 360, "height": 740}


@dataclass(frozen=True, slots=True)
class Picture:
    """A picture to take.

    Attributes:
        name: The name of its file.
        class_id: The class whose teacher opens the page.
        path: The path of the page, below the LMS's own address.
        whole: Whether to show the whole page, not only its first screen.
        printed: Whether to show the first printed page.
        options: Options of the browser's context.
    """

    name: str
    class_id: str
    path: str
    whole: bool = False
    printed: bool = False
    options: dict[str, Any] = field(default_factory=dict)


def main() -> None:
    """The command `make screenshots`."""
    terminate_as_interrupt()
    bypass_proxies()
    FOLDER.mkdir(parents=True, exist_ok=True)
    try:
        asyncio.run(take(FOLDER, tell=print))
    except StartError as error:
        sys.exit(f"No pictures can be taken. {error}")
    except KeyboardInterrupt:
        sys.exit("Stopped.")


async def take(folder: Path, *, tell: Callable[[str], None]) -> None:
    """Take every picture; files with the same names in the folder are replaced."""
    with tempfile.TemporaryDirectory() as made:
        work = Path(made)
        showcase = await hold_showcase(work)
        issuer, port = IdTokenIssuer(), free_port()
        env = {
            "AUTH_MODE": "anonymous",
            "API_CALLERS": f"{_LMS}=lms",
            "API_AUDIENCE": f"http://127.0.0.1:{port}",
            "ATTENDANCE_STORE": showcase.store,
            "MEET_API_ENDPOINT": "http://127.0.0.1:9",  # pages do not call Meet
            "SCHOOL_TIME_ZONE": str(ZONE),
        }
        with (
            issuer.in_thread(),
            function_server(
                "api",
                env={**env, "ID_TOKEN_CERTIFICATES_ENDPOINT": issuer.endpoint},
                log=work / "api.log",
                port=port,
                signature="http",
            ) as api,
            MetadataServer(_LMS, issuer).in_thread() as metadata,
            python_backend(
                api.url, classes=classes_of(showcase), env=metadata.environment, folder=work / "lms"
            ) as address,
        ):
            async with chromium() as browser:
                for picture in _pictures(showcase):
                    file = folder / f"{picture.name}.png"
                    await _take(picture, browser, address, file)
                    tell(str(file.relative_to(ROOT) if file.is_relative_to(ROOT) else file))
                await take_lms_page(folder, browser, work, tell=tell)


def _pictures(showcase: Showcase) -> list[Picture]:
    report = f"/sessions/{showcase.report}/attendance?format=html"
    large = f"/sessions/{showcase.large}/attendance?format=html"
    hostile = f"/sessions/{showcase.hostile}/attendance?format=html"
    register = f"/classes/{CLASS_ID}/register?month={MONTH}&format=html"
    dark: dict[str, Any] = {"color_scheme": "dark"}
    phone: dict[str, Any] = {"viewport": _PHONE, "device_scale_factor": 2, "is_mobile": True, "has_touch": True}
    return [
        Picture("report", CLASS_ID, report),
        Picture("report-whole", CLASS_ID, report, whole=True),
        Picture("report-dark", CLASS_ID, report, options=dark),
        Picture("report-phone", CLASS_ID, report, options=phone),
        Picture("report-phone-whole", CLASS_ID, report, whole=True, options=phone),
        Picture("report-printed", CLASS_ID, report, printed=True),
        Picture("report-500-people", LARGE_CLASS_ID, large),
        Picture("report-hostile", HOSTILE_CLASS_ID, hostile, whole=True),
        Picture("register", CLASS_ID, register),
        Picture("register-dark", CLASS_ID, register, options=dark),
        Picture("register-phone", CLASS_ID, register, options=phone),
        Picture("register-printed", CLASS_ID, register, printed=True),
    ]


async def _take(picture: Picture, browser: Browser, address: str, file: Path) -> None:
    context = await browser.new_context(**{"viewport": _DESKTOP, **picture.options})
    try:
        await context.add_cookies([{"name": "teacher", "value": picture.class_id, "url": address}])
        page = await context.new_page()
        await page.goto(address + picture.path)
        if picture.printed:
            sheets = await page.pdf(prefer_css_page_size=True, format="A4", landscape="/register?" in picture.path)
            await asyncio.to_thread(_first_sheet, sheets, file)
        else:
            await page.screenshot(path=file, full_page=picture.whole)
    finally:
        await context.close()


def _first_sheet(pdf: bytes, file: Path) -> None:
    command = ["pdftoppm", "-png", "-r", "96", "-singlefile", "-", str(file.with_suffix(""))]
    subprocess.run(command, input=pdf, check=True)


if __name__ == "__main__":
    main()
