"""The project's own stand-in for Stripe: `paymentsd sandbox`."""
import re
import signal

from . import leaks
from .process import Process, environment

LISTENING = re.compile(r"listening on (http://127\.0\.0\.1:\d+)")


class Sandbox:
    """Run by the command `launcher`, where one is given."""

    def __init__(self, binary, *arguments, launcher=()):
        self.process = Process([*launcher, binary, "sandbox", "--listen", "127.0.0.1:0", *arguments], environment())
        found = self.process.out.wait_for(LISTENING.search) or self.process.err.wait_for(LISTENING.search, 0.1)
        if not found:
            self.process.kill()
            raise AssertionError("the sandbox did not say where it listens:\n" +
                                 "\n".join(self.process.out.all() + self.process.err.all()))
        self.url = found.group(1)

    def close(self):
        self.process.signal(signal.SIGTERM)
        status = self.process.wait()
        leaks.refuse_in_output(["sandbox"], "\n".join(self.process.out.all() + self.process.err.all()))
        assert status == 0, f"the sandbox ended with status {status}:\n" + "\n".join(self.process.err.all())
