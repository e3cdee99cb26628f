"""Mistakes that only show with many writers are planted in the service (mistake.c), one at a time. A test finds each."""
import contextlib
import os
import pathlib
import re
import subprocess
import sys

import pytest

from support.postgresql import Cluster
from support.waiting import scaled

TESTS = pathlib.Path(__file__).resolve().parents[1]
TIMEOUT_S = 200
# The test that finds each, and what it says then: another failure would show nothing.
FOUND_BY = {
    "no-row-lock": ("crash/test_nodes_at_once.py", "test_refunds_at_two_nodes_never_exceed_their_payment",
                    "Stripe was asked for too much|more was refunded than paid"),
    "lease-not-checked": ("crash/test_nodes_at_once.py",
                          "test_a_node_that_comes_back_does_not_record_what_another_did_meanwhile",
                          "the node that was given up has changed the delivery's record"),
    "commit-guessed": ("api/test_postgresql_lost_commits.py", "test_a_lost_commit_is_looked_up and unsent",
                       r"no such (payment|refund)|only a completed payment can be refunded|ledger\.py:\d+: in check"),
}


@pytest.mark.parametrize("mistake", FOUND_BY)
def test_a_planted_mistake_is_found(binary, mistake):
    library = os.environ.get("PAYMENTSD_MISTAKE", str(TESTS.parent / "build" / "tests" / "crash" / "libmistake.so"))
    if not library:
        pytest.skip("the library is not for a sanitizer's build")
    file, name, words = FOUND_BY[mistake]
    with contextlib.closing(Cluster()) as cluster:
        environment = {**os.environ, "PAYMENTSD": str(binary), "LD_PRELOAD": library, "MISTAKE": mistake,
                       "TEST_POSTGRESQL": cluster.uri}
        done = subprocess.run([sys.executable, "-m", "pytest", "-x", TESTS / file, "-k", name], env=environment, text=True,
                              stdout=subprocess.PIPE, cwd=(TESTS / file).parent, timeout=scaled(TIMEOUT_S), check=False)
    assert done.returncode == 1 and re.search(words, done.stdout), done.stdout[-5000:]
