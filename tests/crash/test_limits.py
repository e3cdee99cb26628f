"""Out of memory or of descriptors: the service waits, or ends and is started again. No open operation is lost."""
import os
import resource
import signal

import pytest

from steps import paid, pay
from support.background import InBackground
from support.waiting import wait_until
from world import LOST

PAYERS = 16


def memory_bytes(process):
    with open(f"/proc/{process.pid}/statm", encoding="ascii") as file:
        return int(file.read().split()[0]) * resource.getpagesize()


def end_of_memory(world, most):
    """Gives it back to a process that still runs, or starts another; answers whether it did that."""
    process = world.server.process
    if process.exit_status() is None:
        resource.prlimit(process.pid, resource.RLIMIT_AS, (most, most))
        return False
    assert process.wait() == -signal.SIGABRT, process.err.all()[-5:]
    world.server.start()
    return True


def pay_in_vain(world, key):
    try:
        return pay(world, key)
    except LOST:
        return None


def check_each_paid(world, keys):
    for key in keys:
        paid(world, key)
    assert len(world.settle_books().payments) == len(keys)


def test_a_service_without_memory_ends_and_the_next_start_loses_nothing(start_world, library_if_any, rounds, count):
    if library_if_any is None:
        pytest.skip("a sanitizer reserves terabytes of addresses")
    world = start_world()
    # By address: glibc 2.36 crashes when it looks up a name without memory.
    world.server.settings["stripe_api_base"] = world.nghttpx.url.replace("localhost", "127.0.0.1")
    world.server.restart()
    keys = []
    kills = 0
    for number in range(3 if rounds is not None else 40):
        burst = [f"order-{number}-{payer}" for payer in range(PAYERS)]
        keys += burst
        limit = memory_bytes(world.server.process)
        _, most = resource.prlimit(world.server.process.pid, resource.RLIMIT_AS)
        resource.prlimit(world.server.process.pid, resource.RLIMIT_AS, (limit, most))
        for payer in [InBackground(pay_in_vain, world, key) for key in burst]:
            payer.result(timeout=90)
        for key in burst:
            def attempt(key=key):
                nonlocal kills
                kills += end_of_memory(world, most)
                return pay_in_vain(world, key)
            world.repeat(attempt, f"{key} to be answered")
    check_each_paid(world, keys)
    count(points=len(keys), kills=kills, operations=world.operations)


def test_without_descriptors_callers_wait_and_all_are_answered(start_world, count):
    world = start_world()
    pid = world.server.process.pid
    paid(world, "before")
    _, most = resource.prlimit(pid, resource.RLIMIT_NOFILE)
    used = max(int(name) for name in os.listdir(f"/proc/{pid}/fd")) + 1
    resource.prlimit(pid, resource.RLIMIT_NOFILE, (used + 1, most))
    keys = [f"order-{number}" for number in range(PAYERS)]
    payers = [InBackground(lambda key=key: world.repeat(lambda: pay(world, key), f"{key} to be answered")) for key in keys]
    wait_until(lambda: any("a connection cannot be accepted" in line for line in world.server.log_since_mark()),
               what="descriptors to be gone")
    resource.prlimit(pid, resource.RLIMIT_NOFILE, (most, most))
    for payer in payers:
        payer.result(timeout=90)
    assert world.server.process.exit_status() is None
    check_each_paid(world, ["before", *keys])
    count(operations=world.operations)
