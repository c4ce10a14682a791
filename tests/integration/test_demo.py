"""The demo: what a new user sees first."""

import io
import subprocess
from typing import Any

import pytest
from rich.console import Console

from infra.local import demo
from infra.local.classes import believable_class
from infra.local.function_server import ROOT
from tests.builders import NINE


def test_the_demo_shows_everybody_with_time_and_ends_complete(tmp_path):
    """A seed gives the same class at any time and in any room, so a second class of the same seed has the names."""
    screen = io.StringIO()
    demo.run(tmp_path / "demo", people=9, seed=4, console=Console(file=screen, width=200))
    shown = screen.getvalue()

    assert "HTTP 503" in shown
    assert "HTTP 200: acknowledged." in shown
    assert "12 attendance documents are stored, sync complete after 2 reads" in shown
    teacher, *pupils = demo.demo_accounts(9)
    room: Any = {"organizer": teacher.user, "space": "spaces/room", "meeting_code": "abc-mnop-xyz"}
    held = believable_class(4, people=9, start=NINE, pupils=pupils, **room)
    people: list[Any] = [*held.attendees, *pupils]
    for name in {person.display_name for person in people}:
        assert name in shown
    assert shown.count("(teacher)") == 1
    for page in ("report.html", "register.html", "attendance.csv"):
        file = tmp_path / "demo" / page
        assert str(file) in shown
        assert f"pupil{len(pupils)}@school.example" in file.read_text("utf-8").replace("<wbr>", "")
    assert (tmp_path / "demo" / "report.html").read_text().count('class="track"') == 12


@pytest.mark.parametrize("people", ["1", "0", "1001", "many", "-3"])
def test_a_class_that_cannot_be_shown_is_refused_with_what_can(people, monkeypatch, capsys):
    monkeypatch.setattr("sys.argv", ["demo", f"--people={people}"])

    with pytest.raises(SystemExit):
        demo.main()

    assert "argument --people: should be between 2 and 1000" in capsys.readouterr().err


@pytest.mark.parametrize("typed", ["PEOPLE=1", "ARGS=--people=1"])
def test_make_passes_on_what_is_typed(typed):
    refused = subprocess.run(  # noqa: S603 - our own command
        ["make", "demo", typed],  # noqa: S607 - whichever make there is
        cwd=ROOT,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )

    assert refused.returncode != 0
    assert "make demo [PEOPLE=40] [SEED=2]" in refused.stderr
    assert "should be between 2 and 1000" in refused.stderr
