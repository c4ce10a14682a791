"""Back ends of an LMS, in the words of `docs/lms.md`: the code is taken out of that page and run.

The LMS's own code is made up here: anyone who sends the cookie `teacher=7b` teaches class 7b, and
may see its register and the class meetings that belong to it.
"""

from __future__ import annotations

import contextlib
import json
import re
import sys
from collections.abc import Iterator, Mapping
from pathlib import Path

from infra.local.function_server import ROOT
from infra.local.processes import free_port, running

PAGE = ROOT / "docs" / "lms.md"

_PYTHON = """
import json, pathlib

CLASSES = json.loads(pathlib.Path(__file__).with_name("classes.json").read_text())

def may_see_class(request, class_id):
    return class_id in CLASSES and request.cookies.get("teacher") == class_id

def may_see_session(request, session_id):
    return any(session_id in CLASSES[one] and may_see_class(request, one) for one in CLASSES)
"""

_PHP = """<?php
define('CLASSES', json_decode(file_get_contents(__DIR__ . '/classes.json'), true));

function lms_may_see_class(string $class_id): bool
{
    return isset(CLASSES[$class_id]) && ($_COOKIE['teacher'] ?? null) === $class_id;
}

function lms_may_see_session(string $session_id): bool
{
    $theirs = fn($class_id) => in_array($session_id, CLASSES[$class_id], true) && lms_may_see_class((string) $class_id);
    return count(array_filter(array_keys(CLASSES), $theirs)) > 0;
}
"""


def code_block(language: str) -> str:
    """The one block of this language in the section Pages of `docs/lms.md`."""
    [section] = re.findall(r"^## Pages\n(.*?)^## ", PAGE.read_text(), flags=re.MULTILINE | re.DOTALL)
    [block] = re.findall(rf"^```{language}\n(.*?)^```$", section, flags=re.MULTILINE | re.DOTALL)
    return str(block)


@contextlib.contextmanager
def python_backend(
    api: str, *, classes: Mapping[str, list[str]], env: Mapping[str, str], folder: Path
) -> Iterator[str]:
    """The back end in Python; gives the address below which its pages are.

    Args:
        api: The address of the function `api`.
        classes: The session ids of each class, as the LMS stored them.
        env: Where it finds the metadata server.
        folder: Where its code and its log are put; it is made.
    """
    _lay_out(folder, {"backend.py": code_block("python"), "lms.py": _PYTHON}, classes)
    port = free_port()
    command = [sys.executable, "-m", "uvicorn", "backend:app", "--host", "127.0.0.1", "--port", str(port)]
    with running(
        command,
        ready=f"http://127.0.0.1:{port}/",
        log=folder / "backend.log",
        env={**env, "ATTENDANCE_API": api, "GOOGLE_APPLICATION_CREDENTIALS": None},
        cwd=folder,
    ):
        yield f"http://127.0.0.1:{port}/attendance"


@contextlib.contextmanager
def php_backend(api: str, *, classes: Mapping[str, list[str]], env: Mapping[str, str], folder: Path) -> Iterator[str]:
    """The back end in PHP, likewise."""
    _lay_out(folder, {"attendance.php": code_block("php"), "lms.php": _PHP}, classes)
    port = free_port()
    with running(
        ["php", "-S", f"127.0.0.1:{port}", "-t", str(folder)],
        ready=f"http://127.0.0.1:{port}/",
        log=folder / "backend.log",
        env={**env, "ATTENDANCE_API": api},
        cwd=folder,
    ):
        yield f"http://127.0.0.1:{port}/attendance.php"


def _lay_out(folder: Path, files: Mapping[str, str], classes: Mapping[str, list[str]]) -> None:
    folder.mkdir(parents=True)
    for name, text in {**files, "classes.json": json.dumps(classes)}.items():
        (folder / name).write_text(text)
