"""`/openapi.json`, for the author of an LMS who has no other documentation."""

import json
import re

import pytest
from fastapi.routing import APIRoute

from functions.entrypoints.api.application import all_routes, application
from functions.entrypoints.api.description import as_text
from functions.entrypoints.api.schemas.examples import ANSWERS, BODIES
from functions.entrypoints.api.schemas.meanings import MEANINGS
from infra.local.openapi import FILE

ROUTES = {route.operation_id: route for route in all_routes() if isinstance(route, APIRoute)}


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


def test_no_explanation_is_about_a_missing_field(api):
    said = json.dumps(api)

    assert [name for name, meaning in MEANINGS.items() if json.dumps(meaning) not in said] == []


def test_where_a_name_means_two_things_each_is_explained(api):
    schemas = api["components"]["schemas"]

    assert "by the rules" in schemas["AttendanceAnswer"]["properties"]["status"]["description"]
    assert "HTTP" in schemas["ProblemDetails"]["properties"]["status"]["description"]
    assert "Presences" in schemas["AttendanceAnswer"]["properties"]["sessions"]["description"]
    assert "Class meetings" in schemas["SessionList"]["properties"]["sessions"]["description"]


def test_the_file_that_clients_are_generated_from_is_the_api_as_it_is(api):
    assert FILE.read_text(encoding="utf-8") == as_text(api), "write it again with: make openapi"


def test_every_call_has_a_short_name_of_its_own_for_generated_clients(api):
    names = [call["operationId"] for calls in api["paths"].values() for call in calls.values()]

    assert [name for name in names if not re.fullmatch(r"[a-z]+(_[a-z]+){1,3}", name)] == []
    assert len(set(names)) == len(names)


def test_every_call_with_a_body_has_an_example_that_the_call_accepts():
    with_body = {name: route.body_field for name, route in ROUTES.items() if route.body_field}

    assert BODIES.keys() == with_body.keys()
    for name, field in with_body.items():
        field.field_info.annotation.model_validate(BODIES[name])


@pytest.mark.parametrize("name", ANSWERS)
def test_an_example_of_an_answer_has_every_field_of_it(name):
    for answer in ANSWERS[name].values():
        shown = ROUTES[name].response_model.model_validate(answer).model_dump(mode="json", exclude_unset=True)
        whole = ROUTES[name].response_model.model_validate(answer).model_dump(mode="json")

        assert shown == answer
        assert name == "schedule_class" or shown == whole


def test_what_every_answer_holds_is_not_called_optional(api):
    optional = {
        schema: sorted(content["properties"].keys() - set(content.get("required", ())))
        for schema, content in api["components"]["schemas"].items()
        if schema.endswith("Answer") or schema in {"Occurrence", "Register", "Synced", "SessionList", "AttendanceList"}
    }

    assert {schema: fields for schema, fields in optional.items() if fields} == {}


def test_no_parameter_is_said_to_be_null_which_no_query_can_be(api):
    parameters = [p for calls in api["paths"].values() for call in calls.values() for p in call.get("parameters", ())]

    assert "null" not in json.dumps([parameter["schema"] for parameter in parameters])


def test_no_field_of_a_body_has_a_default_which_generated_clients_take_for_a_field_that_must_be_sent(api):
    bodies = [name for name in api["components"]["schemas"] if name.endswith(("Request", "Body", "Item"))]
    defaults = [
        f"{name}.{field}"
        for name in bodies
        for field, value in api["components"]["schemas"][name]["properties"].items()
        if "default" in value
    ]

    assert bodies
    assert defaults == []


def test_no_body_is_called_as_one_of_its_own_fields_because_generators_give_both_one_variable(api):
    alike = [
        name
        for name, content in api["components"]["schemas"].items()
        if re.sub(r"(?<=[a-z])(?=[A-Z])", "_", name).lower() in content.get("properties", {})
    ]

    assert alike == []
