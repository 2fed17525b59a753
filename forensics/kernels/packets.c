/* Headers of packets, and the chain of records that holds them: what the numpy engine of forensics.loaders.captures
   says, packet by packet. Names and numbers are those of _layouts.py there, where the standards are cited.

   An octet is read only where `holds` has said that it was captured: at + octets <= stop <= end <= size. */
#include "kernels.h"

EXPORT int32_t packets_version(void) { return 5; }

/* Columns, in the order of COLUMNS in _compiled_engine.py. */
enum {
    ETHERTYPE, IP_VERSION, IP_BYTES, TTL, IP_ID, DONT_FRAGMENT, MORE_FRAGMENTS, FRAGMENT_OFFSET, PROTOCOL, SRC_PORT,
    DST_PORT, TCP_FLAGS, TCP_SEQ, TCP_ACK, TCP_WINDOW, TCP_MSS, PAYLOAD_BYTES, PAYLOAD_OFFSET, ICMP_TYPE, ICMP_CODE,
    ICMP_ID, ICMP_SEQ, ICMP_MTU, ARP_OP, TUNNEL_ID, ETH_SRC, ETH_DST, SRC, DST, ARP_SENDER_MAC, ARP_SENDER_IP,
    ARP_TARGET_MAC, ARP_TARGET_IP, COLUMNS
};
/* Groups of columns that hold a value together. */
enum {
    HAVE_TYPED = 1 << 1, HAVE_TAGGED = 1 << 2, HAVE_LABELLED = 1 << 3, HAVE_IP = 1 << 4, HAVE_IPV4 = 1 << 5,
    HAVE_FRAGMENT = 1 << 6, HAVE_PROTOCOL = 1 << 7, HAVE_PORTS = 1 << 8, HAVE_TCP = 1 << 9, HAVE_MSS = 1 << 10,
    HAVE_LENGTH = 1 << 11, HAVE_PLACE = 1 << 12, HAVE_ICMP = 1 << 13, HAVE_ECHO = 1 << 14, HAVE_MTU = 1 << 15,
    HAVE_ARP = 1 << 16, HAVE_TUNNEL = 1 << 17, HAVE_TUNNEL_ID = 1 << 18, HAVE_TOTAL = 1 << 19
};
/* What may begin at a place in a packet. */
enum {
    NOTHING, STACKED, INET, INET6, RESOLUTION, LABELS, SIZED, LOGICAL, IMPOSSIBLE, EITHER_INET, UNTYPED, FRAME,
    COOKED_FRAME, COOKED2_FRAME, HOST_FAMILY, NETWORK_FAMILY, UNDECODED, BROKEN
};
enum { OK, CUT, MALFORMED, UNKNOWN };
enum { VXLAN = 1, GENEVE, GRE };
enum { DEPTH = 255, ADDRESSES_A_PACKET = 6, LOOKUPS = 64, AHEAD = 8, MEMOS = 256 };
#ifdef __GNUC__
#define PREFETCH(address) __builtin_prefetch(address)
#else
#define PREFETCH(address) ((void)(address))
#endif

/* Open addressing over keys of one or two words, as _Table in _addresses.py keeps it. */
struct table {
    uint64_t *high, *low; /* low is NULL where a key has one word, which is `high` then */
    uint32_t *codes, *slots;
    uint64_t multipliers[3];
    int64_t size, room, bits;
};
struct book {
    struct table mac, ipv4, ipv6;
    int64_t size;
};
/* An address met lately, and its code; 0 where there is none. */
struct memo {
    uint64_t high, low;
    uint32_t code;
};
/* An address whose code is wanted. */
struct lookup {
    uint32_t *to;
    struct table *table;
    struct memo *memo;
    uint64_t high, low, slot;
};
struct desk {
    struct lookup lookups[LOOKUPS];
    struct memo mac[MEMOS], ipv4[MEMOS], ipv6[MEMOS];
    int waiting;
};
/* Packets inside packets: arrays of what `Inside` holds. */
struct inside {
    int64_t *rows, *at, *end, *wire, *declared;
    uint8_t *entry;
    uint16_t *ethertype;
    int64_t count;
};
/* Lists of the packets, one behind another. */
struct lists {
    int64_t *offsets;
    void *words; /* 16 bits each in tags, 32 in labels */
    uint16_t *types;
    int64_t room;
};
struct level {
    const uint8_t *buffer;
    int64_t size, base_offset, count;
    const uint8_t *kinds;
    struct inside packets;
    void *columns[COLUMNS];
    uint32_t *have;
    uint8_t *status, *tunnel;
    struct book *book;
    struct lists tags, labels;
    struct inside quotes, carried;
    int32_t digs, is_quoted;
    struct desk *desk;
};
struct packet {
    int64_t row, at, end, wire, declared, stop;
    uint32_t have, kind, ethertype, status, protocol;
    int fragmented;
};

#define PUT(type, column, value)                                                                                       \
    do {                                                                                                               \
        if (level->columns[column]) ((type *)level->columns[column])[p->row] = (type)(value);                          \
    } while (0)

static int64_t least(int64_t a, int64_t b) { return a < b ? a : b; }

static void blame(struct packet *p, uint32_t status) {
    if (p->status == OK) p->status = status;
}

static int holds(struct packet *p, int64_t octets) {
    if (p->at + octets <= p->stop) return 1;
    blame(p, p->at + octets > p->declared ? MALFORMED : CUT);
    return 0;
}

static void narrow(struct packet *p, int64_t until) {
    p->declared = until;
    p->stop = least(p->stop, until);
}

static uint64_t big48(const uint8_t *at) { return (uint64_t)big16(at) << 32 | big32(at + 2); }

static uint64_t slot_of(const struct table *table, uint64_t high, uint64_t low) {
    uint64_t mixed = high * table->multipliers[0];
    if (table->low) {
        mixed ^= mixed >> 32;
        mixed += low * table->multipliers[1];
    }
    mixed ^= mixed >> 29;
    return mixed * table->multipliers[2] >> (64 - table->bits);
}

static uint32_t code_of(struct book *book, const struct lookup *asked) {
    struct table *table = asked->table;
    uint64_t high = asked->high, low = asked->low, slot = asked->slot, last = ((uint64_t)1 << table->bits) - 1;
    for (;; slot = (slot + 1) & last) { /* at most a quarter of the slots is taken: see `room` */
        uint32_t place = table->slots[slot];
        if (!place) break;
        if (table->high[place] == high && (!table->low || table->low[place] == low)) return table->codes[place];
    }
    int64_t place = table->size++;
    table->slots[slot] = (uint32_t)place;
    table->high[place] = high;
    if (table->low) table->low[place] = low;
    return table->codes[place] = (uint32_t)book->size++;
}

/* Looks up what waits: many at once, since each of them waits for memory. */
static void settle(struct level *level) {
    struct desk *desk = level->desk;
    for (int i = 0; i < desk->waiting; i++) {
        const struct lookup *asked = desk->lookups + i;
        uint32_t place = asked->table->slots[asked->slot];
        PREFETCH(asked->table->high + place);
        PREFETCH(asked->table->codes + place);
        if (asked->table->low) PREFETCH(asked->table->low + place);
    }
    for (int i = 0; i < desk->waiting; i++) {
        const struct lookup *asked = desk->lookups + i;
        *asked->to = code_of(level->book, asked);
        *asked->memo = (struct memo){asked->high, asked->low, *asked->to};
    }
    desk->waiting = 0;
}

static void ask(struct desk *desk, uint32_t *to, struct table *table, struct memo *memos, uint64_t high, uint64_t low) {
    uint64_t slot = slot_of(table, high, low);
    struct memo *memo = memos + slot % MEMOS;
    if (memo->code && memo->high == high && memo->low == low) {
        *to = memo->code;
        return;
    }
    PREFETCH(table->slots + slot);
    desk->lookups[desk->waiting++] = (struct lookup){to, table, memo, high, low, slot};
}

#define ADDRESS(column, kind, high, low)                                                                               \
    do {                                                                                                               \
        if (level->columns[column])                                                                                    \
            ask(level->desk, (uint32_t *)level->columns[column] + p->row, &level->book->kind, level->desk->kind, high, \
                low);                                                                                                  \
    } while (0)

static int has_room(const struct table *table) { return table->size + LOOKUPS <= table->room; }

static void carry(struct inside *to, const struct packet *p, int64_t at, uint32_t entry, uint32_t ethertype) {
    if (!to->rows) return;
    int64_t i = to->count++;
    to->rows[i] = p->row, to->at[i] = at, to->end[i] = p->end, to->wire[i] = p->wire, to->declared[i] = p->declared;
    to->entry[i] = (uint8_t)entry, to->ethertype[i] = (uint16_t)ethertype;
}

static void payload(const struct level *level, struct packet *p, int64_t header, int64_t until) {
    int64_t place = p->at + header;
    PUT(uint32_t, PAYLOAD_BYTES, until > place ? until - place : 0);
    p->have |= HAVE_LENGTH;
    if (place <= p->end) {
        p->have |= HAVE_PLACE;
        PUT(int64_t, PAYLOAD_OFFSET, place + level->base_offset);
    }
}

static void typed(const struct level *level, struct packet *p, uint32_t type) {
    p->ethertype = type;
    p->kind = level->kinds[type];
}

/* ---- link layer */

static void family(struct packet *p, uint32_t family) {
    int either = family == 2 || family == 10 || family == 24 || family == 28 || family == 30;
    p->kind = either ? EITHER_INET : UNTYPED;
    p->at += 4;
}

static void begin(struct level *level, struct packet *p) {
    static const uint8_t sizes[BROKEN + 1] = {
        [FRAME] = 14, [COOKED_FRAME] = 16, [COOKED2_FRAME] = 20, [HOST_FAMILY] = 4, [NETWORK_FAMILY] = 4};
    uint32_t entry = p->kind;
    if (!sizes[entry]) return;
    if (!holds(p, sizes[entry])) {
        p->kind = BROKEN;
        return;
    }
    const uint8_t *head = level->buffer + p->at;
    if (entry == HOST_FAMILY || entry == NETWORK_FAMILY) {
        uint32_t big = big32(head), little = little32(head);
        family(p, entry == HOST_FAMILY && little < big ? little : big);
        return;
    }
    p->at += sizes[entry];
    if (entry == FRAME) {
        ADDRESS(ETH_DST, mac, big48(head), 0);
        ADDRESS(ETH_SRC, mac, big48(head + 6), 0);
        typed(level, p, big16(head + 12));
        return;
    }
    int first = entry == COOKED_FRAME;
    if ((first ? big16(head + 4) : head[11]) == 6) ADDRESS(ETH_SRC, mac, big48(head + (first ? 6 : 12)), 0);
    uint32_t type = big16(head + (first ? 14 : 0));
    typed(level, p, type);
    if (type < 0x0600) p->kind = type == 0x0004 ? LOGICAL : UNTYPED;
}

static int64_t tags(struct level *level, struct packet *p, int64_t used) {
    int64_t first = used;
    for (int depth = 0; p->kind == STACKED && depth < DEPTH; depth++) {
        if (!holds(p, 4)) {
            p->kind = BROKEN;
            return first;
        }
        const uint8_t *head = level->buffer + p->at;
        if (level->tags.words) {
            ((uint16_t *)level->tags.words)[used] = big16(head);
            level->tags.types[used++] = (uint16_t)p->ethertype;
        }
        typed(level, p, big16(head + 2));
        p->at += 4;
    }
    if (p->kind != STACKED) return used;
    blame(p, MALFORMED);
    p->kind = BROKEN;
    return first;
}

static void logical_link(struct level *level, struct packet *p) {
    if (p->kind == SIZED) narrow(p, least(p->at + p->ethertype, p->declared));
    if (!holds(p, 3)) return;
    const uint8_t *head = level->buffer + p->at;
    if (big16(head) != 0xAAAA || head[2] != 3 || !holds(p, 8)) return;
    uint32_t organisation = (uint32_t)head[3] << 16 | big16(head + 4), type = big16(head + 6);
    if ((organisation != 0 && organisation != 0x0000F8 && organisation != 0x080007) || type < 0x0600) return;
    p->at += 8;
    typed(level, p, type);
    p->have |= HAVE_TYPED;
}

static int64_t link(struct level *level, struct packet *p, int64_t used) {
    begin(level, p);
    used = tags(level, p, used);
    switch (p->kind) {
    case UNDECODED: blame(p, UNKNOWN); break;
    case BROKEN: break;
    case SIZED: case LOGICAL: case IMPOSSIBLE: case EITHER_INET: case UNTYPED: p->have |= HAVE_TAGGED; break;
    default: p->have |= HAVE_TYPED | HAVE_TAGGED;
    }
    if (p->kind == SIZED || p->kind == LOGICAL) logical_link(level, p);
    if (p->kind == IMPOSSIBLE) blame(p, MALFORMED);
    PUT(uint16_t, ETHERTYPE, p->ethertype);
    return used;
}

static int64_t labels(struct level *level, struct packet *p, int64_t used) {
    int64_t first = used;
    for (int depth = 0; depth < DEPTH; depth++) {
        if (!holds(p, 4)) {
            p->kind = BROKEN;
            return first;
        }
        uint32_t word = big32(level->buffer + p->at);
        if (level->labels.words) ((uint32_t *)level->labels.words)[used++] = word >> 12;
        p->at += 4;
        if (word & 0x100) {
            p->have |= HAVE_LABELLED;
            p->kind = EITHER_INET;
            if (holds(p, 1)) {
                uint32_t digit = level->buffer[p->at] >> 4;
                if (digit != 4 && digit != 6) p->kind = NOTHING;
            }
            return used;
        }
    }
    blame(p, MALFORMED);
    p->kind = BROKEN;
    return first;
}

static void resolution(struct level *level, struct packet *p) {
    if (!holds(p, 8)) return;
    const uint8_t *head = level->buffer + p->at;
    if (!holds(p, 8 + 2 * ((int64_t)head[4] + head[5]))) return;
    PUT(uint16_t, ARP_OP, big16(head + 6));
    p->have |= HAVE_ARP;
    if (head[4] != 6 || head[5] != 4 || big16(head + 2) != 0x0800) return;
    ADDRESS(ARP_SENDER_MAC, mac, big48(head + 8), 0);
    ADDRESS(ARP_TARGET_MAC, mac, big48(head + 18), 0);
    ADDRESS(ARP_SENDER_IP, ipv4, big32(head + 14), 0);
    ADDRESS(ARP_TARGET_IP, ipv4, big32(head + 24), 0);
}

/* ---- network layer: whether a transport header follows */

static int ipv4(struct level *level, struct packet *p) {
    if (!holds(p, 20)) return 0;
    const uint8_t *head = level->buffer + p->at;
    int64_t total = big16(head + 2), size = (head[0] & 15) * 4;
    if (head[0] >> 4 != 4 || size < 20 || (total < size && total)) {
        blame(p, MALFORMED);
        return 0;
    }
    if (!total) total = p->wire - p->at;
    narrow(p, p->at + total);
    uint32_t fragment = big16(head + 6), offset = (fragment & 0x1FFF) << 3;
    int more = (fragment & 0x2000) != 0;
    PUT(uint8_t, IP_VERSION, 4);
    PUT(uint32_t, IP_BYTES, total);
    PUT(uint8_t, TTL, head[8]);
    PUT(uint32_t, IP_ID, big16(head + 4));
    PUT(uint8_t, DONT_FRAGMENT, (fragment & 0x4000) != 0);
    PUT(uint8_t, MORE_FRAGMENTS, more);
    PUT(uint16_t, FRAGMENT_OFFSET, offset);
    PUT(uint8_t, PROTOCOL, head[9]);
    p->protocol = head[9];
    ADDRESS(SRC, ipv4, big32(head + 12), 0);
    ADDRESS(DST, ipv4, big32(head + 16), 0);
    p->have |= HAVE_IP | HAVE_TOTAL | HAVE_IPV4 | HAVE_FRAGMENT | HAVE_PROTOCOL;
    if (!holds(p, size)) return 0;
    p->at += size;
    p->fragmented = more;
    if (offset) payload(level, p, 0, p->declared);
    return !offset;
}

static int extends(uint32_t protocol) {
    return protocol == 0 || protocol == 43 || protocol == 44 || protocol == 51 || protocol == 60 || protocol == 135;
}

/* Walks the extension headers: 0 where the transport protocol stays unknown, 2 in a later fragment, otherwise 1. */
static int extensions(struct level *level, struct packet *p, int unsaid) {
    for (int depth = 0; depth < DEPTH; depth++) {
        if (!extends(p->protocol)) return 1;
        if (!holds(p, 8)) return 0;
        const uint8_t *head = level->buffer + p->at;
        uint32_t kind = p->protocol;
        int64_t size = kind == 44 ? 8 : kind == 51 ? 4 * (int64_t)head[1] + 8 : 8 * (int64_t)head[1] + 8;
        if (!holds(p, size)) return 0;
        if (kind == 0 && unsaid) {
            unsaid = 0;
            p->have |= HAVE_TOTAL;
            if (big16(head + 2) == 0xC204) {
                int64_t length = big32(head + 4);
                if (length > 0xFFFF) {
                    PUT(uint32_t, IP_BYTES, length + 40);
                    narrow(p, p->at + length);
                } else
                    blame(p, MALFORMED);
            }
        }
        p->protocol = head[0];
        p->at += size;
        if (kind != 44) continue;
        uint32_t field = big16(head + 2);
        PUT(uint32_t, IP_ID, big32(head + 4));
        PUT(uint16_t, FRAGMENT_OFFSET, field & 0xFFF8);
        PUT(uint8_t, MORE_FRAGMENTS, field & 1);
        p->have |= HAVE_FRAGMENT;
        p->fragmented = field & 1;
        if (field < 8) continue;
        payload(level, p, 0, p->declared);
        return extends(p->protocol) ? 0 : 2;
    }
    if (!extends(p->protocol)) return 1;
    blame(p, MALFORMED);
    return 0;
}

static int ipv6(struct level *level, struct packet *p) {
    if (!holds(p, 40)) return 0;
    const uint8_t *head = level->buffer + p->at;
    if (head[0] >> 4 != 6) {
        blame(p, MALFORMED);
        return 0;
    }
    int64_t length = big16(head + 4);
    uint32_t following = head[6];
    int unsaid = !length && following != 59;
    int64_t total = unsaid ? p->wire - p->at : length + 40;
    narrow(p, p->at + total);
    PUT(uint8_t, IP_VERSION, 6);
    PUT(uint32_t, IP_BYTES, total);
    PUT(uint8_t, TTL, head[7]);
    ADDRESS(SRC, ipv6, big64(head + 8), big64(head + 16));
    ADDRESS(DST, ipv6, big64(head + 24), big64(head + 32));
    int jumbo = unsaid && !following;
    p->have |= jumbo ? HAVE_IP : HAVE_IP | HAVE_TOTAL;
    p->at += 40;
    p->protocol = following;
    int known = extensions(level, p, jumbo);
    if (!known) return 0;
    PUT(uint8_t, PROTOCOL, p->protocol);
    p->have |= HAVE_PROTOCOL;
    return known == 1;
}

/* ---- transport layer */

static void ports(struct level *level, struct packet *p, const uint8_t *head) {
    PUT(uint16_t, SRC_PORT, big16(head));
    PUT(uint16_t, DST_PORT, big16(head + 2));
    p->have |= HAVE_PORTS;
}

static void segment_size(struct level *level, struct packet *p, int64_t size) {
    int64_t at = p->at + 20, stop = least(p->at + size, p->stop);
    while (at < stop) {
        uint32_t kind = level->buffer[at];
        if (kind == 0) return;
        if (kind == 1) {
            at++;
            continue;
        }
        if (at + 2 > stop) return;
        uint32_t length = level->buffer[at + 1];
        if (kind == 2 && length == 4 && at + 4 <= stop) {
            PUT(uint16_t, TCP_MSS, big16(level->buffer + at + 2));
            p->have |= HAVE_MSS;
            return;
        }
        if (length < 2) return;
        at += length;
    }
}

static void tcp(struct level *level, struct packet *p) {
    if (!holds(p, 20)) return;
    const uint8_t *head = level->buffer + p->at;
    uint32_t flags = big16(head + 12);
    int64_t size = (flags >> 12) * 4;
    if (size < 20 || p->at + size > p->declared) {
        blame(p, MALFORMED);
        return;
    }
    ports(level, p, head);
    p->have |= HAVE_TCP;
    PUT(uint16_t, TCP_FLAGS, flags & 0x0FFF);
    PUT(uint32_t, TCP_SEQ, big32(head + 4));
    PUT(uint32_t, TCP_ACK, big32(head + 8));
    PUT(uint16_t, TCP_WINDOW, big16(head + 14));
    payload(level, p, size, p->declared);
    if (flags & 2 && size > 20) segment_size(level, p, size);
    holds(p, size);
}

static void tunnel(struct level *level, struct packet *p, uint32_t word) {
    level->tunnel[p->row] = (uint8_t)word;
    p->have |= HAVE_TUNNEL;
}

static void tunnel_id(struct level *level, struct packet *p, uint32_t number) {
    PUT(uint32_t, TUNNEL_ID, number);
    p->have |= HAVE_TUNNEL_ID;
}

static void carried(struct level *level, struct packet *p, int64_t size, uint32_t type) {
    int framed = type == 0x6558 || type == 0x88BE || type == 0x22EB;
    carry(&level->carried, p, p->at + size, framed ? FRAME : type < 0x0600 ? UNTYPED : level->kinds[type], type);
}

static void vxlan(struct level *level, struct packet *p) {
    if (!holds(p, 16)) return;
    const uint8_t *head = level->buffer + p->at + 8;
    if (!(head[0] & 8)) return;
    tunnel(level, p, VXLAN);
    tunnel_id(level, p, big32(head + 4) >> 8);
    carry(&level->carried, p, p->at + 16, FRAME, 0);
}

static void geneve(struct level *level, struct packet *p) {
    if (!holds(p, 16)) return;
    const uint8_t *head = level->buffer + p->at + 8;
    if (head[0] >> 6) return;
    tunnel(level, p, GENEVE);
    tunnel_id(level, p, big32(head + 4) >> 8);
    int64_t size = (head[0] & 63) * 4 + 16;
    if (holds(p, size)) carried(level, p, size, big16(head + 2));
}

static void udp(struct level *level, struct packet *p) {
    if (!holds(p, 8)) return;
    const uint8_t *head = level->buffer + p->at;
    int64_t length = big16(head + 4);
    if (length < 8 && length) {
        blame(p, MALFORMED);
        return;
    }
    ports(level, p, head);
    int64_t until = length ? p->at + length : p->declared;
    if (until > p->declared && !p->fragmented)
        blame(p, MALFORMED);
    else
        payload(level, p, 8, least(until, p->declared));
    uint32_t port = big16(head + 2);
    if (!level->digs || (port != 4789 && port != 8472 && port != 6081)) return;
    narrow(p, least(until, p->declared));
    if (port == 6081)
        geneve(level, p);
    else
        vxlan(level, p);
}

static void message(struct level *level, struct packet *p, int six) {
    if (!holds(p, 8)) return;
    const uint8_t *head = level->buffer + p->at;
    uint32_t kind = head[0];
    PUT(uint8_t, ICMP_TYPE, kind);
    PUT(uint8_t, ICMP_CODE, head[1]);
    p->have |= HAVE_ICMP;
    payload(level, p, 8, p->declared);
    if (six ? kind == 128 || kind == 129 : kind == 0 || kind == 8 || (kind >= 13 && kind <= 18)) {
        PUT(uint16_t, ICMP_ID, big16(head + 4));
        PUT(uint16_t, ICMP_SEQ, big16(head + 6));
        p->have |= HAVE_ECHO;
    }
    if (six ? kind == 2 : kind == 3 && head[1] == 4) {
        PUT(uint32_t, ICMP_MTU, six ? big32(head + 4) : big16(head + 6));
        p->have |= HAVE_MTU;
    }
    if (six ? kind >= 1 && kind <= 4 : kind == 3 || kind == 4 || kind == 5 || kind == 11 || kind == 12)
        carry(&level->quotes, p, p->at + 8, EITHER_INET, 0);
}

static void gre(struct level *level, struct packet *p) {
    if (!holds(p, 4)) return;
    const uint8_t *head = level->buffer + p->at;
    uint32_t flags = big16(head), type = big16(head + 2);
    int checked = (flags & 0xC000) != 0, keyed = (flags & 0x2000) != 0, numbered = (flags & 0x1000) != 0;
    int64_t size = 4 + 4 * (checked + keyed + numbered);
    if (!holds(p, size)) return;
    tunnel(level, p, GRE);
    if (flags & 7) return;
    if (keyed) tunnel_id(level, p, big32(head + 4 + 4 * checked));
    if (flags & 0x4000) return;
    if ((type == 0x88BE && numbered) || type == 0x22EB) {
        int third = type == 0x22EB, more = third ? 12 : 8;
        if (!holds(p, size + more)) return;
        head += size;
        if (head[0] >> 4 != (third ? 2 : 1)) return;
        size += third && head[11] & 1 ? more + 8 : more;
        if (!holds(p, size)) return;
    }
    carried(level, p, size, type);
}

static void transport(struct level *level, struct packet *p) {
    uint32_t protocol = p->protocol;
    if (level->is_quoted) {
        if ((protocol == 6 || protocol == 17 || protocol == 132) && holds(p, 8))
            ports(level, p, level->buffer + p->at);
        return;
    }
    switch (protocol) {
    case 6: tcp(level, p); break;
    case 17: udp(level, p); break;
    case 1: message(level, p, 0); break;
    case 58: message(level, p, 1); break;
    case 47: gre(level, p); break;
    case 132:
        if (!holds(p, 12)) break;
        ports(level, p, level->buffer + p->at);
        payload(level, p, 12, p->declared);
    }
}

/* Decodes the packets of one level from number `row` on. Returns the number of the first that it has no room for: an
   address book or a list has to grow then, and the rest be asked for; `count` where all are done. */
EXPORT int64_t packets_decode(struct level *level, int64_t row) {
    const struct inside *all = &level->packets;
    struct book *book = level->book;
    struct desk desk = {.waiting = 0};
    level->desk = &desk;
    int64_t used_tags = level->tags.offsets ? level->tags.offsets[row] : 0;
    int64_t used_labels = level->labels.offsets ? level->labels.offsets[row] : 0;
    for (; row < level->count; row++) {
        if (desk.waiting > LOOKUPS - ADDRESSES_A_PACKET) settle(level);
        if (!has_room(&book->mac) || !has_room(&book->ipv4) || !has_room(&book->ipv6)) break;
        if (level->tags.words && used_tags + DEPTH > level->tags.room) break;
        if (level->labels.words && used_labels + DEPTH > level->labels.room) break;
        if (row + AHEAD < level->count) {
            PREFETCH(level->buffer + all->at[row + AHEAD]);
            PREFETCH(level->buffer + all->at[row + AHEAD] + 64);
        }
        struct packet now = {.row = row, .at = all->at[row], .end = least(all->end[row], level->size)};
        struct packet *p = &now;
        if (p->at < 0) p->at = p->end;
        p->wire = all->wire[row], p->declared = all->declared[row], p->stop = least(p->end, p->declared);
        p->kind = all->entry[row], p->ethertype = all->ethertype[row];
        used_tags = link(level, p, used_tags);
        if (p->kind == LABELS) used_labels = labels(level, p, used_labels);
        if (p->kind == RESOLUTION) resolution(level, p);
        if (p->kind == EITHER_INET && holds(p, 1)) {
            uint32_t version = level->buffer[p->at] >> 4;
            if (version == 4)
                p->kind = INET;
            else if (version == 6)
                p->kind = INET6;
            else
                blame(p, MALFORMED);
        }
        if (p->kind == INET ? ipv4(level, p) : p->kind == INET6 ? ipv6(level, p) : 0) transport(level, p);
        level->have[row] = p->have;
        level->status[row] = (uint8_t)p->status;
        if (level->tags.offsets) level->tags.offsets[row + 1] = used_tags;
        if (level->labels.offsets) level->labels.offsets[row + 1] = used_labels;
    }
    settle(level);
    level->desk = NULL;
    return row;
}

/* Eight octets, each 0 or 1, as the bits of one: octet k comes to bit 56 + k, and nothing else gets there. */
static uint8_t packed(const uint8_t *truth) {
    uint64_t word = (uint64_t)little32(truth + 4) << 32 | little32(truth);
    return (uint8_t)(word * 0x0102040810204080 >> 56);
}

/* Where `have` has one bit of a group at least, as a bitmap for each group, least significant bit first: `bitmaps` has
   (count + 7) / 8 octets for each. `found` becomes how many rows of each group have it. */
EXPORT void packets_bitmaps(const uint32_t *have, int64_t count, const uint32_t *groups, int64_t many, uint8_t *bitmaps,
                            int64_t *found) {
    int64_t stride = (count + 7) / 8;
    for (int64_t group = 0; group < many; group++) found[group] = 0;
    for (int64_t row = 0; row < count; row += 64) {
        int here = (int)least(64, count - row);
        for (int64_t group = 0; group < many; group++) {
            uint8_t truth[64] = {0};
            uint32_t bits = groups[group], sum = 0;
            for (int i = 0; i < here; i++) truth[i] = (have[row + i] & bits) != 0;
            for (int i = 0; i < here; i++) sum += truth[i];
            for (int i = 0; i < here; i += 8) bitmaps[group * stride + (row + i) / 8] = packed(truth + i);
            found[group] += sum;
        }
    }
}

/* ---- addresses as text */

enum { NAME_OCTETS = 48 }; /* the longest one has 45 */

static uint8_t *decimal(uint8_t *to, uint32_t octet) {
    if (octet > 99) *to++ = (uint8_t)('0' + octet / 100);
    if (octet > 9) *to++ = (uint8_t)('0' + octet / 10 % 10);
    *to++ = (uint8_t)('0' + octet % 10);
    return to;
}

static uint8_t *dotted(uint8_t *to, uint64_t address) {
    for (int shift = 24; shift >= 0; shift -= 8) {
        to = decimal(to, address >> shift & 255);
        if (shift) *to++ = '.';
    }
    return to;
}

static uint8_t *hexadecimal(uint8_t *to, uint64_t word, int digits) {
    while (digits-- > 0) *to++ = (uint8_t)"0123456789abcdef"[word >> 4 * digits & 15];
    return to;
}

static uint8_t *mac_text(uint8_t *to, uint64_t address) {
    for (int shift = 40; shift >= 0; shift -= 8) {
        to = hexadecimal(to, address >> shift & 255, 2);
        if (shift) *to++ = ':';
    }
    return to;
}

/* As RFC 5952 writes it: the first of the longest runs of two zeros or more becomes "::". */
static uint8_t *ipv6_text(uint8_t *to, uint64_t high, uint64_t low) {
    uint32_t words[8];
    int first = -1, longest = 1, run = 0;
    for (int i = 0; i < 8; i++) {
        words[i] = (i < 4 ? high : low) >> 16 * (3 - i % 4) & 0xFFFF;
        run = words[i] ? 0 : run + 1;
        if (run > longest) longest = run, first = i + 1 - run;
    }
    int mapped = !high && low >> 32 == 0xFFFF;
    for (int i = 0; i < (mapped ? 6 : 8); i++) {
        if (i == first) {
            *to++ = ':', *to++ = ':';
            i += longest - 1;
            continue;
        }
        if (i && i != first + longest) *to++ = ':';
        to = hexadecimal(to, words[i], words[i] > 0xFFF ? 4 : words[i] > 0xFF ? 3 : words[i] > 0xF ? 2 : 1);
    }
    if (!mapped) return to;
    *to++ = ':';
    return dotted(to, low & 0xFFFFFFFF);
}

/* A string as Arrow's views keep it: twelve octets at most inside, a longer one at `place` of buffer `buffer`. */
struct view {
    uint32_t length;
    uint8_t head[4];
    uint32_t buffer, place;
};

/* Writes the labels of new codes: their views to `labels`, which has one for each code, and what is too long for a view
   to `text` from `used` on, which has room for NAME_OCTETS of each and is buffer `number`. `written` says where each
   table's new ones begin. Returns how much of the text is used then. */
EXPORT int64_t packets_labels(const struct book *book, const int64_t *written, struct view *labels, uint8_t *text,
                              int64_t used, uint32_t number) {
    const struct table *tables[3] = {&book->mac, &book->ipv4, &book->ipv6};
    for (int kind = 0; kind < 3; kind++) {
        const struct table *table = tables[kind];
        for (int64_t place = written[kind]; place < table->size; place++) {
            uint8_t *from = text + used, *to;
            if (kind == 0)
                to = mac_text(from, table->high[place]);
            else if (kind == 1)
                to = dotted(from, table->high[place]);
            else
                to = ipv6_text(from, table->high[place], table->low[place]);
            size_t length = (size_t)(to - from);
            struct view *view = labels + table->codes[place];
            *view = (struct view){.length = (uint32_t)length};
            if (length <= 12) {
                memcpy((uint8_t *)view + offsetof(struct view, head), from, length);
            } else {
                memcpy(view->head, from, sizeof view->head);
                view->buffer = number, view->place = (uint32_t)used;
                used += (int64_t)length;
            }
        }
    }
    return used;
}

/* The labels of the codes of several columns, and a bitmap of those that are not 0, which stands for null. `found`
   becomes how many of each column are not. */
EXPORT void packets_views(const uint32_t *const *codes, int64_t count, int64_t many, const struct view *labels,
                          struct view *const *views, uint8_t *bitmaps, int64_t *found) {
    uint32_t any = UINT32_MAX;
    for (int64_t column = 0; column < many; column++) {
        for (int64_t row = 0; row < count; row++) views[column][row] = labels[codes[column][row]];
        packets_bitmaps(codes[column], count, &any, 1, bitmaps + column * ((count + 7) / 8), found + column);
    }
}

/* ---- the chain of records */

enum { LANES = 64 }; /* at most */

/* How a record says its length: `added` octets and the number at `at`, or the lesser one of it and of that at `other`
   where this is not negative; a block of pcapng is rounded up to four octets, and has `added` at least. */
struct stride {
    int64_t at, other, added;
    int32_t big_endian, is_pcapng;
};

static uint32_t word32(const uint8_t *at, int big_endian) { return big_endian ? big32(at) : little32(at); }

static inline int64_t length_at(const uint8_t *record, const struct stride *how) {
    if (!how->is_pcapng) {
        int64_t length = word32(record + how->at, how->big_endian);
        return how->added + (how->other < 0 ? length : least(length, word32(record + how->other, how->big_endian)));
    }
    int big = how->big_endian;
    if (big32(record) == 0x0A0D0D0A && word32(record + 8, !big) == 0x1A2B3C4D) big = !big;
    int64_t length = ((int64_t)word32(record + 4, big) + 3) & ~(int64_t)3;
    return length < how->added ? how->added : length;
}

/* Follows the chain from heads[0] to `end`. All lanes, each from its guessed head to the next one, take a step in turn,
   so that the memory is asked for many records at once; then those are kept that the true chain reaches, and what lies
   between them is walked. heads[lanes] is `end`; `end + added <= size + 1` octets are there. `starts` has room for
   `room` numbers, an equal share for each lane: a lane that fills its share stops, and the walk where all is full.
   There are 1 to LANES lanes. Returns how many records were found; `here` becomes the place of the next one. */
EXPORT int64_t packets_walk(const uint8_t *buffer, int64_t end, const struct stride *how, const int64_t *heads,
                            int64_t lanes, int64_t *landed, int64_t *counts, int64_t *starts, int64_t room,
                            int64_t *here) {
    int64_t share = room / lanes, active = 0, turns[LANES];
    for (int64_t lane = 0; lane < lanes; lane++) {
        landed[lane] = heads[lane], counts[lane] = 0;
        if (lanes > 1 && heads[lane] < heads[lane + 1]) turns[active++] = lane;
    }
    while (active) {
        for (int64_t turn = 0; turn < active; turn++) {
            int64_t lane = turns[turn], place = landed[lane];
            starts[lane * share + counts[lane]++] = place;
            landed[lane] = place += length_at(buffer + place, how);
            if (place >= heads[lane + 1] || counts[lane] == share) turns[turn--] = turns[--active];
        }
    }
    int64_t place = heads[0], count = 0, lane = 0;
    while (place < end) {
        while (lane < lanes && heads[lane] < place) lane++;
        if (lane < lanes && heads[lane] == place && counts[lane]) {
            memmove(starts + count, starts + lane * share, (size_t)counts[lane] * sizeof *starts);
            count += counts[lane];
            place = landed[lane++];
            continue;
        }
        /* what was found of the lanes to come must not be written over */
        if (count == (lane < lanes ? lane * share : room)) {
            if (lane >= lanes) break;
            lane++;
            continue;
        }
        starts[count++] = place;
        place += length_at(buffer + place, how);
    }
    *here = place;
    return count;
}

/* What makes a pcap record odd or impossible, and the time of the record before, where there is one. */
struct bounds {
    int64_t unit, max_captured, max_wire, near_s, before_s;
    int32_t has_before;
};

/* How many records from the first on are sound, as `PcapFraming.sound` says: each one possible, within `size`, an odd
   one followed by a possible one, and none whose clock leaps and whose lengths are odd. `columns` are those of
   packets_fields, `after` is where each record ends. `steps_back` becomes 1 where a sound one is older than the sound
   one before it. */
EXPORT int64_t packets_sound(const int64_t *const *columns, const int64_t *after, int64_t count, int64_t size,
                             const struct bounds *bounds, int32_t *steps_back) {
    const int64_t *seconds = columns[0], *fraction = columns[1], *captured = columns[2], *wire = columns[3];
    int64_t before = bounds->has_before || !count ? bounds->before_s : seconds[0];
    int back = 0, older = 0, odd = 0;
    for (int64_t i = 0; i < count; i++) {
        int possible = captured[i] <= bounds->max_captured && wire[i] <= bounds->max_wire &&
                       (captured[i] || wire[i] || seconds[i] || fraction[i]);
        if (odd && !possible) return *steps_back = back, i - 1;
        if (!possible || after[i] > size) return *steps_back = back | older, i;
        int64_t leap = seconds[i] - before;
        back |= older;
        older = i && leap < 0;
        int leaps = leap >= bounds->near_s || leap <= -bounds->near_s, oblong = captured[i] > wire[i] || !captured[i];
        if (leaps && oblong) return *steps_back = back, i;
        odd = leaps || oblong || fraction[i] >= bounds->unit;
        before = seconds[i];
    }
    if (odd) return *steps_back = back, count - 1;
    return *steps_back = back | older, count;
}

/* Header fields of pcap records as four columns: seconds, fraction, captured, wire. */
EXPORT void packets_fields(const uint8_t *buffer, const int64_t *starts, int64_t count, int32_t big_endian,
                           int32_t swapped, int64_t *columns) {
    int64_t *seconds = columns, *fraction = columns + count, *captured = columns + 2 * count, *wire = columns + 3 * count;
    for (int64_t i = 0; i < count; i++) {
        if (i + AHEAD < count) PREFETCH(buffer + starts[i + AHEAD]);
        const uint8_t *record = buffer + starts[i];
        int64_t first = word32(record + 8, big_endian), second = word32(record + 12, big_endian);
        int turn = swapped < 0 ? first > second : swapped;
        seconds[i] = word32(record, big_endian), fraction[i] = word32(record + 4, big_endian);
        captured[i] = turn ? second : first, wire[i] = turn ? first : second;
    }
}
