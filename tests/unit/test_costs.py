"""The page about costs shows the measured figures, computed with the prices that it names."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest

from bench.costs import CLASSES_OF_A_TEACHER, MEASURED, PAGE, PRICES, RECONCILE, RENEW, SYNC_DUE, month, tables, written

ROOT = Path(__file__).parents[2]


@pytest.fixture
def measured():
    return json.loads(MEASURED.read_text())


def test_the_page_holds_the_tables_of_what_was_measured(measured):
    page = PAGE.read_text()

    assert written(page, measured) == page, "run: python -m bench.costs --tables"
    for table in tables(measured).values():
        assert table in page


@pytest.mark.parametrize("line", PRICES)
def test_the_page_names_every_price_that_is_reckoned_with(line):
    _, price, _, _ = PRICES[line]
    (row,) = re.findall(rf"^\| {re.escape(line)} \| \$([0-9.]+) for (.*?) \|", PAGE.read_text(), re.MULTILINE)
    per = {"100,000": 1e5, "a million": 1e6, "a TiB": 1024}
    assert float(row[0]) == pytest.approx(price * next((n for words, n in per.items() if row[1].startswith(words)), 1))


def test_the_scheduled_jobs_run_as_often_as_they_are_deployed():
    schedule = dict(re.findall(r'"attendance-([a-z-]+)\|([^|]+)\|', (ROOT / "infra/deploy/names.sh").read_text()))

    assert schedule == {"sync-due": "*/5 * * * *", "reconcile": "*/30 * * * *", "renew-subscriptions": "0 */6 * * *"}
    assert (SYNC_DUE, RECONCILE, RENEW) == (30 * 24 * 12, 30 * 24 * 2, 30 * 4)


def test_a_month_is_the_sum_of_its_class_meetings_and_of_the_jobs_for_each_teacher(measured):
    units = month(measured, 2 * CLASSES_OF_A_TEACHER + 1)

    assert units["teachers"] == 3
    assert units["meet_calls"] == pytest.approx(
        (2 * CLASSES_OF_A_TEACHER + 1) * measured["class_meeting"]["meet_calls"]
        + 3 * RECONCILE * measured["reconcile_a_teacher"]["meet_calls"]
    )
