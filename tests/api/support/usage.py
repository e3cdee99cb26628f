"""What a running server holds: memory, the database's log, descriptors."""
import os
import re
from pathlib import Path


def memory_mb(pid):
    """Anonymous memory: without pages of files."""
    return int(re.search(r"RssAnon:\s+(\d+)", Path(f"/proc/{pid}/status").read_text()).group(1)) / 1024


def log_mb(server):
    return Path(f"{server.data_dir}/payments.db-wal").stat().st_size / 1024 / 1024


def descriptors(pid):
    return len(os.listdir(f"/proc/{pid}/fd"))
