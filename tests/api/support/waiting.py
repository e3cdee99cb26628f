"""Waiting for conditions: a test never sleeps for a time that it hopes is long enough."""
import os
import time

# Sanitizers slow the program down; whoever runs the tests with one says by how much.
SCALE = float(os.environ.get("PAYMENTSD_TEST_TIME_SCALE", "1"))
# On PostgreSQL the next process finds out within 14 s that the one before was killed (src/store/node.h).
PATIENCE_S = 30.0 if os.environ.get("TEST_POSTGRESQL") else 10.0


def scaled(seconds):
    return seconds * SCALE


def wait_until(condition, timeout=PATIENCE_S, what=None):
    """Calls `condition` until it answers something true, which is returned; fails after `timeout` seconds."""
    deadline = time.monotonic() + scaled(timeout)
    while True:
        result = condition()
        if result:
            return result
        if time.monotonic() > deadline:
            raise AssertionError(f"waited {scaled(timeout):g} s in vain for {what or condition}")
        time.sleep(0.01)
