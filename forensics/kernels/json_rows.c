/* Notifications as JSON, one object a row: read strictly, projected on a table of places, payload written compactly.

   What is taken here is what forensics/loaders/documents/_notification.py makes of a row, in every column; a row with
   anything in it that readers of JSON disagree about (a key written twice, an escaped key, half a surrogate pair, a
   number that a double does not hold, deep nesting, a value of an odd kind) is left to it. No function allocates,
   calls back or looks at an octet outside what it was given; each octet is looked at a bounded number of times. */
#include "kernels.h"

#if defined(__SSE2__)
#include <emmintrin.h>
#endif

#define DEEPEST 48
#define MOST_KEYS 2048
#define MOST_SLOTS 192
#define MOST_LISTED 64
#define MOST_HITS 64
#define TABLE 1024

enum { LEFT, TAKEN, CUT };
enum { SCALAR, OBJECT, LIST };                                   /* kinds of a place */
enum { PLAIN, RARE, MODEL, PAYLOAD, SEALED, REFUSED };           /* what a key means wherever it stands */
enum { FIXED, VERSIONED_IP, PORT_IP, FLOATING_FIXED, FIXED_IP, FLOATING_IP, FIXED_FLOATING, FLOATING, IPS,
       FIXED_MAC = IPS, VERSIONED_MAC, PORT_MAC, GROUPS,         /* lists of addresses, in their order */
       OTHER_NAME = GROUPS, OF_OBJECTS };                        /* FIXED where it has no other; a list that begins so */

/* Slots that have a meaning here, as forensics.loaders.documents._notification_kernel.SLOTS names them. */
enum { EVENT, PUBLISHER, METADATA_ID, METADATA_STAMP, EXCEPTION, OBJECT_NAME, OBJECT_DATA, OBJECT_UUID, DEVICE_OWNER,
       DEVICE_ID, ID, IMAGE_ID, NAME, INSTANCE_ID, INSTANCE_UUID, IMAGE_URL, UUIDS, MEANT,
       OF_EVENT = MEANT, NAME_OF_IMAGE, OF_USAGE, OF_URL, OF_OBJECT, OF_SPEC, OF_PORT, KEY, BODY };
/* Programs that give no text, or one that is looked at; those behind them are columns as they are. */
enum { STAMP, CONTEXT, CREATED, LAUNCHED, TERMINATED, DELETED, INSTANTS, ROOT = INSTANTS, FAULT, COMPLAINT, PRIORITY,
       PROGRAMS };
enum { PRIORITY_TEXT, HOST_TEXT, SERVICE_TEXT, PAYLOAD_TEXT, ERROR_TEXT, TEXTS }; /* then one for each other program */

typedef struct {
    const uint8_t *names;     /* of all places, one behind the other */
    const int32_t *name_at;   /* where each begins, and where the last one ends */
    const uint8_t *meaning;   /* of each name, wherever it stands */
    const int16_t *next;      /* place by place and name: the place that it leads to; -1 for none */
    const uint8_t *kind;      /* of each place */
    const int16_t *slot, *group, *element;
    const int16_t *programs;  /* slots one behind the other, for each column the first that says something */
    const int32_t *program_at;
    int32_t name_count, slot_count, program_count;
    uint16_t table[TABLE];    /* which name a hash stands for, plus one */
} Plan;

/* One array each; bitmaps are zeroed before. Columns of texts lie one behind the other, `count` views each. */
typedef struct {
    uint8_t *verdict, *hinted;
    uint8_t *views, *valid;
    int64_t *instants;
    uint8_t *instants_valid;
    uint32_t *root_gb;
    uint8_t *root_valid, *versioned;
    int64_t *ends[2];         /* of the lists: addresses, hardware addresses; one more than there are rows */
    uint8_t *listed[2], *listed_valid[2];
    int64_t list_room;
    uint8_t *heap, *scratch;
    int64_t heap_room, heap_used, count, taken;
    int32_t odd;              /* whether some address is to be written otherwise */
} Rows;

typedef struct {
    const uint8_t *at;        /* NULL where there is none */
    int64_t size;
    int escaped, fraction;
} Text;

typedef struct {
    const Plan *plan;
    const uint8_t *at, *end, *limit; /* of the row; of what may be read */
    uint8_t *out;             /* where the payload goes on */
    int64_t writing;          /* 1 within the payload */
    uint32_t high;            /* not 0 where some octet is above 127 */
    int rare, raised, opened, escapes, levels, keys, listed, serial, serials;
    Text sealed, slots[MOST_SLOTS];
    struct {
        Text text;
        int group, serial;
    } list[MOST_LISTED];
    uint64_t hashes[MOST_KEYS];
} Row;

EXPORT int32_t json_rows_version(void) { return 3; }

/* ---- Tokens ---- */

static inline uint64_t word(const uint8_t *at) {
    uint64_t found;
    memcpy(&found, at, 8);
    return found;
}

/* Copies WORD octets; gives a bit for each that is a quotation mark, a backslash or a control character, at least for
   the first such, and one for each octet above 127. */
#if defined(__SSE2__)
#define WORD 16
static inline uint32_t special(const uint8_t *at, uint8_t *out, uint32_t *above) {
    __m128i w = _mm_loadu_si128((const __m128i *)at);
    _mm_storeu_si128((__m128i *)out, w);
    __m128i control = _mm_cmpeq_epi8(_mm_min_epu8(w, _mm_set1_epi8(0x1F)), w);
    __m128i quote = _mm_cmpeq_epi8(w, _mm_set1_epi8('"')), slash = _mm_cmpeq_epi8(w, _mm_set1_epi8('\\'));
    *above = (uint32_t)_mm_movemask_epi8(w);
    return (uint32_t)_mm_movemask_epi8(_mm_or_si128(control, _mm_or_si128(quote, slash)));
}
static inline int lowest(uint32_t bits) { return __builtin_ctz(bits); }
#else
#define WORD 1
static inline uint32_t special(const uint8_t *at, uint8_t *out, uint32_t *above) {
    *out = *at;
    *above = *at >> 7;
    return *at == '"' || *at == '\\' || *at < 0x20;
}
static inline int lowest(uint32_t bits) { return !bits; }
#endif

/* Where a run of plain characters ends, copied to `out` on the way; up to WORD octets more may be written there. */
static inline const uint8_t *run(Row *row, const uint8_t *at) {
    const uint8_t *limit = row->limit;
    uint8_t *out = row->out;
    uint32_t high = row->high, found = 0;
    for (; !found && limit - at >= WORD; at += WORD, out += WORD) {
        uint32_t above;
        found = special(at, out, &above);
        high |= above & (found - 1) & ~found;
        if (found) {
            at += lowest(found) - WORD;
            out += lowest(found) - WORD;
        }
    }
    for (; !found && at < limit && *at != '"' && *at != '\\' && *at >= 0x20; at++) {
        high |= *at >> 7;
        *out++ = *at;
    }
    row->high = high;
    if (row->writing) row->out = out;
    return at;
}

static int nibble(uint8_t c) {
    if ((uint8_t)(c - '0') < 10) return c - '0';
    c |= 0x20;
    return (uint8_t)(c - 'a') < 6 ? c - 'a' + 10 : -1;
}

static int32_t unit(const uint8_t *at, const uint8_t *end) {
    int32_t found = 0;
    if (end - at < 6 || at[0] != '\\' || at[1] != 'u') return -1;
    for (int i = 2; i < 6; i++) {
        int digit = nibble(at[i]);
        if (digit < 0) return -1;
        found = found << 4 | digit;
    }
    return found;
}

/* The character of an escape, and how long that is; -1 for none, and for half a pair. */
static int32_t escape(const uint8_t *at, const uint8_t *end, int *size) {
    static const char named[] = "\"\\/bfnrt", meant[] = "\"\\/\b\f\n\r\t";
    if (end - at < 2) return -1;
    const char *name = at[1] ? strchr(named, at[1]) : NULL;
    *size = 2;
    if (name) return (uint8_t)meant[name - named];
    int32_t first = unit(at, end);
    *size = 6;
    if (first < 0 || first < 0xD800 || first > 0xDFFF) return first;
    int32_t second = first < 0xDC00 ? unit(at + 6, end) : -1;
    *size = 12;
    return second < 0xDC00 || second > 0xDFFF ? -1 : 0x10000 + ((first - 0xD800) << 10) + (second - 0xDC00);
}

static uint8_t *utf8(int32_t c, uint8_t *out) {
    if (c < 0x80) {
        *out++ = (uint8_t)c;
    } else if (c < 0x800) {
        *out++ = (uint8_t)(0xC0 | c >> 6);
        *out++ = (uint8_t)(0x80 | (c & 0x3F));
    } else {
        if (c < 0x10000) {
            *out++ = (uint8_t)(0xE0 | c >> 12);
        } else {
            *out++ = (uint8_t)(0xF0 | c >> 18);
            *out++ = (uint8_t)(0x80 | (c >> 12 & 0x3F));
        }
        *out++ = (uint8_t)(0x80 | (c >> 6 & 0x3F));
        *out++ = (uint8_t)(0x80 | (c & 0x3F));
    }
    return out;
}

/* A character as the payload's text has it. */
static uint8_t *written(int32_t c, uint8_t *out) {
    static const char named[] = "\"\\\b\f\n\r\t", letter[] = "\"\\bfnrt", digits[] = "0123456789abcdef";
    const char *name = c > 0 && c < 0x80 ? strchr(named, c) : NULL;
    if (name) {
        *out++ = '\\';
        *out++ = (uint8_t)letter[name - named];
    } else if (c < 0x20) {
        memcpy(out, "\\u00", 4);
        out[4] = (uint8_t)digits[c >> 4];
        out[5] = (uint8_t)digits[c & 15];
        out += 6;
    } else {
        out = utf8(c, out);
    }
    return out;
}

/* Characters of a string whose escapes are sound. */
static uint8_t *unescaped(const uint8_t *at, const uint8_t *end, uint8_t *out) {
    while (at < end) {
        const uint8_t *slash = memchr(at, '\\', (size_t)(end - at)), *stop = slash ? slash : end;
        int size = 0;
        memcpy(out, at, (size_t)(stop - at));
        out += stop - at;
        at = stop;
        if (at < end) {
            int32_t c = escape(at, end, &size);
            if (c < 0) return out;
            out = utf8(c, out);
            at += size;
        }
    }
    return out;
}

/* A string from its quotation mark on; within the payload it is written, and found there. */
static inline int string(Row *row, Text *found) {
    const uint8_t *begin = row->at + 1, *at = begin;
    *row->out = '"';
    row->out += row->writing;
    uint8_t *copy = row->out;
    found->escaped = found->fraction = 0;
    while (1) {
        at = run(row, at);
        if (at >= row->end) return CUT;
        if (*at == '"') break;
        if (*at != '\\') return LEFT;
        int size = 0;
        int32_t c = escape(at, row->end, &size);
        if (c < 0) return LEFT;
        found->escaped = 1;
        if (row->writing) row->out = written(c, row->out);
        at += size;
    }
    found->at = row->writing ? copy : begin;
    found->size = row->writing ? row->out - copy : at - begin;
    *row->out = '"';
    row->out += row->writing;
    row->at = at + 1;
    return TAKEN;
}

/* A number that every reader holds exactly, and writes as it stands here. */
static int number(Row *row, Text *found) {
    const uint8_t *begin = row->at, *at = begin + (*begin == '-'), *whole = at;
    while (at < row->end && (uint8_t)(*at - '0') < 10 && at - whole < 19) at++;
    int64_t count = at - whole;
    if (!count || count > 18 || (*whole == '0' && count > 1)) return LEFT;
    found->escaped = 0;
    found->fraction = at < row->end && *at == '.';
    if (found->fraction) {
        const uint8_t *part = ++at;
        while (at < row->end && (uint8_t)(*at - '0') < 10 && at - part < 16) at++;
        int64_t more = at - part;
        int tiny = *whole == '0' && !(more > 0 && part[0] != '0') && !(more > 1 && part[1] != '0');
        if (!more || count + more > 15 || (at[-1] == '0' && more > 1) || tiny) return LEFT;
    } else if (*begin == '-' && *whole == '0') {
        return LEFT;
    }
    if (at < row->end && (*at == 'e' || *at == 'E' || *at == '.' || (uint8_t)(*at - '0') < 10)) return LEFT;
    found->size = at - begin;
    found->at = row->writing ? row->out : begin;
    memcpy(row->out, begin, (size_t)found->size);
    row->out += row->writing ? found->size : 0;
    row->at = at;
    return TAKEN;
}

static inline int blank(uint8_t c) { return c == ' ' || c == '\n' || c == '\t' || c == '\r'; }

static inline void blanks(Row *row) {
    const uint8_t *at = row->at;
    if (at < row->end && *at == ' ') at++; /* most often one */
    while (at < row->end && *at <= ' ' && blank(*at)) at++;
    row->at = at;
}

static inline void put(Row *row, uint8_t c) {
    *row->out = c;
    row->out += row->writing;
}

/* ---- Places ---- */

static inline uint64_t mixed(uint64_t found, uint64_t w) {
    found = (found ^ w) * 0xD6E8FEB86659FD93u;
    return found ^ found >> 32;
}

/* The octets of a short text, each at least once. */
static inline uint64_t few(const uint8_t *at, int64_t size) {
    uint32_t one, two;
    if (size < 4) return size ? (uint64_t)at[0] << 16 | (uint64_t)at[size >> 1] << 8 | at[size - 1] : 0;
    memcpy(&one, at, 4);
    memcpy(&two, at + size - 4, 4);
    return (uint64_t)one << 32 | two;
}

static inline uint64_t hash(const uint8_t *at, int64_t size) {
    uint64_t found = (uint64_t)size * 0x9E3779B97F4A7C15u;
    if (size < 8) return mixed(found, few(at, size));
    const uint8_t *last = at + size - 8;
    for (; at < last; at += 8) found = mixed(found, word(at));
    return mixed(found, word(last));
}

static inline int equal(const uint8_t *one, const uint8_t *other, int64_t size) {
    if (size < 8) return few(one, size) == few(other, size);
    int64_t at = 0;
    for (; at < size - 8; at += 8)
        if (word(one + at) != word(other + at)) return 0;
    return word(one + size - 8) == word(other + size - 8);
}

/* Files the names; 0 where they are too many. */
EXPORT int64_t json_plan(Plan *plan) {
    memset(plan->table, 0, sizeof plan->table);
    if (plan->name_count > TABLE / 4 || plan->slot_count > MOST_SLOTS) return 0;
    for (int32_t i = 0; i < plan->name_count; i++) {
        uint64_t at = hash(plan->names + plan->name_at[i], plan->name_at[i + 1] - plan->name_at[i]) % TABLE;
        while (plan->table[at]) at = (at + 1) % TABLE;
        plan->table[at] = (uint16_t)(i + 1);
    }
    return 1;
}

static inline int name(const Plan *plan, const Text *key, uint64_t hashed) {
    for (uint64_t at = hashed % TABLE; plan->table[at]; at = (at + 1) % TABLE) {
        int found = plan->table[at] - 1;
        const int32_t *begin = plan->name_at + found;
        if (begin[1] - begin[0] == key->size && equal(plan->names + begin[0], key->at, key->size))
            return found;
    }
    return -1;
}

static inline int same(const Text *text, const char *other, int64_t size) {
    return text->size == size && !memcmp(text->at, other, (size_t)size);
}

static int ends(const Text *text, const char *other, int64_t size) {
    return text->size >= size && !memcmp(text->at + text->size - size, other, (size_t)size);
}

/* Whether a text, or its end behind an escaped quotation mark, is a word by which the reference knows odd rows. */
static inline int refused(const Text *text) {
    if (text->escaped)
        return ends(text, "traits", 6) || ends(text, "oslo.message", 12) || ends(text, "payload_encoding", 16);
    return same(text, "traits", 6) || same(text, "oslo.message", 12) || same(text, "payload_encoding", 16);
}

/* A scalar at a place that somebody asks for. */
static int told(Row *row, int place, const Text *text) {
    const Plan *plan = row->plan;
    if (place < 0 || plan->kind[place] != SCALAR) return TAKEN;
    if (text->fraction) return LEFT;
    row->escapes |= text->escaped;
    if (plan->slot[place] >= 0) row->slots[plan->slot[place]] = *text;
    int group = plan->group[place], other = group == OTHER_NAME;
    if (group < 0) return TAKEN;
    if (other) group = FIXED;
    for (int i = row->listed; group == FIXED && i--;) {
        if (row->list[i].group != FIXED || row->list[i].serial != row->serial) continue;
        if (!other) row->list[i].text = *text;
        return TAKEN;
    }
    if (row->listed == MOST_LISTED) return LEFT;
    row->list[row->listed].text = *text;
    row->list[row->listed].group = group;
    row->list[row->listed++].serial = row->serial;
    return TAKEN;
}

static int value(Row *row, int place, int meaning);

static int array(Row *row, int place) {
    int element = place >= 0 && row->plan->kind[place] == LIST ? row->plan->element[place] : -1, serial = row->serial;
    put(row, '[');
    row->at++;
    blanks(row);
    int empty = row->at < row->end && *row->at == ']';
    if (element >= 0 && row->plan->group[place] == OF_OBJECTS && !empty && row->at < row->end && *row->at != '{')
        return LEFT;
    while (!empty) {
        row->serial = ++row->serials;
        int done = value(row, element, PLAIN);
        if (done != TAKEN) return done;
        if (element >= 0 && row->plan->kind[element] == SCALAR) element = -1; /* the first alone */
        blanks(row);
        if (row->at >= row->end) return CUT;
        if (*row->at == ']') break;
        if (*row->at++ != ',') return LEFT;
        put(row, ',');
        blanks(row);
    }
    row->serial = serial;
    put(row, ']');
    row->at++;
    return TAKEN;
}

static int object(Row *row, int place) {
    const Plan *plan = row->plan;
    uint64_t seen[4] = {0, 0, 0, 0};
    int first = row->keys;
    if (place >= 0 && plan->kind[place] != OBJECT) place = -1;
    if (place >= 0 && plan->slot[place] >= 0) row->slots[plan->slot[place]] = (Text){row->at, 0, 0, 0};
    put(row, '{');
    row->at++;
    blanks(row);
    if (row->at < row->end && *row->at == '}') goto end;
    while (1) {
        Text key;
        if (row->at >= row->end) return CUT;
        if (*row->at != '"') return LEFT;
        int done = string(row, &key);
        if (done != TAKEN) return done;
        if (key.escaped || row->keys == MOST_KEYS) return LEFT;
        uint64_t hashed = hash(key.at, key.size), bit = (uint64_t)1 << (hashed >> 58);
        uint64_t *words = &seen[hashed >> 56 & 3];
        if (*words & bit)
            for (int i = first; i < row->keys; i++)
                if (row->hashes[i] == hashed) return LEFT;
        *words |= bit;
        row->hashes[row->keys++] = hashed;
        int known = name(plan, &key, hashed);
        int meaning = known < 0 ? PLAIN : plan->meaning[known];
        int to = known < 0 || place < 0 ? -1 : plan->next[place * plan->name_count + known];
        if (meaning == RARE) row->rare = 1;
        if (meaning == REFUSED || (meaning == SEALED && (place != 0 || row->opened))) return LEFT;
        blanks(row);
        if (row->at >= row->end) return CUT;
        if (*row->at++ != ':') return LEFT;
        put(row, ':');
        blanks(row);
        if (row->at >= row->end) return CUT;
        if (to >= 0 && plan->slot[to] == EXCEPTION && *row->at != 'n') row->raised = 1;
        if (meaning == PAYLOAD && place == 0) {
            if (*row->at != '{') return LEFT;
            const uint8_t *begin = row->out;
            row->writing = 1;
            done = value(row, to, PLAIN);
            row->writing = 0;
            row->slots[BODY] = (Text){begin, row->out - begin, 0, 0};
        } else {
            done = value(row, to, meaning);
        }
        if (done != TAKEN) return done;
        if (meaning == SEALED && !row->sealed.at) return LEFT;
        blanks(row);
        if (row->at >= row->end) return CUT;
        if (*row->at == '}') break;
        if (*row->at++ != ',') return LEFT;
        put(row, ',');
        blanks(row);
    }
end:
    row->keys = first;
    put(row, '}');
    row->at++;
    return TAKEN;
}

static int literal(Row *row, const char *text, int64_t size, Text *found) {
    if (row->end - row->at < size || memcmp(row->at, text, (size_t)size)) return LEFT;
    found->at = row->at;
    found->size = size;
    found->escaped = found->fraction = 0;
    memcpy(row->out, text, (size_t)size);
    row->out += row->writing ? size : 0;
    row->at += size;
    return TAKEN;
}

/* A value, and what it tells at its place (-1 where nobody asks). */
static int value(Row *row, int place, int meaning) {
    Text text;
    int done;
    if (row->at >= row->end) return CUT;
    switch (*row->at) {
    case '"':
        done = string(row, &text);
        if (done != TAKEN) return done;
        if (meaning == SEALED) {
            row->sealed = text;
            return TAKEN;
        }
        if (meaning >= MODEL && text.size > 0) {
            if (meaning == PAYLOAD && (*text.at == '{' || *text.at == '[')) return LEFT;
            if (meaning == MODEL && text.size >= 10 && !memcmp(text.at, "stacktach.", 10)) return LEFT;
        }
        return refused(&text) ? LEFT : told(row, place, &text);
    case '{':
    case '[':
        if (row->levels == DEEPEST || meaning == SEALED || (place >= 0 && row->plan->kind[place] == SCALAR)) return LEFT;
        row->levels++;
        done = *row->at == '{' ? object(row, place) : array(row, place);
        row->levels--;
        return done;
    case 'n': return literal(row, "null", 4, &text);
    case 't': done = literal(row, "true", 4, &text); break;
    case 'f': done = literal(row, "false", 5, &text); break;
    default: done = number(row, &text);
    }
    return done == TAKEN ? told(row, place, &text) : done;
}

/* ---- Hints of secrets ---- */

#define PAIR(x, y) ((uint8_t)((a == (x)) & (b == (y))))
/* Of each word of _HINTS in forensics/loaders/documents/_notification_text.py, and of some that matter beside one of
   them, two letters that are rare elsewhere; of a URL two strokes. */
static inline uint8_t mark(uint8_t a, uint8_t b) {
    uint8_t other = PAIR('/', '/') | PAIR('\\', 'u');
    a |= 0x20, b |= 0x20;
    return other | PAIR('s', 's') | PAIR('c', 'r') | PAIR('k', 'e') | PAIR('d', 'a') | PAIR('n', 'j') |
           PAIR('r', 's') | PAIR('a', 'w') | PAIR('g', 'n') | PAIR('a', 'p') | PAIR('r', 'n') | PAIR('w', 'd') |
           PAIR('i', 'z');
}

WIDE static uint64_t marks(const uint8_t *at, uint8_t *found) {
    for (int i = 0; i < 64; i++) found[i] = mark(at[i], at[i + 1]);
    uint64_t any = 0;
    for (int i = 0; i < 64; i += 8) any |= word(found + i);
    return any;
}

typedef struct {
    const uint8_t *begin, *end, *hits[MOST_HITS];
    int count, sure; /* how many hits there are; whether one of them is a hint by itself */
} Hints;

static int like(const Hints *in, const uint8_t *at, int before, const char *text) {
    int size = (int)strlen(text);
    if (at - in->begin < before || in->end - (at - before) < size) return 0;
    for (int i = 0; i < size; i++)
        if ((at[i - before] | 0x20) != (text[i] | 0x20)) return 0;
    return 1;
}

/* Whether a string begins with the name of something harmless, in which a key or signature begins at a place. */
static int harmless(const Hints *in, const uint8_t *at) {
    static const char *const names[] = {"\"key_name", "\"key_data", "\"keypair", "\"message_signature"};
    for (int i = 0; i < 4; i++) {
        int64_t size = (int64_t)strlen(names[i]), before = i < 3 ? 1 : 9;
        if (at - in->begin >= before && in->end - (at - before) >= size && !memcmp(at - before, names[i], (size_t)size))
            return 1;
    }
    return 0;
}

enum { NOTHING, DOUBTFUL, SURE };

/* What marked octets belong to: a hint, something that matters where there is a hint elsewhere, or nothing. */
static int hint(const Hints *in, const uint8_t *at) {
    switch (*at | 0x20) {
    case '/': {
        if (at == in->begin || at[-1] != ':') return NOTHING;
        const uint8_t *name = at += 2;
        int quoted = 0;
        for (; at < in->end && *at != '/' && *at != '@' && *at != ' '; at++) quoted |= *at == '"';
        return at == in->end || *at != '@' || at == name ? NOTHING : quoted ? DOUBTFUL : SURE;
    }
    case 's': return like(in, at, 2, "pass") ? SURE : NOTHING;
    case 'c': return like(in, at, 0, "credential") || like(in, at, 2, "secret") ? SURE : NOTHING;
    case 'k':
        if (like(in, at, 0, "key")) return harmless(in, at) ? DOUBTFUL : SURE;
        return like(in, at, 2, "token") ? SURE : NOTHING;
    case 'd':
        if (like(in, at, 5, "user_data") || like(in, at, 4, "userdata")) return SURE;
        return like(in, at, 5, "user-data") ? DOUBTFUL : NOTHING;
    case 'n': return like(in, at, 1, "injected") ? SURE : NOTHING;
    case 'r': return like(in, at, 2, "personality") || like(in, at, 2, "fernet") ? SURE : NOTHING;
    case 'a':
        if (like(in, at, 0, "aws") || like(in, at, 2, "chap_")) return SURE;
        return like(in, at, 2, "chap-") ? DOUBTFUL : NOTHING;
    case 'g':
        if (!like(in, at, 2, "signature")) return NOTHING;
        return harmless(in, at - 2) ? DOUBTFUL : SURE;
    case 'w': return like(in, at, 1, "pwd") ? DOUBTFUL : NOTHING;
    case 'i': return like(in, at, 6, "authorization") ? DOUBTFUL : NOTHING;
    default: return SURE;
    }
}

/* Looks for hints; 66 octets behind the end may be read. 0 where they are too many to list. */
static int look(Hints *in) {
    uint8_t found[64];
    in->count = in->sure = 0;
    for (const uint8_t *at = in->begin; at < in->end; at += 64) {
        if (!marks(at, found)) continue;
        for (int i = 0; i < 64; i++) {
            if (!(i & 7) && !word(found + i)) {
                i += 7;
                continue;
            }
            int kind = found[i] && in->end - at > i + 1 ? hint(in, at + i) : NOTHING;
            if (kind == NOTHING) continue;
            if (in->count == MOST_HITS) return 0;
            in->hits[in->count++] = at + i;
            in->sure |= kind == SURE;
        }
    }
    return 1;
}

/* What stands behind the string that begins here; the end where it has none of its own. */
static const uint8_t *behind(const uint8_t *at, const uint8_t *end) {
    at++;
#if defined(__SSE2__)
    for (; end - at >= WORD; at += WORD) {
        __m128i w = _mm_loadu_si128((const __m128i *)at);
        __m128i quote = _mm_cmpeq_epi8(w, _mm_set1_epi8('"')), slash = _mm_cmpeq_epi8(w, _mm_set1_epi8('\\'));
        uint32_t found = (uint32_t)_mm_movemask_epi8(_mm_or_si128(quote, slash));
        if (!found) continue;
        at += lowest(found);
        if (*at == '"') return at + 1;
        at += 2 - WORD;
    }
#endif
    for (; at < end && *at != '"'; at++) at += *at == '\\';
    return at < end ? at + 1 : end;
}

/* What stands behind the value that begins here, in a text without blanks. */
static const uint8_t *past(const uint8_t *at, const uint8_t *end) {
    int open = 0;
    while (at < end) {
        if (*at == '"') {
            at = behind(at, end);
        } else {
            open += (*at == '{' || *at == '[') - (*at == '}' || *at == ']');
            at++;
        }
        if (!open && (at == end || *at == ',' || *at == '}' || *at == ']')) break;
    }
    return at;
}

/* Whether a value says nothing that could be a secret, whatever its key. */
static int empty(const uint8_t *at) {
    return !memcmp(at, "\"\"", 2) || !memcmp(at, "[]", 2) || !memcmp(at, "{}", 2) || *at == 'n' || *at == 't' ||
           *at == 'f';
}

/* SURE for the name of a secret as _SECRET_KEY knows it, DOUBTFUL for one that is better looked at by the reference. */
static int secret(const uint8_t *at, const uint8_t *end) {
    static const char *const words[] = {
        "password", "passwd", "passphrase", "admin_pass", "adminpass", "secret", "token", "user_data", "userdata",
        "injected_files", "injectedfiles", "personality", "private_key", "privatekey", "credential", "aws_access",
        "awsaccess", "signature", "cert_key", "certkey", "encryption_key", "encryptionkey", "chap_", "api_key",
        "apikey", "fernet", "sslkey"};
    static const char *const others[] = {"key_name", "key_data", "keypair", "message_signature"};
    char key[65];
    int64_t size = end - at;
    if (size > 64) return DOUBTFUL;
    for (int64_t i = 0; i < size; i++) {
        if (at[i] & 0x80 || !at[i]) return DOUBTFUL;
        if (at[i] == '-') return DOUBTFUL;
        key[i] = (char)((uint8_t)(at[i] - 'A') < 26 ? at[i] + 32 : at[i]);
    }
    key[size] = 0;
    int found = (size == 4 && !memcmp(key, "pass", 4)) || (size > 4 && !memcmp(key + size - 5, "_pass", 5));
    for (size_t i = 0; i < sizeof words / sizeof *words && !found; i++) found = strstr(key, words[i]) != NULL;
    for (size_t i = 0; i < sizeof others / sizeof *others && found; i++)
        if (strstr(key, others[i]))
            return strlen(others[i]) == (size_t)size && !memcmp(at, others[i], (size_t)size) ? NOTHING : DOUBTFUL;
    return found ? SURE : NOTHING;
}

/* Whether a string may be changed when secrets are taken out of texts, or out of JSON within. */
static int talks(const uint8_t *at, const uint8_t *end, int hit) {
    if (*at == '{' || *at == '[') return 1;
    int high = 0, tells = 0;
    for (; at < end; at++) {
        high |= *at & 0x80;
        tells |= *at == ':' || *at == '=';
    }
    return tells && (high || hit);
}

/* Takes secrets out of a payload: the text becomes one behind the heap where there are any. 0 where the reference must
   say what is one. */
static int scrubbed(Rows *rows, Text *text) {
    Hints in = {.begin = text->at, .end = text->at + text->size};
    if (!look(&in)) return 0;
    if (!in.sure) return 1;
    uint8_t *begin = rows->heap + rows->heap_used, *out = begin;
    const uint8_t *done = in.begin, *at = in.begin;
    for (int next = 0; at < in.end;) {
        if (*at != '"') {
            at++;
            continue;
        }
        const uint8_t *stop = behind(at, in.end);
        while (next < in.count && in.hits[next] < at) next++;
        int hit = next < in.count && in.hits[next] < stop;
        if (stop == in.end || *stop != ':') {
            if (talks(at + 1, stop - 1, hit)) return 0;
        } else {
            int kind = NOTHING;
            for (const uint8_t *k = at + 1; k < stop - 1 && !hit; k++)
                if (*k & 0x80) return 0;
            if (hit) kind = secret(at + 1, stop - 1);
            if (kind == DOUBTFUL) return 0;
            stop++;
            if (kind == SURE && !empty(stop)) {
                memcpy(out, done, (size_t)(stop - done));
                out += stop - done;
                memcpy(out, "\"\xE2\x80\xA2\xE2\x80\xA2\xE2\x80\xA2\"", 11);
                out += 11;
                stop = done = past(stop, in.end);
            }
        }
        at = stop;
    }
    if (done == in.begin) return 1;
    memcpy(out, done, (size_t)(in.end - done));
    out += in.end - done;
    rows->heap_used = out - rows->heap;
    text->at = begin;
    text->size = out - begin;
    return 1;
}

/* ---- Columns ---- */

static void view(Rows *rows, uint8_t *views, int64_t at, const uint8_t *text, int64_t size) {
    uint32_t head[4] = {(uint32_t)size, 0, 0, 0};
    if (size <= 12) {
        memcpy(head + 1, text, (size_t)size);
    } else {
        uint8_t *end = rows->heap + rows->heap_used;
        if (text < rows->heap || text >= end) { /* not yet in the heap */
            memcpy(end, text, (size_t)size);
            rows->heap_used += size;
            text = end;
        }
        memcpy(head + 1, text, 4);
        head[3] = (uint32_t)(text - rows->heap);
    }
    memcpy(views + 16 * at, head, 16);
}

static inline void set(uint8_t *bits, int64_t at) { bits[at >> 3] |= (uint8_t)(1u << (at & 7)); }

static void column(Rows *rows, int which, const Text *text) {
    if (!text->at || !text->size) return;
    view(rows, rows->views + 16 * rows->count * which, rows->taken, text->at, text->size);
    set(rows->valid + (rows->count + 7) / 8 * which, rows->taken);
}

static inline int says(const Text *text) { return text->at && text->size > 0; }

static const Text *first(const Row *row, int program) {
    static const Text none = {NULL, 0, 0, 0};
    const int16_t *slot = row->plan->programs + row->plan->program_at[program];
    const int16_t *end = row->plan->programs + row->plan->program_at[program + 1];
    for (; slot < end; slot++)
        if (says(row->slots + *slot)) return row->slots + *slot;
    return &none;
}

static inline int digits(const uint8_t *at, int count) {
    int good = 1;
    for (int i = 0; i < count; i++) good &= (uint8_t)(at[i] - '0') < 10;
    return good;
}
static inline int two(const uint8_t *at) { return (at[0] - '0') * 10 + at[1] - '0'; }

/* Nanoseconds since 1970 of ``YYYY-MM-DD HH:MM:SS[.fraction]``, with T for the blank, and behind it nothing, Z or a
   zero offset: UTC whatever it says. LEFT for anything else. */
static int instant(const Text *text, int64_t *ns) {
    static const uint8_t days_in[] = {0, 31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31};
    const uint8_t *at = text->at, *end = at + text->size;
    if (text->size < 19 || at[4] != '-' || at[7] != '-' || (at[10] != ' ' && at[10] != 'T') || at[13] != ':' ||
        at[16] != ':' || !digits(at, 4) || !digits(at + 5, 2) || !digits(at + 8, 2) || !digits(at + 11, 2) ||
        !digits(at + 14, 2) || !digits(at + 17, 2))
        return LEFT;
    int year = two(at) * 100 + two(at + 2), month = two(at + 5), day = two(at + 8), hour = two(at + 11);
    int leap = month == 2 && year % 4 == 0 && (year % 100 != 0 || year % 400 == 0);
    if (year < 1700 || year > 2199 || month < 1 || month > 12 || day < 1 || day > days_in[month] + leap || hour > 23 ||
        at[14] > '5' || at[17] > '5')
        return LEFT;
    int64_t fraction = 0;
    const uint8_t *rest = at + 19;
    if (rest < end && *rest == '.') {
        static const int32_t units[] = {0, 100000000, 10000000, 1000000, 100000, 10000, 1000, 100, 10, 1};
        for (rest++; rest < end && rest - at < 30 && (uint8_t)(*rest - '0') < 10; rest++) fraction = fraction * 10 + *rest - '0';
        if (rest - at < 21 || rest - at > 29) return LEFT;
        fraction *= units[rest - at - 20];
    }
    int64_t left = end - rest;
    if (left && !(left == 1 && *rest == 'Z') && !(left == 6 && (!memcmp(rest, "+00:00", 6) || !memcmp(rest, "-00:00", 6))))
        return LEFT;
    int shifted = year - (month <= 2), era = shifted / 400, of_era = shifted - era * 400;
    int of_year = (153 * (month + (month > 2 ? -3 : 9)) + 2) / 5 + day - 1;
    int64_t days = (int64_t)era * 146097 + of_era * 365 + of_era / 4 - of_era / 100 + of_year - 719468;
    *ns = (days * 86400 + (hour * 60 + two(at + 14)) * 60 + two(at + 17)) * 1000000000 + fraction;
    return TAKEN;
}

/* ``^(\d{1,9})(?:\.0+)?$`` as a number; 0 where it is none. */
static int root_gb(const Text *text, uint32_t *found) {
    const uint8_t *at = text->at, *end = at + text->size;
    uint32_t sum = 0;
    while (at < end && (uint8_t)(*at - '0') < 10) {
        if (at - text->at == 9) return 0;
        sum = sum * 10 + *at++ - '0';
    }
    if (at == text->at) return 0;
    if (at < end && (*at++ != '.' || at == end)) return 0;
    while (at < end)
        if (*at++ != '0') return 0;
    *found = sum;
    return 1;
}

/* Whether an IPv6 address is written as RFC 5952 asks; not those with an IPv4 address within. */
static int is_canonical(const Text *text) {
    static const char digits_[] = "0123456789abcdef";
    const uint8_t *at = text->at, *end = at + text->size;
    uint32_t groups[8];
    int count = 0, gap = -1;
    char plain[48], *to = plain;
    while (at < end) {
        if (end - at > 1 && at[0] == ':' && at[1] == ':') {
            if (gap >= 0) return 0;
            gap = count;
            at += 2;
            continue;
        }
        if (count && gap != count && *at++ != ':') return 0;
        uint32_t group = 0;
        int length = 0, digit;
        for (; at < end && (digit = nibble(*at)) >= 0; at++, length++) group = group << 4 | (uint32_t)digit;
        if (!length || length > 4 || count == 8) return 0;
        groups[count++] = group;
    }
    if (gap < 0 ? count != 8 : count > 6) return 0;
    for (int i = 7, from = count; gap >= 0 && i >= gap; i--) groups[i] = from > gap ? groups[--from] : 0;
    int best = 0, where = -1;
    for (int i = 0; i < 8; i++) {
        int run = 0;
        while (i + run < 8 && !groups[i + run]) run++;
        if (run > best && run > 1) best = run, where = i;
        i += run ? run - 1 : 0;
    }
    if (where == 0 && best == 5 && groups[5] == 0xFFFF) return 0;
    for (int i = 0; i < 8; i++) {
        if (i == where) {
            *to++ = ':';
            if (i == 0) *to++ = ':';
            i += best - 1;
            continue;
        }
        for (int shift = 12, on = 0; shift >= 0; shift -= 4) {
            uint32_t digit = groups[i] >> shift & 15;
            on |= digit || !shift;
            if (on) *to++ = digits_[digit];
        }
        if (i < 7) *to++ = ':';
    }
    return to - plain == text->size && !memcmp(plain, text->at, (size_t)text->size);
}

/* Whether a text looks like an address, as _IP in forensics/loaders/documents/_notification.py has it; `odd` is set for
   one of IPv6 that is not as it should be written. */
static int is_address(const Text *text, int *odd) {
    const uint8_t *at = text->at, *end = at + text->size;
    int parts = 0, colons = 0;
    for (int length = 0; at < end; at++) {
        uint8_t c = *at, small = c | 0x20;
        colons |= c == ':';
        if ((uint8_t)(c - '0') < 10) {
            if (++length > 3) parts = 9;
            else if (length == 1) parts++;
        } else if (c == '.') {
            if (!length) parts = 9;
            length = 0;
        } else if (c == ':' || (uint8_t)(small - 'a') < 6) {
            parts = 9;
        } else {
            return 0;
        }
    }
    *odd = colons && !is_canonical(text);
    return colons || (parts == 4 && text->size && end[-1] != '.');
}

static int is_mac(const Text *text, uint8_t *plain) {
    if (text->size != 17) return 0;
    for (int i = 0; i < 17; i++) {
        uint8_t c = text->at[i], small = c | 0x20;
        if (i % 3 == 2) {
            if (c != ':' && c != '-') return 0;
            plain[i] = ':';
        } else {
            if ((uint8_t)(c - '0') < 10) small = c;
            else if ((uint8_t)(small - 'a') >= 6) return 0;
            plain[i] = small;
        }
    }
    return 1;
}

/* The addresses of a row, each once, in the order of their groups; LEFT where they are too many, or no plain text. */
static int lists(Row *row, Rows *rows) {
    for (int which = 0; which < 2; which++) {
        int64_t begin = rows->ends[which][rows->taken], end = begin;
        uint8_t *views = rows->listed[which];
        for (int group = which ? IPS : 0; group < (which ? GROUPS : IPS); group++) {
            for (int i = 0; i < row->listed; i++) {
                Text *text = &row->list[i].text;
                uint8_t plain[17];
                int odd = 0, known = 0;
                if (row->list[i].group != group) continue;
                if (text->escaped) return LEFT;
                for (int64_t k = 0; k < text->size; k++)
                    if (text->at[k] & 0x80) return LEFT;
                if (which ? !is_mac(text, plain) : !is_address(text, &odd)) continue;
                if (end == rows->list_room) return LEFT;
                if (which) {
                    text->at = memcpy(rows->heap + rows->heap_used, plain, 17);
                    rows->heap_used += 17;
                }
                view(rows, views, end, text->at, text->size);
                for (int64_t k = begin; k < end && !known; k++) {
                    uint32_t one[4], other[4];
                    memcpy(one, views + 16 * k, 16);
                    memcpy(other, views + 16 * end, 16);
                    if (one[0] != other[0] || one[1] != other[1]) continue;
                    known = one[0] > 12 ? !memcmp(rows->heap + one[3], rows->heap + other[3], one[0])
                                        : one[2] == other[2] && one[3] == other[3];
                }
                end += !known;
                rows->odd |= odd;
            }
        }
        rows->ends[which][rows->taken + 1] = end;
    }
    return TAKEN;
}

static int is_one_of(const Text *text, const char *const *words, int count) {
    for (int i = 0; i < count; i++)
        if (same(text, words[i], (int64_t)strlen(words[i]))) return 1;
    return 0;
}

static int begins(const Text *text, const char *other, int64_t size) {
    return text->at && text->size >= size && !memcmp(text->at, other, (size_t)size);
}

/* ``service.host`` and ``service:host``, glance's bare host name; cinder's backend and nova's cells taken off. */
static void parts(const Text *publisher, int of_image, Text *host, Text *service, uint8_t *versioned) {
    static const char *const glance[] = {"image", "glance", "glance-api", "glance-registry"};
    const uint8_t *at = publisher->at, *end = at + publisher->size, *stop = at;
    host->at = service->at = NULL;
    *versioned = 1;
    for (; stop < end && *stop != '.' && *stop != ':'; stop++) {
        uint8_t c = *stop, small = c | 0x20;
        *versioned &= (uint8_t)(small - 'a') < 26 || (uint8_t)(c - '0') < 10 || c == '_' || c == '-';
    }
    *versioned &= stop > at && stop < end && *stop == ':';
    Text named = {at, stop - at, 0, 0};
    if (stop > at && stop < end && !(of_image && !is_one_of(&named, glance, 4))) {
        *service = named;
        at = stop + 1;
    }
    const uint8_t *sign = memchr(at, '@', (size_t)(end - at));
    if (memchr(at, '!', (size_t)(end - at))) {
        for (; sign; sign = memchr(at, '@', (size_t)(end - at))) at = sign + 1;
    } else if (sign) {
        end = sign;
    }
    host->at = at;
    host->size = end - at;
}

/* What a row's own columns are made of, and then the columns; LEFT where the reference must say. */
static int columns(Row *row, Rows *rows) {
    static const char *const failures[] = {"ERROR", "CRITICAL"};
    Text *slots = row->slots, host, service, none = {NULL, 0, 0, 0}, priority, error;
    int64_t instants[INSTANTS];
    uint8_t versioned = 0, there[INSTANTS];
    if (!slots[BODY].at || !says(slots + EVENT)) return LEFT;
    if (!row->rare && (slots[METADATA_ID].at || slots[METADATA_STAMP].at)) return LEFT;
    for (int i = 0; row->escapes && i < row->plan->slot_count; i++) {
        if (!slots[i].at || !slots[i].escaped) continue;
        uint8_t *begin = rows->heap + rows->heap_used, *end = unescaped(slots[i].at, slots[i].at + slots[i].size, begin);
        slots[i] = (Text){begin, end - begin, 0, 0};
        rows->heap_used += end - begin;
    }
    for (int i = 0; says(slots + PUBLISHER) && i < slots[PUBLISHER].size; i++)
        if (slots[PUBLISHER].at[i] & 0x80 || slots[PUBLISHER].at[i] < 0x20) return LEFT;
    for (int i = 0; i < INSTANTS; i++) {
        const Text *stamp = first(row, i);
        there[i] = stamp->at != NULL;
        if (there[i] && instant(stamp, instants + i) != TAKEN) return LEFT;
    }

    int of_image = begins(slots + EVENT, "image.", 6);
    const Text *id = slots + (says(slots + ID) ? ID : IMAGE_ID);
    const Text *usage = slots + (says(slots + INSTANCE_ID) ? INSTANCE_ID : INSTANCE_UUID);
    int about = begins(slots + EVENT, "instance.", 9) || begins(slots + OBJECT_NAME, "Instance", 8);
    int of_compute = !slots[DEVICE_OWNER].at || begins(slots + DEVICE_OWNER, "compute", 7);
    slots[OF_EVENT] = of_image ? *id : none;
    slots[NAME_OF_IMAGE] = of_image ? slots[NAME] : none;
    slots[OF_USAGE] = of_image ? none : *usage;
    slots[OF_OBJECT] = about ? slots[OBJECT_UUID] : none;
    slots[OF_SPEC] = slots[UUIDS];
    slots[OF_PORT] = of_compute ? slots[DEVICE_ID] : none;
    Text url = slots[IMAGE_URL];
    if (says(&url)) {
        while (url.size && url.at[url.size - 1] == '/') url.size--;
        int64_t begin = url.size;
        while (begin && url.at[begin - 1] != '/') begin--;
        url.at += begin;
        url.size -= begin;
    }
    slots[OF_URL] = url;

    priority = *first(row, PRIORITY);
    for (int64_t i = 0; i < priority.size; i++) {
        uint8_t c = priority.at[i];
        if (c & 0x80) return LEFT;
        if ((uint8_t)(c - 'a') >= 26) continue;
        uint8_t *copy = memcpy(rows->heap + rows->heap_used, priority.at, (size_t)priority.size);
        for (int64_t k = i; k < priority.size; k++) copy[k] ^= (uint8_t)(copy[k] - 'a') < 26 ? 32 : 0;
        priority.at = copy;
        rows->heap_used += priority.size;
        break;
    }
    int failed = is_one_of(&priority, failures, 2) || ends(slots + EVENT, ".error", 6) || slots[EXCEPTION].at;
    error = *first(row, FAULT);
    if (!error.at && failed) {
        error = *first(row, COMPLAINT);
        if (!error.at && row->raised) return LEFT;
    }
    if (lists(row, rows) != TAKEN) return LEFT;

    int64_t at = rows->taken;
    host = service = none;
    if (says(slots + PUBLISHER)) {
        Text *publisher = slots + PUBLISHER; /* in the heap once, for three columns */
        uint8_t *copy = memcpy(rows->heap + rows->heap_used, publisher->at, (size_t)publisher->size);
        rows->heap_used += publisher->size;
        publisher->at = copy;
        parts(publisher, of_image, &host, &service, &versioned);
    }
    if (versioned || slots[OBJECT_DATA].at || slots[OBJECT_NAME].at) set(rows->versioned, at);
    column(rows, PRIORITY_TEXT, &priority);
    column(rows, HOST_TEXT, &host);
    column(rows, SERVICE_TEXT, &service);
    rows->hinted[at] = !scrubbed(rows, slots + BODY);
    column(rows, PAYLOAD_TEXT, slots + BODY);
    column(rows, ERROR_TEXT, &error);
    for (int i = 0; i < row->plan->program_count - PROGRAMS; i++) column(rows, TEXTS + i, first(row, PROGRAMS + i));
    for (int i = 0; i < INSTANTS; i++) {
        if (!there[i]) continue;
        rows->instants[rows->count * i + at] = instants[i];
        set(rows->instants_valid + (rows->count + 7) / 8 * i, at);
    }
    const Text *root = first(row, ROOT);
    if (root->at && root_gb(root, rows->root_gb + at)) set(rows->root_valid, at);
    for (int i = 0; i < 2; i++)
        if (rows->ends[i][at + 1] > rows->ends[i][at]) set(rows->listed_valid[i], at);
    return TAKEN;
}

/* ---- Rows ---- */

static void clear(Row *row, const Rows *rows) {
    for (int i = 0; i < row->plan->slot_count; i++) row->slots[i].at = NULL;
    row->out = rows->heap + rows->heap_used;
    row->writing = row->rare = row->raised = row->escapes = row->keys = row->listed = row->serial = row->serials = 0;
    row->levels = 1;
}

/* One row: an object, or a list of a routing key and an object; either may be in oslo.messaging's envelope. */
static int body(Row *row, Rows *rows) {
    Text key = {NULL, 0, 0, 0};
    const uint8_t *begin = row->at;
    int routed = row->at < row->end && *row->at == '[', done;
    if (routed) {
        row->at++;
        blanks(row);
        int quoted = row->at < row->end && *row->at == '"';
        done = quoted ? string(row, &key) : literal(row, "null", 4, &key);
        if (done != TAKEN || key.escaped || key.size > 255) return LEFT;
        if (!quoted) key.at = NULL;
        blanks(row);
        if (row->at >= row->end || *row->at++ != ',') return LEFT;
        blanks(row);
    }
    if (row->at >= row->end || *row->at != '{') return LEFT;
    done = object(row, 0);
    if (done != TAKEN) return done;
    blanks(row);
    if (routed && row->at < row->end && *row->at == ']') row->at++, routed = 0;
    blanks(row);
    if (routed || row->at != row->end || (row->high && !is_utf8(begin, row->end))) return LEFT;
    if (row->sealed.at) {
        const Text *sealed = &row->sealed;
        const uint8_t *end = unescaped(sealed->at, sealed->at + sealed->size, rows->scratch);
        for (const uint8_t *at = rows->scratch; at < end; at++)
            if (*at < 0x20) return LEFT;
        clear(row, rows);
        row->opened = 1;
        row->at = rows->scratch;
        row->end = row->limit = end;
        if (end - row->at < 2 || *row->at != '{' || object(row, 0) != TAKEN || row->at != end) return LEFT;
    }
    row->slots[KEY] = key;
    rows->heap_used = row->out - rows->heap;
    return TAKEN;
}

/* Reads rows of a text.

   `verdict` says of each what became of it: left to the reference, taken, or a text that is sound as far as it goes
   and ends too soon. Returns how many were taken; -1 where a row lies outside the text. With `commas` those behind
   a row are no part of it. */
EXPORT int64_t json_rows(const uint8_t *text, int64_t size, const int64_t *start, const int64_t *end, int64_t count,
                         int32_t commas, const Plan *plan, Rows *rows) {
    Row row;
    row.plan = plan;
    rows->count = count;
    rows->taken = rows->heap_used = 0;
    rows->odd = 0;
    rows->ends[0][0] = rows->ends[1][0] = 0;
    for (int64_t i = 0; i < count; i++) {
        if (start[i] < 0 || end[i] < start[i] || end[i] > size) return -1;
        int64_t used = rows->heap_used;
        const uint8_t *at = text + start[i], *stop = text + end[i];
        rows->verdict[i] = LEFT;
        while (at < stop && (*at == ' ' || *at == '\t' || *at == '\r' || *at == '\n')) at++;
        while (at < stop && (stop[-1] == ' ' || stop[-1] == '\t' || stop[-1] == '\r' || stop[-1] == '\n')) stop--;
        while (commas && at < stop && (stop[-1] == ' ' || stop[-1] == ',')) stop--;
        if (at == stop || rows->heap_room - used < 8 * (stop - at) + 256) continue;
        row.at = at;
        row.end = stop;
        row.limit = text + size;
        row.high = 0;
        row.sealed.at = NULL;
        row.opened = 0;
        clear(&row, rows);
        int done = body(&row, rows);
        if (done == TAKEN) done = columns(&row, rows);
        if (done == TAKEN) rows->taken++;
        else rows->heap_used = used;
        rows->verdict[i] = (uint8_t)done;
    }
    return rows->taken;
}

/* Writes the place of each line feed; returns how many there are (those beyond `room` are counted, not written). */
EXPORT int64_t json_feeds(const uint8_t *text, int64_t size, int64_t room, int64_t *feeds) {
    int64_t count = 0;
    for (const uint8_t *at = text, *end = text + size; at < end && (at = memchr(at, '\n', (size_t)(end - at))); at++) {
        if (count < room) feeds[count] = at - text;
        count++;
    }
    return count;
}

static const uint8_t *behind_blanks(const uint8_t *at, const uint8_t *end) {
    while (at < end && blank(*at)) at++;
    return at;
}

/* Behind the bracket that closes the one that is here, whatever is between them; NULL where there is none. */
static const uint8_t *behind_brackets(const uint8_t *at, const uint8_t *end) {
    for (int64_t depth = 0; at < end;) switch (*at) {
        case '"': at = behind(at, end); break;
        case '[': case '{': depth++; at++; break;
        case ']': case '}': at++; if (!--depth) return at; break;
        default: at++;
    }
    return NULL;
}

/* Finds objects, and lists that begin with a text, one behind the other, with nothing but blanks and commas between.

   Writes where each begins and ends, as its brackets say, and returns how many there are: fewer than `room` where
   something else follows, the text ends within one, or what follows could be an object that holds such values. */
EXPORT int64_t json_values(const uint8_t *text, int64_t size, int64_t from, int64_t room, int64_t *start,
                           int64_t *end) {
    const uint8_t *at = text + from, *limit = text + size;
    int64_t count = 0;
    for (; count < room; count++) {
        while (at < limit && (blank(*at) || *at == ',')) at++;
        if (at == limit) break;
        const uint8_t *next = behind_blanks(at + 1, limit);
        if (next == limit || (*at != '{' && (*at != '[' || *next != '"'))) break;
        if (*at == '{' && *next == '"') {
            next = behind_blanks(behind(next, limit), limit);
            if (next < limit && *next == ':') next = behind_blanks(next + 1, limit);
            if (next < limit && *next == '[') break;
        }
        const uint8_t *stop = behind_brackets(at, limit);
        if (!stop) break;
        start[count] = at - text;
        end[count] = stop - text;
        at = stop;
    }
    return count;
}
