// An open operation, the nodes that may run it, and the provider.
//
// A node leases the operation under the id of its run, calls the provider, and settles. Each statement of a
// transaction is a step of its own, and so is each step of a call, so a node may stop for any time between two of
// them: that is a slow or paused node. It may also die there. After a commit that it has sent, its server process
// finishes without it, which is the same as if it died a step later.
//
// Others judge a node by its heartbeat (heartbeat.pml). Here any node may suspect any other at any moment, at most
// SUSPICIONS times wrongly. A suspected node loses its leases and its row in the table nodes.
//
// The provider answers a repeated key as it answered it first. A charge is sent only within its window; after that
// it is only looked up. The clocks of nodes differ, so for a while some hold the window open and others do not.
//
// Planted mistakes, by -D: NO_FENCE (a settle does not ask whose lease it is), NO_OPERATION_LOCK (it asks, but does not
// lock the row), NO_LEASE_END (a lease ends only with its take-over), START_RELEASES_ALL, FRESH_KEY (each node has a key
// of its own), LATE_WRITE (the window is asked when the call is planned), NO_MARGIN (a charge that is not there is
// believed as soon as one node's window has ended). ALWAYS_WITHIN leaves the end of the window out.
#ifndef NODES
#define NODES 2
#endif
#ifndef SUSPICIONS
#define SUSPICIONS 1 // of nodes that live
#endif
#ifndef RESTARTS
#define RESTARTS 1 // of nodes that died
#endif
#ifndef UNKNOWNS
#define UNKNOWNS 1 // calls that were lost, or whose answers were
#endif
#define IDS (NODES + SUSPICIONS + RESTARTS)
#define NOBODY 255

mtype = { idle, leased, sending, answered };            // of a node's attempt
mtype = { unknown, charged, declined, absent };         // what a call says
mtype = { within, doubtful, past };                     // the window

// The database. What a transaction wrote is here once it is committed; locks are held until then.
bool registered[IDS]; // rows of the table nodes
bool row_locked[IDS]; // by a take-over
bool is_open = true;
byte leased_by = NOBODY;
bool operation_locked;
mtype outcome = unknown;
byte recorded;

mtype verdict = unknown; // of the provider on the operation's key
byte keys_charged;
mtype window = within;

byte attempt_id[NODES]; // the id that a node's attempt was leased under; NOBODY: it has none
byte run_id[NODES];
bool dead[NODES];
byte ids_given;
byte suspected_wrongly;
byte restarted;
byte deaths; // of nodes that did not come back
byte lost;

#define runs(id) (run_id[0] == id && !dead[0] || run_id[1] == id && !dead[1] || run_id[NODES - 1] == id && !dead[NODES - 1])
#define may_die (deaths < NODES - 1) // a live node always remains
#define may_suspect(id) (registered[id] && id != run_id[me] && (!runs(id) || suspected_wrongly < SUSPICIONS))

inline register_node() {
    atomic { run_id[me] = ids_given;
    registered[ids_given] = true;
    ids_given++ }
}

// Two nodes never call at once, unless the other one was given up as dead.
inline assert_alone() {
    n = 0;
    do
    :: n < NODES ->
        assert(n == me || attempt_id[n] == NOBODY || !registered[attempt_id[n]] || !registered[attempt_id[me]]);
        n++
    :: else -> break
    od;
    n = 0
}

inline charge() {
    if
    :: verdict == unknown ->
        if
        :: verdict = charged
        :: verdict = declined
        fi
    :: else
    fi;
    if
    :: verdict == charged ->
        assert(outcome != absent && outcome != declined); // it was reported as failed
#ifdef FRESH_KEY
        keys_charged = keys_charged | (1 << me)
#else
        keys_charged = 1
#endif
    :: else
    fi;
    assert(keys_charged == 0 || keys_charged == 1 || keys_charged == 2 || keys_charged == 4) // one charge
}

// Whatever the node does next, it may die before.
inline live_or_die() {
    if
    :: may_die -> deaths++; goto death
    :: true
    fi
}

// A lease counts until its holder's row is gone. Then it ends: by the take-over, or else by its time.
#ifdef NO_LEASE_END
#define is_free (is_open && leased_by == NOBODY)
#else
#define is_free (is_open && (leased_by == NOBODY || !registered[leased_by]))
#endif

inline claim() {
    atomic {
        attempt == idle && is_free ->
        if
        :: !operation_locked -> operation_locked = true; holds_operation = true
        :: else // SKIP LOCKED
        fi;
        live_or_die()
    };
    // COMMIT
    atomic {
        if
        :: holds_operation ->
            leased_by = run_id[me];
            attempt_id[me] = run_id[me];
            attempt = leased
        :: else
        fi;
        unlock_all();
        live_or_die()
    }
}

inline unlock_all() {
    if
    :: holds_operation -> operation_locked = false; holds_operation = false
    :: else
    fi;
    if
    :: other != NOBODY -> row_locked[other] = false; other = NOBODY
    :: else
    fi
}

// The call is planned, and written at some later time. Written is only what is within the window at that time.
inline call() {
    atomic {
        attempt == leased ->
        attempt = sending;
        if
        :: window != past -> sends = true
        :: window != within -> sends = false
        fi;
        assert_alone();
        live_or_die()
    };
    atomic {
        attempt = answered;
        if
#ifdef LATE_WRITE
        :: sends ->
#else
        :: sends && window != past ->
#endif
            if
            :: lost < UNKNOWNS -> lost++; answer = unknown // it did not arrive
            :: lost < UNKNOWNS -> lost++; charge(); answer = unknown
            :: charge(); answer = verdict
            fi
        :: !sends && verdict != unknown -> answer = verdict
#ifdef NO_MARGIN
        :: !sends && verdict == unknown -> answer = absent
#else
        :: !sends && verdict == unknown && window == past -> answer = absent
#endif
        :: else -> answer = unknown
        fi;
        live_or_die()
    }
}

inline settle() {
    atomic {
#ifndef NO_OPERATION_LOCK
        !operation_locked -> operation_locked = true; holds_operation = true;
#endif
        is_mine = is_open && leased_by == attempt_id[me];
        live_or_die()
    };
    // COMMIT
    atomic {
        if
#ifdef NO_FENCE
        :: true ->
#else
        :: is_mine ->
#endif
            if
            :: answer == unknown -> leased_by = NOBODY // due again
            :: else ->
                assert(answer != absent || verdict == unknown);
                recorded++;
                assert(recorded == 1);
                outcome = answer;
                is_open = false;
                leased_by = NOBODY
            fi
        :: else // another node has it now
        fi;
        attempt = idle;
        attempt_id[me] = NOBODY;
        answer = unknown;
        is_mine = false;
        sends = false;
        unlock_all();
        live_or_die()
    }
}

inline judge() {
    if
    :: runs(suspect) -> suspected_wrongly++
    :: else
    fi
}

// The node's row is locked, or skipped if another watcher has it, and deleted; then each lease without a node ends.
inline take_over() {
    atomic {
        if
        :: registered[suspect] && !row_locked[suspect] -> other = suspect; row_locked[suspect] = true
        :: else
        fi;
        suspect = NOBODY;
        live_or_die()
    };
    if
    :: other != NOBODY ->
        // UPDATE operations: it sees what is committed, and waits for the row's lock.
        atomic {
            is_mine = is_open && leased_by != NOBODY && (leased_by == other || !registered[leased_by]);
            live_or_die()
        };
        if
        :: is_mine -> atomic { !operation_locked -> operation_locked = true; holds_operation = true; live_or_die() }
        :: else
        fi;
        // COMMIT. Only a row that still fits is changed.
        atomic {
            if
            :: holds_operation && is_open && leased_by != NOBODY && (leased_by == other || !registered[leased_by]) ->
                leased_by = NOBODY
            :: else
            fi;
            registered[other] = false;
            is_mine = false;
            unlock_all();
            live_or_die()
        }
    :: else
    fi
}

// The beat of a node that was given up finds no row.
inline register_anew() {
    atomic { !registered[run_id[me]] -> register_node(); live_or_die() }
}

proctype node(byte me) {
    mtype attempt = idle;
    mtype answer = unknown;
    byte suspect = NOBODY;
    byte other = NOBODY;
    byte n;
    bool holds_operation, is_mine, sends;
    register_node();
life:
    do
    :: claim()
    :: register_anew()
    :: attempt == leased -> call()
    :: attempt == answered -> settle()
    :: atomic { may_suspect(0) -> suspect = 0; judge() }; take_over()
    :: atomic { may_suspect(1) -> suspect = 1; judge() }; take_over()
#if IDS > 2
    :: atomic { may_suspect(2) -> suspect = 2; judge() }; take_over()
#endif
#if IDS > 3
    :: atomic { may_suspect(3) -> suspect = 3; judge() }; take_over()
#endif
#if IDS > 4
    :: atomic { may_suspect(4) -> suspect = 4; judge() }; take_over()
#endif
    :: !is_open && attempt == idle -> goto end
    od;
death:
    // The server rolls back what the node left open.
    atomic {
        dead[me] = true;
        unlock_all();
        attempt_id[me] = NOBODY;
        attempt = idle; answer = unknown; suspect = NOBODY; is_mine = false; sends = false;
        if
        :: restarted < RESTARTS ->
            restarted++;
            deaths--;
            dead[me] = false;
            register_node();
#ifdef START_RELEASES_ALL
            leased_by = NOBODY;
#endif
            goto life
        :: true
        fi
    };
end:
    skip
}

proctype time() {
    window = doubtful;
    window = past
}

init {
    atomic {
        attempt_id[0] = NOBODY;
        attempt_id[1] = NOBODY;
        attempt_id[NODES - 1] = NOBODY;
        run node(0);
        run node(1);
#if NODES > 2
        run node(2);
#endif
#ifndef ALWAYS_WITHIN
        run time()
#endif
    }
}

ltl finished { <> !is_open }
