"""Refuses SQL that CockroachDB or YugabyteDB lack, as TAP: sql_rules.py ROOT BUILD

The texts are the string literals of src as the preprocessor leaves them, with macros expanded. Those of src/store/sqlite are
left out. Each rule is shown first to refuse a text that breaks it.
"""
import json
import re
import shlex
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

SCHEMA = ("src/store/schema.c", "src/store/postgres/schema.c", "src/store/migrate.c")
LITERALS = re.compile(r'"(?:\\.|[^"\\])*"(?:\s*"(?:\\.|[^"\\])*")*')
LITERAL = re.compile(r'"((?:\\.|[^"\\])*)"')
# SQL has its keywords in capitals. Other literals have none of these.
SQL = re.compile(r"\b(SELECT|INSERT|UPDATE|DELETE|FROM|WHERE|ORDER BY|VALUES|RETURNING|CREATE|ALTER|DROP|BEGIN|COMMIT|ROLLBACK|"
                 r"SAVEPOINT|RELEASE|SET|LOCK|LISTEN|NOTIFY|EXISTS|IS NULL)\b")

# Refused in any text: a pattern, why, and a text that has it.
REFUSED = {
    "listen_or_notify": (r"\b(UN)?LISTEN\b|\bNOTIFY\b|\bpg_notify\b",
                         "CockroachDB has none, and NOTIFY takes one lock for all", "LISTEN work"),
    "advisory_lock": (r"\bpg_\w*advisory\w*", "CockroachDB's do nothing", "SELECT pg_try_advisory_xact_lock($1)"),
    "lock_table": (r"\bLOCK\s+TABLE\b|\bLOCK\s+\w+\s+IN\b", "CockroachDB has none", "LOCK TABLE meta IN EXCLUSIVE MODE"),
    "serial_or_sequence": (r"\b(SMALL|BIG)?SERIAL\d?\b|\bIDENTITY\b|\b(nextval|currval|setval|lastval)\b|\bSEQUENCE\b|"
                           r"\bAUTOINCREMENT\b", "all nodes would wait for one range", "CREATE TABLE t (n BIGSERIAL)"),
    "temporary_table": (r"\bTEMP(ORARY)?\b", "CockroachDB's are experimental", "CREATE TEMP TABLE t (n BIGINT)"),
    "system_column": (r"\b(ctid|xmin|xmax|cmin|cmax|tableoid)\b|\bpg_(current_)?xact\w*|\btxid_\w+",
                      "PostgreSQL alone stores rows so", "DELETE FROM outbox WHERE ctid IN (SELECT ctid FROM outbox)"),
    "rule": (r"\bCREATE\s+(OR\s+REPLACE\s+)?RULE\b", "CockroachDB has none", "CREATE RULE r AS ON INSERT TO t DO NOTHING"),
}
REFUSED = {name: (re.compile(pattern, re.IGNORECASE), *rest) for name, (pattern, *rest) in REFUSED.items()}

# The body of a function needs no more than BEGIN, one statement and RETURN.
BODY = re.compile(r"\$\$(.*?)\$\$", re.DOTALL)
PROCEDURE = re.compile(r"\b(DECLARE|LOOP|IF|FOR\s+\w+\s+IN|WHILE|RAISE|PERFORM|EXECUTE|EXCEPTION)\b", re.IGNORECASE)

# All that texts may call: every one of the databases has these.
FUNCTIONS = {"cast", "coalesce", "count", "exists", "extract", "length", "lower", "max", "min", "sum", "clock_timestamp",
             "current_schema", "row_number", "substr"}
# Only there, and why.
FUNCTIONS_ALLOWED = {
    "src/store/payments.c": ({"id_after"}, "ours: store/sqlite/functions.c, store/postgres/schema.c"),
    "src/store/schema.c": ({"email_fold", "randomblob"}, "SQLite's; PostgreSQL has its own words for these steps"),
    "src/store/postgres/schema.c": ({"advance_generation", "id_after", "decode", "replace", "gen_random_uuid", "get_byte",
                                     "set_byte", "substring"}, "what the two functions need; all three databases have it"),
}
# A node starts only where all of these can be set. PostgreSQL's own stand in `planner`, and may be refused.
SETTINGS = {"default_transaction_isolation", "synchronous_commit", "statement_timeout", "lock_timeout",
            "idle_in_transaction_session_timeout", "client_min_messages", "bytea_output"}
SESSION = re.compile(r"\bsession\[\] = \{(.*?)\};", re.DOTALL)
SETTING = re.compile(r"\bSET (?:SESSION |LOCAL )?(\w+) (?:=|TO) ")
CALL = re.compile(r"\b([A-Za-z_]\w*)\(")
TABLE_WITH_COLUMNS = re.compile(r"\b(ON|REFERENCES|INTO|TABLE)\s+(\w+)\s*\(", re.IGNORECASE)


def without_values(text):
    return re.sub(r"'(?:[^']|'')*'", "''", text)


def breaks(text):
    found = [f"{name}: {why}" for name, (pattern, why, _) in REFUSED.items() if pattern.search(without_values(text))]
    return found + [f"procedure: {body}" for body in BODY.findall(text) if PROCEDURE.search(body)]


def unknown_functions(text, allowed=()):
    calls = CALL.findall(TABLE_WITH_COLUMNS.sub(" ", without_values(text)))
    return sorted({name for name in calls if name.lower() not in FUNCTIONS and name not in allowed})


def is_definition(text):
    return re.search(r"\b(CREATE|ALTER|DROP)\s+(OR\s+REPLACE\s+)?(TABLE|UNIQUE|INDEX|TRIGGER|FUNCTION|VIEW|COLUMN)\b", text)


def changed_and_written(step):
    """The tables that a step of the schema alters or indexes, and in the same transaction writes to."""
    text = re.sub(r"\$\$.*?\$\$", "", step, flags=re.DOTALL)
    text = re.sub(r"\bCREATE TRIGGER.*?END;", "", text, flags=re.DOTALL)
    altered = set(re.findall(r"\bALTER TABLE (\w+)", text)) | set(re.findall(r"\bCREATE (?:UNIQUE )?INDEX \w+ ON (\w+)", text))
    new = set(re.findall(r"\bCREATE TABLE (\w+)", text))
    written = set(re.findall(r"\b(?:INSERT INTO|UPDATE(?: OR IGNORE)?|DELETE FROM) (\w+)", text))
    return sorted((altered - new) & written)


def texts_of(entry, path):
    flags = [word for word in shlex.split(entry["command"]) if word.startswith(("-I", "-D", "-std"))]
    output = subprocess.run(["cc", *flags, "-E", "-P", path], cwd=entry["directory"], check=True, capture_output=True,
                            text=True).stdout
    texts = ("".join(LITERAL.findall(match)) for match in LITERALS.findall(output))
    return [text for text in texts if SQL.search(text)]


def all_texts(root, build):
    """The texts of each file, by its name."""
    entries = {(Path(entry["directory"]) / entry["file"]).resolve(): entry
               for entry in json.loads((build / "compile_commands.json").read_text())}
    paths = sorted(path for path in entries
                   if path.is_relative_to(root / "src") and not path.is_relative_to(root / "src/store/sqlite"))
    with ThreadPoolExecutor() as pool:
        return {path.relative_to(root).as_posix(): texts
                for path, texts in zip(paths, pool.map(lambda path: texts_of(entries[path], path), paths))}


def session_settings(root):
    """What src/store/postgres/open.c sets on every connection, and must be able to set."""
    source = (root / "src/store/postgres/open.c").read_text()
    return {name for array in SESSION.findall(source) for name in SETTING.findall(array)}


def rules(root, files):
    texts = [(path, text) for path, file in files.items() for text in file]
    for name, (_, _, planted) in REFUSED.items():
        yield f"finds_a_planted_{name}", [] if any(one.startswith(name) for one in breaks(planted)) else [planted]
    planted = "CREATE FUNCTION f() RETURNS BIGINT LANGUAGE plpgsql AS $$ BEGIN LOOP END LOOP; END $$"
    yield "finds_a_planted_procedure", [] if breaks(planted) else [planted]
    yield "finds_a_planted_function", [] if unknown_functions("SELECT pg_sleep($1)") == ["pg_sleep"] else ["pg_sleep"]
    planted = "ALTER TABLE cards ADD COLUMN a BIGINT;UPDATE cards SET a = 1;"
    yield "finds_a_planted_definition_beside_data", [] if changed_and_written(planted) == ["cards"] else [planted]

    # A file of queries that is not read makes every other rule pass.
    yield "every_file_of_queries_is_read", [
        path for path in ("src/store/operations.c", "src/store/outbox.c", "src/store/payments.c", "src/store/listing.c", *SCHEMA)
        if len(files.get(path, [])) < 3]
    yield "no_sql_is_other_than_all_databases_have", [
        f"{path}: {broken}: {text}" for path, text in texts for broken in breaks(text)]
    yield "every_function_is_one_that_all_databases_have", [
        f"{path}: {', '.join(unknown)}: {text}" for path, text in texts
        if (unknown := unknown_functions(text, FUNCTIONS_ALLOWED.get(path, [()])[0]))]
    yield "every_allowed_function_is_still_called", [
        f"{path}: {name}" for path, (names, _) in FUNCTIONS_ALLOWED.items() for name in sorted(names)
        if not any(name in text for text in files.get(path, []))]
    yield "every_setting_that_must_be_made_is_one_that_all_databases_have", sorted(session_settings(root) ^ SETTINGS)
    yield "no_other_setting_is_made_later", [
        f"{path}: {text}" for path, text in texts if path != "src/store/postgres/open.c"
        and (setting := SETTING.match(text)) and setting[1] not in SETTINGS]
    yield "only_the_schema_defines", [
        f"{path}: {text}" for path, text in texts if path not in SCHEMA and is_definition(text)]
    yield "no_step_of_the_schema_writes_to_what_it_alters", [
        f"{path}: {', '.join(tables)}: {text[:100]}" for path in SCHEMA for text in files.get(path, [])
        if (tables := changed_and_written(text))]


def main():
    root, build = (Path(argument).resolve() for argument in sys.argv[1:])
    results = list(rules(root, all_texts(root, build)))
    print(f"1..{len(results)}")
    for number, (name, offences) in enumerate(results, 1):
        print(f"{'not ok' if offences else 'ok'} {number} - {name}")
        for offence in offences:
            print(f"# {offence}")
    sys.exit(1 if any(offences for _, offences in results) else 0)


if __name__ == "__main__":
    main()
