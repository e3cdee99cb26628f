"""Names whose servers never answer. A look-up cannot be stopped and holds a thread, so a merchant may have two at once and
the others go on."""
import concurrent.futures
import pathlib
import subprocess

import pytest

from support.merchant import Merchant
from support.server import Server
from support.shape import refused, succeeded
from support.waiting import SCALE, wait_until

SUPPORT = pathlib.Path(__file__).parent / "support"
pytestmark = pytest.mark.skipif(SCALE != 1, reason="a sanitizer's library must be loaded first")


@pytest.fixture
def silent_while(tmp_path):
    """The file while which no name that ends in .silent is answered."""
    path = tmp_path / "silent"
    path.touch()
    return path


@pytest.fixture
def server(binary, nghttpx, tmp_path, silent_while):
    library = tmp_path / "addresses.so"
    subprocess.run(["cc", "-shared", "-fPIC", "-D_GNU_SOURCE", "-o", library, SUPPORT / "addresses.c"], check=True)

    class ServerWithSilentNames(Server):
        def process_environment(self):
            return super().process_environment() | {"LD_PRELOAD": str(library), "ADDRESSES_SILENT_WHILE": str(silent_while)}

    server = ServerWithSilentNames(binary, **nghttpx.settings)
    yield server
    silent_while.unlink(missing_ok=True)  # so that its threads can end
    server.close()


def put(merchant, host):
    return merchant.api.put("/v1/merchant/webhook", {"webhook_url": f"https://{host}/"})


def test_a_merchant_with_silent_names_delays_no_other_merchant(server, silent_while):
    silent, other = Merchant(server), Merchant(server)
    with concurrent.futures.ThreadPoolExecutor(20) as pool:
        asked = [pool.submit(put, silent, f"n{number}.silent") for number in range(20)]
        done, _ = concurrent.futures.wait(asked, return_when=concurrent.futures.FIRST_COMPLETED)
        succeeded(put(other, "8.8.8.8"))
        answers = sorted((future.result() for future in asked), key=lambda answer: answer.status)
    for answer in answers[:2]:
        succeeded(answer)  # it may resolve later
    for answer in answers[2:]:
        refused(answer, 503, "OVERLOADED")
    refused(put(silent, "8.8.8.8"), 503, "OVERLOADED")  # its threads are still held
    silent_while.unlink()
    wait_until(lambda: put(silent, "8.8.8.8").status == 200)
