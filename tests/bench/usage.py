"""What processes use, from /proc: processor time and memory."""
import re
import threading
from pathlib import Path

SAMPLE_S = 0.05


def cpu_us(*pids):
    """The processor time of all threads of these processes."""
    total_ns = 0
    for pid in pids:
        for thread in Path(f"/proc/{pid}/task").iterdir():
            total_ns += int((thread / "schedstat").read_text().split()[0])
    return total_ns / 1000


def memory_mb(*pids):
    return sum(int(re.search(r"VmRSS:\s+(\d+)", Path(f"/proc/{pid}/status").read_text())[1]) for pid in pids) / 1024


def machine_ticks():
    """The ticks that all processors have spent so far: busy, and in all."""
    user, nice, system, idle, iowait, *others = map(int, Path("/proc/stat").read_text().split("\n", 1)[0].split()[1:])
    busy = user + nice + system + sum(others[:3])
    return busy, busy + idle + iowait


class MemoryPeak:
    """As a context: the most memory that the processes used meanwhile, in peak_mb."""

    def __init__(self, pids):
        self._pids = pids
        self._ended = threading.Event()
        self._thread = threading.Thread(target=self._watch, daemon=True)
        self.peak_mb = 0

    def __enter__(self):
        self._thread.start()
        return self

    def __exit__(self, *_):
        self._ended.set()
        self._thread.join()

    def _watch(self):
        while True:
            self.peak_mb = max(self.peak_mb, memory_mb(*self._pids))
            if self._ended.wait(SAMPLE_S):
                return
