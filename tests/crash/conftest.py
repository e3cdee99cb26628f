"""Fixtures of the crash tests: the program, the library that kills it, the number of rounds, and the counts at the end."""
import os
import pathlib
import random

import pytest

from one_database import leave_out_others
from world import World

ROOT = pathlib.Path(__file__).resolve().parents[2]
COUNTED = ("points", "kills", "crashes", "pauses", "operations", "violations")
ROUNDS_OF_THE_SUITE = "2"


@pytest.fixture(scope="session")
def binary():
    return pathlib.Path(os.environ.get("PAYMENTSD", ROOT / "build" / "paymentsd")).resolve()


@pytest.fixture(scope="session")
def library_if_any():
    """None for a sanitizer's build, whose runtime allows no library before it."""
    path = os.environ.get("PAYMENTSD_KILL_AT", str(ROOT / "build" / "tests" / "crash" / "libkill_at.so"))
    return pathlib.Path(path).resolve() if path else None


@pytest.fixture(scope="session")
def library(library_if_any):
    if library_if_any is None:
        pytest.skip("the library is not for a sanitizer's build")
    return library_if_any


@pytest.fixture(scope="session")
def rounds():
    """How often each step is killed, at random points. None: at every point."""
    given = os.environ.get("ROUNDS") or ROUNDS_OF_THE_SUITE
    return None if given == "all" else int(given)


@pytest.fixture
def rng(request):
    """Random numbers. A failing test shows their seed; SEED repeats them."""
    seed = os.environ.get("SEED") or str(random.randrange(1 << 30))
    print(f"SEED={seed}")
    return random.Random(f"{seed} {request.node.name}")


@pytest.fixture
def start_world(binary, tmp_path):
    """start_world(library): a world for this test alone."""
    started = []

    def start(*arguments, **settings):
        started.append(World(binary, tmp_path, *arguments, **settings))
        return started[-1]

    yield start
    for world in started:
        world.close()


@pytest.fixture
def count(record_property):
    """count(kills=3): into the sums at the end."""
    def add(**numbers):
        for name, number in numbers.items():
            record_property(name, number)
    return add


def pytest_collection_modifyitems(config, items):
    leave_out_others(config, items)


def pytest_terminal_summary(terminalreporter):
    sums = dict.fromkeys(COUNTED, 0)
    for reports in terminalreporter.stats.values():
        for report in reports:
            if getattr(report, "when", None) == "call":
                counts = dict(report.user_properties)
                counts.setdefault("violations", int(report.failed))
                for name, number in counts.items():
                    sums[name] += number
    terminalreporter.write_line(", ".join(f"{number} {name}" for name, number in sums.items()))
