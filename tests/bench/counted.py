"""The service under callgrind, which counts what it does without a clock: the counts hardly depend on the machine."""
import re
import subprocess
import time
from pathlib import Path

from support.server import Server
from support.waiting import wait_until

ALLOCATING = {"malloc", "calloc", "realloc"}
# The functions of the driver (store/sqlite) that run one statement each.
RUNNING = {"sqlite_query", "sqlite_query_once", "sqlite_control"}
OF_A_THREAD = re.compile(r"Th \d+\s+([\d,]+)")
CALLED = re.compile(r"^cfn=\((\d+)\)(?: (.+))?")
DEFINED = re.compile(r"^fn=\((\d+)\) (.+)")
# valgrind writes such a line to its log before it makes the call.
SYSTEM_CALL = re.compile(r"^SYSCALL\[\d+,\d+\]\(\s*\d+\) sys_(\w+) ?\(([^)]*)")
QUIET_S = 0.005


class CountedServer(Server):
    """Keeps callgrind's files in the folder."""

    def __init__(self, binary, folder, **settings):
        self._counts, self._log = folder / "counts", folder / "system-calls"
        self._dumps = 0
        self._log_read = 0
        # Where callgrind_control finds valgrind. By default its pipes are in /tmp, and stay there after a kill.
        self._control_prefix = f"--vgdb-prefix={folder}/vgdb"
        self.launcher = ["valgrind", "-q", "--tool=callgrind", "--trace-syscalls=yes", self._control_prefix,
                         f"--callgrind-out-file={self._counts}", f"--log-file={self._log}"]
        super().__init__(binary, **settings)

    def wait_until_idle(self):
        """Returns once every thread sleeps and none has run for a moment. Nothing that was asked of it is then left."""
        seen = [None]

        def is_idle():
            seen.append(self._switches())
            return seen[-1] is not None and seen[-1] == seen[-2]
        wait_until(is_idle, what="the service to be idle")

    def _switches(self):
        """How often its threads have gone to sleep so far. None: one of them runs."""
        time.sleep(QUIET_S)
        switches = 0
        for thread in Path(f"/proc/{self.process.pid}/task").iterdir():
            status = (thread / "status").read_text()
            if "\nState:\tS" not in status:
                return None
            switches += int(re.search(r"\nvoluntary_ctxt_switches:\t(\d+)", status)[1])
        return switches

    def count(self):
        """What it did since the last count, by the name of each figure."""
        self.wait_until_idle()
        loop, others = self._instructions()
        self._control("--dump")
        self._dumps += 1
        calls = calls_of(Path(f"{self._counts}.{self._dumps}"))
        system_calls = self._system_calls()
        writes = [int(arguments.split(",")[2]) for name, arguments in system_calls if name == "pwrite64"]
        return {
            "instructions": loop + others,
            "of the loop": loop,
            "statements": sum(calls.get(name, 0) for name in RUNNING),
            "allocations": sum(calls.get(name, 0) for name in ALLOCATING),
            "system calls": len(system_calls),
            "pwrites": len(writes),
            "bytes written": sum(writes),
            "syncs": sum(name == "fdatasync" for name, _ in system_calls),
        }

    def _instructions(self):
        """Those of the thread of the loop, and of all others."""
        loop, *others = [int(count.replace(",", "")) for count in OF_A_THREAD.findall(self._control("-e"))]
        return loop, sum(others)

    def _control(self, option):
        return subprocess.run(["callgrind_control", self._control_prefix, option, str(self.process.pid)], check=True,
                              capture_output=True, text=True).stdout

    def _system_calls(self):
        """The name and arguments of each system call since the last time."""
        with open(self._log, encoding="utf-8", errors="replace") as log:
            log.seek(self._log_read)
            found = [SYSTEM_CALL.match(line) for line in log]
            self._log_read = log.tell()
        return [match.groups() for match in found if match]


def calls_of(dump):
    """How often each function was called, by its name, from a file of callgrind. In it each function has a name where it
    is first mentioned, and its number alone after that."""
    names, calls, called = {}, {}, None
    for line in dump.read_text().splitlines():
        if match := CALLED.match(line):
            called = match[1]
            if match[2]:
                names[called] = match[2]
        elif line.startswith("calls="):
            calls[called] = calls.get(called, 0) + int(line[6:].split()[0])
        elif match := DEFINED.match(line):
            names[match[1]] = match[2]
    by_name = {}
    for number, count in calls.items():
        name = names[number].partition("'")[0]  # callgrind adds 'N to the name where a function calls itself
        by_name[name] = by_name.get(name, 0) + count
    return by_name
