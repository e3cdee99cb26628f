// See address.h. IPv4 addresses are kept in their mapped form, so that one comparison of prefixes serves both
// families. Pure; any thread.
#include "net/address.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <stdlib.h>
#include <string.h>

#include "base/require.h"
#include "base/text.h"

static const uint8_t mapped_prefix[12] = {[10] = 0xff, [11] = 0xff};

static struct address from_ipv4(const void *bytes)
{
    struct address address;
    memcpy(address.bytes, mapped_prefix, 12);
    memcpy(address.bytes + 12, bytes, 4);
    return address;
}

bool address_parse(const char *text, struct address *address)
{
    struct in_addr ipv4;
    if (inet_pton(AF_INET, text, &ipv4) == 1) {
        *address = from_ipv4(&ipv4);
        return true;
    }
    return inet_pton(AF_INET6, text, address->bytes) == 1;
}

bool address_parse_with_port(const char *text, struct address *address)
{
    char host[ADDRESS_TEXT_BYTES];
    bool bracketed = *text == '[';
    const char *begin = text + bracketed;
    size_t bytes = strcspn(begin, bracketed ? "]" : ":");
    if (address_parse(text, address)) {
        return true; // an IPv6 address without brackets has no port
    }
    if (bytes >= sizeof(host) || begin[bytes] == '\0') {
        return false;
    }
    const char *after = begin + bytes + bracketed;
    memcpy(host, begin, bytes);
    host[bytes] = '\0';
    size_t digits = *after == ':' ? strspn(after + 1, "0123456789") : 0;
    bool has_port = digits >= 1 && digits <= 5 && after[1 + digits] == '\0';
    return ((bracketed && *after == '\0') || has_port) && address_parse(host, address);
}

bool address_from_sockaddr(const struct sockaddr *from, struct address *address)
{
    if (from->sa_family == AF_INET) {
        *address = from_ipv4(&((const struct sockaddr_in *)(const void *)from)->sin_addr);
        return true;
    }
    if (from->sa_family == AF_INET6) {
        memcpy(address->bytes, &((const struct sockaddr_in6 *)(const void *)from)->sin6_addr, 16);
        return true;
    }
    return false;
}

bool address_is_ipv4(const struct address *address)
{
    return memcmp(address->bytes, mapped_prefix, 12) == 0;
}

socklen_t address_to_sockaddr(const struct address *address, uint16_t port, struct sockaddr_storage *to)
{
    memset(to, 0, sizeof(*to));
    if (address_is_ipv4(address)) {
        struct sockaddr_in *ipv4 = (struct sockaddr_in *)(void *)to;
        ipv4->sin_family = AF_INET;
        ipv4->sin_port = htons(port);
        memcpy(&ipv4->sin_addr, address->bytes + 12, 4);
        return sizeof(*ipv4);
    }
    struct sockaddr_in6 *ipv6 = (struct sockaddr_in6 *)(void *)to;
    ipv6->sin6_family = AF_INET6;
    ipv6->sin6_port = htons(port);
    memcpy(&ipv6->sin6_addr, address->bytes, 16);
    return sizeof(*ipv6);
}

struct address address_subscriber(const struct address *address)
{
    struct address subscriber = *address;
    if (!address_is_ipv4(address)) {
        memset(subscriber.bytes + 8, 0, 8);
    }
    return subscriber;
}

void address_format(const struct address *address, char out[ADDRESS_TEXT_BYTES])
{
    if (!address_is_ipv4(address)) {
        REQUIRE(inet_ntop(AF_INET6, address->bytes, out, ADDRESS_TEXT_BYTES) != NULL);
        return;
    }
    // inet_ntop takes 1,400 instructions for it; every request has its client's address in the log.
    char *to = out;
    for (size_t i = 12; i < sizeof(address->bytes); i++) {
        to += text_from_i64(address->bytes[i], to);
        *to++ = '.';
    }
    to[-1] = '\0';
}

static bool in_network(const struct address *address, const struct address *network, int prefix_bits)
{
    size_t whole_bytes = (size_t)prefix_bits / 8;
    int rest_bits = prefix_bits % 8;
    if (memcmp(address->bytes, network->bytes, whole_bytes) != 0) {
        return false;
    }
    return rest_bits == 0 ||
           (address->bytes[whole_bytes] ^ network->bytes[whole_bytes]) >> (8 - rest_bits) == 0;
}

// "10.0.0.0/8" or "10.0.0.1"; cuts `text` at the slash.
static bool network_parse(char *text, struct network *network)
{
    char *slash = strchr(text, '/');
    if (slash) {
        *slash = '\0';
    }
    if (!address_parse(text, &network->address)) {
        return false;
    }
    bool ipv4 = strchr(text, ':') == NULL;
    int64_t bits = ipv4 ? 32 : 128;
    int64_t bits_max = bits;
    if (slash && (text_to_i64(slash + 1, &bits, NULL) != OK || bits > bits_max)) {
        return false;
    }
    network->prefix_bits = (int)bits + (ipv4 ? 96 : 0);
    return true;
}

enum errc network_list_parse(const char *text, struct arena *arena, struct network_list *list,
                             struct err *err)
{
    struct network_list parsed = {0};
    char *rest = arena_strdup(arena, text ? text : "");
    size_t count_max = 1;
    for (const char *c = rest; *c; c++) {
        count_max += *c == ',';
    }
    parsed.items = arena_alloc(arena, count_max * sizeof(struct network));
    for (char *item = strsep(&rest, ","); item; item = strsep(&rest, ",")) {
        char *trimmed = text_trim(arena, item);
        if (*trimmed == '\0') {
            continue;
        }
        const char *whole = arena_strdup(arena, trimmed);
        if (!network_parse(trimmed, &parsed.items[parsed.count++])) {
            return err_set(err, ERR_CONFIG, "\"%.64s\" is not an address or network (10.0.0.0/8)", whole);
        }
    }
    *list = parsed;
    return OK;
}

bool network_list_has(const struct network_list *list, const struct address *address)
{
    for (size_t i = 0; i < list->count; i++) {
        if (in_network(address, &list->items[i].address, list->items[i].prefix_bits)) {
            return true;
        }
    }
    return false;
}

// IANA's IPv4 special-purpose registry, including the ranges that are globally reachable (nobody receives
// webhooks on an anycast sink), and multicast and reserved addresses.
static const struct {
    uint8_t bytes[4];
    int prefix_bits;
} special_ipv4[] = {
    {{0}, 8},             // "this network"
    {{10}, 8},            // private
    {{100, 64}, 10},      // carrier-grade NAT
    {{127}, 8},           // loopback
    {{169, 254}, 16},     // link-local, cloud metadata
    {{172, 16}, 12},      // private
    {{192, 0, 0}, 24},    // IETF protocol assignments
    {{192, 0, 2}, 24},    // documentation
    {{192, 31, 196}, 24}, // AS112
    {{192, 52, 193}, 24}, // AMT
    {{192, 88, 99}, 24},  // 6to4 relay anycast, deprecated
    {{192, 168}, 16},     // private
    {{192, 175, 48}, 24}, // AS112
    {{198, 18}, 15},      // benchmarking
    {{198, 51, 100}, 24}, // documentation
    {{203, 0, 113}, 24},  // documentation
    {{224}, 4},           // multicast
    {{240}, 4},           // reserved, limited broadcast
};

// In 2000::/3, the only global unicast space. All addresses outside it are special, except for NAT64.
static const struct {
    uint8_t bytes[16];
    int prefix_bits;
} special_ipv6[] = {
    {{0x20, 0x01}, 23},             // IETF protocol assignments; Teredo, ORCHID and benchmarking are in it
    {{0x20, 0x01, 0x0d, 0xb8}, 32}, // documentation
    {{0x26, 0x20, 0x00, 0x4f, 0x80}, 48}, // AS112
    {{0x3f, 0xff}, 20},                   // documentation
};

static bool ipv4_is_special(const void *ipv4)
{
    struct address address = from_ipv4(ipv4);
    for (size_t i = 0; i < COUNT_OF(special_ipv4); i++) {
        struct address network = from_ipv4(special_ipv4[i].bytes);
        if (in_network(&address, &network, 96 + special_ipv4[i].prefix_bits)) {
            return true;
        }
    }
    return false;
}

bool address_is_special(const struct address *address)
{
    static const struct address global_unicast = {{0x20}};
    static const struct address nat64 = {{0x00, 0x64, 0xff, 0x9b}}; // RFC 6052
    static const struct address six_to_four = {{0x20, 0x02}};       // RFC 3056
    if (address_is_ipv4(address) || in_network(address, &nat64, 96)) {
        return ipv4_is_special(address->bytes + 12);
    }
    if (!in_network(address, &global_unicast, 3)) {
        return true;
    }
    if (in_network(address, &six_to_four, 16)) {
        return ipv4_is_special(address->bytes + 2);
    }
    for (size_t i = 0; i < COUNT_OF(special_ipv6); i++) {
        struct address network;
        memcpy(network.bytes, special_ipv6[i].bytes, sizeof(network.bytes));
        if (in_network(address, &network, special_ipv6[i].prefix_bits)) {
            return true;
        }
    }
    return false;
}
