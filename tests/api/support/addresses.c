// Preloaded into the service by the tests: the name $ADDRESSES_NAME has the addresses in $ADDRESSES, in that
// order. No system's own files can be relied on for that. Every other name is looked up as usual.
#include <dlfcn.h>
#include <netdb.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

// The system's headers name the parameters otherwise.
// NOLINTNEXTLINE(readability-inconsistent-declaration-parameter-name)
int getaddrinfo(const char *name, const char *service, const struct addrinfo *hints, struct addrinfo **found)
{
    __typeof__(&getaddrinfo) real = (__typeof__(&getaddrinfo))dlsym(RTLD_NEXT, "getaddrinfo");
    const char *ours = getenv("ADDRESSES_NAME");
    if (ours == NULL || name == NULL || strcmp(name, ours) != 0) {
        return real(name, service, hints, found);
    }
    char addresses[256];
    (void)snprintf(addresses, sizeof addresses, "%s", getenv("ADDRESSES"));
    struct addrinfo **end = found;
    *end = NULL;
    char *rest = addresses;
    for (char *address = strsep(&rest, ","); address != NULL; address = strsep(&rest, ",")) {
        int failure = real(address, service, hints, end);
        if (failure != 0) {
            return failure;
        }
        while (*end != NULL) {
            end = &(*end)->ai_next;
        }
    }
    return 0;
}
