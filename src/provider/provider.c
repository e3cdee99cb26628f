// The providers that there are. Constant data; any thread.
#include "provider/provider.h"

#include "base/require.h"
#include "base/text.h"
#include "provider/stripe/stripe.h"

static const struct provider_ops *const providers[] = {&stripe_ops};

const struct provider_ops *provider_find(const char *name)
{
    for (size_t i = 0; i < COUNT_OF(providers); i++) {
        if (text_equal(name, providers[i]->name)) {
            return providers[i];
        }
    }
    return NULL;
}

const struct provider_ops *provider_default(void)
{
    return providers[0];
}

const struct provider_ops *provider_of_credential(const char *text)
{
    for (size_t i = 0; i < COUNT_OF(providers); i++) {
        if (providers[i]->resembles_credential(text)) {
            return providers[i];
        }
    }
    return NULL;
}
