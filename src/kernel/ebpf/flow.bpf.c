/*
 * Egress of a managed device: the packets of sessions are policed, counted, marked and put into the class of their pool;
 * signalling and address resolution go into the class of signalling. All others pass untouched.
 *
 * The program is turned into flow-program.ts by scripts/generate-bpf.mjs; a gateway needs no compiler. Constants that begin with
 * 0x5c1ce stand for what is known when it is loaded (linking.ts). Octets are counted from the network header on.
 */
typedef unsigned char u8;
typedef unsigned short u16;
typedef unsigned int u32;
typedef unsigned long long u64;

#if __BYTE_ORDER__ != __ORDER_LITTLE_ENDIAN__
#error "fields are cut out of words as little-endian machines load them"
#endif

#define INLINE static inline __attribute__((always_inline))
#define LIKELY(x) __builtin_expect(!!(x), 1)
#define UNLIKELY(x) __builtin_expect(!!(x), 0)
#define NETWORK16(x) __builtin_bswap16(x)
#define NETWORK32(x) __builtin_bswap32(x)

/* linux/bpf.h, struct __sk_buff: what is used of it. */
struct packet {
  u32 length, pad1[3], protocol, pad2[3], priority, pad3[10], data, data_end, pad4[20], gso_segments;
};
_Static_assert(__builtin_offsetof(struct packet, data) == 76, "struct __sk_buff");
_Static_assert(__builtin_offsetof(struct packet, gso_segments) == 164, "struct __sk_buff");

struct flow {
  u64 arrival; /* theoretical arrival time of the next packet, ns */
  u64 depth;   /* ns */
  u64 cost;    /* ns << 16, of an octet */
  u32 class;
  u8 dscp, excess_dscp, excess_action, flags;
  u64 in_packets, in_octets, out_packets, out_octets;
  u8 daemon[48];
};
_Static_assert(sizeof(struct flow) == 112, "flow value");

struct port_word {
  u64 exact, any, signalling, pad;
};

struct server_key {
  u64 address[2];
  u16 port;
  u8 protocol, family;
};

struct settings {
  u32 signalling_class, default_class;
  u8 signalling_dscp, pad[23];
};

/* An IPv4 flow; a source port of 0 is any. */
struct key4 {
  u64 addresses;
  u16 source, destination;
  u32 protocol;
};

struct key6 {
  u64 addresses[4];
  u16 source, destination;
  u32 protocol;
};
_Static_assert(sizeof(struct key4) == 16 && sizeof(struct key6) == 40, "flow keys");

static void *(*const lookup)(void *map, const void *key) = (void *)1;
static long (*const store)(void *packet, u32 offset, const void *from, u32 length, u64 flags) = (void *)9;
static long (*const pull)(void *packet, u32 length) = (void *)39;
static u64 (*const coarse_clock)(void) = (void *)160;

enum { PASS = -1, DROP = 2 };
enum { ARP = 0x0806, IPV4 = 0x0800, IPV6 = 0x86dd };
enum { TCP = 6, UDP = 17, ICMPV6 = 58 };
enum { TRIES = 4, MOST_OCTETS = (1 << 18) - 1 };

#define LOADED(mark)                               \
  ({                                               \
    void *_loaded;                                 \
    asm("%0 = " #mark " ll" : "=r"(_loaded));      \
    _loaded;                                       \
  })
#define FLOWS4 LOADED(0x5c1ce100)
#define FLOWS6 LOADED(0x5c1ce101)
#define PORTS LOADED(0x5c1ce102)
#define SERVERS LOADED(0x5c1ce103)
#define SETTINGS ((const struct settings *)LOADED(0x5c1ce104))

INLINE u64 link_header(void) {
  u64 length;
  asm("%0 = 0x5c1ce000" : "=r"(length));
  return length;
}

/* Where the network header is, if `need` octets of it and of what follows are there. */
INLINE void *network(struct packet *packet, u64 header, u32 need) {
  void *start = (void *)(u64)packet->data + header;
  if (LIKELY(start + need <= (void *)(u64)packet->data_end)) return start;
  if (packet->length < header + need || pull(packet, header + need) != 0) return 0;
  start = (void *)(u64)packet->data + header;
  return start + need <= (void *)(u64)packet->data_end ? start : 0;
}

INLINE const struct port_word *word_of(u16 port) {
  const u32 index = port >> 6;
  return lookup(PORTS, &index);
}

/*
 * The generic cell rate algorithm (ITU-T I.371, virtual scheduling) with octets in place of cells: one word, changed by
 * compare-and-swap, so that processors share a flow's bucket and no octet is let through twice.
 */
INLINE int is_in_profile(struct flow *flow, u64 octets) {
  const u64 now = coarse_clock(), latest = now + flow->depth, cost = flow->cost * octets >> 16;
  u64 arrival = *(volatile u64 *)&flow->arrival;
  for (int try = 0; try < TRIES; try++) {
    const u64 next = (arrival > now ? arrival : now) + cost;
    if (next > latest) return 0;
    const u64 seen = __sync_val_compare_and_swap(&flow->arrival, arrival, next);
    if (LIKELY(seen == arrival)) return 1;
    arrival = seen;
  }
  return (arrival > now ? arrival : now) + cost <= latest;
}

/* The code point to be written, below 0 for a packet to be dropped. */
INLINE int police(struct packet *packet, struct flow *flow, u64 header) {
  u64 octets = packet->length - header, packets = packet->gso_segments;
  if (octets > MOST_OCTETS) octets = MOST_OCTETS;
  if (packets == 0) packets = 1;
  if (LIKELY(is_in_profile(flow, octets))) {
    __sync_fetch_and_add(&flow->in_packets, packets);
    __sync_fetch_and_add(&flow->in_octets, octets);
    packet->priority = flow->class;
    return flow->dscp;
  }
  __sync_fetch_and_add(&flow->out_packets, packets);
  __sync_fetch_and_add(&flow->out_octets, octets);
  if (flow->excess_action == 0) return -1;
  packet->priority = SETTINGS->default_class;
  return flow->excess_dscp;
}

INLINE int signalling(struct packet *packet) {
  packet->priority = SETTINGS->signalling_class;
  return SETTINGS->signalling_dscp;
}

INLINE int is_server4(u32 address, u16 port, u8 protocol) {
  const struct server_key key = {.address = {address, 0}, .port = port, .protocol = protocol, .family = 4};
  return lookup(SERVERS, &key) != 0;
}

INLINE int is_server6(u64 first, u64 second, u16 port, u8 protocol) {
  const struct server_key key = {.address = {first, second}, .port = port, .protocol = protocol, .family = 6};
  return lookup(SERVERS, &key) != 0;
}

/*
 * RFC 1624 §3, equation 3, on the first half-word. `store` makes a shared packet writable first; direct access to the octets
 * would do that to every packet of the device, sessions' or not.
 */
INLINE int mark4(struct packet *packet, u64 header, const u8 *ip, int dscp) {
  struct {
    u64 first;
    u32 third;
  } octets = {*(u64 *)ip, *(u32 *)(ip + 8)};
  const u32 old = octets.first & 0xffff, new = (old & 0x03ff) | (u32)dscp << 10;
  if (old == new) return PASS;
  u32 sum = (~(octets.third >> 16) & 0xffff) + (~old & 0xffff) + new;
  sum = (sum & 0xffff) + (sum >> 16);
  sum = (sum & 0xffff) + (sum >> 16);
  octets.first = (octets.first & ~0xffffull) | new;
  octets.third = (octets.third & 0xffff) | ~sum << 16;
  store(packet, header, &octets, 12, 0);
  return PASS;
}

INLINE int mark6(struct packet *packet, u64 header, const u8 *ip, int dscp) {
  const u16 old = NETWORK16(*(u16 *)ip), new = (old & 0xf03f) | dscp << 6;
  if (old == new) return PASS;
  const u16 word = NETWORK16(new);
  store(packet, header, &word, sizeof word, 0);
  return PASS;
}

INLINE int egress4(struct packet *packet) {
  const u64 header = link_header();
  const u8 *ip = network(packet, header, 24);
  if (UNLIKELY(!ip)) return PASS;
  /* Version 4, no options; neither an offset nor more fragments. */
  if ((*(u64 *)ip & 0xff3f0000000000ffull) != 0x45) return PASS;
  const u8 protocol = ip[9];
  if (protocol != UDP && protocol != TCP) return PASS;
  struct key4 key = {.addresses = *(u64 *)(ip + 12), .protocol = protocol};
  *(u32 *)&key.source = *(u32 *)(ip + 20);
  const u16 from = NETWORK16(key.source), to = NETWORK16(key.destination);
  const struct port_word *word = word_of(to);
  if (!word) return PASS;
  struct flow *flow = 0;
  if (word->exact >> (to & 63) & 1) flow = lookup(FLOWS4, &key);
  if (!flow && word->any >> (to & 63) & 1) {
    key.source = 0;
    flow = lookup(FLOWS4, &key);
  }
  int dscp;
  if (flow) {
    dscp = police(packet, flow, header);
    if (dscp < 0) return DROP;
    return mark4(packet, header, ip, dscp);
  }
  if (word->signalling >> (to & 63) & 1 && is_server4(key.addresses >> 32, NETWORK16(to), protocol))
    return mark4(packet, header, ip, signalling(packet));
  word = word_of(from);
  if (!word || !(word->signalling >> (from & 63) & 1)) return PASS;
  if (!is_server4(key.addresses, NETWORK16(from), protocol)) return PASS;
  return mark4(packet, header, ip, signalling(packet));
}

INLINE int egress6(struct packet *packet) {
  const u64 header = link_header();
  const u8 *ip = network(packet, header, 44);
  if (UNLIKELY(!ip)) return PASS;
  const u8 protocol = ip[6];
  if (protocol != UDP && protocol != TCP) {
    /* RFC 4861 §4: neighbour discovery. A hop limit of 255 says that it is of this machine and was not forwarded. */
    if (protocol == ICMPV6 && ip[7] == 255 && (u8)(ip[40] - 133) <= 4) packet->priority = SETTINGS->signalling_class;
    return PASS;
  }
  const u64 *addresses = (const u64 *)(ip + 8);
  struct key6 key = {
    .addresses = {addresses[0], addresses[1], addresses[2], addresses[3]},
    .protocol = protocol,
  };
  *(u32 *)&key.source = *(u32 *)(ip + 40);
  const u16 from = NETWORK16(key.source), to = NETWORK16(key.destination);
  const struct port_word *word = word_of(to);
  if (!word) return PASS;
  struct flow *flow = 0;
  if (word->exact >> (to & 63) & 1) flow = lookup(FLOWS6, &key);
  if (!flow && word->any >> (to & 63) & 1) {
    key.source = 0;
    flow = lookup(FLOWS6, &key);
  }
  if (flow) {
    const int dscp = police(packet, flow, header);
    if (dscp < 0) return DROP;
    return mark6(packet, header, ip, dscp);
  }
  if (word->signalling >> (to & 63) & 1 && is_server6(key.addresses[2], key.addresses[3], NETWORK16(to), protocol))
    return mark6(packet, header, ip, signalling(packet));
  word = word_of(from);
  if (!word || !(word->signalling >> (from & 63) & 1)) return PASS;
  if (!is_server6(key.addresses[0], key.addresses[1], NETWORK16(from), protocol)) return PASS;
  return mark6(packet, header, ip, signalling(packet));
}

__attribute__((section("classifier"))) int egress(struct packet *packet) {
  const u32 protocol = packet->protocol;
  if (LIKELY(protocol == NETWORK16(IPV4))) return egress4(packet);
  if (protocol == NETWORK16(IPV6)) return egress6(packet);
  if (protocol == NETWORK16(ARP)) packet->priority = SETTINGS->signalling_class;
  return PASS;
}
