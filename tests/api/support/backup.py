"""Backups of a service's database: what `paymentsd backup` makes of a SQLite file, and what pg_dump makes of a schema."""
import os
import shutil
import subprocess
import urllib.parse
import uuid

from .database import open_database


def back_up(server):
    if not _is_postgresql(server):
        copy = f"{server.data_dir}/backup-{uuid.uuid4()}.db"
        server.command("backup", copy)
        return copy
    return subprocess.run(["pg_dump", "-d", os.environ["TEST_POSTGRESQL"], "-n", _schema_of(server)], check=True, text=True,
                          stdout=subprocess.PIPE).stdout


def put_back(server, dump):
    """The schema becomes again what it was, also under nodes that run."""
    script = f'DROP SCHEMA "{_schema_of(server)}" CASCADE;\n{dump}'
    subprocess.run(["psql", "-qX1d", os.environ["TEST_POSTGRESQL"], "-v", "ON_ERROR_STOP=1"], check=True, text=True,
                   input=script, stdout=subprocess.DEVNULL)


def replace_database(server, backup):
    """The stopped service's database, by one that was backed up long ago."""
    if _is_postgresql(server):
        put_back(server, backup)
        with open_database(server) as database:  # it holds the node that lived at that time
            assert database.execute("UPDATE nodes SET beat_us = beat_us - 60000000").rowcount == 1
        return
    for name in ("payments.db", "payments.db-wal", "payments.db-shm"):
        if os.path.exists(f"{server.data_dir}/{name}"):
            os.rename(f"{server.data_dir}/{name}", f"{server.data_dir}/aside-{uuid.uuid4()}")
    shutil.copy(backup, f"{server.data_dir}/payments.db")


def _is_postgresql(server):
    return (server.settings.get("database") or "").startswith("postgresql:")


def _schema_of(server):
    return urllib.parse.unquote(server.settings["database"]).rpartition("=")[2]
