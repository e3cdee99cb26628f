"""Three nodes on one PostgreSQL, under load. Nodes are killed, or stand still and come back, and the database crashes, at random
moments. No payer pays twice, whatever was answered is there, and every event arrives in order. `make nodes`"""
import os

import pytest

from nodes_world import NodesWorld
from sandbox_fixture import set_faults
from steps import CROWD, Credentials
from test_crowd import FAULTS, Crowd

from support.postgresql import Unavailable
from support.waiting import wait_until

NODES = 3
FAULTS_OF_THE_SUITE = 5  # one of each kind
FAULTS_OF_ALL_ROUNDS = 200
STEPS_MAX = 400  # per fault: more than there is time for
PROGRESS_MAX = 6  # answers between two faults
KINDS = [step for step in CROWD if step is not Credentials]


@pytest.fixture
def nodes(binary):
    try:
        world = NodesWorld(binary, NODES)
    except Unavailable as why:
        pytest.skip(str(why))
    yield world
    world.close()


class Faults:
    def __init__(self, world, rng):
        self._world, self._rng = world, rng
        self._next = []
        self.kills = self.crashes = self.pauses = 0

    def one(self):
        """Each kind comes equally often, in any order."""
        if not self._next:
            self._next = [self._kill, self._pause, self._pause_until_given_up, self._kill_while_paused, self._crash]
            self._rng.shuffle(self._next)
        self._next.pop()()
        self._progress()

    def _progress(self):
        """Some more answers: what they leave unfinished when the next fault comes is random."""
        wanted = self._world.operations + self._rng.randint(1, PROGRESS_MAX)
        wait_until(lambda: self._world.operations >= wanted, timeout=60, what="nodes to answer")

    def _kill(self):
        node = self._rng.choice(self._world.nodes)
        self._world.kill(node)
        self.kills += 1
        self._progress()
        node.start()

    def _pause(self):
        node = self._rng.choice(self._world.nodes)
        self._world.pause(node)
        self.pauses += 1
        self._progress()
        self._world.resume(node)

    def _pause_until_given_up(self):
        """It comes back to work that others have done meanwhile."""
        known = self._world.rows()
        node = self._rng.choice(self._world.nodes)
        self._world.pause(node)
        self.pauses += 1
        self._world.wait_until_given_up(known)
        self._world.resume(node)

    def _kill_while_paused(self):
        first, second = self._rng.sample(self._world.nodes, 2)
        self._world.pause(first)
        self._world.kill(second)
        self.pauses += 1
        self.kills += 1
        self._progress()
        self._world.resume(first)
        second.start()

    def _crash(self):
        self._world.restart_database()
        self.crashes += 1


def test_three_nodes_and_a_database_that_fail_again_and_again_agree_with_stripe(nodes, rng, rounds, count):
    wanted = int(os.environ.get("ROUNDS") or FAULTS_OF_THE_SUITE) if rounds is not None else FAULTS_OF_ALL_ROUNDS
    set_faults(nodes.sandbox, seed=rng.randrange(1 << 30), **FAULTS)
    crowd = Crowd(nodes, rng, STEPS_MAX * wanted, KINDS)
    faults = Faults(nodes, rng)
    for _ in range(wanted):
        faults.one()
    crowd.stop()
    crowd.join()
    set_faults(nodes.sandbox, **dict.fromkeys(FAULTS, 0))
    told = crowd.settle()
    ledger = nodes.settle_books()
    nodes.check_told(ledger, told)
    nodes.check_keys(ledger)
    nodes.check_answers()
    nodes.check_nothing_is_leased()
    nodes.check_audit()
    for node in nodes.nodes:
        node.check()
    count(kills=faults.kills, crashes=faults.crashes, pauses=faults.pauses, operations=nodes.operations)
