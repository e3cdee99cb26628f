"""Generates a client from the API's description, as a shop's developer does, and runs our programs on it."""
import ast
import re
import shutil
from pathlib import Path

HERE = Path(__file__).resolve().parent
DESCRIPTION = HERE.parents[1] / "docs" / "openapi.yaml"

# Whether a field may be left out, and whether its type says anything.
TYPESCRIPT_FIELDS = """import type {components, operations} from "./payments.js";
type Field<Type, Name extends keyof Type> =
    [{} extends Pick<Type, Name> ? true : false, unknown extends Type[Name] ? false : true];
type Schemas = components["schemas"];
"""


class TypeScript:
    """Types for openapi-fetch."""

    def __init__(self, tools):
        self._tools = tools
        tools.run("openapi-typescript", DESCRIPTION, "-o", "payments.d.ts")

    def hold_to(self, operations, fields):
        """The compiler does, by a program that names each of them."""
        lines = [f'export type {name} = operations["{name}"];' for name in operations]
        lines += [f'export const {schema}_{name}: Field<Schemas["{schema}"], "{name}"> = [{str(optional).lower()}, true];'
                  for schema, optionals in fields.items() for name, optional in optionals.items()]
        (self._tools.made / "fields.ts").write_text(TYPESCRIPT_FIELDS + "\n".join(lines) + "\n")
        self._compile("fields.ts")

    def run(self, program, input=None, **environment):
        shutil.copy(HERE / f"{program}.ts", self._tools.made)
        self._compile(f"{program}.ts")
        return self._tools.run("node", f"{program}.js", input=input, **environment)

    def _compile(self, program):
        self._tools.run("tsc", "--strict", "--target", "es2022", "--module", "nodenext", "--types", "node", program)


class Python:
    """A package on httpx."""

    def __init__(self, tools):
        self._tools = tools
        tools.run("openapi-python-client", "generate", "--path", DESCRIPTION, "--meta", "none", "--fail-on-warning")
        self._package = tools.made / "payments_client"
        tools.run("mypy", "--config-file", HERE / "mypy.ini", "-p", "payments_client")

    def hold_to(self, operations, fields):
        modules = {module.stem for module in (self._package / "api").glob("*/*.py")}
        assert {re.sub("[A-Z]", lambda capital: f"_{capital.group().lower()}", name) for name in operations} <= modules
        found = self._fields()
        assert {schema: found.get(schema) for schema in fields} == fields

    def run(self, program, input=None, **environment):
        self._tools.run("mypy", "--config-file", HERE / "mypy.ini", HERE / f"{program}.py")
        return self._tools.run("python", HERE / f"{program}.py", input=input, PYTHONPATH=str(self._tools.made), **environment)

    def _fields(self):
        """The typed fields of each class, and whether they may be left out."""
        classes = [node for module in (self._package / "models").glob("*.py") for node in ast.parse(module.read_text()).body
                   if isinstance(node, ast.ClassDef)]
        return {node.name: {field.target.id.rstrip("_"): field.value is not None for field in node.body
                            if isinstance(field, ast.AnnAssign) and ast.unparse(field.annotation) != "Any"
                            and field.target.id != "additional_properties"}
                for node in classes}
