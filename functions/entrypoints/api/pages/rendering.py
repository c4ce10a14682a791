"""Converts what a page shows to HTML with its headers.

Pages reach people through the LMS's back end, under any address: they load nothing, no script runs, and the only style
is the page's own.
"""

from __future__ import annotations

import secrets
from functools import cache
from pathlib import Path

from jinja2 import Environment, FileSystemLoader, StrictUndefined, Template
from starlette.responses import Response

from functions.entrypoints.api.pages.register import RegisterPage
from functions.entrypoints.api.pages.report import ReportPage
from functions.entrypoints.api.pages.wording import MARKS

_TEMPLATES = Path(__file__).with_name("templates")


def report_html(report: ReportPage, *, etag: str | None = None) -> Response:
    """A class meeting's page."""
    return _page("report.html", report, etag)


def register_html(register: RegisterPage) -> Response:
    """The page of a class's register."""
    return _page("register.html", register, None)


def _page(template: str, page: ReportPage | RegisterPage, etag: str | None) -> Response:
    """The page as an answer.

    Its style has a number that nobody can guess, and no other style is allowed: so even if a typed name became markup,
    it would have no effect.
    https://www.w3.org/TR/CSP3/#framework-directive-source-list
    """
    nonce = secrets.token_urlsafe(18)
    text = _template(template).render(page=page, nonce=nonce, marks=MARKS)
    policy = (
        f"default-src 'none'; style-src 'nonce-{nonce}'; base-uri 'none'; form-action 'none'; frame-ancestors 'self'"
    )
    headers = {
        "Content-Security-Policy": policy,
        "Content-Language": "en",
        "Cache-Control": "no-store",
        "X-Content-Type-Options": "nosniff",
        "Referrer-Policy": "no-referrer",
        **({"ETag": etag} if etag else {}),
    }
    # A name with half of a character, which is not valid text, gets a question mark instead of causing an error.
    return Response(text.encode(errors="replace"), media_type="text/html", headers=headers)


@cache
def _template(name: str) -> Template:
    environment = Environment(
        loader=FileSystemLoader(_TEMPLATES),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        auto_reload=False,
    )
    return environment.get_template(name)
