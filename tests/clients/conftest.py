"""Fixtures of the tests of generated clients: the tools that scripts/clients installs, the description, a service with its
sandbox, and the counts at the end."""
import json
import os
import pathlib
import shutil
import subprocess

import pytest

from support.merchant import Merchant
from support.receiver import Receiver
from support.sandbox import Sandbox
from support.server import Server
from tools import Tools

ROOT = pathlib.Path(__file__).resolve().parents[2]


@pytest.fixture(scope="session")
def binary():
    return pathlib.Path(os.environ.get("PAYMENTSD", ROOT / "build" / "paymentsd")).resolve()


@pytest.fixture(scope="session")
def document():
    text = subprocess.run([ROOT / "scripts" / "openapi-json", ROOT / "docs" / "openapi.yaml"], check=True,
                          stdout=subprocess.PIPE).stdout
    return json.loads(text)


@pytest.fixture(scope="session")
def tools():
    """The tools, and an empty folder for what they make."""
    tools = Tools(ROOT / "build-clients")
    shutil.rmtree(tools.made, ignore_errors=True)
    tools.made.mkdir()
    return tools


@pytest.fixture(scope="session")
def server(binary):
    sandbox = Sandbox(binary)
    server = Server(binary, stripe_api_base=sandbox.url, webhook_allow="127.0.0.1", webhook_allow_http=True)
    yield server
    server.close()
    sandbox.close()


@pytest.fixture
def merchant(server):
    """A merchant that has an API key, and nothing set yet."""
    return Merchant(server)


@pytest.fixture
def receiver():
    receiver = Receiver()
    yield receiver
    receiver.close()


def pytest_unconfigure(config):
    """The last line, as scripts/test ends."""
    reporter = config.pluginmanager.get_plugin("terminalreporter")
    passed, failed, errors = (len(reporter.stats.get(outcome, [])) for outcome in ("passed", "failed", "error"))
    print(f"{passed} passed, {failed + errors} failed")
