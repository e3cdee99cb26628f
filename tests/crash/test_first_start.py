"""A first start, killed at each call with an effect outside. The next start makes what is missing: it makes no new key for
an existing database, and no half-made key is left."""
import os
import re
import stat

from plan import DISK, ON_POSTGRESQL, REACHED, whens_of
from support.database import empty_database

ROUNDS_A_STEP = 5
# The file to which a key is written before it gets its name.
HALF_MADE_KEY = re.compile(r"(master|pepper)\.key\.\w{6}")


def empty(server):
    for name in os.listdir(server.data_dir):
        os.unlink(os.path.join(server.data_dir, name))
    empty_database(server.settings.get("database"))


def remove_half_made_keys(server):
    for name in filter(HALF_MADE_KEY.fullmatch, os.listdir(server.data_dir)):
        path = os.path.join(server.data_dir, name)
        assert stat.S_IMODE(os.stat(path).st_mode) == 0o600
        os.unlink(path)


def test_a_first_start_killed_at_any_call_starts_again(start_world, library, rounds, rng, count):
    world = start_world(library)
    server, plan = world.server, world.plan
    server.kill()
    empty(server)
    before = plan.seen()
    server.start()
    calls = {point: plan.seen()[point] - before[point] for point in REACHED if point in DISK + ON_POSTGRESQL}
    where = [(point, when, call) for point in calls for when in whens_of(point) for call in range(1, calls[point] + 1)]
    if rounds is not None:
        kinds = [point for point in calls if calls[point]]
        chosen = [rng.choice(kinds) for _ in range(rounds * ROUNDS_A_STEP)]
        where = [rng.choice([one for one in where if one[0] == point]) for point in chosen]
    kills = 0
    for point, when, call in where:
        server.kill()
        empty(server)
        plan.kill(point, when, call)
        kills += not server.start_or_die()
        server.start_again()
        server.command("createmerchant", "--name", "shop")
        remove_half_made_keys(server)
    count(points=len(where), kills=kills, operations=len(where))
    assert kills > 0
