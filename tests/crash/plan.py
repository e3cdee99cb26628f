"""The plan for kill_at.c, which is preloaded into the service: the call at which it is killed, or the calls that fail."""
import errno
import mmap
import os
import struct
import tempfile
import urllib.parse

POINTS = ("wal write", "wal sync", "database write", "database sync", "journal", "key file", "directory sync",
          "stripe send", "stripe receive", "client send", "client receive", "endpoint send", "endpoint receive",
          "postgresql send", "postgresql receive")
WHENS = ("before", "halfway", "after")
DISK = POINTS[:7]
# What only one database's driver calls.
ON_SQLITE = ("wal write", "wal sync", "database write", "database sync", "journal")
ON_POSTGRESQL = ("postgresql send", "postgresql receive")
STORE, OTHER_STORE = (ON_POSTGRESQL, ON_SQLITE) if os.environ.get("TEST_POSTGRESQL") else (ON_SQLITE, ON_POSTGRESQL)
REACHED = tuple(point for point in POINTS if point not in OTHER_STORE)
KILL = -1

# Its fields, each of 8 bytes, as `struct plan` has them.
FIELDS = ("points", "when", "calls_left", "action", "stripe_port", "stripe_tls", "endpoint_port", "acted") + POINTS


def whens_of(point):
    """Half a receipt or half a sync is none, and before a receipt is as after it."""
    if point.endswith("receive"):
        return ("after",)
    return ("before", "after") if point.endswith("sync") else WHENS


class Plan:
    def __init__(self, library, stripe_url, endpoint_url):
        handle, self.path = tempfile.mkstemp(prefix="kill-at-")
        with os.fdopen(handle, "r+b") as file:
            file.truncate(8 * len(FIELDS))
            self._fields = mmap.mmap(file.fileno(), 8 * len(FIELDS))
        stripe = urllib.parse.urlsplit(stripe_url)
        self._set(stripe_port=stripe.port, stripe_tls=stripe.scheme == "https",
                  endpoint_port=urllib.parse.urlsplit(endpoint_url).port)
        self.environment = {"LD_PRELOAD": str(library), "KILL_AT_PLAN": self.path}

    def close(self):
        self._fields.close()
        os.unlink(self.path)

    def kill(self, point, when="before", call=1):
        """At that call of the kind, counted from now."""
        self._arm([point], call, KILL, when)

    def fail(self, error, points=DISK, call=1):
        """That call and all after it fail with the errno, until calm()."""
        self._arm(points, call, getattr(errno, error), "before")

    def calm(self):
        self._set(action=0)

    @property
    def acted(self):
        """How often since it was told what to do."""
        return self._get("acted")

    def seen(self):
        """How often there was a call of each kind, ever."""
        return {point: self._get(point) for point in POINTS}

    def _arm(self, points, call, action, when):
        self.calm()
        self._set(points=sum(1 << POINTS.index(point) for point in points), calls_left=call, acted=0,
                  when=WHENS.index(when))
        self._set(action=action)

    def _set(self, **fields):
        for name, value in fields.items():
            struct.pack_into("q", self._fields, 8 * FIELDS.index(name), value)

    def _get(self, name):
        return struct.unpack_from("q", self._fields, 8 * FIELDS.index(name))[0]
