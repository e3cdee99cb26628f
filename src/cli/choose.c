// By id first, then by name: a name is for people and may occur twice, which is refused with the ids.
#include "cli/choose.h"

#include <stdio.h>

enum errc choose_merchant(struct db *db, const char *text, struct arena *arena, struct choice *choice,
                          struct err *err)
{
    *choice = (struct choice){0};
    struct uuid id;
    if (text != NULL && uuid_parse(text, &id)) {
        enum errc e = merchant_get(db, &id, arena, &choice->merchant, err);
        choice->found = e == OK;
        return e == ERR_NOT_FOUND ? err_set(err, e, "there is no merchant %s", text) : e;
    }
    enum errc e = text == NULL ? merchant_list(db, false, arena, choice->candidates, CHOICES_MAX,
                                               &choice->candidate_count, &choice->more, err)
                               : merchant_find_named(db, text, arena, choice->candidates, CHOICES_MAX,
                                                     &choice->candidate_count, &choice->more, err);
    if (e != OK) {
        return e;
    }
    if (text != NULL && choice->candidate_count == 0) {
        return err_set(err, ERR_NOT_FOUND, "there is no merchant named \"%.100s\"", text);
    }
    choice->found = choice->candidate_count == 1;
    if (choice->found) {
        choice->merchant = choice->candidates[0];
    }
    return OK;
}

enum errc choose_named(struct db *db, const char *text, struct arena *arena, struct choice *choice,
                       struct err *err)
{
    enum errc e = choose_merchant(db, text, arena, choice, err);
    if (e == OK && !choice->found) {
        return err_set(err, ERR_EXISTS, "several merchants have this name: say which with --merchant ID");
    }
    return e;
}

void choice_list(const struct choice *choice)
{
    for (size_t i = 0; i < choice->candidate_count; i++) {
        char id[UUID_TEXT_BYTES];
        uuid_format(&choice->candidates[i].id, id);
        (void)fprintf(stderr, "  %s  %s\n", id, choice->candidates[i].name);
    }
    if (choice->more) {
        (void)fprintf(stderr, "  ... and more\n");
    }
}
