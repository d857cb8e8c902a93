"""The JSON API does what its OpenAPI document says, whatever is asked of it."""

from __future__ import annotations

import json

import pytest

from mlvc.web import api
from mlvc.web.application import application
from mlvc.web.site import Site


def test_every_endpoint_is_in_the_document_and_answers(browser):
    document = json.loads(browser.page("/openapi.json"))
    assert set(document["paths"]) == {f"{api.PREFIX}{one.path}" for one in api.ENDPOINTS}
    view = browser.site.workspace.repository.view()
    run = next(iter(view.runs()))
    version = view.latest("p/net").version.hex()
    known = {"{project}/{run}": f"p/{run.label}", "{project}/{name}/{version}": "p/net/v0", "{project}/{name}": "p/net", "{project}": "p"}
    for path in document["paths"]:
        address = path
        for template, value in known.items():
            address = address.replace(template, value)
        found = json.loads(browser.page(f"{address}?of=artifact:{version}" if path.endswith("/lineage") else address))
        assert isinstance(found, dict)
        assert set(document["paths"][path]["get"]["responses"]["200"]["content"]["application/json"]["schema"].get("required", [])) <= set(found)


def test_versions_and_files_are_the_same_as_the_command_line_says(browser):
    found = json.loads(browser.page("/api/v1/collections/p/net/v0"))
    assert (found["name"], found["type"], found["version"]) == ("net:v0", "model", "v0")
    assert found["links"] == ["registry/best"]
    files = json.loads(browser.page("/api/v1/collections/p/data/latest/files?count=1&start=1"))
    assert files["files"] == [{"path": "labels.csv", "size_bytes": 8}]
    runs = json.loads(browser.page("/api/v1/runs/p?filter=config.lr%3E0.05"))
    assert [one["name"] for one in runs["runs"]] == ["brisk"]


def test_the_document_holds_against_random_questions(filled):
    schemathesis = pytest.importorskip("schemathesis")
    from hypothesis import HealthCheck, given, settings

    schema = schemathesis.openapi.from_asgi("/openapi.json", application(Site(filled), hosts=("testserver",)))

    for operation in schema.get_all_operations():
        one = operation.ok()
        strategy = one.as_strategy()
        @settings(max_examples=15, deadline=None, suppress_health_check=list(HealthCheck))
        @given(case=strategy)
        def ask(case):
            answer = case.call()
            assert answer.status_code < 500, (case.path, case.path_parameters, case.query, answer.text)
            case.validate_response(answer, checks=[schemathesis.checks.not_a_server_error, schemathesis.checks.response_schema_conformance])

        ask()
