// IP addresses, lists of networks (CIDR), and which addresses outgoing requests may reach. Pure; any thread.
// Special ranges: IANA's IPv4 and IPv6 special-purpose registries (RFC 6890 and its updates).
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/socket.h>

#include "base/arena.h"
#include "base/err.h"

// An IPv4 address is kept as IPv4-mapped IPv6, so that ::ffff:10.0.0.1 and 10.0.0.1 are one.
struct address {
    uint8_t bytes[16];
};
#define ADDRESS_TEXT_BYTES 46

struct network_list {
    struct network {
        struct address address;
        int prefix_bits; // of 128
    } * items;
    size_t count;
};

bool address_parse(const char *text, struct address *address); // "10.0.0.1", "::1"; no port, no brackets
// The same with a port or brackets, as proxies write it: also "10.0.0.1:8080", "[::1]", "[::1]:8080".
bool address_parse_with_port(const char *text, struct address *address);
bool address_from_sockaddr(const struct sockaddr *from, struct address *address);
// With that port. Returns the length of the socket address.
socklen_t address_to_sockaddr(const struct address *address, uint16_t port, struct sockaddr_storage *to);
bool address_is_ipv4(const struct address *address);
// The address that stands for its subscriber: an IPv6 subscriber has a /64.
struct address address_subscriber(const struct address *address);
void address_format(const struct address *address, char out[ADDRESS_TEXT_BYTES]);

// "127.0.0.1, 10.0.0.0/8,::1" (NULL or "": empty list), in the arena. ERR_CONFIG names the bad item.
enum errc network_list_parse(const char *text, struct arena *arena, struct network_list *list,
                             struct err *err) MUST_CHECK;
bool network_list_has(const struct network_list *list, const struct address *address);

// Whether it is private, loopback, link-local, multicast, documentation, benchmarking, carrier NAT, reserved
// or unspecified, also as embedded in an IPv4-mapped, 6to4, Teredo or NAT64 address.
bool address_is_special(const struct address *address);
