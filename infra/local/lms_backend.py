"""Back ends of an LMS that run the code from `docs/lms.md`.

The LMS's own code is invented here: a caller with the cookie `teacher=7b` teaches class 7b. This teacher may see the
register and the class meetings of this class.
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
    """Return the only code block in this language in the section Pages of `docs/lms.md`."""
    [section] = re.findall(r"^## Pages\n(.*?)^## ", PAGE.read_text(), flags=re.MULTILINE | re.DOTALL)
    [block] = re.findall(rf"^```{language}\n(.*?)^```$", section, flags=re.MULTILINE | re.DOTALL)
    return str(block)


@contextlib.contextmanager
def python_backend(
    api: str, *, classes: Mapping[str, list[str]], env: Mapping[str, str], folder: Path
) -> Iterator[str]:
    """Run the back end in Python; give the base address of its pages.

    Args:
        api: The address of the function `api`.
        classes: The session ids of each class, as the LMS stored them.
        env: The environment variables with the address of the metadata server.
        folder: The folder for its code and its log; it is created.
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
    """Run the back end in PHP; arguments and result are those of `python_backend`."""
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
