"""Rules that hold for every source file and that no compiler knows, as TAP: source_rules.py ROOT"""
import re
import sys
from pathlib import Path

# Who may include whom, be it through other headers; a layer may always include itself. cli only wires, so it may
# include everything.
LAYERS = {
    "base": set(),
    "domain": {"base"},
    "net": {"base"},
    "store": {"base", "domain"},
    "provider": {"base", "domain", "net", "provider/stripe"},
    "provider/stripe": {"base", "domain", "net", "provider"},
    "op": {"base", "domain", "store", "provider"},
    "delivery": {"base", "domain", "store", "net"},
    "api": {"base", "domain", "store", "provider", "op", "net"},
    "sandbox": {"base", "domain", "net"},
}
LAYERS["cli"] = set(LAYERS)

# The rooms of op, lowest first: each includes only itself and those before it.
OP_ROOMS = ["op/state", "op/engine", "op/kinds"]

# Each row of these tables is written by one file, with all that follows from the change. store/ has the queries.
WRITERS = {
    "src/op/state/payment_change.c": re.compile(r"\bpayment_(insert|update)\("),
    "src/op/state/refund_change.c": re.compile(r"\brefund_(insert|update)\("),
    "src/op/state/dispute_change.c": re.compile(r"\bdispute_(insert|update)\("),
    "src/op/state/card_change.c": re.compile(
        r"\b(card_(insert|update|make_default|make_newest_default|expiring_told)|cards_all_gone)\("),
}

# The layers that know no provider by name, and how often each file may name one nevertheless, and why. It is either
# a public name of the API, the settings or the command line, or stored in databases, or wiring.
NEUTRAL_LAYERS = {"domain", "store", "op", "delivery", "api", "cli"}
PROVIDER_NAME = re.compile("stripe", re.IGNORECASE)
PROVIDER_NAMES_ALLOWED = {
    "src/domain/payment.c": (1, "a type of next_action in the API and in rows"),
    "src/store/payments.c": (1, "the names that the API and rows have for a provider"),
    "src/store/sealed.c": (2, "what stored secrets are bound to"),
    "src/api/router.c": (4, "the address that events are sent to"),
    "src/cli/startup.c": (3, "settings"),
    "src/cli/main.c": (1, "help"),
    "src/cli/sandbox.c": (1, "what the sandbox stands in for"),
    "src/cli/serve.c": (8, "wiring, and help"),
}

LINES_MAX = 400

# Unbounded, not thread-safe, silent about errors, or the end of structured control flow.
BANNED = re.compile(
    r"\b(goto|strcpy|strcat|strncpy|strncat|sprintf|vsprintf|gets|strtok|atoi|atol|atoll|atof|sscanf|alloca|"
    r"rand|srand|localtime|gmtime|ctime|asctime|tmpnam|mktemp|system|popen|setjmp|longjmp)\b\s*"
    r"(?:\(|\w+;)")
FLOAT = re.compile(r"\b(float|double|strtod|strtof|strtold|json_object_get_double|json_object_new_double)\b")
# Files that may know binary fractions, and why; no amount passes through any of them.
FLOATS_ALLOWED = {
    "src/sandbox/faults.h": "rates of injected faults",
    "src/sandbox/faults.c": "rates of injected faults",
}


def without_comments_and_strings(text):
    """The same lines, with what is no code blanked out."""
    token = re.compile(r'//[^\n]*|/\*.*?\*/|"(?:\\.|[^"\\\n])*"|\'(?:\\.|[^\'\\\n])*\'', re.DOTALL)
    return token.sub(lambda match: re.sub(r"[^\n]", " ", match.group()), text)


def layer_of(path):
    """The layer of a file under src: its folder, or the provider's own inside of provider/."""
    folders = path.parts[:-1]
    return "/".join(folders[:2] if folders[:1] == ("provider",) else folders[:1])


class Source:
    def __init__(self, root, path):
        self.path = path.relative_to(root)
        self.text = path.read_text()
        self.lines = self.text.splitlines()
        self.code = without_comments_and_strings(self.text).splitlines()
        self.layer = layer_of(self.path.relative_to("src")) if self.path.parts[0] == "src" else None

    def places(self, pattern):
        return [f"{self.path}:{n}: {self.lines[n - 1].strip()}"
                for n, line in enumerate(self.code, 1) if pattern.search(line)]

    def includes(self):
        return [(n, match.group(1)) for n, line in enumerate(self.lines, 1)
                if (match := re.match(r'\s*#include "([^"]+)"', line))]


def reached(name, headers, seen):
    """This header and those that it includes, be it through others."""
    if name not in seen:
        seen.add(name)
        for _, inner in headers[name].includes() if name in headers else []:
            reached(inner, headers, seen)
    return seen


def wrong_includes(source, headers):
    allowed = LAYERS[source.layer] | {source.layer}
    return [f"{source.path}:{n}: {source.layer} must not include {inner}" + (f", through {name}" if inner != name else "")
            for n, name in source.includes() for inner in sorted(reached(name, headers, set()))
            if layer_of(Path(inner)) not in allowed]


def provider_names(source):
    allowed, _ = PROVIDER_NAMES_ALLOWED.get(str(source.path), (0, ""))
    found = [f"{source.path}:{n}: {line.strip()}" for n, line in enumerate([source.path.name] + source.lines)
             for _ in PROVIDER_NAME.findall(line)]
    return [] if len(found) == allowed else [f"{source.path} names a provider {len(found)} times, not {allowed}"] + found


def wrong_rooms(source):
    folder = "/".join(source.path.parts[1:-1])
    if source.layer != "op" or folder not in OP_ROOMS:
        return []
    above = OP_ROOMS[OP_ROOMS.index(folder) + 1:]
    return [f"{source.path}:{n}: {folder} must not include {name}" for n, name in source.includes()
            if name.rsplit("/", 1)[0] in above]


def kept_queries(source):
    """The queries whose rows are kept, with what they name of our tables."""
    calls = re.findall(r"\bkept_one\((.*?)\);", source.text, re.DOTALL) if source.path.suffix == ".c" else []
    return [set(re.findall(r"\b(?:FROM|JOIN) (\w+)", call)) for call in calls]


def rules(sources):
    product = [source for source in sources if source.layer]
    headers = {str(source.path.relative_to("src")): source for source in product}
    for layer in LAYERS:
        yield (f"{layer.replace('/', '_')}_includes_only_the_layers_below_it",
               [place for s in product if s.layer == layer for place in wrong_includes(s, headers)])
    yield ("providers_are_named_only_where_it_is_said",
           [place for s in product if s.layer in NEUTRAL_LAYERS for place in provider_names(s)])
    yield ("every_file_that_may_name_a_provider_is_there",
           [path for path in PROVIDER_NAMES_ALLOWED if not any(str(s.path) == path for s in product)])
    for driver, header in (("sqlite", "sqlite3.h"), ("postgres", "libpq-fe.h")):
        yield (f"only_its_driver_knows_{driver}",
               [f"{s.path}: includes {name}" for s in product if s.path.parent.as_posix() != f"src/store/{driver}"
                for name in re.findall(rf'^#include [<"]({re.escape(header)}|store/{driver}/.*)[>"]', s.text, re.MULTILINE)])
    yield ("the_rooms_of_op_include_only_those_below_them",
           [place for s in product for place in wrong_rooms(s)])
    yield ("every_file_of_op_is_in_a_room",
           [str(s.path) for s in product if s.layer == "op" and "/".join(s.path.parts[1:-1]) not in OP_ROOMS])
    for writer, pattern in WRITERS.items():
        yield (f"only_{Path(writer).stem}_writes_its_rows",
               [place for s in product if s.layer != "store" and str(s.path) != writer for place in s.places(pattern)])
    yield ("every_writer_still_writes",
           [path for path, pattern in WRITERS.items()
            if not any(str(s.path) == path and s.places(pattern) for s in product)])
    with_generation = {name for s in product for name in re.findall(r'GENERATION_OF\("(\w+)"\)', s.text)}
    yield ("only_rows_of_tables_with_a_generation_are_kept",
           [f"{s.path}: {', '.join(tables) or 'no table'}" for s in product for tables in kept_queries(s)
            if not tables or tables - with_generation])
    yield ("every_folder_is_a_layer", [str(s.path) for s in product if s.layer not in LAYERS])
    yield ("every_header_is_included_once",
           [str(s.path) for s in sources if s.path.suffix == ".h" and "#pragma once" not in s.lines])
    yield ("every_product_file_says_what_it_is_for",
           [str(s.path) for s in product if not s.text.startswith("//")])
    yield (f"no_file_is_longer_than_{LINES_MAX}_lines",
           [f"{s.path}: {len(s.lines)} lines" for s in sources if len(s.lines) > LINES_MAX])
    yield ("nothing_banned_is_called", [place for s in product for place in s.places(BANNED)])
    yield ("money_never_meets_a_float",
           [place for s in product if str(s.path) not in FLOATS_ALLOWED for place in s.places(FLOAT)])
    yield ("every_file_that_may_know_floats_still_does",
           [path for path in FLOATS_ALLOWED if not any(str(s.path) == path and s.places(FLOAT) for s in product)])


def main():
    root = Path(sys.argv[1]).resolve()
    files = sorted(path for folder in ("src", "tests") for path in (root / folder).rglob("*.[ch]"))
    results = list(rules([Source(root, path) for path in files]))
    print(f"1..{len(results)}")
    for number, (name, offences) in enumerate(results, 1):
        print(f"{'not ok' if offences else 'ok'} {number} - {name}")
        for offence in offences:
            print(f"# {offence}")
    sys.exit(1 if any(offences for _, offences in results) else 0)


if __name__ == "__main__":
    main()
