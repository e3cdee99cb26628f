// sim [--seed N | --seeds FIRST COUNT | --mutations SEEDS]: runs of the whole service in one thread on a
// virtual clock, each from its seed alone and in a process of its own. Ends with what was done and what
// was broken; with --mutations, after how many seeds each mistake was found. See docs/simulation.md.
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/require.h"
#include "base/text.h"
#include "card_promises.h"
#include "disk.h"
#include "fake_stripe.h"
#include "mutations.h"
#include "network.h"
#include "promises.h"
#include "saved_cards.h"
#include "service.h"
#include "workload.h"
#include "world.h"

#define TROUBLE_US (1500 * US_PER_S)           // so long things go wrong
#define REST_US (3 * 3600 * US_PER_S)          // within this all must come to rest
#define DAYS_US (10 * 24 * 3600 * US_PER_S)    // so long payers take, if they come at all
#define DAYS_SLOWER 1000                       // in which things go wrong so much more rarely
#define DAYS_SWEEP_MS (600 * 1000)             // looking for what is due every 5 s would be most of a run
#define MONTHS_US (100 * 24 * 3600 * US_PER_S) // the next charge is of the fourth month
#define LOOK_US (30 * US_PER_S)
#define CHILDREN_MAX 64
#define SEEDS_FOR_ALL_FAULTS 16 // in so many, each fault happens

// --- what goes wrong

static int64_t slower = 1;

static int64_t some_time_us(int64_t least_s, int64_t most_s)
{
    return random_between(least_s, most_s) * slower * US_PER_S;
}

static void crash_service(void *context)
{
    (void)context;
    if (world.faults_off) {
        return;
    }
    bool power_lost = random_below(2) == 0;
    if (random_below(3) == 0) {
        service_kill(power_lost);
    } else {
        service_kill_within(random_between(1, 60), power_lost);
    }
    world_after(some_time_us(5, 150), crash_service, NULL);
}

static void fail_disk(void *context)
{
    (void)context;
    disk_fail_until(world.now_us + random_between(1000, 10 * US_PER_S));
    world_after(some_time_us(60, 600), fail_disk, NULL);
}

// Mostly for a moment; now and then for longer than a charge may wait.
static void fail_stripe(void *context)
{
    (void)context;
    int64_t for_s = random_below(8) == 0 ? random_between(300, 1200) : random_between(1, 90);
    network_stripe_down_until(world.now_us + for_s * US_PER_S);
    world_after(for_s * US_PER_S + some_time_us(60, 600), fail_stripe, NULL);
}

static void step_clock(void *context)
{
    (void)context;
    if (!world.faults_off) {
        static const int64_t steps_max_s[] = {60, 60, 60, 60, 60, 60, 7200, 20 * 3600};
        int64_t step_us = random_between(1, steps_max_s[random_below(COUNT_OF(steps_max_s))] * US_PER_S);
        bool back =
            service.wall_offset_us > 7200 * US_PER_S || random_below(2) == 0; // far ahead, but never days
        service_step_clock(back ? -step_us : step_us);
        world_after(some_time_us(30, 400), step_clock, NULL);
    }
}

static void look(void *context)
{
    (void)context;
    promises_check_now();
    if (!world.faults_off) {
        world_after(LOOK_US * slower, look, NULL);
    }
}

static void run_until(int64_t until_us)
{
    while (service_step(until_us)) {
    }
}

static void come_to_rest(void)
{
    int64_t rest_us = world.now_us + REST_US;
    do {
        run_until(world.now_us + 30 * US_PER_S);
    } while (world.now_us < rest_us && !promises_are_idle());
}

// Things go wrong for so long, and then all comes to rest.
static void live(int64_t for_us, bool steps)
{
    world.faults_off = false;
    world_after(some_time_us(1, 60), crash_service, NULL);
    world_after(LOOK_US, look, NULL);
    if (steps) {
        world_after(some_time_us(1, 400), step_clock, NULL);
    }
    run_until(world.now_us + for_us);
    world.faults_off = true;
    service_step_clock(-service.wall_offset_us);
    note("calm");
    come_to_rest();
    promises_make_due(); // what is asked after only by the hour
    come_to_rest();
}

// Days later, what waits for payers has come to its end. Months later, cards are charged again.
static void live_on(bool steps)
{
    int64_t sweep_ms = service.config.reconcile_interval_ms;
    slower = DAYS_SLOWER;
    service.config.reconcile_interval_ms = DAYS_SWEEP_MS;
    live(DAYS_US, steps);
    slower = 1;
    service.config.reconcile_interval_ms = sweep_ms;
    service_kill(false);
    world.now_us += MONTHS_US;
    saved_cards_charge_all();
    live(TROUBLE_US / 2, steps);
    saved_cards_fetch_all();
    come_to_rest();
    promises_check_end();
    card_promises_check(true);
}

static void run_seed(uint64_t seed, const char *mutation, bool verbose)
{
    world_begin(seed, mutation, verbose);
    disk_install();
    service_install();
    mutation_set_up();
    fake_stripe_start();
    service_start();
    workload_start();
    world_after(random_between(1, 600) * US_PER_S, fail_disk, NULL);
    world_after(random_between(1, 600) * US_PER_S, fail_stripe, NULL);
    bool steps = random_below(4) == 0;
    bool lives_on = random_below(2) == 0;
    live(TROUBLE_US, steps);
    promises_check_end();
    card_promises_check(false);
    if (world.counts.violations == 0 && lives_on) {
        live_on(steps);
    }
    service_uninstall();
}

// --- many of them

struct child {
    pid_t pid;
    int pipe;
    uint64_t seed;
};

static struct child child_start(uint64_t seed, const char *mutation)
{
    int ends[2];
    REQUIRE(pipe(ends) == 0);
    (void)fflush(stdout);
    struct child child = {.pid = fork(), .pipe = ends[0], .seed = seed};
    REQUIRE(child.pid >= 0);
    if (child.pid == 0) {
        REQUIRE(dup2(ends[1], STDIN_FILENO) == STDIN_FILENO); // what is above is the service's own
        close(ends[0]);
        close(ends[1]);
        (void)!freopen("/dev/null", "w", stderr);
        run_seed(seed, mutation, false);
        REQUIRE(write(STDIN_FILENO, &world.counts, sizeof(world.counts)) == sizeof(world.counts));
        (void)fflush(stdout);
        _exit(0);
    }
    close(ends[1]);
    return child;
}

static void add_counts(struct counts *sum, const struct counts *more)
{
    int64_t *to = (int64_t *)sum;
    const int64_t *from = (const int64_t *)more;
    for (size_t i = 0; i < sizeof(*sum) / sizeof(*to); i++) {
        to[i] += from[i];
    }
}

// A run that ends otherwise than by itself broke something too.
static void child_end(struct child *child, struct counts *sum)
{
    struct counts counts = {0};
    int status = 0;
    bool whole = read(child->pipe, &counts, sizeof(counts)) == sizeof(counts);
    close(child->pipe);
    REQUIRE(waitpid(child->pid, &status, 0) == child->pid);
    if (!whole || status != 0) {
        printf("seed %llu: ended by itself, status %d\n", (unsigned long long)child->seed, status);
        counts.violations++;
    }
    if (counts.violations > 0) {
        printf("seed %llu: %lld violations; replay: sim --seed %llu\n", (unsigned long long)child->seed,
               (long long)counts.violations, (unsigned long long)child->seed);
    }
    add_counts(sum, &counts);
}

struct fault {
    const char *name;
    size_t at; // in struct counts
};
#define FAULT(member, name)                                                                                  \
    {                                                                                                        \
        name, offsetof(struct counts, member)                                                                \
    }

static const struct fault faults[] = {
    FAULT(kills, "kills"),
    FAULT(power_losses, "losses of power"),
    FAULT(disk_failures, "failed disk calls"),
    FAULT(clock_steps, "clock steps"),
    FAULT(connects_slow, "slow connects"),
    FAULT(connects_failed, "failed connects"),
    FAULT(connections_cut, "connections cut"),
    FAULT(connections_silent, "connections silent"),
    FAULT(connections_sent_away, "connections sent away"),
    FAULT(calls_cut, "calls cut with their connection"),
    FAULT(calls_refused, "calls refused with it"),
    FAULT(calls_refused_for_good, "calls refused again and again"),
    FAULT(calls_too_late, "calls too late to be sent"),
    FAULT(requests_lost, "requests lost"),
    FAULT(requests_doubled, "requests doubled"),
    FAULT(answers_lost, "answers lost"),
    FAULT(answers_cut, "answers cut"),
    FAULT(late_answers, "answers too late"),
    FAULT(provider_errors, "errors of Stripe"),
    FAULT(endpoint_failures, "errors of endpoints"),
    FAULT(events_lost, "events lost"),
    FAULT(hang_ups, "hang-ups"),
    FAULT(faults_stored, "faults stored under a customer's key"),
    FAULT(refunds_bare, "texts with refunds without metadata"),
    FAULT(refunds_in_place, "refunds at the dashboard in place of one that failed"),
};

static int64_t fault_count(const struct counts *counts, const struct fault *fault)
{
    return *(const int64_t *)((const char *)counts + fault->at);
}

static void print_counts(const struct counts *c, uint64_t seeds)
{
    printf("%llu seeds: %lld payments, %lld refunds, %lld captures, %lld cancels, %lld cards; %lld answers, "
           "%lld repeats;"
           " %lld calls to Stripe, %lld connections, %lld events of it, %lld events to merchants\n",
           (unsigned long long)seeds, (long long)c->payments, (long long)c->refunds, (long long)c->captures,
           (long long)c->cancels, (long long)c->cards, (long long)c->answers, (long long)c->replays,
           (long long)c->provider_calls, (long long)c->connections, (long long)c->provider_events,
           (long long)c->merchant_events);
    for (size_t i = 0; i < COUNT_OF(faults); i++) {
        printf("%s%lld %s", i == 0 ? "faults: " : ", ", (long long)fault_count(c, &faults[i]),
               faults[i].name);
    }
    printf("\n%lld violations\n", (long long)c->violations);
}

// A fault that never happens proves nothing.
static int64_t print_missing(const struct counts *counts)
{
    int64_t missing = 0;
    for (size_t i = 0; i < COUNT_OF(faults); i++) {
        if (fault_count(counts, &faults[i]) == 0) {
            printf("no %s in all these seeds\n", faults[i].name);
            missing++;
        }
    }
    return missing;
}

static struct counts run_seeds(uint64_t first, uint64_t seeds)
{
    struct counts sum = {0};
    struct child children[CHILDREN_MAX];
    long processors = sysconf(_SC_NPROCESSORS_ONLN);
    size_t width = processors > CHILDREN_MAX ? CHILDREN_MAX : (size_t)processors;
    for (uint64_t i = 0; i < seeds + width; i++) {
        struct child *child = &children[i % width];
        if (i >= width) {
            child_end(child, &sum);
        }
        if (i < seeds) {
            *child = child_start(first + i, NULL);
        } else if (i + 1 >= seeds + width || i >= seeds + width - 1) {
            break;
        }
    }
    return sum;
}

// After how many seeds the mistake is found; 0: it is not.
static uint64_t seeds_to_find(const char *mutation, uint64_t most)
{
    for (uint64_t seed = 1; seed <= most; seed++) {
        struct child child = child_start(seed, mutation);
        struct counts counts = {0};
        int status = 0;
        bool whole = read(child.pipe, &counts, sizeof(counts)) == sizeof(counts);
        close(child.pipe);
        REQUIRE(waitpid(child.pid, &status, 0) == child.pid);
        if (!whole || status != 0 || counts.violations > 0) {
            return seed;
        }
    }
    return 0;
}

static int find_mutations(uint64_t most)
{
    int failed = 0;
    printf("1..%zu\n", mutation_count);
    for (size_t i = 0; i < mutation_count; i++) {
        uint64_t seeds = seeds_to_find(mutation_names[i], most);
        failed += seeds == 0;
        printf("%sok %zu %s # found after %llu seeds\n", seeds > 0 ? "" : "not ", i + 1, mutation_names[i],
               (unsigned long long)seeds);
    }
    return failed > 0;
}

static uint64_t number(const char *text)
{
    int64_t value = 0;
    if (text == NULL || text_to_i64(text, &value, NULL) != OK || value < 0) {
        (void)fputs("usage: sim --seed N [MUTATION] | --seeds FIRST COUNT | --mutations SEEDS\n", stderr);
        exit(2);
    }
    return (uint64_t)value;
}

int main(int argc, char **argv)
{
    const char *what = argc > 1 ? argv[1] : "";
    if (text_equal(what, "--seed")) {
        run_seed(number(argv[2]), argc > 3 ? argv[3] : NULL, true);
        print_counts(&world.counts, 1);
        return world.counts.violations > 0;
    }
    if (text_equal(what, "--mutations")) {
        return find_mutations(number(argv[2]));
    }
    uint64_t first = number(argc > 2 ? argv[2] : NULL);
    uint64_t seeds = number(argc > 3 ? argv[3] : NULL);
    struct counts sum = run_seeds(first, seeds);
    print_counts(&sum, seeds);
    int64_t failed = sum.violations + (seeds >= SEEDS_FOR_ALL_FAULTS ? print_missing(&sum) : 0);
    printf("%llu passed, %lld failed\n", (unsigned long long)(failed > 0 ? 0 : seeds), (long long)failed);
    return failed > 0;
}
