"""Killed at each call with an effect outside, in each step of each kind of operation, the service goes on where it was:
nobody is charged twice, and no answer, refund, card or event is lost."""
import time

import pytest

from plan import REACHED, STORE, whens_of
from steps import STEPS, Charge, Refund

END_S = 30


class Walk:
    """A walk through one step: the points of the kills, and the violations."""

    def __init__(self, world, step):
        self.world = world
        self.step = step
        self.points = self.kills = 0
        self.expected = {}  # events by payment
        self.violations = []

    def calls(self):
        """How many calls of each kind one undisturbed round makes."""
        subject = self.step.prepare(self.world, "undisturbed")
        before = self.world.plan.seen()
        answer = self._until_answered("undisturbed", subject)
        answered = self.world.plan.seen()
        self._until_settled("undisturbed", subject, answer)
        after = self.world.plan.seen()
        assert all(after[point] for point in ("stripe send", "stripe receive", *STORE[:2])), f"the library sees only {after}"
        # To look whether it is settled is a client's request too.
        return {point: (answered if point.startswith("client") else after)[point] - before[point] for point in REACHED}

    def strike(self, point, when, call):
        key = f"{self.step.name} {when} {point} {call} round {self.points}".replace(" ", "-")
        subject = self.step.prepare(self.world, key)
        self.points += 1
        self.world.plan.kill(point, when, call)
        self._until_killed_or_settled(key, subject)
        self.world.plan.calm()
        self._until_settled(key, subject, self._until_answered(key, subject))

    def try_strike(self, *where):
        try:
            self.strike(*where)
        except AssertionError as error:
            self.violations.append(f"{where}: {error}")
            self.world.server.start_again()

    def check_books(self):
        try:
            self.world.check_told(self.world.settle_books(), self.expected)
        except AssertionError as error:
            self.violations.append(f"the ledger: {error}")

    def _start_if_ended(self):
        killed = self.world.server.was_killed
        self.kills += self.world.start_if_ended() and killed

    def _until_answered(self, key, subject):
        def attempt():
            self._start_if_ended()
            return self.step.attempt(self.world, key, subject)
        answer = self.world.repeat(attempt, f"{key} to be answered")
        self._start_if_ended()
        return answer

    def _until_settled(self, key, subject, answer):
        def is_settled():
            self._start_if_ended()
            return self.step.is_settled(self.world, subject, answer)
        self.world.repeat(is_settled, f"{key} to be settled")
        payment_id = self.step.payment_id(subject, answer)
        if payment_id:
            self.expected[payment_id] = self.step.events

    def _until_killed_or_settled(self, key, subject):
        deadline = time.monotonic() + END_S
        answer = None
        while self.world.server.process.exit_status() is None:
            answer = answer or self.step.attempt(self.world, key, subject)
            if answer and self.step.is_settled(self.world, subject, answer):
                return
            assert time.monotonic() < deadline, f"{key} neither ended nor was it killed"
            time.sleep(0.005)


def walk_all(world, step, rounds, rng, count):
    walk = Walk(world, step)
    where = [(point, when, call) for point, calls in walk.calls().items() for when in whens_of(point)
             for call in range(1, calls + 1)]
    if rounds is not None and rounds < len(where):
        # Each kind of call as often as the others, however many there are of it.
        kinds = sorted({one[:2] for one in where})
        chosen = [rng.choice(kinds) for _ in range(rounds)]
        where = [rng.choice([one for one in where if one[:2] == kind]) for kind in chosen]
    for one in where:
        walk.try_strike(*one)
    walk.check_books()
    count(points=walk.points, kills=walk.kills, operations=world.operations, violations=len(walk.violations))
    assert not walk.violations, "\n".join(walk.violations)


def by_name(steps):
    return pytest.mark.parametrize("step", [step() for step in steps], ids=lambda step: step.name.replace(" ", "-"))


@by_name(STEPS)
def test_a_service_killed_at_any_call_goes_on_where_it_was(start_world, library, rounds, rng, count, step):
    walk_all(start_world(library), step, rounds, rng, count)


@by_name([Charge, Refund])
def test_a_service_killed_at_any_call_goes_on_over_plain_http_too(start_world, library, rounds, rng, count, step):
    """nghttpx may drop a request whose sender is gone. Without it, Stripe carries out whatever was sent."""
    walk_all(start_world(library, plain=True), step, rounds, rng, count)
