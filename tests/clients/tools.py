"""Runs the tools that scripts/clients installed."""
import os
import subprocess

TIMEOUT_S = 300
# Redocly would tell its makers of each run, and ask for newer versions.
QUIET = {"REDOCLY_TELEMETRY": "off", "REDOCLY_SUPPRESS_UPDATE_NOTICE": "true"}


class Tools:
    def __init__(self, folder):
        self.made = folder / "made"
        self._programs = os.pathsep.join(map(str, (folder / "node_modules" / ".bin", folder / "python" / "bin")))

    def run(self, *words, input=None, **environment):
        """The tool's output. A tool that fails, fails the test with its messages."""
        environment = os.environ | QUIET | {"PATH": self._programs + os.pathsep + os.environ["PATH"]} | environment
        done = subprocess.run(list(map(str, words)), cwd=self.made, env=environment, input=input, text=True,
                              stdout=subprocess.PIPE, stderr=subprocess.PIPE, timeout=TIMEOUT_S, check=False)
        assert done.returncode == 0, f"{words[0]} failed:\n{done.stdout}{done.stderr}"
        return done.stdout
