/* Records of a log: which lines make one, where its message lies, and the columns of its row.

   What is done here is what _join.py, _frame.py and _times.py in forensics/loaders/lines do without it, by the same
   rules. No function allocates, calls back or looks at an octet outside the stretch it was given. */
#include "log_lines.h"

/* ---- Groups: lines that make one record ---- */

/* Writes the first and last line of each record, and the lines of none. Returns how many records there are in the
   lower, how many such lines in the upper 32 bits. */
EXPORT int64_t log_groups(const uint8_t *header, const uint8_t *joined, const uint8_t *barrier, int64_t count,
                          int64_t *first, int64_t *last, int64_t *lone) {
    int64_t records = 0, others = 0;
    int inside = 0;
    for (int64_t i = 0; i < count; i++) {
        if (barrier[i]) {
            inside = 0;
        } else if (header[i] && !joined[i]) {
            inside = 1;
            first[records++] = i;
        }
        if (inside) last[records - 1] = i;
        else lone[others++] = i;
    }
    return records | others << 32;
}

/* The lines of a chunk, one array each, as forensics.loaders.lines._text.Text has them. */
typedef struct {
    const int64_t *start, *end, *raw_start, *raw_end, *buffer_start, *buffer_end, *number, *pid;
    const uint8_t *header;
    const Places *places;
    int64_t count;
} Lines;

/* Where the message of each record lies. Lines that continue it and lie behind it untouched need no copy; records with
   others are listed in `odd`. Returns how many these are; -1 where a record is none of these lines. */
EXPORT int64_t log_messages(const Lines *of, const int64_t *first, const int64_t *last, int64_t records, int64_t *start,
                            int64_t *end, int64_t *odd) {
    int64_t found = 0;
    for (int64_t i = 0; i < records; i++) {
        int64_t line = first[i], stop = last[i], shown = line;
        if (line < 0 || stop < line || stop >= of->count) return -1;
        int64_t at = of->places[line].of[MESSAGE].start, to = of->places[line].of[MESSAGE].end, own = of->end[line];
        int plain = stop == line || (to == own && own <= of->buffer_end[line] && own + 1 >= of->buffer_end[line]);
        if (at < 0) at = to = own;
        for (int64_t k = line + 1; plain && k <= stop; k++) {
            plain = !of->header[k] && of->start[k] == of->buffer_start[k] && of->end[k] + 1 >= of->buffer_end[k];
            if (of->end[k] > of->start[k]) shown = k;
        }
        start[i] = at;
        end[i] = plain && shown > line ? of->end[shown] : to;
        if (!plain) odd[found++] = i;
    }
    return found;
}

/* ---- Columns: stretches of a text as Arrow string views ---- */

/* Writes the view of a stretch of the text, which holds it. Each part goes straight to its place: what is put together
   in memory first must be waited for. */
static inline void view(uint8_t *to, const uint8_t *text, int64_t size, int64_t at, int64_t length) {
    static const uint8_t kept[24] = {255, 255, 255, 255, 255, 255, 255, 255, 255, 255, 255, 255};
    uint32_t count = (uint32_t)length, place = (uint32_t)at, none = 0, head;
    memcpy(to, &count, 4);
    if (length > 12) {
        memcpy(&head, text + at, 4);
        memcpy(to + 4, &head, 4);
        memcpy(to + 8, &none, 4);
        memcpy(to + 12, &place, 4);
    } else if (size - at < 12) {
        memset(to + 4, 0, 12);
        memcpy(to + 4, text + at, (size_t)length);
    } else { /* twelve octets, less what is too much */
        uint64_t first, mask;
        uint32_t rest, low;
        memcpy(&first, text + at, 8);
        memcpy(&rest, text + at + 8, 4);
        memcpy(&mask, kept + 12 - length, 8);
        memcpy(&low, kept + 20 - length, 4);
        first &= mask;
        rest &= low;
        memcpy(to + 4, &first, 8);
        memcpy(to + 12, &rest, 4);
    }
}

static inline int inside(int64_t size, int64_t at, int64_t end) {
    return end >= at && end <= size && at <= INT32_MAX && end - at <= INT32_MAX;
}

/* Writes a view of sixteen octets for each stretch, and a bit that is 0 where there is none (start < 0). Returns how
   many there are, -1 where a stretch lies outside the text; nothing is written where there are none. `valid` must be
   zeroed. */
EXPORT int64_t log_views(const uint8_t *text, int64_t size, const int64_t *start, const int64_t *end, int64_t count,
                         uint8_t *views, uint8_t *valid) {
    int64_t there = 0, first = 0;
    while (first < count && start[first] < 0) first++;
    if (first == count) return 0;
    memset(views, 0, (size_t)(16 * first));
    for (int64_t i = first; i < count; i++) {
        if (start[i] < 0) {
            memset(views + 16 * i, 0, 16);
            continue;
        }
        if (!inside(size, start[i], end[i])) return -1;
        there++;
        valid[i >> 3] |= (uint8_t)(1u << (i & 7));
        view(views + 16 * i, text, size, start[i], end[i] - start[i]);
    }
    return there;
}

/* Columns of the rows: views and bits as above for each text, NULL for those that are not wanted, and how many there
   are of each; then the numbers. */
typedef struct {
    uint8_t *views[TEXTS], *valid[TEXTS];
    int64_t there[TEXTS];
    int64_t *position, *offset_bytes, *length_bytes, *pid;
    uint32_t *n_lines;
    uint8_t *pid_valid;
    int64_t pids;
} Columns;

/* One row a record; its message lies where `start` and `end` say. `valid` and the counts must be zeroed. Returns -1
   where a stretch lies outside the text, or a record is none of these lines. */
EXPORT int64_t log_columns(const uint8_t *text, int64_t size, const Lines *of, const int64_t *first,
                           const int64_t *last, int64_t records, const int64_t *start, const int64_t *end,
                           Columns *to) {
    const Columns out = *to; /* copies, for what is written through these pointers is none of them */
    const Lines lines = *of;
    int64_t there[TEXTS] = {0}, pids = 0;
    int wanted[TEXTS], count = 0;
    for (int name = 0; name < TEXTS; name++)
        if (out.views[name]) wanted[count++] = name;
    for (int64_t i = 0; i < records; i++) {
        int64_t line = first[i], stop = last[i];
        if (line < 0 || stop < line || stop >= lines.count) return -1;
        uint8_t bit = (uint8_t)(1u << (i & 7));
        const Places *places = lines.places + line;
        for (int k = 0; k < count; k++) {
            int name = wanted[k];
            uint8_t *views = out.views[name];
            int64_t at = name == MESSAGE ? start[i] : places->of[name].start;
            if (at >= 0) {
                int64_t till = name == MESSAGE ? end[i] : places->of[name].end;
                if (!inside(size, at, till)) return -1;
                if (!there[name]++) memset(views, 0, (size_t)(16 * i));
                out.valid[name][i >> 3] |= bit;
                view(views + 16 * i, text, size, at, till - at);
            } else if (there[name]) {
                memset(views + 16 * i, 0, 16);
            }
        }
        int64_t pid = lines.pid[line];
        out.pid[i] = pid;
        if (pid >= 0) pids++, out.pid_valid[i >> 3] |= bit;
        out.position[i] = lines.number[line];
        out.offset_bytes[i] = lines.raw_start[line];
        out.length_bytes[i] = lines.raw_end[stop] - lines.raw_start[line];
        out.n_lines[i] = (uint32_t)(stop - line + 1);
    }
    memcpy(to->there, there, sizeof there);
    to->pids = pids;
    return 0;
}

/* ---- Instants: stamps of rows, and runs of rows that have the same day ---- */

#define NO_TIME INT64_MIN
enum { NEVER, INNER, STATED, FOUND };

typedef struct {
    const int8_t *inner_kind, *outer_kind;
    const int64_t *inner_ns, *outer_ns;
    int64_t count;
} Stamps;

static inline int dated(int8_t kind) { return kind == LOCAL || kind == UNIVERSAL; }
static inline int64_t floored(int64_t value, int64_t unit) { return value / unit - (value % unit < 0); }

/* Rows next to each other whose stamp without a year, and the one beside it, are the same in such units make a run.
   Writes the first and the last row of each, and for each row the place of its run's first one among them; returns how
   many these are. */
EXPORT int64_t log_runs(const Stamps *of, int64_t unit, int64_t *few, int64_t *run) {
    int64_t found = 0, first = 0, last_stamp = 0, last_other = 0;
    for (int64_t i = 0; i < of->count; i++) {
        int8_t inner = of->inner_kind[i], outer = of->outer_kind[i];
        int within = inner == YEARLESS, alone = within || outer != YEARLESS;
        int8_t kind = alone ? inner : outer, beside = within ? outer : inner;
        int64_t stamp = alone ? of->inner_ns[i] : of->outer_ns[i], other = within ? of->outer_ns[i] : of->inner_ns[i];
        stamp = floored(kind == YEARLESS || dated(kind) ? stamp : NO_TIME, unit);
        other = floored(dated(beside) ? other : NO_TIME, unit);
        if (!i || stamp != last_stamp || other != last_other) {
            if (i && few[found - 1] != i - 1) few[found++] = i - 1;
            first = found;
            few[found++] = i;
        }
        run[i] = first;
        last_stamp = stamp;
        last_other = other;
    }
    if (found && few[found - 1] != of->count - 1) few[found++] = of->count - 1;
    return found;
}

/* What is known of runs: which one a row is of, and of each what to add to a stamp without a year, whether there is a
   year, and how it is known. `run` is NULL where no stamp lacks its year. */
typedef struct {
    const int64_t *run, *shift;
    const uint8_t *good, *told;
    int64_t runs;
} Years;

/* Wall clocks of rows, 0 where they are not known. */
typedef struct {
    int64_t *ts, *outer_at;
    uint8_t *known, *outer_known, *basis, *zone, *outer_zone;
} Instants;

/* Returns -1 where a row is of no run. */
EXPORT int64_t log_instants(const Stamps *of, const Years *years, Instants *to) {
    for (int64_t i = 0; i < of->count; i++) {
        int8_t inner = of->inner_kind[i], outer = of->outer_kind[i];
        int64_t ns = of->inner_ns[i], outer_ns = of->outer_ns[i];
        int known = dated(inner), outer_known = dated(outer), basis = NEVER;
        if (known) basis = outer == YEARLESS ? INNER : STATED;
        if (years->run && (inner == YEARLESS || outer == YEARLESS)) {
            int64_t run = years->run[i];
            if (run < 0 || run >= years->runs) return -1;
            int64_t found = (int64_t)((uint64_t)(inner == YEARLESS ? ns : outer_ns) + (uint64_t)years->shift[run]);
            int good = years->good[run];
            if (inner == YEARLESS) {
                basis = years->told[run];
                known = good;
                ns = found;
            }
            if (outer == YEARLESS) {
                outer_known = good;
                outer_ns = found;
            }
        }
        to->ts[i] = known ? ns : 0;
        to->outer_at[i] = outer_known ? outer_ns : 0;
        to->known[i] = (uint8_t)known;
        to->outer_known[i] = (uint8_t)outer_known;
        to->basis[i] = (uint8_t)basis;
        to->zone[i] = !known ? NEVER : inner == UNIVERSAL ? STATED : FOUND;
        to->outer_zone[i] = !outer_known ? NEVER : outer == UNIVERSAL ? STATED : FOUND;
    }
    return 0;
}

/* ---- Words: where a text may speak of a loss, or of a repetition ---- */

/* Of each word of forensics/loaders/lines/_losses.py three octets in a row that are rare elsewhere: lost, missed,
   suspended, queue, wrapped, too long, repeated, overflow, drop, limit, corrupted, discarded, suppressed. */
enum { WORDS = 13, SETS = 8 };
static const char words[WORDS][4] = {"los", "iss", "usp", "ueu", "ppr", "oo ", "epe",
                                    "rfl", "dro", "imi", "rru", "sca", "ppe"};

static inline uint8_t remark(const uint8_t *at) {
    uint8_t any = 0;
    for (int k = 0; k < WORDS; k++) any |= (at[0] == words[k][0]) & (at[1] == words[k][1]) & (at[2] == words[k][2]);
    return any;
}

WIDE static int remarkable(const uint8_t *at, int64_t size) {
    uint8_t any = 0;
    for (int64_t i = 0; i < size; i++) any |= remark(at + i);
    return any;
}

/* Writes the places of such octets, two more being there behind the last; returns how many there are with those
   before. */
static int64_t remarks_among(const uint8_t *text, int64_t begin, int64_t end, int64_t count, int64_t room,
                             int64_t *places) {
    for (int64_t i = begin; i < end; i++) {
        if (!remark(text + i)) continue;
        if (count < room) places[count] = i;
        count++;
    }
    return count;
}

#if defined(__x86_64__) && defined(__GNUC__)
#include <immintrin.h>

/* Thirty-two places at a time: of each octet either half names the sets of words that have it there, and what no set
   has in all three places is left out. Words of one set are alike, so that little is looked at twice. */
__attribute__((target("avx2"))) static int64_t remarks_wide(const uint8_t *text, int64_t *from, int64_t end,
                                                            int64_t room, int64_t *places) {
    const __m256i low = _mm256_set1_epi8(15);
    __m256i table[3][2];
    for (int place = 0; place < 3; place++) {
        uint8_t sets[2][16] = {{0}, {0}};
        for (int k = 0; k < WORDS; k++) {
            sets[0][words[k][place] & 15] |= (uint8_t)(1u << k % SETS);
            sets[1][words[k][place] >> 4] |= (uint8_t)(1u << k % SETS);
        }
        for (int half = 0; half < 2; half++)
            table[place][half] = _mm256_broadcastsi128_si256(_mm_loadu_si128((const __m128i *)sets[half]));
    }
    int64_t count = 0, i = *from;
    for (; i + 32 <= end; i += 32) {
        __m256i sets = _mm256_set1_epi8(-1);
        for (int place = 0; place < 3; place++) {
            __m256i octets = _mm256_loadu_si256((const __m256i *)(text + i + place));
            __m256i high = _mm256_and_si256(_mm256_srli_epi16(octets, 4), low);
            sets = _mm256_and_si256(sets, _mm256_shuffle_epi8(table[place][0], _mm256_and_si256(octets, low)));
            sets = _mm256_and_si256(sets, _mm256_shuffle_epi8(table[place][1], high));
        }
        uint32_t maybe = ~(uint32_t)_mm256_movemask_epi8(_mm256_cmpeq_epi8(sets, _mm256_setzero_si256()));
        for (; maybe; maybe &= maybe - 1) {
            int64_t at = i + __builtin_ctz(maybe);
            count = remarks_among(text, at, at + 1, count, room, places);
        }
    }
    *from = i;
    return count;
}
#endif

/* Writes the places of such octets; returns how many there are (those beyond `room` are counted, not written). */
EXPORT int64_t log_remarks(const uint8_t *text, int64_t size, int64_t room, int64_t *places) {
    int64_t count = 0, from = 0, end = size - 2;
#if defined(__x86_64__) && defined(__GNUC__)
    if (__builtin_cpu_supports("avx2")) count = remarks_wide(text, &from, end, room, places);
#endif
    for (int64_t base = from; base < end; base += 256) {
        int64_t stop = end - base < 256 ? end : base + 256;
        if (remarkable(text + base, stop - base)) count = remarks_among(text, base, stop, count, room, places);
    }
    return count;
}

/* ---- Octets: where one is ---- */

EXPORT int64_t log_find(const uint8_t *octets, int64_t size, int64_t octet) {
    const uint8_t *found = size > 0 ? memchr(octets, (int)octet, (size_t)size) : NULL;
    return found ? found - octets : -1;
}
