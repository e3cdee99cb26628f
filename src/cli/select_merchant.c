// Looks for an id first, then for a name. Merchants of earlier versions may share a name.
#include "cli/select_merchant.h"

#include <stdio.h>

#include "cli/command.h"

enum errc select_merchant(struct db *db, const char *text, struct arena *arena,
                          struct merchant_selection *selection, struct err *err)
{
    *selection = (struct merchant_selection){0};
    struct uuid id;
    if (text != NULL && uuid_parse(text, &id)) {
        enum errc rc = merchant_get(db, &id, arena, &selection->merchant, err);
        selection->found = rc == OK;
        return rc == ERR_NOT_FOUND ? err_set(err, rc, "there is no merchant %s", text) : rc;
    }
    enum errc rc = text == NULL ? merchant_list(db, false, arena, selection->candidates, CANDIDATES_MAX,
                                                &selection->candidate_count, &selection->more, err)
                                : merchant_find_named(db, text, arena, selection->candidates, CANDIDATES_MAX,
                                                      &selection->candidate_count, &selection->more, err);
    if (rc != OK) {
        return rc;
    }
    if (text != NULL && selection->candidate_count == 0) {
        return err_set(err, ERR_NOT_FOUND, "there is no merchant named \"%.100s\"", text);
    }
    selection->found = selection->candidate_count == 1;
    if (selection->found) {
        selection->merchant = selection->candidates[0];
    }
    return OK;
}

enum errc select_named_merchant(struct db *db, const char *text, struct arena *arena,
                                struct merchant_selection *selection, struct err *err)
{
    enum errc rc = select_merchant(db, text, arena, selection, err);
    if (rc == OK && !selection->found) {
        return err_set(err, ERR_EXISTS, "several merchants have this name: choose one with --merchant ID");
    }
    return rc;
}

void selection_print_candidates(const struct merchant_selection *selection)
{
    for (size_t i = 0; i < selection->candidate_count; i++) {
        char id[UUID_TEXT_BYTES];
        uuid_format(&selection->candidates[i].id, id);
        (void)fprintf(stderr, "  %s  %s\n", id, selection->candidates[i].name);
    }
    if (selection->more) {
        (void)fprintf(stderr, "  ... and more\n");
    }
}

int selection_fail(const struct merchant_selection *selection, const struct err *err)
{
    int status = command_fail(err);
    if (err->code == ERR_EXISTS) {
        selection_print_candidates(selection);
    }
    return status;
}
