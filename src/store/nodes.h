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

struct node_row {
    struct uuid id;
    int64_t beat; // grows while the node is alive
};

enum errc node_insert(struct db *db, const struct uuid *id, const char *name, int64_t now_us,
                      struct err *err) MUST_CHECK;
// Advances the node's beat. known_beat: the last one that was committed. ERR_NOT_FOUND: the node's row is
// gone, or the database has lost that commit. *database_us: the database's clock.
enum errc node_beat(struct db *db, const struct uuid *id, int64_t known_beat, int64_t *beat,
                    int64_t *database_us, struct err *err) MUST_CHECK;
// All nodes; at most NODES_MAX are read.
#define NODES_MAX 256
enum errc nodes_list(struct db *db, struct node_row nodes[NODES_MAX], size_t *count,
                     struct err *err) MUST_CHECK;

enum errc node_delete(struct db *db, const struct uuid *id, struct err *err) MUST_CHECK;
// Deletes the node's row if it is still at this beat. *removed is false if it is not, or if another
// transaction works on it.
enum errc node_remove(struct db *db, const struct node_row *node, bool *removed, struct err *err) MUST_CHECK;
// Ends the leases of all nodes whose rows are gone.
enum errc nodes_release_ended(struct db *db, int64_t now_us, struct err *err) MUST_CHECK;
