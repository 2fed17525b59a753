/* Framings of log lines: rsyslog's and oslo.log's, alone and one inside the other, one pass over a chunk's octets.

   What is read here is what forensics/loaders/lines/_fast.py reads, by the same rules; a line that does not fit is left
   alone, for the patterns. No function allocates, calls back or looks at an octet outside the stretch it was given;
   each octet of a line is looked at a bounded number of times. */
#include "log_lines.h"

#define BLOCK 4096

EXPORT int32_t log_lines_version(void) { return 4; }

/* ---- A chunk: its lines, and what there is in it that needs care ---- */

enum { ZERO = 1, ESCAPE = 2, HIGH = 4, NOT_UTF8 = 8, OCTAL = 16, RETURN = 32 };

/* `octets` may be read up to one place behind its end. */
WIDE static int special(const uint8_t *octets, int64_t size) {
    uint8_t zero = 0, escape = 0, high = 0, octal = 0;
    for (int64_t i = 0; i < size; i++) {
        uint8_t c = octets[i];
        zero |= c == 0;
        escape |= c == 27;
        high |= c;
        octal |= (c == '#') & ((octets[i + 1] & 0xFE) == '0');
    }
    return (zero ? ZERO : 0) | (escape ? ESCAPE : 0) | (high & 128 ? HIGH : 0) | (octal ? OCTAL : 0);
}

/* Writes the place of each line feed; returns how many there are (those beyond `room` are counted, not written).
   `flags` says what of ZERO to RETURN (a carriage return that ends a line) the chunk has. */
EXPORT int64_t log_split(const uint8_t *octets, int64_t size, int64_t room, int64_t *feeds, int32_t *flags) {
    int64_t count = 0;
    int found = 0;
    for (int64_t base = 0; base < size; base += BLOCK) {
        int64_t end = size - base < BLOCK ? size : base + BLOCK, inner = end < size ? end : end - 1;
        found |= special(octets + base, inner - base);
        if (inner < end) {
            uint8_t last = octets[inner];
            found |= (last == 0 ? ZERO : 0) | (last == 27 ? ESCAPE : 0) | (last >= 128 ? HIGH : 0);
        }
        const uint8_t *at = octets + base;
        while ((at = memchr(at, '\n', (size_t)(octets + end - at)))) {
            if (count < room) feeds[count] = at - octets;
            if (at > octets && at[-1] == '\r') found |= RETURN;
            count++;
            if (++at == octets + end) break;
        }
    }
    if (size && octets[size - 1] == '\r') found |= RETURN;
    if (found & HIGH && !is_utf8(octets, octets + size)) found |= NOT_UTF8;
    *flags = found;
    return count;
}

/* ---- Lines: their headers ---- */

enum { TRADITIONAL, PRECISE, DIABLO, ESSEX, FOLSOM, GRIZZLY, HAVANA, JUNO, KILO, ZED, DEVSTACK, BARE, FRAMINGS };
enum { NONE, DASH, THREE, ONE, FIVE, GLOBAL, NAMES, UUID };
#define CHAIN 128
#define SECOND_NS 1000000000LL

/* One array each, as forensics.loaders.lines._fields.Fields has them. */
typedef struct {
    Places *places;
    int64_t *pid, *framing, *outer_ns, *inner_ns;
    uint8_t *header, *context, *trace;
    int8_t *outer_kind, *inner_kind;
    int64_t codes[FRAMINGS];
} Fields;

/* The date that was read last, by the kind of its stamp: days since 1970, for most lines are of the same day. */
typedef struct {
    int32_t date[LOCAL + 1];
    int64_t days[LOCAL + 1];
} Dates;

typedef struct {
    const uint8_t *text;
    const Fields *to;
    int64_t line;
    Dates *dates;
} Line;

static inline int digit(uint8_t c) { return (uint8_t)(c - '0') < 10; }
static inline int two(const uint8_t *at) { return (at[0] - '0') * 10 + at[1] - '0'; }
static inline int letter(uint8_t c) { return (uint8_t)((c | 32) - 'a') < 26; }
static inline int blank(uint8_t c) { return c == ' ' || (uint8_t)(c - 9) < 5; }
static inline int digits(const uint8_t *at, int count) {
    for (int i = 0; i < count; i++)
        if (!digit(at[i])) return 0;
    return 1;
}
/* Whether eight octets are those of a shape, in which a nought stands for any digit. */
static inline int shaped(const uint8_t *at, const char *shape) {
    uint64_t word, form, digit_at = 0;
    for (int i = 0; i < 8; i++) ((uint8_t *)&digit_at)[i] = shape[i] == '0' ? 255 : 0;
    memcpy(&word, at, 8);
    memcpy(&form, shape, 8);
    word ^= form; /* a digit is 0 to 9 now, and anything else of the shape 0 */
    return !(((word + 0x7676767676767676u) | word) & 0x8080808080808080u) && !(word & ~digit_at);
}
static int hexadecimal(const uint8_t *at) {
    uint8_t good = 1;
    for (int i = 0; i < 36; i++) {
        uint8_t c = at[i], small = c | 32;
        good &= (uint8_t)((uint8_t)(c - '0') < 10) | (uint8_t)((uint8_t)(small - 'a') < 6) | (uint8_t)(c == '-');
    }
    return good;
}
static inline const uint8_t *find(const uint8_t *at, const uint8_t *end, int c) {
    const uint8_t *found = at < end ? memchr(at, c, (size_t)(end - at)) : NULL;
    return found ? found : end;
}

/* Month of an English name of three letters; 0 for none. At least three octets must be there. */
static int month(const uint8_t *at) {
#define NAME(a, b, c) ((uint32_t)(a) << 16 | (uint32_t)(b) << 8 | (uint32_t)(c))
    switch (NAME(at[0], at[1], at[2])) {
    case NAME('J', 'a', 'n'): return 1;
    case NAME('F', 'e', 'b'): return 2;
    case NAME('M', 'a', 'r'): return 3;
    case NAME('A', 'p', 'r'): return 4;
    case NAME('M', 'a', 'y'): return 5;
    case NAME('J', 'u', 'n'): return 6;
    case NAME('J', 'u', 'l'): return 7;
    case NAME('A', 'u', 'g'): return 8;
    case NAME('S', 'e', 'p'): return 9;
    case NAME('O', 'c', 't'): return 10;
    case NAME('N', 'o', 'v'): return 11;
    case NAME('D', 'e', 'c'): return 12;
    default: return 0;
    }
}

/* Days since 1970 of a date; 0 where there is none such. */
static int days_of(int year, int mon, int day, int64_t *days) {
    static const uint8_t days_in[] = {0, 31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31};
    int leap = mon == 2 && year % 4 == 0 && (year % 100 != 0 || year % 400 == 0);
    if (mon < 1 || mon > 12 || day < 1 || day > days_in[mon] + leap || year < 1900 || year > 2261) return 0;
    int shifted = year - (mon <= 2), era = shifted / 400, of_era = shifted - era * 400;
    int of_year = (153 * (mon + (mon > 2 ? -3 : 9)) + 2) / 5 + day - 1;
    *days = (int64_t)era * 146097 + of_era * 365 + of_era / 4 - of_era / 100 + of_year - 719468;
    return 1;
}

/* Nanoseconds since 1970 of a calendar time, and the kind of stamp that it makes. */
static inline int8_t instant(Dates *dates, int year, int mon, int day, const uint8_t *clock, int64_t fraction,
                             int8_t kind, int64_t *ns) {
    int hour = two(clock), minute = two(clock + 3), second = two(clock + 6), date = (year * 100 + mon) * 100 + day;
    *ns = 0;
    if (hour > 23 || minute > 59 || second > 60) return UNREADABLE;
    if (date != dates->date[kind]) {
        if (!days_of(year, mon, day, &dates->days[kind])) return UNREADABLE;
        dates->date[kind] = date;
    }
    *ns = (dates->days[kind] * 86400 + (hour * 60 + minute) * 60 + second) * SECOND_NS + fraction;
    return kind;
}

static inline void put(const Line *of, int name, const uint8_t *start, const uint8_t *end) {
    of->to->places[of->line].of[name].start = (int32_t)(start - of->text);
    of->to->places[of->line].of[name].end = (int32_t)(end - of->text);
}

static void framed(const Line *of, int framing, int8_t kind, int64_t ns) {
    const Fields *to = of->to;
    int64_t line = of->line;
    if (to->inner_kind[line] != NO_STAMP && to->outer_kind[line] == NO_STAMP) {
        to->outer_kind[line] = to->inner_kind[line];
        to->outer_ns[line] = to->inner_ns[line];
    }
    to->inner_kind[line] = kind;
    to->inner_ns[line] = ns;
    to->framing[line] = to->framing[line] * CHAIN + to->codes[framing];
    to->header[line] = 1;
}

/* ``Mmm dd HH:MM:SS[.ffffff] host rest``: where the rest begins; NULL where it is none. */
static const uint8_t *syslog(const Line *of, const uint8_t *at, const uint8_t *end) {
    if (end - at < 19 || at[3] != ' ' || at[6] != ' ' || !shaped(at + 7, "00:00:00")) return NULL;
    if (!digit(at[5]) || !(digit(at[4]) || at[4] == ' ')) return NULL;
    int mon = month(at);
    int precise = at[15] == '.' && end - at > 22 && at[22] == ' ';
    if (!mon || (precise ? !digits(at + 16, 6) : at[15] != ' ')) return NULL;
    const uint8_t *host = at + (precise ? 23 : 16), *stop = find(host, end, ' ');
    if (stop == host || end - stop < 2 || *host == '[' || *host == '%') return NULL;
    if (stop[-1] == ':' || stop[1] == ' ') return NULL;
    int64_t fraction = 0, ns;
    for (int i = 16; precise && i < 22; i++) fraction = fraction * 10 + at[i] - '0';
    int day = (at[4] == ' ' ? 0 : at[4] - '0') * 10 + at[5] - '0';
    int8_t kind = instant(of->dates, 2000, mon, day, at + 7, fraction * 1000, YEARLESS, &ns);
    framed(of, precise ? PRECISE : TRADITIONAL, kind, ns);
    put(of, HOST, host, stop);
    return stop + 1;
}

/* Whether ``YYYY-MM-DD HH:MM:SS`` stands here, with a blank, a point or a comma behind it, and something more. */
static int dated(const uint8_t *at, const uint8_t *end) {
    return end - at > 20 && (at[19] == ' ' || at[19] == '.' || at[19] == ',') && shaped(at, "0000-00-") &&
           shaped(at + 8, "00 00:00") && shaped(at + 11, "00:00:00");
}

/* Whether a message might be a log line of its own, by how the framings begin that may stand behind a tag. */
static int like_a_log(const uint8_t *at, const uint8_t *end) {
    static const char levels[] = "TRACDEBUINFOAUDIWARNERROCRIT";
    if (at == end) return 0;
    if (*at == '[') return end - at > 1 && (uint8_t)(at[1] - 'A') < 26; /* a day's name; not the kernel's uptime */
    if (*at == '(') { /* the name of a logger, and a colon */
        const uint8_t *limit = end - at > 64 ? at + 64 : end, *close = find(at, limit, ')');
        return close == limit ? limit < end : end - close > 1 && close[1] == ':';
    }
    if (digit(*at) || *at == '<' || *at == '{' || *at == '=') return 1;
    for (int i = 0; end - at >= 4 && i < 28; i += 4)
        if (!memcmp(levels + i, at, 4)) return 1;
    return 0;
}

/* Whether a month follows, a year and a month, or one of the marks that a switch puts before a doubtful stamp. */
static int switch_stamp(const uint8_t *at, const uint8_t *end) {
    return end - at > 8 && (month(at) || *at == '*' || *at == '.' || (digits(at, 4) && month(at + 5)));
}

/* ``program:`` or ``program[pid]:`` before a message: where that begins; NULL where there is no tag. */
static const uint8_t *tag(const Line *of, const uint8_t *at, const uint8_t *end) {
    const uint8_t *limit = end - at < 64 ? end : at + 64, *stop = at;
    while (stop < limit && *stop != ':' && *stop != '[' && !blank(*stop)) stop++;
    if (stop == limit || stop == at || *at == '%' || blank(*stop)) return NULL;
    const uint8_t *after = stop + 1;
    int64_t pid = -1;
    if (*stop == '[') {
        for (pid = 0; after < end && digit(*after); after++) {
            if (after - stop > 10) return NULL;
            pid = pid * 10 + *after - '0';
        }
        if (after == stop + 1 || after == end || *after != ']') return NULL;
        after++;
        after += after < end && *after == ':';
    }
    after += after < end && *after == ' ';
    put(of, PROGRAM, at, stop);
    of->to->pid[of->line] = pid;
    return after;
}

/* The bracket with the request's ids. */
typedef struct {
    int shape;
    const uint8_t *after, *word[6], *stop[6];
    int request, global, user, project; /* which word is which; -1 for none */
} Context;

static int is_word(const Context *context, int which, const char *text, int64_t size) {
    return context->stop[which] - context->word[which] == size && !memcmp(context->word[which], text, (size_t)size);
}

static int says_nothing(const Context *context, int which) {
    return is_word(context, which, "", 0) || is_word(context, which, "-", 1) || is_word(context, which, "None", 4);
}

static int is_request(const Context *context, int which) {
    const uint8_t *at = context->word[which];
    return context->stop[which] - at == 40 && !memcmp(at, "req-", 4) && hexadecimal(at + 4);
}

static void bracket(const uint8_t *at, const uint8_t *end, Context *found) {
    found->shape = NONE;
    found->after = at;
    found->request = found->global = found->user = found->project = -1;
    const uint8_t *close = at < end && *at == '[' ? find(at, end, ']') : end;
    if (close == end) return;
    int words = 0;
    for (const uint8_t *begin = at + 1; words < 9; words++) {
        const uint8_t *stop = find(begin, close, ' ');
        if (words < 6) found->word[words] = begin, found->stop[words] = stop;
        begin = stop + 1;
        if (stop == close) {
            words++;
            break;
        }
    }
    int request = is_request(found, 0);
    int both = words > 1 && is_request(found, 1) && (request || is_word(found, 0, "None", 4));
    int others = words - (both ? 2 : 1);
    if (is_word(found, 0, "-", 1) && words == 1) {
        found->shape = DASH;
    } else if (both) {
        found->shape = others == 6 ? GLOBAL : others == 2 ? NAMES : NONE;
    } else if (request) {
        found->shape = others == 2 ? THREE : others <= 1 ? ONE : others == 5 ? FIVE : NONE;
    } else if (words == 3 && found->stop[0] - found->word[0] == 36 && hexadecimal(found->word[0])) {
        found->shape = UUID;
    }
    if (found->shape == NONE) return;
    found->after = close + 1;
    found->after += found->after < end && *found->after == ' ';
    if (found->shape == DASH) return;
    found->request = both;
    if (both && request) found->global = 0;
    if (others >= 2) {
        /* since 2016 devstack writes project before user; only it writes names there (devstack b6753cea) */
        found->user = both + 1 + (found->shape == NAMES);
        found->project = both + 2 - (found->shape == NAMES);
    }
}

/* Which release's grammar it is, by the parts that are there; -1 where none fits. */
static int generation(int shape, uint8_t behind, int numbered) {
    int usual = shape == DASH || shape == THREE;
    if (behind == ',') return !numbered && (shape == UUID || shape == DASH) ? DIABLO : -1;
    if (behind == ' ') return usual ? (numbered ? FOLSOM : ESSEX) : -1;
    if (usual) return numbered ? HAVANA : GRIZZLY;
    if (!numbered) return -1;
    return shape == ONE ? JUNO : shape == FIVE ? KILO : shape == GLOBAL ? ZED : shape == NAMES ? DEVSTACK : -1;
}

/* 1 for a word that is a level, 2 for one that tracebacks have; 0 for another word. */
static int level(const uint8_t *at, int64_t size) {
    switch (size) {
    case 4: return !memcmp(at, "INFO", 4) || !memcmp(at, "WARN", 4);
    case 5:
        if (!memcmp(at, "ERROR", 5) || !memcmp(at, "TRACE", 5)) return 2;
        return !memcmp(at, "DEBUG", 5) || !memcmp(at, "AUDIT", 5);
    case 7: return !memcmp(at, "WARNING", 7);
    case 8: return !memcmp(at, "CRITICAL", 8);
    default: return 0;
    }
}

static int named(const uint8_t *at, const uint8_t *end) {
    if (end - at > 64) return 0;
    for (; at < end; at++)
        if (!digit(*at) && !letter(*at) && *at != '_' && *at != '.' && *at != '-') return 0;
    return 1;
}

/* A line of oslo.log or its ancestors from its stamp on, which is there; 0 where it is none, and nothing is written. */
static int oslo(const Line *of, const uint8_t *at, const uint8_t *end) {
    uint8_t behind = at[19];
    int millis = behind != ' ';
    if (millis && !(end - at > 23 && digits(at + 20, 3) && at[23] == ' ')) return 0;
    const uint8_t *word = at + (millis ? 24 : 20), *stop = word;
    int64_t pid = 0;
    while (stop < end && digit(*stop) && stop - word < 11) pid = pid * 10 + *stop++ - '0';
    int numbered = stop > word && stop - word <= 10 && stop < end && *stop == ' ';
    if (numbered) word = stop + 1;
    stop = find(word, end - word > 9 ? word + 9 : end, ' ');
    int rank = stop < end ? level(word, stop - word) : 0;
    if (!rank) return 0;
    const uint8_t *logger = stop + 1, *logger_end = find(logger, end, ' ');
    if (logger_end == end || logger_end == logger || !(letter(*logger) || *logger == '_')) return 0;
    Context context;
    const uint8_t *tail = logger_end + 1;
    bracket(tail, end, &context);
    int prefixed = end - tail >= 11 && !memcmp(tail, "[instance: ", 11);
    int framing = -1, bare = !(tail < end && *tail == '[' && !prefixed) && named(logger, logger_end);
    framing = bare ? BARE : context.shape ? generation(context.shape, behind, numbered) : -1;
    if (framing < 0) return 0;
    const uint8_t *message = context.after, *instance = NULL;
    if (end - message > 11 && !memcmp(message, "[instance: ", 11)) {
        if (end - message <= 47 || message[47] != ']' || !hexadecimal(message + 11)) return 0;
        instance = message + 11;
        message += 48;
        message += message < end && *message == ' ';
    }
    int64_t fraction = millis ? (at[20] - '0') * 100 + two(at + 21) : 0, ns;
    int year = two(at) * 100 + two(at + 2);
    int8_t kind = instant(of->dates, year, two(at + 5), two(at + 8), at + 11, fraction * 1000000, LOCAL, &ns);
    framed(of, framing, kind, ns);
    if (numbered) of->to->pid[of->line] = pid;
    put(of, SEVERITY, word, stop);
    put(of, LOGGER, logger, logger_end);
    const int from[] = {context.request, context.global, context.user, context.project};
    for (int i = 0; i < 4; i++) {
        int k = from[i];
        if (k < 0 || (i >= 2 && says_nothing(&context, k))) continue;
        put(of, REQUEST + i, context.word[k], context.stop[k]);
    }
    of->to->context[of->line] = context.shape != NONE;
    of->to->trace[of->line] = context.shape == NONE && rank == 2;
    if (instance) put(of, INSTANCE, instance, instance + 36);
    put(of, MESSAGE, message, end);
    return 1;
}

/* 1 where some pattern may claim a line: every framing needs six digits, but those in JSON, those that begin with a
   bracket or a priority, and the mnemonics of switches. 2 where it may be a remark or a prompt, 3 for both. */
EXPORT int64_t log_possible(const uint8_t *text, int64_t size, const int64_t *start, const int64_t *end,
                            const int64_t *lines, int64_t count, uint8_t *possible) {
    for (int64_t i = 0; i < count; i++) {
        int64_t line = lines[i];
        if (start[line] < 0 || end[line] < start[line] || end[line] > size) return -1;
        const uint8_t *at = text + start[line], *stop = text + end[line];
        int seen = at < stop && (*at == '{' || *at == '(') ? 6 : 0;
        int apart = at < stop && (*at == '-' || *at == '$' || memchr(at, '@', (size_t)(stop - at)));
        for (; at < stop && seen < 6; at++) seen += digit(*at) ? 1 : *at == '%' || *at == '<' ? 6 : 0;
        possible[i] = (uint8_t)((seen >= 6) | apart << 1);
    }
    return count;
}

/* Reads the header of each line that has one of those known here.

   Lines with a syslog header whose rest is for the patterns are listed in `further` and the place of that rest in
   `places`: those behind the host name from the front of the lists, those behind a tag from their back.
   Returns the former in the lower, the latter in the upper 32 bits; -1 where a line lies outside the text. */
EXPORT int64_t log_headers(const uint8_t *text, int64_t size, const int64_t *start, const int64_t *end,
                           const int64_t *lines, int64_t count, const Fields *to, int64_t *further, int64_t *places) {
    int64_t front = 0, back = 0;
    Dates dates = {{-1, -1, -1}, {0}};
    if (size > INT32_MAX) return -1;
    for (int64_t i = 0; i < count; i++) {
        int64_t line = lines[i];
        if (start[line] < 0 || end[line] < start[line] || end[line] > size) return -1;
        const uint8_t *at = text + start[line], *stop = text + end[line], *rest, *message;
        Line of = {text, to, line, &dates};
        if (at == stop) continue;
        if (digit(*at)) {
            if (dated(at, stop)) oslo(&of, at, stop);
            continue;
        }
        if (*at < 'A' || *at > 'S' || !(rest = syslog(&of, at, stop))) continue;
        int tagged = 0;
        if (dated(rest, stop)) {
            if (oslo(&of, rest, stop)) continue;
        } else if (!like_a_log(rest, stop) && (message = tag(&of, rest, stop))) {
            if (!switch_stamp(message, stop)) {
                put(&of, MESSAGE, message, stop);
                int stamped = dated(message, stop);
                if ((stamped && oslo(&of, message, stop)) || !(stamped || like_a_log(message, stop))) continue;
                tagged = 1;
                rest = message;
            } else {
                to->places[line].of[PROGRAM].start = to->places[line].of[PROGRAM].end = -1;
                to->pid[line] = -1;
            }
        }
        int64_t slot = tagged ? count - ++back : front++;
        further[slot] = line;
        places[slot] = rest - text;
    }
    return front | back << 32;
}
