"""An HTTP proxy that opens each connection it is asked for (CONNECT), or answers something else."""
import contextlib
import socket
import threading

from .waiting import wait_until

class ConnectProxy:
    """`targets` are those that it was asked for, "host:port" each; `refusal` (bytes) is said in place of connecting, and
    then the connection is closed. Other methods than CONNECT are in `others`."""

    def __init__(self):
        self.targets = []
        self.others = []
        self.refusal = None
        self._listener = socket.create_server(("127.0.0.1", 0), backlog=256)
        self.url = f"http://127.0.0.1:{self._listener.getsockname()[1]}"
        threading.Thread(target=self._accept, daemon=True).start()

    def close(self):
        with contextlib.suppress(OSError):  # it is closed already
            self._listener.shutdown(socket.SHUT_RDWR)  # close alone leaves it open while a thread accepts
        self._listener.close()

    def wait_for(self, target, count=1):
        wait_until(lambda: self.targets.count(target) >= count, what=f"the proxy to be asked for {target}")

    def _accept(self):
        while True:
            try:
                client, _ = self._listener.accept()
            except OSError:
                return
            threading.Thread(target=self._serve, args=(client,), daemon=True).start()

    def _serve(self, client):
        with client:
            head = b""
            while not head.endswith(b"\r\n\r\n"):
                byte = client.recv(1)
                if not byte:
                    return
                head += byte
            method, target, _ = head.split(b" ", 2)
            if method != b"CONNECT":
                self.others.append(head)
                return
            refusal = self.refusal
            self.targets.append(target.decode())
            if refusal is not None:
                client.sendall(refusal)
                return
            host, _, port = target.decode().rpartition(":")
            with socket.create_connection((host, int(port))) as server:
                client.sendall(b"HTTP/1.1 200 Connection established\r\nVia: 1.1 test\r\n\r\n")
                back = threading.Thread(target=_pump, args=(server, client), daemon=True)
                back.start()
                _pump(client, server)
                back.join()


def _pump(source, target):
    try:
        while data := source.recv(65536):
            target.sendall(data)
        target.shutdown(socket.SHUT_WR)
    except OSError:
        pass
