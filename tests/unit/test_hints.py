"""The menus and pages to which hints send an administrator."""

import re

from functions.adapters.google.credentials.capabilities import Capability
from infra.local.function_server import ROOT

ADMIN_CONSOLE = "Security > Access and data control > API controls"


def test_every_hint_into_the_admin_console_names_the_whole_way_as_its_menus_are_now():
    """The names come from https://support.google.com/a/answer/162106."""
    code = [file.read_text() for file in (ROOT / "functions").rglob("*.py")]
    # A text has several parts in the code, one on each line.
    texts = [re.sub(r'"\s*\n\s*f?"', "", one) for one in code]
    led = [where for one in texts for where in re.findall(r"Security >[^.,;:]*?API controls", one)]

    assert len(led) >= 6
    assert set(led) == {ADMIN_CONSOLE}


def test_an_administrator_is_given_every_scope_that_is_asked_for_to_paste_and_to_choose_from():
    page = (ROOT / "docs" / "administrator.md").read_text()
    [pasted] = re.findall(r"^ *(https://www.googleapis.com/auth/\S+)$", page, flags=re.MULTILINE)
    explained = re.findall(r"`(https://www.googleapis.com/auth/[a-z.]+)`", page)

    asked_for = {scope for capability in Capability for scope in capability.scopes}
    assert set(pasted.split(",")) == set(explained) == asked_for
