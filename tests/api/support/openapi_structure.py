"""The structure of an OpenAPI 3.1.0 document (https://spec.openapis.org/oas/v3.1.0), as far as this project's document uses
it, as a JSON schema. A field that the specification does not name is refused, unless it begins with x-."""

TEXT = {"type": "string", "minLength": 1}
BOOLEAN = {"type": "boolean"}
SCHEMA = {"type": ["object", "boolean"]}
COMPONENT_NAME = r"^[a-zA-Z0-9._-]+$"


def names(*values):
    return {"enum": list(values)}


def list_of(item, **more):
    return {"type": "array", "items": item} | more


def map_of(value, name=None):
    return {"type": "object", "additionalProperties": value} | ({"propertyNames": {"pattern": name}} if name else {})


def ref(name):
    return {"$ref": f"#/$defs/{name}"}


def ref_or(name):
    """The object itself, or a Reference Object in its place."""
    return {"if": {"type": "object", "required": ["$ref"]}, "then": ref("reference"), "else": ref(name)}


def fixed(*required, **fields):
    """An object with these fixed fields; `in_` is `in`."""
    fields = {name.rstrip("_"): schema for name, schema in fields.items()}
    return {"type": "object", "required": list(required), "properties": fields, "patternProperties": {"^x-": True},
            "additionalProperties": False}


OPERATION = fixed("responses", tags=list_of(TEXT, uniqueItems=True), summary=TEXT, description=TEXT, operationId=TEXT,
                  parameters=list_of(ref_or("parameter"), uniqueItems=True), requestBody=ref_or("request_body"),
                  responses=ref("responses"), deprecated=BOOLEAN, security=list_of(ref("security_requirement")),
                  servers=list_of(ref("server")))
METHODS = {method: ref("operation") for method in ("get", "put", "post", "delete", "options", "head", "patch", "trace")}

PARAMETER = fixed("name", "in", "schema", name=TEXT, in_=names("query", "header", "path", "cookie"), description=TEXT,
                  required=BOOLEAN, deprecated=BOOLEAN, schema=SCHEMA, example=True,
                  examples=map_of(ref_or("example")), style=TEXT, explode=BOOLEAN) | {
    "if": {"properties": {"in": {"const": "path"}}},
    "then": {"required": ["required"], "properties": {"required": {"const": True}}}}

STRUCTURE = fixed(
    "openapi", "info", "paths",
    openapi={"const": "3.1.0"}, info=ref("info"), servers=list_of(ref("server")),
    paths={"type": "object", "additionalProperties": ref("path_item"), "propertyNames": {"pattern": "^/"}},
    webhooks=map_of(ref("path_item")), components=ref("components"),
    security=list_of(ref("security_requirement")), tags=list_of(ref("tag"), uniqueItems=True),
) | {"$defs": {
    "info": fixed("title", "version", title=TEXT, version=TEXT, summary=TEXT, description=TEXT,
                  license=fixed("name", name=TEXT, identifier=TEXT, url=TEXT)),
    "server": fixed("url", url=TEXT, description=TEXT),
    "tag": fixed("name", name=TEXT, description=TEXT),
    "reference": {"type": "object", "properties": {"$ref": TEXT, "summary": TEXT, "description": TEXT},
                  "additionalProperties": False},
    "path_item": fixed(summary=TEXT, description=TEXT, parameters=list_of(ref_or("parameter"), uniqueItems=True), **METHODS),
    "operation": OPERATION,
    "parameter": PARAMETER,
    "request_body": fixed("content", description=TEXT, content=map_of(ref("media_type")), required=BOOLEAN),
    "media_type": fixed(schema=SCHEMA, example=True, examples=map_of(ref_or("example"))),
    "responses": {"type": "object", "minProperties": 1, "additionalProperties": ref_or("response"),
                  "propertyNames": {"pattern": "^([1-5][0-9][0-9]|[1-5]XX|default)$"}},
    "response": fixed("description", description=TEXT, headers=map_of(ref_or("header")),
                      content=map_of(ref("media_type"))),
    "header": fixed("schema", description=TEXT, required=BOOLEAN, deprecated=BOOLEAN, schema=SCHEMA, example=True),
    "example": fixed(summary=TEXT, description=TEXT, value=True),
    "security_scheme": fixed("type", type=names("apiKey", "http"), description=TEXT, name=TEXT,
                             in_=names("query", "header", "cookie"), scheme=TEXT, bearerFormat=TEXT),
    "security_requirement": map_of(list_of(TEXT)),
    "components": fixed(**{kind: map_of(value, COMPONENT_NAME) for kind, value in {
        "schemas": SCHEMA, "responses": ref_or("response"), "parameters": ref_or("parameter"),
        "examples": ref_or("example"), "requestBodies": ref_or("request_body"), "headers": ref_or("header"),
        "securitySchemes": ref_or("security_scheme")}.items()}),
}}
