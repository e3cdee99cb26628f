"""What a service manager such as systemd is told."""
import socket
import uuid

import pytest

from support.server import Server


@pytest.mark.parametrize("abstract", (False, True))
def test_the_manager_is_told_when_the_service_is_ready_and_when_it_stops(binary, sandbox, tmp_path, abstract):
    name = f"@paymentsd-{uuid.uuid4()}" if abstract else str(tmp_path / "notify")
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as manager:
        manager.bind(name.replace("@", "\0"))
        manager.settimeout(20)

        class Managed(Server):
            def process_environment(self):
                return super().process_environment() | {"NOTIFY_SOCKET": name}
        server = Managed(binary, stripe_api_base=sandbox.url)
        assert manager.recv(100) == b"READY=1"
        server.close()
        assert manager.recv(100) == b"STOPPING=1"


def test_a_busy_manager_is_told_too(binary, sandbox, tmp_path):
    name = str(tmp_path / "notify")
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as manager, \
            socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as other:
        manager.bind(name)
        manager.settimeout(20)
        other.setblocking(False)
        with pytest.raises(BlockingIOError):
            while True:
                other.sendto(b"RELOADING=1", name)

        class Managed(Server):
            def start(self, *words):
                self.launch(*words)
                assert self.process.err.wait_for(lambda line: '"ready"' in line)

            def process_environment(self):
                return super().process_environment() | {"NOTIFY_SOCKET": name}
        server = Managed(binary, stripe_api_base=sandbox.url)
        while manager.recv(100) != b"READY=1":
            pass
        server.close()
