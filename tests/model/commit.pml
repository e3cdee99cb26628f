// A COMMIT whose answer is lost, and how it is looked up.
//
// A batch writes a row with its id into the table commits, as its last statement; the row says `batch`. If the answer
// to COMMIT is lost, a look-up inserts a row of the same id, which says `barred`, over a new connection:
// - It waits while another transaction has such a row uncommitted.
// - It succeeds, and is committed: the batch never will be, as its row would be the second one.
// - It fails, as there is such a row. The row says which one it is: also a look-up's own COMMIT may be lost. The row
//   may be on this server alone, so the look-up makes a commit of its own, which is answered only when the standby has
//   it, and with it all that was committed before.
//
// A server process reads what was sent to it at any later time, even when the connection is lost. The primary may
// restart: transactions whose COMMIT it had written then count. It may be replaced by its standby, which has what was
// copied until then. It may go on without knowing that, and be reached. A wait for the standby may be cancelled: the
// answer comes with a warning.
//
// Planted mistakes, by -D: GUESS_YES, GUESS_NO, LOOK_ONLY (SELECT instead of INSERT), NOT_COMMITTED (the look-up's row
// is rolled back), UNMARKED (the row does not say whose it is), UNCONFIRMED (no commit of its own), TRUST_WARNING,
// PRUNED_EARLY (the row is deleted while the look-up is under way).
#ifndef LOSSES
#define LOSSES 1 // of connections
#endif
#ifndef RESTARTS
#define RESTARTS 1
#endif
#ifndef WARNINGS
#define WARNINGS 1
#endif
#define CONNECTIONS (LOSSES + RESTARTS + WARNINGS + 2)
#define PRIMARY 0
#define STANDBY 1
#define NOBODY 255

mtype = { none, batch, barred };                              // the row
mtype = { insert, look, write, commit };                     // what is sent to a server
mtype = { inserted, conflict, done, committed, warned, refused }; // what it answers
mtype = { unknown, yes, no };                                // whether the batch is committed

mtype row[2] = none; // as transactions of that server see it
mtype log[2] = none; // as its log has it
byte holder[2] = NOBODY; // the connection whose transaction has inserted it
bool copied; // the standby has all of the primary's log
bool promoted;
bool up[2] = true;
byte age[2]; // grows when the server restarts

chan to[CONNECTIONS] = [2] of { mtype, mtype };
chan from[CONNECTIONS] = [2] of { mtype, mtype };
byte server_of[CONNECTIONS];
bool is_lost[CONNECTIONS];
byte lost, restarts, warnings;

mtype answer = unknown;

#define is_there (promoted -> log[STANDBY] : log[PRIMARY])

// Nobody reads what is sent over a lost connection.
inline reply(what, whose) {
    if
    :: !is_lost[c] -> from[c]!what(whose)
    :: else
    fi
}

inline finish(how) {
    if
    :: mine != none -> row[s] = mine; holder[s] = NOBODY; mine = none
    :: else
    fi;
    committing = false;
    reply(how, none)
}

// One connection's process at the server. It ends without a trace when the server restarts. A statement after a failed
// one is refused until the transaction has ended.
proctype backend(byte c; byte s; byte my_age) {
    mtype verb, said, mine = none;
    bool failed, committing;
end:
    do
    :: atomic {
        !committing && age[s] == my_age && nempty(to[c]) ->
        to[c]?verb(said);
        if
        :: verb == insert ->
end_wait:
            holder[s] == NOBODY || age[s] != my_age; // it waits for who has inserted such a row
            if
            :: age[s] != my_age
            :: age[s] == my_age && row[s] == none -> holder[s] = c; mine = said; reply(inserted, none)
            :: age[s] == my_age && row[s] != none -> failed = true; reply(conflict, row[s])
            fi
        :: verb == look && row[s] == none -> reply(inserted, none)
        :: verb == look && row[s] != none -> reply(conflict, row[s])
        :: verb == write -> failed = false; reply(done, none) // after a ROLLBACK
        :: verb == commit && failed -> failed = false; reply(refused, none)
        :: verb == commit && !failed ->
            committing = true;
            if
            :: mine != none -> log[s] = mine; copied = copied && s != PRIMARY
            :: else // its record comes after all that is in the log
            fi
        fi;
        said = none;
        verb = none
        }
    // The standby has its record, and so all before it.
    :: atomic {
        committing && age[s] == my_age && (s == STANDBY || !promoted) ->
        copied = true;
        finish(committed)
        }
    :: atomic {
        committing && age[s] == my_age && s == PRIMARY && warnings < WARNINGS ->
        warnings++;
        finish(warned)
        }
    :: atomic {
        is_lost[c] && !committing && age[s] == my_age -> // whatever else was sent is lost
        if
        :: holder[s] == c -> holder[s] = NOBODY
        :: else
        fi;
        break
        }
    :: age[s] != my_age -> break
    od
}

inline connect() {
    atomic {
        if
        :: promoted -> server_of[c] = STANDBY
        :: !promoted -> server_of[c] = PRIMARY
        :: promoted && up[PRIMARY] && lost < LOSSES -> lost++; server_of[c] = PRIMARY // it does not know
        fi;
        my_age = age[server_of[c]];
        run backend(c, server_of[c], my_age)
    }
}

// Noticed at any moment. A server that no longer answers is left.
#define loses(c) (is_lost[c] || lost < LOSSES || server_of[c] == PRIMARY && (promoted || restarted_since))
#define restarted_since (age[server_of[c]] != my_age)

inline lose() {
    if
    :: !is_lost[c] && !(server_of[c] == PRIMARY && (promoted || restarted_since)) -> lost++
    :: else
    fi;
    is_lost[c] = true;
    do
    :: from[c]?_(_)
    :: empty(from[c]) -> break
    od;
    said = none;
    which = none
}

inline say(what) {
    answer = what;
    goto answered
}

// Guesses are the planted mistakes.
inline lost_answer() {
#ifdef GUESS_YES
    say(yes)
#else
#ifdef GUESS_NO
    say(no)
#else
    goto look_up
#endif
#endif
}

proctype writer() {
    byte c;
    byte my_age;
    mtype said, which;
    connect();
    to[c]!insert(batch);
    if
    :: atomic { loses(c) -> lose(); say(no) } // COMMIT was not sent
    :: to[c]!commit(none)
    fi;
    do
    :: atomic { from[c]?said(which) ->
           if
           :: said == inserted || said == conflict // of the INSERT; COMMIT's answer follows
           :: said == committed -> say(yes)
           :: said == refused -> say(no)
#ifdef TRUST_WARNING
           :: said == warned -> say(yes)
#else
           :: said == warned -> lost_answer()
#endif
           fi
       }
    :: atomic { loses(c) -> lose(); lost_answer() }
    od;

look_up:
    c++;
    connect();
#ifdef LOOK_ONLY
    to[c]!look(none);
#else
    to[c]!insert(barred);
#endif
    if
    :: atomic { from[c]?said(which) ->
           if
           :: said == inserted -> which = barred
#ifdef UNMARKED
           :: said == conflict -> which = batch
#else
           :: said == conflict
#endif
           fi
       }
    :: atomic { loses(c) -> lose(); goto look_up }
    fi;
#ifdef LOOK_ONLY
    say((which == batch -> yes : no));
#endif
#ifdef NOT_COMMITTED
    atomic {
        if
        :: said == inserted -> is_lost[c] = true; say(no) // rolled back
        :: else
        fi
    };
#endif
    if
    :: said == conflict ->
#ifdef UNCONFIRMED
        say((which == batch -> yes : no));
#endif
        to[c]!write(none)
    :: else
    fi;
    to[c]!commit(none);
    do
    :: atomic { from[c]?said(_) ->
           if
           :: said == done
           :: said == committed -> say((which == batch -> yes : no))
           :: said == refused || said == warned -> is_lost[c] = true; goto look_up
           fi
       }
    :: atomic { loses(c) -> lose(); goto look_up }
    od;
answered:
    skip
}

inline restart() {
    age[PRIMARY]++;
    holder[PRIMARY] = NOBODY;
    row[PRIMARY] = log[PRIMARY]
}

// What happens to the servers.
proctype faults() {
end:
    do
    :: atomic { !promoted && !copied -> copied = true }
    :: atomic { restarts < RESTARTS && up[PRIMARY] -> restarts++; restart() }
    :: atomic { !promoted ->
           promoted = true;
           log[STANDBY] = (copied -> log[PRIMARY] : none);
           row[STANDBY] = log[STANDBY];
           if
           :: restart(); up[PRIMARY] = false // it was killed
           :: true // it was cut off, and goes on
           fi
       }
    od
}

// At any moment after the answer, whatever happens until then.
proctype promise() {
    answer != unknown;
    assert((answer == yes) == (is_there == batch))
}

init {
    atomic {
        run writer();
        run faults();
        run promise()
    }
}
