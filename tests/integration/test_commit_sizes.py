"""How large the one commit of a class meeting is, with the indexes that are deployed."""

from bench.commit_sizes import line, marked
from infra.local.function_server import ROOT

MOST_BYTES = 10 * 1024 * 1024


async def test_a_class_of_a_thousand_with_two_devices_each_is_one_commit_that_firestore_takes(firestore_gate):
    measure = await marked(1000, firestore_gate)

    assert measure.writes > 1000
    assert measure.request_bytes < MOST_BYTES
    assert measure.counted_bytes < MOST_BYTES
    assert measure.entries < 20_000


async def test_the_figures_of_the_documentation_are_those_of_today(firestore_gate):
    page = (ROOT / "docs" / "documents.md").read_text()

    assert line(30, await marked(30, firestore_gate)) in page
