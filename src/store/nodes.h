// The nodes: each is one run of a process that serves a database which several share. A lease belongs to one
// node. While that node's row is there, no other claims what it leases; once the row is gone, its leases have
// ended, whatever their time. Database thread.
#pragma once

#include "store/db.h"

// SQL, of a row with a node_id: whether this node may claim it once it is due. True where there are no nodes.
#define NODES_MAY_CLAIM(node_id_given)                                                                       \
    "(node_id IS NULL OR NOT EXISTS (SELECT 1 FROM nodes WHERE nodes.id = node_id AND nodes.id "             \
    "<> " node_id_given "))"
// SQL: whether the row is leased to a node that is not there any more.
#define NODES_LEASE_ENDED "node_id IS NOT NULL AND NOT EXISTS (SELECT 1 FROM nodes WHERE nodes.id = node_id)"

// A node that has not beaten for so long is dead. Short enough for take-over within 30 s, long enough for a
// database that stalls.
#define NODE_DEAD_S 12
// The same of a node that is most likely the process before this one: node.h.
#define NODE_LEFT_S 3

// SQL: microseconds since 1970, by the clock of a database that nodes share.
#define NODES_DATABASE_US "CAST(extract(epoch FROM clock_timestamp()) * 1000000 AS BIGINT)"

struct node_row {
    struct uuid id;
    int64_t beat;      // grows while the node is alive
    bool is_same_host; // as the one that reads it
};

// *database_us: the database's clock.
enum errc node_insert(struct db *db, const struct uuid *id, const char *name, int64_t now_us,
                      int64_t *database_us, struct err *err) MUST_CHECK;

struct node_beat {
    int64_t beat;
    int64_t database_us; // the database's clock
    bool trusts;         // as node_trust has set it
};
// Advances the node's beat. known_beat: the last one that was committed. ERR_NOT_FOUND: the node's row is
// gone, or the database has lost that commit.
enum errc node_beat(struct db *db, const struct uuid *id, int64_t known_beat, struct node_beat *beat,
                    struct err *err) MUST_CHECK;

// Whether another node is alive that trusts this database. So it is no restored backup: that node would not
// be in it. Alive: it beat within NODE_DEAD_S, by the database's clock.
enum errc node_has_witness(struct db *db, const struct uuid *id, bool *has, struct err *err) MUST_CHECK;
// A node that is alive now; *name "": none is. Text into the arena.
enum errc nodes_find_alive(struct db *db, struct arena *arena, const char **name, struct err *err) MUST_CHECK;
// Whether no node is registered.
enum errc nodes_are_gone(struct db *db, bool *gone, struct err *err) MUST_CHECK;
// This node trusts the database from now on, or has begun to ask for what it may lack.
enum errc node_trust(struct db *db, const struct uuid *id, struct err *err) MUST_CHECK;
// The database has lost commits: no node trusts it any more.
enum errc nodes_distrust(struct db *db, struct err *err) MUST_CHECK;

// All nodes; at most NODES_MAX are read. host: how the name of each node on the reader's host begins.
#define NODES_MAX 256
enum errc nodes_list(struct db *db, const char *host, struct node_row nodes[NODES_MAX], size_t *count,
                     struct err *err) MUST_CHECK;

// trusted: as node_trust has set it.
enum errc node_delete(struct db *db, const struct uuid *id, bool *was_there, bool *trusted,
                      struct err *err) MUST_CHECK;
// Deletes the node's row if it is still at this beat. *removed is false if it is not, or if another
// transaction works on it.
enum errc node_remove(struct db *db, const struct node_row *node, bool *removed, struct err *err) MUST_CHECK;
// Ends the leases of all nodes whose rows are gone.
enum errc nodes_release_ended(struct db *db, int64_t now_us, struct err *err) MUST_CHECK;
