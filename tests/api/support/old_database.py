"""The old database that tests/api/old_database keeps, and the sandbox that belongs to it. Ids, sealed values and MACs depend
on the time when they were made. So the times in the files stay, and the programs run with their clock set back (clock.c)."""
import contextlib
import json
import os
import shutil
import sqlite3
import subprocess
import time
from pathlib import Path

from .process import environment

SUPPORT = Path(__file__).resolve().parent
FOLDER = SUPPORT.parent / "old_database"


class OldDatabase:
    """As it is age_s seconds after its service was killed. The folder is for files that this makes."""

    def __init__(self, age_s, folder):
        self.made = json.loads((FOLDER / "made.json").read_text())
        self.journal = shutil.copy(FOLDER / "sandbox.jsonl", folder)
        library = folder / "clock.so"
        subprocess.run(["cc", "-Wall", "-Werror", "-shared", "-fPIC", "-o", library, SUPPORT / "clock.c"], check=True)
        back_s = int(time.time()) - age_s - self.made["killed_s"]
        # A sanitizer insists on being the first library, but may come after this one.
        self.launcher = ("env", f"LD_PRELOAD={library}", f"CLOCK_BACK_S={back_s}",
                         f"ASAN_OPTIONS={environment()['ASAN_OPTIONS']}:verify_asan_link_order=0")

    def put_into(self, server, webhook_url):
        """Replaces the database of the server, which must not run. All webhooks go to this URL from now on."""
        for name in os.listdir(server.data_dir):
            os.remove(f"{server.data_dir}/{name}")
        for name in ("master.key", "pepper.key"):
            shutil.copyfile(FOLDER / name, f"{server.data_dir}/{name}")
        with contextlib.closing(sqlite3.connect(f"{server.data_dir}/payments.db")) as database, database:
            database.executescript((FOLDER / "database.sql").read_text())
            database.execute("UPDATE merchants SET webhook_url = ? WHERE webhook_url IS NOT NULL", (webhook_url,))
        for name in os.listdir(server.data_dir):
            os.chmod(f"{server.data_dir}/{name}", 0o600)
        server.launcher = self.launcher
