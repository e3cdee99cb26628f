// This process as one of the nodes that share a database (nodes.h). It registers when the store opens, and
// advances its beat every second. It also reads the beats of the others: a node whose beat stays the same for
// DEAD_READINGS readings is dead. Then one of the others removes its row and ends its leases, so that what
// the dead node was doing is due. No clocks are compared: each reading is a second or more after the one
// before by this process's monotonic clock, and a process that stood still has read nothing meanwhile.
//
// A node that was only slow finds its row gone. It registers anew under another id, and its leases are lost.
// Whoever holds a lease finds that out when it records what it did, because the row is not its node's.
// NULL stands for a process that shares its database with no other. Loop thread, except where it says
// otherwise.
#pragma once

#include "store/driver.h"
#include "store/job.h"

// Seconds without a beat. Short enough for take-over within 30 s, long enough for a database that stalls.
#define NODE_DEAD_READINGS 12

struct node;

// Registers. name: for people. Before the database threads start. Blocking.
enum errc node_open(struct db *db, struct loop *loop, struct random *random, const char *name,
                    struct node **node, struct err *err) MUST_CHECK;
// From now on it beats, with jobs of this store.
void node_start(struct node *node, struct store *store);
void node_stop(struct node *node);
// Ends its leases and deletes its row. After the database threads have ended. Blocking. If it fails, the
// others find the node dead.
void node_leave(struct node *node, struct db *db);
void node_free(struct node *node);

struct uuid node_id(struct node *node); // any thread
// How many nodes are alive, with this one.
int64_t node_count(const struct node *node);
