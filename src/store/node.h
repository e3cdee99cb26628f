// This process as one of the nodes that share a database (nodes.h). It registers when the store opens, and
// advances its beat every second. It also reads the beats of the others: a node whose beat stays the same for
// NODE_DEAD_S readings is dead. Then one of the others removes its row and ends its leases, so that what the
// dead node was doing is due. No clocks are compared: each reading is a second or more after the one before
// by this process's monotonic clock, and a process that stood still has read nothing meanwhile. A node
// of this host that has not beaten once since this one started is most likely the process before it, and is
// given up after NODE_LEFT_S readings.
//
// A node that was only slow finds its row gone. It registers anew under another id, and its leases are lost.
// Whoever holds a lease finds that out when it records what it did, because the row is not its node's.
// NULL stands for a process that shares its database with no other. Loop thread, except where it says
// otherwise.
#pragma once

#include "store/driver.h"
#include "store/job.h"

struct node;

// Registers. name: the host's, a space, and more for people. Before the database threads start. Blocking.
enum errc node_open(struct db *db, struct loop *loop, struct random *random, const char *name,
                    struct node **node, struct err *err) MUST_CHECK;
// From now on it beats, with jobs of this store.
void node_start(struct node *node, struct store *store);
void node_stop(struct node *node);
// Ends its leases and deletes its row. After the database threads have ended. Blocking. If it fails, the
// others find the node dead.
void node_leave(struct node *node, struct db *db);
// Until node_leave: the mark that the last node left in the database when it stopped, which is gone from
// there now. After node_leave: the one that this node left, if it was the last. nil: none. Who keeps it
// outside of the database can tell later whether it has found the same one.
struct uuid node_stop_mark(const struct node *node);
void node_free(struct node *node);

struct uuid node_id(struct node *node); // any thread
// How many nodes are alive, with this one.
int64_t node_count(const struct node *node);
// How many dead nodes this one has removed.
int64_t node_removed_total(const struct node *node);
// Grows from 1 whenever it must be found out anew whether the database can be trusted: the node was taken for
// dead, or the database has lost commits.
int64_t node_trials(const struct node *node);
// How far this machine's clock is before the database's; negative: after it.
int64_t node_clock_ahead_us(const struct node *node);
// Whether that is further than nodes can bear.
#define NODE_CLOCK_WRONG_US INT64_C(10000000)
bool node_clock_is_wrong(const struct node *node);
