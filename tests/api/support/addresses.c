// Preloaded into the service by the tests: the name $ADDRESSES_NAME has the addresses in $ADDRESSES, in that
// order. No system's own files can be relied on for that. A name that ends in .silent is not answered while
// the file $ADDRESSES_SILENT_WHILE is there. Every other name is looked up as usual.
#include <dlfcn.h>
#include <netdb.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

// The system's headers name the parameters otherwise.
// NOLINTNEXTLINE(readability-inconsistent-declaration-parameter-name)
int getaddrinfo(const char *name, const char *service, const struct addrinfo *hints, struct addrinfo **found)
{
    __typeof__(&getaddrinfo) real = (__typeof__(&getaddrinfo))dlsym(RTLD_NEXT, "getaddrinfo");
    const char *ours = getenv("ADDRESSES_NAME");
    const char *dot = name != NULL ? strrchr(name, '.') : NULL;
    const char *silent_while = getenv("ADDRESSES_SILENT_WHILE");
    if (dot != NULL && silent_while != NULL && strcmp(dot, ".silent") == 0) {
        while (access(silent_while, F_OK) == 0) {
            (void)usleep(1000);
        }
        return EAI_NONAME;
    }
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
