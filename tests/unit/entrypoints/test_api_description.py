"""`/openapi.json`, for the author of an LMS who has nothing else."""

import json

import pytest

from functions.entrypoints.api.application import application
from functions.entrypoints.api.schemas.meanings import MEANINGS


@pytest.fixture(scope="module")
def api():
    return application(None).openapi()


def test_every_field_says_what_it_means(api):
    silent = [
        f"{schema}.{name}"
        for schema, content in api["components"]["schemas"].items()
        for name, value in content.get("properties", {}).items()
        if not value.get("description")
    ]

    assert silent == []


def test_every_parameter_says_what_it_means(api):
    silent = [
        f"{method.upper()} {path}: {parameter['name']}"
        for path, calls in api["paths"].items()
        for method, call in calls.items()
        for parameter in call.get("parameters", [])
        if not parameter.get("description")
    ]

    assert silent == []


def test_nothing_is_explained_that_is_not_there(api):
    said = json.dumps(api)

    assert [name for name, meaning in MEANINGS.items() if json.dumps(meaning) not in said] == []


def test_where_a_name_means_two_things_each_is_explained(api):
    schemas = api["components"]["schemas"]

    assert "by the rules" in schemas["AttendanceAnswer"]["properties"]["status"]["description"]
    assert "HTTP" in schemas["ProblemDetails"]["properties"]["status"]["description"]
    assert "Presences" in schemas["AttendanceAnswer"]["properties"]["sessions"]["description"]
    assert "Class meetings" in schemas["SessionList"]["properties"]["sessions"]["description"]
