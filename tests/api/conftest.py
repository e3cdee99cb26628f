"""Fixtures of the API tests. The service, its sandbox and their data are shared by a whole run (by each of its
workers); every test has merchants of its own, so tests do not see each other."""
import json
import os
import pathlib
import subprocess
import tempfile

import pytest

from one_database import leave_out_others
from support import recording, server as servers
from support.at_stripe import AtStripe
from support.merchant import Merchant, ObservedMerchant
from support.nghttpx import Nghttpx
from support.openapi import OpenApi
from support.place import Place, Terminal
from support.receiver import Receiver
from support.sandbox import Sandbox
from support.server import Server
from support.stub import StubStripe

# Every test can use the fixtures of these modules.
pytest_plugins = ["guide_fixture", "nodes_fixture", "postgresql_fixture", "sandbox_fixture", "stub_fixture"]

ROOT = pathlib.Path(__file__).resolve().parents[2]
LOG_LINES_SHOWN = 60
EXCHANGES_SHOWN = 10
ID_SHOWN = 60


@pytest.fixture(scope="session")
def openapi_json():
    """The published description of the API as JSON, as the build reads it."""
    return subprocess.run([ROOT / "scripts" / "openapi-json", ROOT / "docs" / "openapi.yaml"], check=True,
                          stdout=subprocess.PIPE).stdout


@pytest.fixture(scope="session", autouse=True)
def openapi(openapi_json):
    """The description, parsed. Every exchange with any service is checked against it."""
    document = OpenApi(json.loads(openapi_json))
    recording.observers.append(document.check)
    yield document
    recording.observers.remove(document.check)


@pytest.fixture(scope="session")
def binary():
    """The program under test: $PAYMENTSD, or what `make` builds."""
    path = pathlib.Path(os.environ.get("PAYMENTSD", ROOT / "build" / "paymentsd")).resolve()
    assert path.exists(), f"{path} is not built"
    return path


def _new_server(binary, **settings):
    return Server(binary, **{"webhook_allow": "127.0.0.1", "webhook_allow_http": True} | settings)


@pytest.fixture(scope="session")
def sandbox(binary):
    sandbox = Sandbox(binary)
    yield sandbox
    sandbox.close()


@pytest.fixture(scope="session")
def nghttpx(sandbox, tmp_path_factory):
    """The proxy through which a service reaches the sandbox over TLS and HTTP/2."""
    nghttpx = Nghttpx(sandbox.url, tmp_path_factory.mktemp("nghttpx"))
    yield nghttpx
    nghttpx.close()


@pytest.fixture(scope="session")
def server(binary, nghttpx):
    """The shared service, whose Stripe is the sandbox. A test that stops it, or needs settings, uses start_server.
    It trusts the loopback as a proxy, so that frequent requests can come from many addresses."""
    server = _new_server(binary, **nghttpx.settings, trusted_proxies="127.0.0.1")
    yield server
    server.close()


@pytest.fixture
def start_server(binary):
    """start_server(**nghttpx.settings), or start_server(stub_stripe.url, patience="1s"): a service for this test alone."""
    started = []

    def start(stripe_api_base, **settings):
        started.append(_new_server(binary, stripe_api_base=stripe_api_base, **settings))
        return started[-1]

    yield start
    for server in started:
        server.close()


@pytest.fixture
def stub_stripe():
    stub = StubStripe()
    yield stub
    stub.close()


@pytest.fixture(scope="session")
def _shared_stub(binary):
    stub = StubStripe()
    server = _new_server(binary, stripe_api_base=stub.url)
    yield stub, server
    server.close()
    stub.close()


@pytest.fixture
def observed(_shared_stub):
    """A merchant of a service whose Stripe is a stub, which the tests that use it share: `observed.stripe`. Its
    secret key tells its requests from others': `observed.charges()`."""
    stub, server = _shared_stub
    yield ObservedMerchant(server, stub)
    stub.behave()


@pytest.fixture
def receiver(openapi):
    """A merchant's endpoint. Every delivery of the service is checked against the API's description."""
    receiver = Receiver()
    yield receiver
    receiver.close()
    for delivery in receiver.deliveries:
        if (delivery.header("User-Agent") or "").startswith("paymentsd/"):
            openapi.check_webhook(delivery)


@pytest.fixture
def merchant(server):
    """A merchant of the shared service, with Stripe credentials."""
    return Merchant.with_stripe(server)


@pytest.fixture
def listening(server, merchant, sandbox):
    """The merchant, whose account at the sandbox sends its events to the service."""
    AtStripe(sandbox, merchant).send_events_to(server, merchant.stripe_webhook_secret)
    return merchant


@pytest.fixture
def at_stripe(sandbox, listening):
    """The merchant `listening` calls the sandbox itself: `at_stripe.call("POST", path)`."""
    return AtStripe(sandbox, listening)


@pytest.fixture
def nothing(binary):
    """A place without a data directory."""
    with tempfile.TemporaryDirectory(prefix="paymentsd-cli-") as directory:
        place = Place(binary, directory)
        yield place
        place.close()


@pytest.fixture
def place(nothing):
    """A place with an empty database."""
    nothing.run("migrate")
    return nothing


@pytest.fixture
def terminal(nothing):
    """terminal("createapikey"): the command, at a terminal, whose questions the test answers."""
    started = []

    def start(*words):
        started.append(Terminal(nothing, *words))
        return started[-1]

    yield start
    for one in started:
        one.close()


@pytest.fixture(autouse=True)
def _every_server_stays_well():
    """A crash or a sanitizer's report fails the test in which it happened, not the last one of the run."""
    recording.of_this_test.clear()
    for server in servers.running:
        server.mark_log()
    yield
    for server in list(servers.running):
        server.check()


def pytest_make_parametrize_id(val):
    """A test's name need not hold all of what it sends."""
    return ascii(val[:ID_SHOWN])[1:-1] + "..." if isinstance(val, (str, bytes)) and len(val) > ID_SHOWN else None


@pytest.hookimpl(hookwrapper=True)
def pytest_runtest_makereport(item, call):
    outcome = yield
    report = outcome.get_result()
    if not report.failed:
        return
    shown = recording.of_this_test[-EXCHANGES_SHOWN:]
    if shown:
        report.sections.append(("exchanges", "\n".join(exchange.text() for exchange in shown)))
    for server in servers.running:
        report.sections.append((f"log of {server.url}", "\n".join(server.log_since_mark()[-LOG_LINES_SHOWN:])))


def pytest_collection_modifyitems(config, items):
    leave_out_others(config, items)
