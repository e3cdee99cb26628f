"""One service a database: whatever path leads to it, and whatever becomes of its file."""
import os
import subprocess

import pytest

from support.merchant import Merchant
from support.process import environment
from support.waiting import scaled

TIMEOUT_S = 30


def refused(server, *words, **variables):
    """The one line of a command on the data of a server that runs."""
    given = {"PAYMENTS_DATA_DIR": server.data_dir} | {f"PAYMENTS_{name.upper()}": str(value) for name, value in variables.items()}
    done = subprocess.run([str(server.binary), *words], env=environment(**given), text=True, capture_output=True,
                          stdin=subprocess.DEVNULL, timeout=scaled(TIMEOUT_S), check=False)
    assert done.returncode == 1 and not done.stdout and done.stderr.count("\n") == 1, done
    return done.stderr


@pytest.fixture
def serving(start_server, sandbox):
    return start_server(sandbox.url)


def ways_to(server, tmp_path):
    """Settings that lead to the server's database by other names."""
    folder, file = tmp_path / "folder", tmp_path / "linked.db"
    folder.symlink_to(server.data_dir)
    file.symlink_to(os.path.join(server.data_dir, "payments.db"))
    return [{}, {"data_dir": folder}, {"database": f"sqlite:{file}"},
            {"data_dir": os.path.join(server.data_dir, "..", os.path.basename(server.data_dir))}]


@pytest.mark.parametrize("words", [["serve", "--listen", "127.0.0.1:0"], ["rotate-master-key"]], ids=lambda words: words[0])
def test_nothing_runs_beside_the_service_by_any_path(serving, tmp_path, words):
    merchant = Merchant(serving)
    merchant.use_stripe()
    for way in ways_to(serving, tmp_path):
        message = refused(serving, *words, **way)
        assert "another paymentsd is serving this database" in message, way
        assert f"is locked by process {serving.process.pid})" in message, way
    assert merchant.pay()["status"] == "completed"


def test_the_lock_goes_with_the_service(serving):
    serving.kill()
    serving.start()
    serving.terminate()
    assert sorted(os.listdir(serving.data_dir)) == ["master.key", "payments.db", "pepper.key"]
    serving.command("rotate-master-key")
    serving.start()
