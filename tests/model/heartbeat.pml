// Who is given up as dead (store/node.h). Time goes on in steps of a second.
//
// A node advances its beat every second, or later if the database is slow or busy. In the same transaction it reads the
// beats of the others, and removes the rows that showed the same beat READINGS times, if they still do. No clocks are
// compared.
//
// A node whose beats are at most BEAT_LATE_S late is never removed, once the other has seen it beat. One that stopped is
// removed within PROMISED_S, if another one reads at least every 1 + READ_LATE_S. One that was silent for longer and has just
// come back is not removed. That a node of the same host that was never seen to beat is given up sooner is not modelled.
//
// Planted mistakes, by -D: COMPARE_CLOCKS (the age of a beat, by clocks that differ by SKEW_S), TOO_EAGER (fewer
// readings than a beat may be late), NO_RECHECK (it is removed although it has just come back).
#ifdef TOO_EAGER
#define READINGS 6
#else
#define READINGS 12
#endif
#define BEAT_LATE_S 9
#define READ_LATE_S 1
#define PROMISED_S 30
#define SKEW_S 20
#define BEATS 16 // how many numbers are told apart here: more than beats between two readings

mtype = { beating, silent, stopped }; // `silent`: for a while

mtype watched = beating;
bool has_row = true;
byte beat;
byte beat_late;
byte read_late;
byte seen;       // the beat at the last reading
byte unchanged;  // readings with this beat
byte row_age_s;  // since the last beat
byte stopped_s;

inline watched_node() {
    if
    :: watched == beating && beat_late < BEAT_LATE_S -> beat_late++
    :: watched == beating -> beat = (beat + 1) % BEATS; beat_late = 0; row_age_s = 0
    :: watched == beating -> watched = silent
    :: watched == silent
    :: watched == silent -> watched = beating; beat = (beat + 1) % BEATS; beat_late = 0; row_age_s = 0
    :: watched != stopped -> watched = stopped
    :: watched == stopped -> stopped_s++
    fi
}

inline remove() {
    assert(watched != beating || row_age_s > BEAT_LATE_S);
    has_row = false
}

inline watcher() {
    if
    :: read_late < READ_LATE_S -> read_late++
    :: read_late = 0;
#ifdef COMPARE_CLOCKS
        if
        :: row_age_s + SKEW_S >= READINGS -> remove()
#else
        if
#ifdef NO_RECHECK
        :: unchanged >= READINGS -> remove()
#else
        :: unchanged >= READINGS && beat == seen -> remove()
#endif
#endif
        :: else ->
            unchanged = (beat == seen -> unchanged + 1 : 0);
            seen = beat
        fi
    fi
}

active proctype second() {
    do
    :: atomic {
        has_row ->
        row_age_s = (row_age_s < 100 -> row_age_s + 1 : 100);
        watched_node();
        watcher();
        unchanged = (unchanged > READINGS -> READINGS : unchanged);
        assert(stopped_s <= PROMISED_S)
        }
    :: !has_row -> break
    od
}
