// The settings of faults, and their random numbers. Pure. See faults.h.
#include "sandbox/faults.h"

#include <stddef.h>

#include "base/require.h"
#include "base/text.h"
#include "base/timefmt.h"

#define HOLD_MS_MAX INT64_C(86400000)
#define LATENCY_MS_MAX INT64_C(600000)
#define REORDER_SPREAD_US US_PER_S // a delivery chosen to be reordered comes up to this much later

// splitmix64: one addition and three mixing steps, good enough here, and repeatable.
static uint64_t next_number(struct faults *faults)
{
    faults->state += UINT64_C(0x9e3779b97f4a7c15);
    uint64_t mixed = faults->state;
    mixed = (mixed ^ (mixed >> 30)) * UINT64_C(0xbf58476d1ce4e5b9);
    mixed = (mixed ^ (mixed >> 27)) * UINT64_C(0x94d049bb133111eb);
    return mixed ^ (mixed >> 31);
}

bool faults_roll(struct faults *faults, double rate)
{
    // A rate of 0 or 1 draws no number, so that it does not change the results of the other settings.
    if (rate <= 0) {
        return false;
    }
    return rate >= 1 || (double)(next_number(faults) >> 11) / (double)(UINT64_C(1) << 53) < rate;
}

int64_t faults_delivery_delay_us(struct faults *faults)
{
    int64_t delay_us = faults->hold_events_ms * US_PER_MS;
    if (faults_roll(faults, faults->reorder_events_rate)) {
        delay_us += (int64_t)(next_number(faults) % REORDER_SPREAD_US);
    }
    return delay_us;
}

// The table of settings: a rate (double, 0 to 1) or an integer within bounds.
static const struct setting {
    const char *name;
    size_t offset;
    bool rate;
    int64_t min;
    int64_t max;
} settings[] = {
    {"latency_ms", offsetof(struct faults, latency_ms), false, 0, LATENCY_MS_MAX},
    {"error_rate", offsetof(struct faults, error_rate), true, 0, 1},
    {"error_status", offsetof(struct faults, error_status), false, 400, 599},
    {"drop_before_rate", offsetof(struct faults, drop_before_rate), true, 0, 1},
    {"drop_after_rate", offsetof(struct faults, drop_after_rate), true, 0, 1},
    {"duplicate_events_rate", offsetof(struct faults, duplicate_events_rate), true, 0, 1},
    {"reorder_events_rate", offsetof(struct faults, reorder_events_rate), true, 0, 1},
    {"hold_events_ms", offsetof(struct faults, hold_events_ms), false, 0, HOLD_MS_MAX},
    {"seed", offsetof(struct faults, seed), false, 0, INT64_MAX},
};

static const struct setting *setting_find(const char *name)
{
    for (size_t i = 0; i < COUNT_OF(settings); i++) {
        if (text_equal(settings[i].name, name)) {
            return &settings[i];
        }
    }
    return NULL;
}

static enum errc set_rate(struct faults *faults, const struct setting *setting, struct json_object *value,
                          struct err *err)
{
    bool number = json_object_is_type(value, json_type_double) || json_object_is_type(value, json_type_int);
    double rate = number ? json_object_get_double(value) : -1;
    if (!(rate >= 0 && rate <= 1)) {
        return err_set(err, ERR_BAD_REQUEST, "%s must be a number from 0 to 1", setting->name);
    }
    *(double *)((char *)faults + setting->offset) = rate;
    return OK;
}

static enum errc set_integer(struct faults *faults, const struct setting *setting, struct json_object *value,
                             struct err *err)
{
    int64_t number = json_object_is_type(value, json_type_int) ? json_object_get_int64(value) : -1;
    // 0 switches each of them off, also the status, whose range does not include 0.
    if (number != 0 && (number < setting->min || number > setting->max)) {
        return err_set(err, ERR_BAD_REQUEST, "%s must be 0 or an integer from %lld to %lld", setting->name,
                       (long long)setting->min, (long long)setting->max);
    }
    *(int64_t *)((char *)faults + setting->offset) = number;
    return OK;
}

enum errc faults_change(struct faults *faults, struct json_object *wanted, struct err *err)
{
    if (!json_object_is_type(wanted, json_type_object)) {
        return err_set(err, ERR_BAD_REQUEST, "the body must be a JSON object");
    }
    struct faults changed = *faults;
    json_object_object_foreach(wanted, name, value)
    {
        const struct setting *setting = setting_find(name);
        if (setting == NULL) {
            return err_set(err, ERR_BAD_REQUEST, "unknown field: %.64s", name);
        }
        enum errc rc = setting->rate ? set_rate(&changed, setting, value, err)
                                     : set_integer(&changed, setting, value, err);
        if (rc != OK) {
            return rc;
        }
    }
    if (json_object_object_get_ex(wanted, "seed", NULL)) {
        changed.state = (uint64_t)changed.seed;
    }
    *faults = changed;
    return OK;
}

struct json_object *faults_json(const struct faults *faults)
{
    struct json_object *json = json_new_object();
    for (size_t i = 0; i < COUNT_OF(settings); i++) {
        const char *field = (const char *)faults + settings[i].offset;
        if (settings[i].rate) {
            json_add(json, settings[i].name, json_object_new_double(*(const double *)field));
        } else {
            json_add_i64(json, settings[i].name, *(const int64_t *)field);
        }
    }
    return json;
}
