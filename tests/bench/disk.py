"""What payments cost on the disk: writes while they are made, and bytes that stay."""
import contextlib
import re
import sqlite3
import tempfile
from pathlib import Path

from phases import Phase

WRITE = re.compile(r"(pwrite64|fdatasync)\(.*\) += (\d+)")
PAYMENTS = 10_000
# What is deleted once it is old: answers, and events that were delivered.
KEPT_FOR_A_TIME = ("replies", "outbox")


def writes(load, target, upstream):
    """The writes and syncs of each payment at 64 connections. strace reports them, which makes each of them slower."""
    with tempfile.TemporaryDirectory(prefix="paymentsd-bench-") as folder:
        trace = Path(folder) / "trace"
        target.launcher = ["strace", "-D", "-f", "--seccomp-bpf", "-qq", "-e", "trace=pwrite64,fdatasync", "-e", "signal=none",
                           "-o", trace]
        target.restart()
        started = trace.stat().st_size
        made = load.run(target, Phase("create"), requests=PAYMENTS)["answered"]
        upstream.wait_until_delivered()
        target.launcher = ()
        with open(trace, encoding="utf-8") as file:
            file.seek(started)
            calls = WRITE.findall(file.read())
        target.restart()
    sizes = [int(size) for name, size in calls if name == "pwrite64"]
    return {"target": target.name, "phase": "writes of a create", "pwrites": len(sizes) / made, "bytes written": sum(sizes) / made,
            "syncs": (len(calls) - len(sizes)) / made}


def _bytes(path, *statements):
    """The size of a copy without free pages, after these statements."""
    with tempfile.TemporaryDirectory(prefix="paymentsd-bench-") as folder:
        copy = Path(folder) / "copy.db"
        with contextlib.closing(sqlite3.connect(path, isolation_level=None)) as database:
            database.execute("VACUUM INTO ?", (str(copy),))
        with contextlib.closing(sqlite3.connect(copy, isolation_level=None)) as database:
            for statement in statements:
                database.execute(statement)
            database.execute("VACUUM")
        return copy.stat().st_size


def stored(load, target, upstream):
    """The bytes that a payment takes in the database, after its delivery and after the keeping time."""
    forget = [f"DELETE FROM {table}" for table in KEPT_FOR_A_TIME]
    before, before_for_good = _bytes(target.database), _bytes(target.database, *forget)
    made = load.run(target, Phase("create"), requests=PAYMENTS)["answered"]
    upstream.wait_until_delivered()
    return {"target": target.name, "phase": "stored bytes of a create", "delivered": (_bytes(target.database) - before) / made,
            "for good": (_bytes(target.database, *forget) - before_for_good) / made}
