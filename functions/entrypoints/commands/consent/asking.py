"""Ask a teacher for consent, and store what Google returned: everything or nothing."""

from __future__ import annotations

import webbrowser
from collections.abc import Collection
from dataclasses import dataclass
from datetime import timedelta
from urllib.parse import urlsplit

import click

from functions.adapters.consent.consents import Consent, Consents
from functions.adapters.consent.errors import ConsentNotGiven, ConsentUnreadable
from functions.adapters.consent.flow import ConsentFlow, Obtained, TokenInHand
from functions.adapters.consent.loopback import HOST, Loopback
from functions.adapters.consent.oauth_client import OAuthClient
from functions.adapters.google.credentials.capabilities import Capability
from functions.adapters.google.credentials.own_consent import COMMAND
from functions.domain.conferences.model import Identity, Organizer
from functions.entrypoints.commands.consent.purposes import PURPOSES, flags_for, granted, scopes_of
from functions.wiring import Consenting


@dataclass(frozen=True, slots=True)
class Asked:
    """What a teacher is asked for, and how.

    Attributes:
        client: What the teacher consents to.
        capabilities: What for.
        expected: The address of the teacher who must consent, lower case; None for anybody.
        port: The port at which the answer arrives; 0 for any free port.
        seconds: How long to wait for the answer.
        opens_browser: Whether a browser is opened, if there is one with a window.
        narrows: Whether the consent may allow less than the stored one.
    """

    client: OAuthClient
    capabilities: tuple[Capability, ...]
    expected: str | None
    port: int
    seconds: float
    opens_browser: bool
    narrows: bool


async def ask(asked: Asked, using: Consenting) -> tuple[Consent, timedelta | None]:
    """Ask a teacher for consent and store it.

    Returns:
        The consent, and the time after which it ends by itself, if Google says so.

    Raises:
        AttendanceError: The teacher did not consent; nothing was stored.
    """
    await using.consents.check()
    obtained = await _obtained(asked, using.stand_in)
    account = await using.account(TokenInHand(obtained.access_token))
    if account is None:
        raise ConsentNotGiven("Google does not say which account consented. Nothing was stored.", hint="Try again.")
    consent = _consent(asked, obtained, account)
    await _require_no_less(asked, consent, using.consents)
    await using.consents.put(consent)
    return consent, obtained.ends_in


async def _obtained(asked: Asked, stand_in: str | None) -> Obtained:
    async with Loopback(asked.port) as loopback:
        flow = ConsentFlow(
            asked.client, scopes_of(asked.capabilities), redirect_uri=loopback.redirect_uri, stand_in=stand_in
        )
        page, state = flow.page(email=asked.expected)
        _show(page, loopback.port, opens_browser=asked.opens_browser)
        answer = await loopback.answer(state, within=asked.seconds)
    return await flow.exchange(answer)


def _show(page: str, port: int, *, opens_browser: bool) -> None:
    """Lead the teacher to Google's page."""
    host = urlsplit(page).netloc
    if opens_browser and _has_window() and webbrowser.open(page, new=1):
        click.echo(f"A browser should have opened with a page of {host}. If not, open this address:\n\n{page}\n")
        return
    click.echo(f"Open this address in a browser, as the teacher:\n\n{page}\n")
    click.echo(
        "If your browser is on another computer, first run this on that computer:"
        f"\n\n  ssh -L {port}:{HOST}:{port} YOUR_NAME@THIS_COMPUTER\n"
    )


def _has_window() -> bool:
    """Whether a browser exists that does not use the terminal itself."""
    try:
        return type(webbrowser.get()) is not webbrowser.GenericBrowser
    except webbrowser.Error:
        return False


def _consent(asked: Asked, obtained: Obtained, account: Identity) -> Consent:
    """Return the consent if it is the expected person's, complete, and valid for longer than an hour."""
    if asked.expected not in {None, account.email, *account.aliases}:
        raise ConsentNotGiven(
            f"{account.email} consented, but {asked.expected} was expected. Nothing was stored.",
            hint="Run the command again and choose the expected account on Google's page; a private window helps.",
        )
    click.echo(
        f"{account.email} ({account.user}) lets Meet Attendance\n{_table(asked.capabilities, obtained.scopes)}\n"
    )
    missing = [each for each in asked.capabilities if not granted(each, obtained.scopes)]
    if missing:
        boxes = "; ".join(f"“{box}”" for each in missing for box in PURPOSES[each].boxes)
        raise ConsentNotGiven(
            f"Not granted: {'; '.join(PURPOSES[each].words for each in missing)}. Nothing was stored.",
            hint=f"Run the command again and tick every box on Google's page: {boxes}. "
            "Or leave out the option that needs it.",
        )
    if obtained.refresh_token is None:
        raise ConsentNotGiven(
            "Google gave a token for only one hour. Nothing was stored.",
            hint="Remove the app's access at https://myaccount.google.com/permissions and run the command again.",
        )
    return Consent(
        user=account.user,
        email=account.email,
        client_id=asked.client.client_id,
        client_secret=asked.client.client_secret,
        refresh_token=obtained.refresh_token,
        scopes=obtained.scopes,
    )


async def _require_no_less(asked: Asked, consent: Consent, consents: Consents) -> None:
    """Refuse to replace a consent that allows more, which would be lost without notice."""
    try:
        kept = await consents.get(Organizer(consent.user))
    except ConsentUnreadable:
        return  # a secret without a consent; a file without one cannot be written
    lost = [each for each in PURPOSES if kept and granted(each, kept.scopes) and not granted(each, consent.scopes)]
    if lost and kept and not asked.narrows:
        raise ConsentNotGiven(
            f"The stored consent also lets this system {'; '.join(PURPOSES[each].words for each in lost)}. "
            "It was kept: nothing was stored.",
            hint=f"Ask for everything together: {COMMAND} {flags_for(kept.scopes | consent.scopes)}. "
            "To store less from now on, add --narrow.",
        )


def _table(capabilities: Collection[Capability], scopes: Collection[str]) -> str:
    return "\n".join(
        f"  {'yes' if granted(each, scopes) else 'NO ':<4} {PURPOSES[each].words}" for each in capabilities
    )
