// A sandbox for tests. See sandbox_world.h.
#include "sandbox_world.h"

#include "base/text.h"

static void fill_repeated(struct random *self, void *out, unsigned bytes)
{
    struct repeated *repeated = (struct repeated *)self;
    for (unsigned i = 0; i < bytes; i++) {
        repeated->state = repeated->state * UINT64_C(6364136223846793005) + UINT64_C(1442695040888963407);
        ((uint8_t *)out)[i] = (uint8_t)(repeated->state >> 56);
    }
}

int world_set_up(void **state)
{
    struct world *world = calloc(1, sizeof(*world));
    REQUIRE(world != NULL);
    world->random.base.fill = fill_repeated;
    world->sandbox = sandbox_new(&world->random.base);
    *state = world;
    return 0;
}

int world_tear_down(void **state)
{
    struct world *world = *state;
    sandbox_free(world->sandbox);
    arena_release(&world->arena);
    free(world);
    return 0;
}

const char *world_ask(struct world *world, int64_t now_us, const char *method, const char *path,
                      const char *form, const char *key)
{
    const struct sandbox_request request = {.method = method,
                                            .path = path,
                                            .query = text_equal(method, "GET") ? form : "",
                                            .body = form,
                                            .body_bytes = strlen(form),
                                            .authorization = "Bearer sk_test_unit",
                                            .idempotency_key = key,
                                            .base_url = "http://sandbox.example"};
    world->response = (struct sandbox_response){.arena = &world->arena};
    sandbox_handle(world->sandbox, now_us, &request, &world->response);
    return world->response.body;
}

const char *world_ledger(struct world *world)
{
    return world_ask(world, START_US, "GET", "/_sandbox/ledger", "", NULL);
}

void world_restore(struct world *world, const char *lines)
{
    for (const char *end = strchr(lines, '\n'); end != NULL; lines = end + 1, end = strchr(lines, '\n')) {
        assert_int_equal(sandbox_restore_line(world->sandbox, lines, (size_t)(end - lines), NULL), OK);
    }
}

unsigned world_dice(struct world *world, unsigned below)
{
    uint16_t number = 0;
    fill_repeated(&world->random.base, &number, sizeof(number));
    return number % below;
}
