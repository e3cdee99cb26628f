"""What every API test uses: the real binary, stand-ins around it, and a client that remembers.

    process   a child process that cannot outlive the tests, and its output
    server    `paymentsd serve` on a data directory and port of its own
    sandbox   `paymentsd sandbox`, the project's own stand-in for Stripe
    nghttpx   a proxy, so that the service reaches the sandbox over TLS and HTTP/2
    stub      another stand-in for Stripe, written apart from the project's own, that can misbehave
    receiver  an endpoint of a merchant that receives webhooks
    merchant  a merchant made on the command line, with its keys
    shape     the form of answers: errors, times, ids
    http2_listener
              HTTP/2 over TLS for the stub, on python3-h2
    certificates
              made for a test, by openssl
    raw       connections on which a test says what goes over the wire
    client    requests to the API, each kept for the test's report and for checks on all of them
    events    Stripe events and their signatures
    meanwhile a call that goes on while the test does something else
    database  what the service keeps and does not show
    guide     docs/guide.md, its programs, and a shell in which its commands are typed
    books     the payments here beside the charges at the sandbox
"""
