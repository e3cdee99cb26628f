// The webhooks of one payment: events are appended, leased, sent and recorded by any node, in order.
//
// An event is written by a transaction that changes the payment. It is due if all earlier events of the payment have
// ended, and blocked otherwise; a due event may be leased as it is written. Whoever records the end of an event makes
// the next one due. Appends lock the payment's row, and exclude each other. An append also locks an open event, if
// there is one, and a record locks its own: so that event cannot end before the new one is there to be made due. Each
// statement is a step of its own, and sees what is committed (READ COMMITTED).
//
// A node may stop for any time between two steps. Any node may be given up at any moment, at most SUSPICIONS times:
// then its leases are released, and its run has no row any more. (How the take-over and a claim exclude each other is
// in operations.pml: both are one step here.) It goes on under a new id, and may finish what it had begun. A node may
// also die, but not the last one.
//
// Planted mistakes, by -D: NO_PAYMENT_LOCK, NO_EVENT_LOCK, NO_FENCE, CLAIM_BLOCKED.
#ifndef NODES
#define NODES 2
#endif
#ifndef EVENTS
#define EVENTS 3
#endif
#ifndef SUSPICIONS
#define SUSPICIONS 1
#endif
#ifndef FAILURES
#define FAILURES 1 // of the endpoint, before it answers 200
#endif
#define IDS (NODES + SUSPICIONS)
#define NOBODY 255
#define NOTHING 255

mtype = { none, blocked, due, sent, delivered }; // an event; `sent`: it is leased
mtype = { free, append, deliver, answered, recording }; // what a node does

mtype event[EVENTS] = none; // in the order of their ids
byte leased_by[EVENTS] = NOBODY;
bool payment_locked;
bool row_locked[EVENTS]; // by an open transaction

bool registered[IDS];
byte run_id[NODES];
bool dead[NODES];
byte ids_given;
byte deaths;

bool arrived[EVENTS];
byte recorded[EVENTS];
byte suspicions;
byte failures;

#define runs(id) (run_id[0] == id && !dead[0] || run_id[1] == id && !dead[1] || run_id[NODES - 1] == id && !dead[NODES - 1])
#define ended(e) (event[e] == none || event[e] == delivered)
#define all_ended (ended(0) && ended(1) && ended(EVENTS - 1))
#define locked(e, id) (row_locked[e] && leased_by[e] == id)
#define may_suspect(id) (registered[id] && id != run_id[me] && (!runs(id) || suspicions < SUSPICIONS))

inline register_node() {
    run_id[me] = ids_given;
    registered[ids_given] = true;
    ids_given++
}

inline live_or_die() {
    if
    :: deaths < NODES - 1 -> deaths++; goto death
    :: true
    fi
}

inline lock_payment() {
#ifndef NO_PAYMENT_LOCK
    !payment_locked -> payment_locked = true;
#endif
    holds_payment = true
}

inline unlock_payment() {
    if
    :: holds_payment -> payment_locked = false; holds_payment = false
    :: else
    fi
}

inline unlock_held() {
    if
    :: held != NOTHING -> row_locked[held] = false; held = NOTHING
    :: else
    fi
}

// Its id is above those that the transaction sees.
inline append_event() {
    atomic {
        does == free && event[EVENTS - 1] == none ->
        does = append;
        lock_payment()
    };
    // SELECT ... FOR UPDATE: of the open events, any one
    atomic {
        if
        :: all_ended -> is_blocked = false
#ifdef NO_EVENT_LOCK
        :: !all_ended -> is_blocked = true
#else
        :: !ended(0) && !row_locked[0] -> is_blocked = true; held = 0
        :: !ended(1) && !row_locked[1] -> is_blocked = true; held = 1
#if EVENTS > 2
        :: !ended(2) && !row_locked[2] -> is_blocked = true; held = 2
#endif
#endif
        fi;
        if
        :: held != NOTHING -> row_locked[held] = true
        :: else
        fi;
        e = 0;
        do
        :: e < EVENTS && event[e] != none -> e++
        :: else -> break
        od;
        live_or_die()
    };
    // INSERT and COMMIT
    atomic {
        does = free;
        if
        :: e < EVENTS && event[e] == none ->
            if
            :: is_blocked -> event[e] = blocked
            :: !is_blocked -> event[e] = due
            :: !is_blocked && registered[run_id[me]] -> event[e] = sent; leased_by[e] = run_id[me]; begin_delivery()
            fi
        :: e < EVENTS && event[e] != none -> // without the lock: another one has this place
            e++;
            if
            :: e < EVENTS && event[e] == none -> event[e] = (is_blocked -> blocked : due)
            :: else
            fi
        :: else
        fi;
        unlock_held();
        unlock_payment();
        live_or_die()
    }
}

inline begin_delivery() {
    mine = e;
    lease_id = run_id[me];
    does = deliver
}

inline claim(this) {
    atomic {
#ifdef CLAIM_BLOCKED
        does == free && (event[this] == due || event[this] == blocked) && !row_locked[this] ->
#else
        does == free && event[this] == due && !row_locked[this] ->
#endif
        if
        :: registered[run_id[me]] ->
            e = this;
            event[e] = sent;
            leased_by[e] = run_id[me];
            begin_delivery()
        :: else -> register_node()
        fi;
        live_or_die()
    }
}

// Order: when an event arrives, each earlier one has arrived before.
inline send() {
    atomic {
        does == deliver ->
        does = answered;
        if
        :: failures < FAILURES -> failures++; arrives = false; is_delivered = false
        :: failures < FAILURES -> failures++; arrives = true; is_delivered = false // the answer is lost
        :: arrives = true; is_delivered = true
        fi;
        if
        :: arrives ->
            e = 0;
            do
            :: e < mine -> assert(arrived[e]); e++
            :: else -> break
            od;
            arrived[mine] = true
        :: else
        fi;
        live_or_die()
    }
}

inline record() {
    // SELECT ... FOR UPDATE WHERE it is still leased by this run: waits for its lock
    atomic {
        does == answered && !row_locked[mine] ->
#ifdef NO_FENCE
        is_mine = true;
#else
        is_mine = event[mine] == sent && leased_by[mine] == lease_id;
        row_locked[mine] = is_mine;
#endif
        does = recording;
        live_or_die()
    };
    // whether one is blocked
    atomic {
        e = 0;
        do
        :: e < EVENTS && event[e] != blocked -> e++
        :: else -> break
        od;
        is_blocked = e < EVENTS;
        live_or_die()
    };
    // UPDATE of its own row. Then UPDATE of the oldest of the others that are open, if that is blocked
    atomic {
        e = 0;
        do
        :: e < EVENTS && (e == mine || ended(e)) -> e++
        :: else -> break
        od;
        is_blocked = is_blocked && is_mine && is_delivered && e < EVENTS;
        live_or_die()
    };
    // That waits for its lock. COMMIT
    atomic {
        !is_blocked || !row_locked[e] ->
        is_blocked = is_blocked && event[e] == blocked;
        if
        :: is_mine && is_delivered ->
            recorded[mine]++;
            assert(recorded[mine] == 1);
            event[mine] = delivered;
            leased_by[mine] = NOBODY;
            if
            :: is_blocked -> event[e] = due
            :: else
            fi
        :: is_mine && !is_delivered -> event[mine] = due; leased_by[mine] = NOBODY
        :: else
        fi;
        row_locked[mine] = row_locked[mine] && !is_mine;
        does = free;
        is_mine = false;
        is_blocked = false;
        is_delivered = false;
        arrives = false;
        lease_id = 0;
        mine = 0;
        e = 0;
        live_or_die()
    }
}

inline take_over(suspect) {
    atomic {
        may_suspect(suspect) && !locked(0, suspect) && !locked(1, suspect) && !locked(EVENTS - 1, suspect) ->
        if
        :: runs(suspect) -> suspicions++
        :: else
        fi;
        e = 0;
        do
        :: e < EVENTS ->
            if
            :: event[e] == sent && leased_by[e] == suspect -> event[e] = due; leased_by[e] = NOBODY
            :: else
            fi;
            e++
        :: else -> break
        od;
        e = 0;
        registered[suspect] = false;
        live_or_die()
    }
}

proctype node(byte me) {
    mtype does = free;
    byte e, mine, lease_id, held = NOTHING;
    bool holds_payment, is_blocked, is_mine, arrives, is_delivered;
    do
    :: append_event()
    :: claim(0)
    :: claim(1)
#if EVENTS > 2
    :: claim(2)
#endif
    :: send()
    :: record()
    :: take_over(0)
    :: take_over(1)
#if IDS > 2
    :: take_over(2)
#endif
#if IDS > 3
    :: take_over(3)
#endif
#if IDS > 4
    :: take_over(4)
#endif
    :: does == free && event[EVENTS - 1] != none && all_ended -> break
    od;
    goto end;
death:
    atomic {
        dead[me] = true;
        unlock_held();
        unlock_payment();
        row_locked[mine] = row_locked[mine] && !is_mine;
        does = free; mine = 0; lease_id = 0; is_mine = false; is_blocked = false; e = 0
    };
end:
    skip
}

init {
    byte me;
    atomic {
        do
        :: me < NODES -> register_node(); run node(me); me++
        :: else -> break
        od
    }
}

// Each event is appended and delivered, as a live node remains.
ltl finished { <> (event[EVENTS - 1] == delivered && event[0] == delivered && event[1] == delivered) }
