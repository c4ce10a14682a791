"""What must agree in the files of docs/lms, and what they must not contain."""

from __future__ import annotations

import base64
import hashlib
import json
import re
from pathlib import Path

FOLDER = Path(__file__).parents[2] / "docs/lms"
INDEX = (FOLDER / "index.html").read_text()
LOCK = json.loads((FOLDER / "package-lock.json").read_text())
PAGES = [INDEX, *(file.read_text() for file in sorted(FOLDER.glob("*.js")))]


def import_map():
    [text] = re.findall(r'<script type="importmap">(.*?)</script>', INDEX, re.DOTALL)
    return text


def test_the_import_map_leads_to_the_pinned_sdk():
    pinned = json.loads((FOLDER / "package.json").read_text())["dependencies"]["firebase"]
    imports = json.loads(import_map())["imports"]

    assert LOCK["packages"]["node_modules/firebase"]["version"] == pinned
    versions = {found for name in imports for found in re.findall(r"/firebasejs/([^/]+)/", name)}
    assert versions == {pinned}
    assert all(target.startswith("./node_modules/firebase/") for target in imports.values())


def test_the_content_security_policy_allows_the_import_map_and_no_other_inline_script():
    digest = base64.b64encode(hashlib.sha256(import_map().encode()).digest()).decode()

    assert re.findall(r"script-src ([^;]*);", INDEX) == [f"'self' 'sha256-{digest}'"]
    assert "unsafe" not in INDEX
    assert len(re.findall(r"<script(?! type=\"importmap\")[^>]*>[^<]", INDEX)) == 0


def test_no_text_becomes_html_and_no_handler_is_written_into_html():
    forbidden = re.compile(r"innerHTML|outerHTML|insertAdjacentHTML|document\.write|\beval\(|\son[a-z]+=|javascript:")

    assert [found for page in PAGES for found in forbidden.findall(page)] == []


def test_the_lockfile_pins_each_package_by_its_hash_and_names_no_place_to_fetch_it_from():
    packages = {name: package for name, package in LOCK["packages"].items() if name}

    assert [name for name, package in packages.items() if "integrity" not in package] == []
    assert [name for name, package in packages.items() if "resolved" in package] == []
