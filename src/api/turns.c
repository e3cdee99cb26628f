// See turns.h.
#include "api/turns.h"

#include "base/require.h"

#define WAITING_MAX 64

void turns_init(struct turns *turns)
{
    *turns = (struct turns){0};
    list_init(&turns->waiting);
}

bool turns_take(struct turns *turns, struct turn *turn)
{
    if (!turns->taken) {
        turns->taken = true;
        turn->come(turn);
        return true;
    }
    if (turns->waiting_count == WAITING_MAX) {
        return false;
    }
    list_append(&turns->waiting, &turn->link);
    turns->waiting_count++;
    return true;
}

void turns_pass(struct turns *turns)
{
    REQUIRE(turns->taken);
    struct list *node = list_take_first(&turns->waiting);
    if (node == NULL) {
        turns->taken = false;
        return;
    }
    turns->waiting_count--;
    struct turn *turn = CONTAINER_OF(node, struct turn, link);
    turn->come(turn);
}
