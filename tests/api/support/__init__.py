"""The tools of every API test: the real binary, stand-ins around it, and a client that records its requests.

    process   a child process that cannot outlive the tests, and its output
    server    `paymentsd serve` on a data directory and port of its own
    sandbox   `paymentsd sandbox`, the project's own stand-in for Stripe
    nghttpx   a proxy, so that the service reaches the sandbox over TLS and HTTP/2
    stub      another stand-in for Stripe, written independently of the project's own, that can misbehave
    at_stripe a merchant's own calls to the sandbox
    receiver  an endpoint of a merchant that receives webhooks
    merchant  a merchant made on the command line, with its keys
    shape     the form of answers: errors, times, ids
    http2_listener
              HTTP/2 over TLS for the stub, on python3-h2
    certificates
              made for a test, by openssl
    raw       connections on which a test writes the bytes itself
    client    requests to the API, each recorded for the test's report and for checks on all of them
    events    Stripe events and their signatures
    background
              a call that goes on while the test does something else
    database  stored values that the API does not show
    guide     docs/guide.md, its programs, and a shell in which its commands are typed
    ledger    the payments here compared with the charges at the sandbox
"""
