"""The API's description itself: it is OpenAPI 3.1, it leaves nothing open, its examples match their schemas, it has exactly
the routes of the program, and the program serves it."""
import json
import re
import subprocess

import jsonschema
import pytest

from conftest import ROOT
from support.openapi import METHODS
from support.openapi_structure import STRUCTURE

# A row of the program's table of routes: method, path, access, scopes.
ROW = re.compile(r'^    \{"([A-Z]+)",\s+"([^"]+)",\s+(ROUTE_\w+)(?:,\s+([A-Z_|\s]+))?', re.MULTILINE)
# A row of its table of errors: status, code.
ERROR = re.compile(r'\[(?:ERR_\w+)\] = \{(\d+), "(\w+)"\}')

# The statuses with which any request of a kind may be refused.
REFUSALS = {"ROUTE_OPERATOR": {400, 408, 413, 431}, "ROUTE_PROVIDER": {400, 408, 413, 431, 500, 503},
            "ROUTE_KEY": {400, 401, 403, 404, 408, 413, 429, 431, 500, 503}}
REFUSALS_OF_A_BODY = {415, 422}
MUST_WAIT = {409, 429, 503}


@pytest.fixture(scope="session")
def document(openapi):
    return openapi.document


@pytest.fixture(scope="session")
def routes():
    """The program's own table: (method, path with {}) to (access, scopes)."""
    rows = ROW.findall((ROOT / "src" / "api" / "router.c").read_text())
    assert rows
    return {(method, re.sub(r"\{\w+\}", "{}", path)): (access, _scope_names(scopes))
            for method, path, access, scopes in rows}


def _scope_names(scopes):
    return {scope.lower().replace("_", ":") for scope in re.findall(r"SCOPE_([A-Z_]+)", scopes)}


def key_of(operation):
    return operation.method, re.sub(r"\{\w+\}", "{}", operation.path)


def nodes(value, at=()):
    """Every object and list of the document with its place, but for those within examples, which are any values."""
    yield at, value
    if isinstance(value, (dict, list)):
        for name, inner in value.items() if isinstance(value, dict) else enumerate(value):
            if name not in ("example", "examples", "value") or at[-1:] == ("components",):
                yield from nodes(inner, (*at, name))


def schemas(document):
    """Every schema that stands somewhere, with its place; those within another are found by whoever walks it."""
    for at, node in nodes(document):
        if at[:2] == ("components", "schemas") and len(at) == 3 or at[-1:] == ("schema",):
            yield at, node


def examples(document):
    """Every example of a media type, with its place, its schema and its name."""
    for at, node in nodes(document):
        if isinstance(node, dict) and "schema" in node and "examples" in node and at[-2:-1] == ("content",):
            for name, example in node["examples"].items():
                yield (*at, name), node["schema"], example


# It is OpenAPI 3.1

def test_the_document_is_valid_openapi_3_1(document):
    validator = jsonschema.Draft202012Validator(STRUCTURE)
    assert not [f"{error.json_path}: {error.message}" for error in validator.iter_errors(document)]


def test_every_schema_is_a_json_schema(document):
    found = list(schemas(document))
    assert len(found) > 50
    for at, schema in found:
        try:
            jsonschema.Draft202012Validator.check_schema(schema)
        except jsonschema.SchemaError as error:
            pytest.fail(f"{at}: {error.message}")
    for at, node in nodes(document):
        if at[-1:] == ("pattern",):
            re.compile(node)


def test_every_reference_leads_somewhere_and_every_component_is_used(document, openapi):
    used = set()
    for at, node in nodes(document):
        if isinstance(node, dict) and isinstance(node.get("$ref"), str):
            assert node["$ref"].startswith("#/components/"), at
            openapi.follow({"$ref": node["$ref"]})
            used.add(node["$ref"])
    for _, _, example in examples(document):
        used.add(example.get("$ref"))
    components = {f"#/components/{kind}/{name}" for kind, named in document["components"].items()
                  if kind != "securitySchemes" for name in named}
    assert components - used == set()


def test_every_operation_has_a_name_and_a_description(document, openapi):
    ids = [operation.id for operation in (*openapi.operations, *openapi.webhooks.values())]
    assert len(ids) == len(set(ids))
    tags = {tag["name"] for tag in document["tags"]}
    for operation in (*openapi.operations, *openapi.webhooks.values()):
        assert operation.said["summary"] and operation.said["operationId"] == operation.id
        assert len(operation.said["tags"]) == 1 and set(operation.said["tags"]) <= tags, operation.id


def test_the_parameters_of_a_path_are_those_that_it_names(openapi):
    for operation in openapi.operations:
        assert [parameter["name"] for parameter in operation.parameters_in("path")] == operation.names, operation.id
        named = [(parameter["name"].lower(), parameter["in"]) for parameter in operation.parameters]
        assert len(named) == len(set(named)), operation.id


def test_every_required_property_exists(document):
    for at, node in nodes(document):
        if isinstance(node, dict) and node.get("additionalProperties") is False:
            assert set(node.get("required", [])) <= node.get("properties", {}).keys(), at


# It leaves nothing open

def objects(openapi, schema, closed=False):
    """The object schemas of a schema, and whether each of them refuses what it does not name."""
    schema = openapi.follow(schema)
    closed = closed or "additionalProperties" in schema or schema.get("unevaluatedProperties") is False
    if "properties" in schema and schema.get("type") == "object":
        yield schema, closed
    for inner in (schema.get("properties") or {}).values():
        yield from objects(openapi, inner)
    for inner in schema.get("allOf", []):
        yield from objects(openapi, inner, closed)
    for inner in (*schema.get("oneOf", []), *schema.get("anyOf", []), *filter(None, [schema.get("items")])):
        yield from objects(openapi, inner)


def test_no_object_of_ours_has_fields_that_are_not_described(openapi):
    contents = [response["content"] for operation in openapi.operations for response in operation.responses.values()]
    contents += [operation.body["content"] for operation in (*openapi.operations, *openapi.webhooks.values())
                 if operation.body and "receiveStripeEvent" not in operation.id]
    seen = 0
    for content in contents:
        for schema, closed in objects(openapi, content.get("application/json", {}).get("schema", {})):
            assert closed, schema
            seen += 1
    assert seen > 50


# Its examples are what it describes

def test_every_example_matches_its_schema(document, openapi):
    found = list(examples(document))
    assert len(found) > 25
    for at, schema, example in found:
        assert not openapi.errors(schema, openapi.follow(example)["value"]), at
    for at, node in nodes(document):
        if isinstance(node, dict) and isinstance(node.get("examples"), list):
            for value in node["examples"]:
                assert not openapi.errors(node, value), at
        if isinstance(node, dict) and "example" in node:
            assert not openapi.errors(node["schema"], node["example"]), at


def test_every_request_has_an_example_and_every_error_code_too(document, openapi):
    for operation in openapi.operations:
        if operation.body:
            assert operation.body["content"]["application/json"]["examples"], operation.id
    for name, response in document["components"]["responses"].items():
        for code in openapi.error_codes(response):
            shown = [example for other in document["components"]["responses"].values()
                     for example in other["content"]["application/json"].get("examples", {})]
            assert code in shown, name


# It has exactly the routes of the program

def test_it_has_the_routes_of_the_program_and_no_others(openapi, routes):
    assert {key_of(operation) for operation in openapi.operations} == routes.keys()


def test_the_running_service_has_the_methods_that_it_names(openapi, server):
    paths = {re.sub(r"\{\w+\}", "x", operation.path) for operation in openapi.operations}
    for path in paths:
        methods = {operation.method for operation in openapi.operations if operation.pattern.fullmatch(path)}
        methods |= {"HEAD"} if "GET" in methods else set()
        for method in {method.upper() for method in METHODS} - methods:
            answer = server.api().request(method, path, expect=405)
            assert set(answer.headers["Allow"].split(", ")) == methods, path


def test_every_route_names_the_key_and_the_scopes_that_it_needs(openapi, routes):
    for operation in openapi.operations:
        access, scopes = routes[key_of(operation)]
        security = operation.said["security"]
        if access == "ROUTE_KEY":
            assert scopes and security == [{scheme: [scope]} for scheme in ("ApiKey", "Bearer") for scope in sorted(scopes)]
        else:
            assert security == [], operation.id
        merchant = [parameter for parameter in operation.parameters if parameter["name"] == "X-Merchant-Id"]
        for_admins = operation.path.startswith("/v1/admin/")
        assert bool(merchant) == (access == "ROUTE_KEY" and not for_admins), operation.id
        assert "X-Request-Id" in [parameter["name"] for parameter in operation.parameters], operation.id


def test_every_route_names_whatever_it_may_be_refused_with(openapi, routes):
    for operation in openapi.operations:
        access, _ = routes[key_of(operation)]
        expected = REFUSALS[access] | (REFUSALS_OF_A_BODY if access == "ROUTE_KEY" and operation.body else set())
        assert expected <= set(map(int, operation.responses)), operation.id
        assert access == "ROUTE_OPERATOR" or "default" not in operation.responses, operation.id


def test_every_error_has_the_code_and_status_that_the_program_has(openapi, routes):
    table = {(int(status), code) for status, code in ERROR.findall((ROOT / "src" / "api" / "error_reply.c").read_text())}
    assert table
    for operation in openapi.operations:
        for status, response in operation.responses.items():
            for code in openapi.error_codes(response):
                assert (int(status), code) in table, operation.id


def test_it_has_the_events_of_the_program_and_no_others(document, openapi):
    def told(layer):
        sources = (ROOT / "src" / layer).rglob("*.c")
        return {name for source in sources for name in re.findall(r'"((?:payment|refund|card|webhook)\.[a-z_]+)"', source.read_text())}
    assert openapi.webhooks.keys() == set(document["components"]["schemas"]["EventTypeName"]["enum"])
    assert openapi.webhooks.keys() == document["components"]["schemas"]["Event"]["discriminator"]["mapping"].keys()
    assert told("op") <= openapi.webhooks.keys() <= told("op") | told("api")


def test_every_answer_names_its_headers(openapi):
    for operation in openapi.operations:
        for status, response in operation.responses.items():
            assert {"X-Request-Id", "Cache-Control"} <= response["headers"].keys(), (operation.id, status)
            assert (int(status) in MUST_WAIT) >= ("Retry-After" in response["headers"]), (operation.id, status)
            assert int(status) not in (429, 503) or "Retry-After" in response["headers"], (operation.id, status)


# The program serves it

def test_the_program_serves_it_as_json(server, openapi_json, document):
    answer = server.api().get("/openapi.json", expect=200)
    assert answer.headers.get_content_type() == "application/json"
    assert answer.body == openapi_json, "the program was built with another docs/openapi.yaml"
    assert answer.json == document


def test_it_has_the_version_of_the_program(binary, document):
    shown = subprocess.run([binary, "version"], check=True, stdout=subprocess.PIPE, text=True).stdout
    assert document["info"]["version"] in shown.split()


@pytest.mark.parametrize("text, why", [
    ("a: 1\nb: {c: 2, c: 3}", "2: the name c is repeated"), ("200: ok", "1: the name 200 must be quoted"),
    ("at: 2025-01-01T12:00:00Z", "1: the time 2025-01-01T12:00:00Z must be quoted"), ("at: 2025-01-01", "must be quoted"),
    ("country: NO", "1: NO must be quoted"), ("true: 1", "the name true must be quoted"), ("a: .nan", "JSON")])
def test_yaml_that_json_reads_differently_is_not_built_in(tmp_path, text, why):
    written = tmp_path / "openapi.yaml"
    written.write_text(text)
    done = subprocess.run([ROOT / "scripts" / "openapi-json", written], text=True, capture_output=True)
    assert done.returncode != 0 and why in done.stderr and not done.stdout


def test_the_generated_file_is_valid_c_for_any_text(tmp_path):
    text = {"a": "\"quoted\" \\ back ??= / é €", "b": {"c": [1, 10.0, None, True, "x" * 300]}}
    written, source = tmp_path / "openapi.yaml", tmp_path / "openapi.c"
    written.write_text(json.dumps(text))
    subprocess.run([ROOT / "scripts" / "openapi-json", written, source], check=True)
    main = tmp_path / "main.c"
    main.write_text('#include <stdio.h>\n#include "api/openapi.h"\nint main(void) { return fputs(openapi_json(), stdout) < 0; }\n')
    program = tmp_path / "main"
    subprocess.run(["gcc", "-std=gnu17", "-Wall", "-Wextra", "-Werror", f"-I{ROOT / 'src'}", main, source, "-o", program], check=True)
    assert json.loads(subprocess.run([program], check=True, stdout=subprocess.PIPE).stdout) == text
