"""The messages of commands that fail."""

import pytest

from functions.adapters.google.calls.services import MEET
from functions.domain.errors import StoreUnavailable
from functions.entrypoints.commands.operate.app import fail


def said(error, capsys):
    with pytest.raises(SystemExit):
        fail(error)
    return capsys.readouterr().err


def test_no_command_claims_to_try_again_by_itself(capsys):
    told = said(StoreUnavailable("Firestore does not answer."), capsys)

    assert told.startswith("Firestore does not answer.\nRun the command again")
    assert "by itself" not in told


def test_a_hint_that_was_made_for_the_case_stays(capsys):
    assert "look at the path" in said(StoreUnavailable("It cannot be opened.", hint="look at the path"), capsys)
    assert "gcloud services enable" in said(MEET.disabled("It is off."), capsys)
