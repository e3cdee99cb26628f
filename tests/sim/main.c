// sim [--seed N | --seeds FIRST COUNT | --mutations SEEDS]: runs the whole service in one thread on a virtual
// clock. Each run depends only on its seed and has its own process. Prints what was done and which promises
// were broken; with --mutations, prints how many seeds it took to find each planted mistake. See
// docs/simulation.md.
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
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

#define FAULTS_US (1500 * US_PER_S)         // how long faults happen
#define SETTLE_US (3 * 3600 * US_PER_S)     // everything must be idle within this
#define DAYS_US (10 * 24 * 3600 * US_PER_S) // payers who come at all come within this
#define DAYS_DELAY_FACTOR 1000              // faults are this much rarer during DAYS_US
#define DAYS_SWEEP_MS (3600 * 1000)         // sweeps every 5 s would take most of the run's time
#define SETTLE_SWEEP_MS (60 * 1000)
#define MONTHS_US (100 * 24 * 3600 * US_PER_S) // the next charge is in the fourth month
#define CHECK_US (30 * US_PER_S)
#define CHILDREN_MAX 64
#define SEEDS_FOR_ALL_FAULTS 16 // enough seeds for every fault to happen

// --- faults

static int64_t fault_delay_factor = 1;

static int64_t fault_delay_us(int64_t min_s, int64_t max_s)
{
    return random_between(min_s, max_s) * fault_delay_factor * US_PER_S;
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
    world_after(fault_delay_us(5, 150), crash_service, NULL);
}

static void fail_disk(void *context)
{
    (void)context;
    disk_fail_until(world.now_us + random_between(1000, 10 * US_PER_S));
    world_after(fault_delay_us(60, 600), fail_disk, NULL);
}

// Usually for at most 90 s; sometimes for longer than a charge may wait.
static void fail_stripe(void *context)
{
    (void)context;
    int64_t for_s = random_below(8) == 0 ? random_between(300, 1200) : random_between(1, 90);
    network_stripe_down_until(world.now_us + for_s * US_PER_S);
    world_after(for_s * US_PER_S + fault_delay_us(60, 600), fail_stripe, NULL);
}

static void step_clock(void *context)
{
    (void)context;
    if (!world.faults_off) {
        static const int64_t steps_max_s[] = {60, 60, 60, 60, 60, 60, 7200, 20 * 3600};
        int64_t step_us = random_between(1, steps_max_s[random_below(COUNT_OF(steps_max_s))] * US_PER_S);
        bool far_ahead = service.wall_offset_us > 7200 * US_PER_S; // so it never gets ahead by days
        bool back = far_ahead || random_below(2) == 0;
        service_step_clock(back ? -step_us : step_us);
        world_after(fault_delay_us(30, 400), step_clock, NULL);
    }
}

static void check_now(void *context)
{
    (void)context;
    promises_check_now();
    if (!world.faults_off) {
        world_after(CHECK_US * fault_delay_factor, check_now, NULL);
    }
}

static void run_until(int64_t until_us)
{
    while (service_step(until_us)) {
    }
}

static void run_until_idle(void)
{
    int64_t settle_until_us = world.now_us + SETTLE_US;
    do {
        run_until(world.now_us + 30 * US_PER_S);
    } while (world.now_us < settle_until_us && !promises_are_idle());
}

// Faults happen for for_us; then they stop, and the service runs until it is idle.
static void run_phase(int64_t for_us, bool steps_clock)
{
    world.faults_off = false;
    world_after(fault_delay_us(1, 60), crash_service, NULL);
    world_after(CHECK_US, check_now, NULL);
    if (steps_clock) {
        world_after(fault_delay_us(1, 400), step_clock, NULL);
    }
    run_until(world.now_us + for_us);
    world.faults_off = true;
    service_step_clock(-service.wall_offset_us);
    note("the faults stop");
    int64_t sweep_ms = service.config.reconcile_interval_ms;
    service.config.reconcile_interval_ms = SETTLE_SWEEP_MS;
    run_until_idle();
    promises_make_due(); // operations that are checked with the provider only every hour
    run_until_idle();
    service.config.reconcile_interval_ms = sweep_ms;
}

// After ten days, whatever waits for a payer has ended. Months later, cards are charged again.
static void run_later_phases(bool steps_clock)
{
    int64_t sweep_ms = service.config.reconcile_interval_ms;
    fault_delay_factor = DAYS_DELAY_FACTOR;
    service.config.reconcile_interval_ms = DAYS_SWEEP_MS;
    service.delivery_sweep_us = DAYS_SWEEP_MS * US_PER_MS;
    service_kill(false);
    run_phase(DAYS_US, steps_clock);
    fault_delay_factor = 1;
    service.config.reconcile_interval_ms = sweep_ms;
    service.delivery_sweep_us = SERVICE_DELIVERY_SWEEP_US;
    service_kill(false);
    world.now_us += MONTHS_US;
    saved_cards_charge_all();
    run_phase(FAULTS_US / 2, steps_clock);
    saved_cards_fetch_all();
    run_until_idle();
    promises_check_end();
    card_promises_check(true);
}

static void run_seed(uint64_t seed, const char *mutation, bool verbose)
{
    world_begin(seed, mutation, verbose);
    disk_install();
    service_install(network_stripe_client(), network_merchant_client());
    mutation_set_up();
    fake_stripe_start();
    service_start();
    workload_start();
    world_after(random_between(1, 600) * US_PER_S, fail_disk, NULL);
    world_after(random_between(1, 600) * US_PER_S, fail_stripe, NULL);
    bool steps_clock = seed % 4 == 0; // by the seed, so that few seeds have each kind of run
    bool runs_later_phases = (seed + seed / 4) % 2 == 0;
    run_phase(FAULTS_US, steps_clock);
    promises_check_end();
    card_promises_check(false);
    if (world.counts.violations == 0 && runs_later_phases) {
        run_later_phases(steps_clock);
    }
    service_uninstall();
}

// --- many runs

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
        REQUIRE(dup2(ends[1], STDIN_FILENO) == STDIN_FILENO); // the service closes all higher descriptors
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

// A child that crashed counts as a violation.
static struct counts child_wait(struct child *child)
{
    struct counts counts = {0};
    int status = 0;
    bool complete = read(child->pipe, &counts, sizeof(counts)) == sizeof(counts);
    close(child->pipe);
    REQUIRE(waitpid(child->pid, &status, 0) == child->pid);
    if (!complete || status != 0) {
        counts.violations++;
        counts.crashes++;
    }
    return counts;
}

struct fault {
    const char *name;
    size_t offset; // in struct counts
};
#define FAULT(member, name)                                                                                  \
    {                                                                                                        \
        name, offsetof(struct counts, member)                                                                \
    }

static const struct fault faults[] = {
    FAULT(kills, "kills"),
    FAULT(power_losses, "power losses"),
    FAULT(disk_failures, "failed disk calls"),
    FAULT(failed_commits, "failed commits"),
    FAULT(clock_steps, "clock steps"),
    FAULT(connects_slow, "slow connects"),
    FAULT(connects_failed, "failed connects"),
    FAULT(connections_cut, "connections cut"),
    FAULT(connections_silent, "connections silent"),
    FAULT(goaways, "connections told to go away"),
    FAULT(calls_cut, "calls cut with their connection"),
    FAULT(calls_refused, "calls refused with their connection"),
    FAULT(calls_refused_for_good, "calls refused repeatedly"),
    FAULT(calls_too_late, "calls too late to be sent"),
    FAULT(requests_lost, "requests lost"),
    FAULT(requests_doubled, "requests doubled"),
    FAULT(answers_lost, "answers lost"),
    FAULT(answers_cut, "answers cut"),
    FAULT(late_answers, "answers too late"),
    FAULT(provider_errors, "errors from Stripe"),
    FAULT(endpoint_failures, "errors from endpoints"),
    FAULT(events_lost, "events lost"),
    FAULT(hang_ups, "hang-ups"),
    FAULT(faults_stored, "faults stored under a customer's key"),
    FAULT(refunds_stripped, "answers and events with refunds without metadata"),
    FAULT(refunds_in_place, "dashboard refunds that replace a failed one"),
};

static int64_t fault_count(const struct counts *counts, const struct fault *fault)
{
    return *(const int64_t *)((const char *)counts + fault->offset);
}

static void print_counts(const struct counts *c, uint64_t seeds)
{
    printf("%llu seeds: %lld payments, %lld refunds, %lld captures, %lld cancels, %lld cards; %lld answers, "
           "%lld repeats;"
           " %lld calls to Stripe, %lld connections, %lld events from it, %lld events to merchants\n",
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

static double seconds_of(const struct timeval *time)
{
    return (double)time->tv_sec + (double)time->tv_usec / US_PER_S;
}

// After all runs have ended.
static void print_speed(const struct counts *counts)
{
    struct rusage usage;
    REQUIRE(getrusage(RUSAGE_CHILDREN, &usage) == 0);
    double cpu_s = seconds_of(&usage.ru_utime) + seconds_of(&usage.ru_stime);
    printf("%lld payments in %.1f s of CPU: %.0f a second\n", (long long)counts->payments, cpu_s,
           (double)counts->payments / cpu_s);
}

// A fault that never happens is not tested.
static int64_t print_missing(const struct counts *counts)
{
    int64_t missing = 0;
    for (size_t i = 0; i < COUNT_OF(faults); i++) {
        if (fault_count(counts, &faults[i]) == 0) {
            printf("no %s in any of these seeds\n", faults[i].name);
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
            struct counts counts = child_wait(child);
            if (counts.violations > 0) {
                printf("seed %llu: %lld violations%s; replay: sim --seed %llu\n",
                       (unsigned long long)child->seed, (long long)counts.violations,
                       counts.crashes > 0 ? ", it crashed" : "", (unsigned long long)child->seed);
            }
            add_counts(&sum, &counts);
        }
        if (i < seeds) {
            *child = child_start(first + i, NULL);
        }
    }
    return sum;
}

// How many seeds it takes to find the mistake; 0: not found.
static uint64_t seeds_to_find(const char *mutation, uint64_t seeds_max)
{
    for (uint64_t seed = 1; seed <= seeds_max; seed++) {
        struct child child = child_start(seed, mutation);
        if (child_wait(&child).violations > 0) {
            return seed;
        }
    }
    return 0;
}

static int find_mutations(uint64_t seeds_max)
{
    int failed = 0;
    printf("1..%zu\n", mutation_count);
    for (size_t i = 0; i < mutation_count; i++) {
        uint64_t seeds = seeds_to_find(mutation_names[i], seeds_max);
        failed += seeds == 0;
        printf("%sok %zu %s # found after %llu seeds\n", seeds > 0 ? "" : "not ", i + 1, mutation_names[i],
               (unsigned long long)seeds);
    }
    return failed > 0;
}

static uint64_t parse_number(const char *text)
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
    const char *mode = argc > 1 ? argv[1] : "";
    if (text_equal(mode, "--seed")) {
        run_seed(parse_number(argv[2]), argc > 3 ? argv[3] : NULL, true);
        print_counts(&world.counts, 1);
        return world.counts.violations > 0;
    }
    if (text_equal(mode, "--mutations")) {
        return find_mutations(parse_number(argv[2]));
    }
    uint64_t first = parse_number(argc > 2 ? argv[2] : NULL);
    uint64_t seeds = parse_number(argc > 3 ? argv[3] : NULL);
    struct counts sum = run_seeds(first, seeds);
    print_counts(&sum, seeds);
    print_speed(&sum);
    int64_t failed = sum.violations + (seeds >= SEEDS_FOR_ALL_FAULTS ? print_missing(&sum) : 0);
    printf("%llu passed, %lld failed\n", (unsigned long long)(failed > 0 ? 0 : seeds), (long long)failed);
    return failed > 0;
}
