"""docs/guide.md as its reader uses it: programs to save, commands to type, and their output."""
import json
import os
import re
import signal
import subprocess
from dataclasses import dataclass

from .process import environment
from .waiting import scaled, wait_until

BLOCK = re.compile(r"^```(\w+)\n(.*?)^```$", re.MULTILINE | re.DOTALL)
PROGRAM = re.compile(r"(?:#|//) ([\w.]+\.(?:py|mjs)): ")
TIMEOUT_S = 120  # for all that is typed
ANYTHING = "…"  # in what is shown: differs from one time to another
# Commands that change something. All others only look, and may be repeated until they show the expected output.
CHANGES = re.compile(r" -d | -X |=\$\(|python3 |node |&$", re.MULTILINE)


@dataclass
class Block:
    language: str
    text: str


class Guide:
    def __init__(self, text):
        self.text = text
        self.blocks = [Block(*found) for found in BLOCK.findall(self.text)]

    def read_with(self, places):
        """The guide as somebody reads it for whom other things stand in the place of what it names."""
        text = self.text
        for named, real in places.items():
            text = text.replace(named, real)
        return Guide(text)

    def programs(self):
        """The text of each program by its file's name."""
        return {PROGRAM.match(block.text)[1]: block.text for block in self.blocks if block.language in ("python", "js")}

    def save_programs(self, folder):
        for name, text in self.programs().items():
            (folder / name).write_text(text)

    def service_settings(self):
        """With which the guide has the service started, by name."""
        said = next(block.text for block in self.blocks if "paymentsd serve" in block.text)
        return {name.lower(): value for name, value in re.findall(r"PAYMENTS_(\w+)=(\S+)", said)}

    def steps(self):
        """The commands, each with the block that shows what they print, or None."""
        for block, after in zip(self.blocks, [*self.blocks[1:], None]):
            if block.language == "sh":
                yield block.text, after if after and after.language in ("json", "text") else None


class Terminal:
    """One shell, in which the guide's commands are typed one after the other."""

    def __init__(self, folder):
        self.errors = open(folder / "stderr", "w+", encoding="utf-8")
        self.shell = subprocess.Popen(
            ["setpriv", "--pdeathsig", "KILL", "timeout", str(scaled(TIMEOUT_S)), "bash", "-euo", "pipefail"],
            cwd=folder, env=environment(), text=True, start_new_session=True,
            stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=self.errors)

    def type(self, commands):
        """Answers what they print."""
        self.shell.stdin.write(f"{commands}\nprintf '\\0\\n'\n")
        self.shell.stdin.flush()
        printed = ""
        while not printed.endswith("\0\n"):
            line = self.shell.stdout.readline()
            assert line, f"{commands}\nprinted {printed}\nand failed: {self._errors()}"
            printed += line
        return printed.removesuffix("\0\n")

    def close(self):
        """Ends it, and what it started in the background."""
        os.killpg(self.shell.pid, signal.SIGKILL)
        self.shell.wait()
        self.shell.stdin.close()
        self.shell.stdout.close()
        self.errors.close()

    def _errors(self):
        self.errors.seek(0)
        return self.errors.read()


def check(terminal, commands, shown):
    """Types the commands; they must print what is shown."""
    if shown is None:
        terminal.type(commands)
    elif CHANGES.search(commands):
        printed = terminal.type(commands)
        assert is_as_shown(printed, shown), f"{commands}\nprinted {printed}\nand not {shown.text}"
    else:
        looking = f"{{ {commands}}} || :"  # what is not there yet is no failure
        wait_until(lambda: is_as_shown(terminal.type(looking), shown), what=f"{commands}\nto show {shown.text}")


def is_as_shown(printed, shown):
    if shown.language == "json":
        return _has(json.loads(printed), json.loads(shown.text))
    pattern = "".join(".*" if part == ANYTHING else re.escape(part) for part in re.split(f"({ANYTHING})", shown.text))
    return re.fullmatch(pattern, printed) is not None


def _has(real, shown):
    """Whether it is what is shown; of an object only some fields are."""
    if shown == ANYTHING:
        return real is not None
    if isinstance(shown, dict):
        return isinstance(real, dict) and all(name in real and _has(real[name], value) for name, value in shown.items())
    if isinstance(shown, list):
        return isinstance(real, list) and len(real) == len(shown) and all(map(_has, real, shown))
    return type(real) is type(shown) and real == shown
