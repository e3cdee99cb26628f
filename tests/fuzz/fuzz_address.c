// network_list_parse: an accepted list contains each of its networks' addresses, and an address survives
// formatting and parsing. address_parse_with_port: accepts whatever address_parse accepts, with the same
// result.
#include "net/address.h"

#include "fuzz.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t bytes)
{
    ARENA_CLEANUP struct arena arena = ARENA_EMPTY;
    FUZZ_CLEANUP char *text = fuzz_text(data, bytes);
    struct address plain;
    struct address with_port;
    if (address_parse(text, &plain)) {
        REQUIRE(address_parse_with_port(text, &with_port));
        REQUIRE(memcmp(plain.bytes, with_port.bytes, sizeof(plain.bytes)) == 0);
    } else {
        (void)address_parse_with_port(text, &with_port);
    }
    struct network_list list = {.count = 77};
    struct err err = {0};
    if (network_list_parse(text, &arena, &list, &err) != OK) {
        REQUIRE(err.code == ERR_CONFIG && err.message[0] != '\0' && list.count == 77);
        return 0;
    }
    for (size_t i = 0; i < list.count; i++) {
        const struct network *network = &list.items[i];
        REQUIRE(network->prefix_bits >= 0 && network->prefix_bits <= 128);
        REQUIRE(network_list_has(&list, &network->address));
        char written[ADDRESS_TEXT_BYTES];
        address_format(&network->address, written);
        struct address again;
        REQUIRE(address_parse(written, &again));
        REQUIRE(memcmp(again.bytes, network->address.bytes, sizeof(again.bytes)) == 0);
        REQUIRE(address_is_special(&again) == address_is_special(&network->address));
    }
    return 0;
}
