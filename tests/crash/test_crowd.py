"""Killed again and again under load on a bad network: at random moments, at random calls, and while it starts again. Its
payments equal Stripe's, and every event arrives."""
import time

from plan import REACHED, STORE, whens_of
from sandbox_fixture import set_faults
from steps import CROWD
from support.http_listener import Answer
from support.background import InBackground

PAYERS = 8
CALLS_MAX = 30
KILLED_WITHIN_S = 0.6
FAULTS = {"latency_ms": 20, "error_rate": 0.1, "error_status": 503, "drop_before_rate": 0.1, "drop_after_rate": 0.15,
          "duplicate_events_rate": 0.2, "reorder_events_rate": 0.2}


class Crowd:
    """Payers side by side, each of whom does one thing after the other."""

    def __init__(self, world, rng, size, steps=CROWD):
        self._world = world
        self._left = [(rng.choice(steps)(), f"order-{number}") for number in range(size)]
        self._done = []  # (step, subject, answer)
        self._payers = [InBackground(self._do_all) for _ in range(PAYERS)]

    def _do_all(self):
        while True:
            try:
                step, key = self._left.pop()
            except IndexError:
                return
            subject = step.prepare(self._world, key)
            answer = self._world.repeat(lambda: step.attempt(self._world, key, subject), f"{key} to be answered")
            self._done.append((step, subject, answer))

    @property
    def over(self):
        return all(payer.over for payer in self._payers)

    def stop(self):
        """Nobody begins anything more."""
        self._left.clear()

    def join(self):
        for payer in self._payers:
            payer.result(timeout=120)

    def settle(self):
        """Waits until all of it has come to its end, and answers what is to be told, by payment."""
        for step, subject, answer in self._done:
            self._world.repeat(lambda: step.is_settled(self._world, subject, answer), f"{step.name} to be settled")
        told = {step.payment_id(subject, answer): step.events for step, subject, answer in self._done}
        return {payment_id: events for payment_id, events in told.items() if payment_id}


def kill(world, rng):
    """By the library at some call, or where that does not come soon, or there is no library, from outside."""
    if world.plan:
        point = rng.choice(REACHED)
        world.plan.kill(point, rng.choice(whens_of(point)), rng.randint(1, CALLS_MAX))
    until = time.monotonic() + rng.uniform(0.05, KILLED_WITHIN_S)  # when, does not matter
    while time.monotonic() < until and world.server.process.exit_status() is None:
        time.sleep(0.005)
    world.server.kill()


def start(world, rng):
    """Answers how often it was killed on the way."""
    killed = 0
    while world.plan and rng.random() < 0.3:
        world.plan.kill(rng.choice((*STORE[:2], "stripe send", "stripe receive")), "after", rng.randint(1, 10))
        killed += not world.server.start_or_die()
        world.server.kill()
    world.server.start_again()
    return killed


def check_everything(world, crowd):
    set_faults(world.sandbox, **dict.fromkeys(FAULTS, 0))
    told = crowd.settle()
    world.check_told(world.settle_books(), told)


def begin(world, rng, size):
    set_faults(world.sandbox, seed=rng.randrange(1 << 30), **FAULTS)
    world.receiver.answer_next(*(Answer(rng.choice([200, 200, 200, 500])) for _ in range(100)))
    return Crowd(world, rng, size)


def test_a_service_killed_again_and_again_on_a_bad_network_agrees_with_stripe(start_world, library_if_any, rounds, rng, count):
    world = start_world(library_if_any)
    kills_wanted = 8 if rounds is not None else 100
    crowd = begin(world, rng, 15 * kills_wanted)
    kills = 0
    while not crowd.over and kills < kills_wanted:
        kill(world, rng)
        kills += 1 + start(world, rng)
    crowd.join()
    assert kills >= 3
    check_everything(world, crowd)
    count(kills=kills, operations=world.operations)


def test_a_service_that_is_not_killed_survives_a_bad_network_too(start_world, rng, count):
    """Over plain HTTP, where a dropped connection comes as one: nghttpx would make an answer of it, 502."""
    world = start_world(plain=True)
    crowd = begin(world, rng, 60)
    crowd.join()
    check_everything(world, crowd)
    count(operations=world.operations)
