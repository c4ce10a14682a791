"""The structure of the code that a reader can rely on."""

import ast
import collections
from pathlib import Path

import pytest

FUNCTIONS = Path(__file__).parents[2] / "functions"
MODULES = sorted(FUNCTIONS.rglob("*.py"))
MOST_MODULES = 9


def test_no_folder_has_more_modules_than_a_reader_takes_in():
    folders = collections.Counter(module.parent for module in MODULES if module.name != "__init__.py")

    assert {
        folder.relative_to(FUNCTIONS).as_posix() for folder, found in folders.items() if found > MOST_MODULES
    } == set()


def test_no_two_classes_share_a_name():
    names = collections.Counter(
        node.name
        for module in MODULES
        for node in ast.walk(ast.parse(module.read_text(encoding="utf-8")))
        if isinstance(node, ast.ClassDef)
    )

    assert {name for name, found in names.items() if found > 1} == set()


@pytest.mark.parametrize("word", ["gcloud", "Admin console", "googleapis.com/auth", "console:"])
def test_the_domain_knows_nothing_of_a_vendors_console(word):
    assert [
        module for module in MODULES if "domain" in module.parts and word in module.read_text(encoding="utf-8")
    ] == []
