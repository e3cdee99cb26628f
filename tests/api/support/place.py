"""A data directory, and the program run on it by a script or by a person at a terminal."""
import json
import os
import pty
import re
import select
import subprocess
import time

from . import leaks
from .database import drop_database, new_database, rows_of
from .process import environment
from .waiting import PATIENCE_S, scaled

TIMEOUT_S = 60


class Place:
    """A data directory, a database, and the program run on them."""

    def __init__(self, binary, directory):
        self.binary = str(binary)
        self.directory = os.path.join(directory, "data")
        self.data_dir = self.directory
        self.database = os.path.join(self.directory, "payments.db")  # where it is a file
        self._made = new_database()
        self.settings = {"database": self._made} if self._made else {}

    def argv(self, *words):
        return [self.binary, *map(str, words)]

    def environment(self, **settings):
        given = {"data_dir": self.directory} | self.settings | settings
        return environment(**{f"PAYMENTS_{name.upper()}": value for name, value in given.items()})

    def run(self, *words, status=0, before=(), stdout=subprocess.PIPE, **settings):
        done = subprocess.run([*before, *self.argv(*words)], env=self.environment(**settings), text=True,
                              stdin=subprocess.DEVNULL, stdout=stdout, stderr=subprocess.PIPE,
                              timeout=scaled(TIMEOUT_S), check=False)
        leaks.refuse_in_output(words, done.stderr)
        assert done.returncode == status, f"{words}: {done.returncode}, {done.stdout}, {done.stderr}"
        return done

    def json(self, *words, **settings):
        return json.loads(self.run(*words, "--json", **settings).stdout)

    def refused(self, *words, status=1, **options):
        """The one line of a refusal, without the program's name."""
        done = self.run(*words, status=status, **options)
        assert not done.stdout, done.stdout
        assert re.fullmatch(r"paymentsd: [^\n]+\n", done.stderr), done.stderr
        return done.stderr.removeprefix("paymentsd: ").rstrip("\n")

    def sql(self, statement, *values):
        return rows_of(self, statement, *values)

    def audit(self):
        return [row[0] for row in self.sql("SELECT event_type FROM audit_log ORDER BY seq")]

    def bytes(self):
        """Everything there is in the data directory."""
        content = b""
        for name in os.listdir(self.directory):
            with open(os.path.join(self.directory, name), "rb") as file:
                content += file.read()
        return content

    def close(self):
        drop_database(self._made)


class Terminal:
    """A command with a terminal on stdin and stderr, as a person has it; stdout is read apart."""

    def __init__(self, place, *words):
        self.master, slave = pty.openpty()
        self.process = subprocess.Popen(place.argv(*words), env=place.environment(), stdin=slave, stderr=slave,
                                        stdout=subprocess.PIPE, text=True)
        os.close(slave)
        self.shown = ""

    def expect(self, text):
        """Reads until the text was shown; answers what was shown before it."""
        deadline = time.monotonic() + scaled(PATIENCE_S)
        while text not in self.shown:
            ready, _, _ = select.select([self.master], [], [], max(0, deadline - time.monotonic()))
            assert ready, f"waited for {text!r}, saw {self.shown!r}"
            try:
                self.shown += os.read(self.master, 4096).decode()
            except OSError:
                raise AssertionError(f"it ended without {text!r}: {self.shown!r}") from None
        before, _, self.shown = self.shown.partition(text)
        return before

    def answer(self, question, text=""):
        before = self.expect(question)
        os.write(self.master, f"{text}\n".encode())
        return before

    def hang_up_input(self):
        os.write(self.master, b"\x04")

    def end(self, status=0):
        out, _ = self.process.communicate(timeout=scaled(TIMEOUT_S))
        assert self.process.returncode == status, f"{out}{self.shown}"
        return out

    def close(self):
        self.process.kill()
        self.process.wait()
        self.process.stdout.close()
        os.close(self.master)
