"""A connection to the service on which a test writes the bytes itself."""
import email.parser
import json
import select
import socket
import struct

from .recording import Exchange, record
from .waiting import PATIENCE_S, scaled


class RawAnswer:
    def __init__(self, status, headers, body):
        self.status = status
        self.headers = headers
        self.body = body

    @property
    def json(self):
        return json.loads(self.body)

    @property
    def codes(self):
        return [error["code"] for error in self.json["errors"]]

    @property
    def fields(self):
        return {error["field"] for error in self.json["errors"] if "field" in error}

    def __repr__(self):
        return f"{self.status} {dict(self.headers)} {self.body!r}"


class Raw:
    """Use as a context manager. Receiving fails after `timeout` seconds of silence. `source` is the address that it comes
    from."""

    def __init__(self, server, timeout=PATIENCE_S, receive_bytes=None, source="127.0.0.1"):
        self._socket = socket.socket()
        self._socket.bind((source, 0))
        self._socket.settimeout(scaled(timeout))
        if receive_bytes:
            self._socket.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, receive_bytes)
        self._socket.connect(("127.0.0.1", server.port))
        self._reader = self._socket.makefile("rb")
        self._asked = []  # requests of `request` that have no answer yet: method, path, headers

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self._reader.close()
        self._socket.close()

    def fileno(self):
        return self._socket.fileno()

    def send(self, data):
        self._socket.sendall(data)

    def request(self, method, path, body=b"", **headers):
        """A whole request; a header of None is left out, underscores stand for dashes."""
        given = {"Host": "localhost", "Content-Length": str(len(body))}
        given |= {name.replace("_", "-"): value for name, value in headers.items()}
        given = {name: value for name, value in given.items() if value is not None}
        self._asked.append((method, path, given))
        lines = [f"{name}: {value}" for name, value in given.items()]
        self.send("\r\n".join([f"{method} {path} HTTP/1.1", *lines, "", ""]).encode("latin-1") + body)

    def finish_sending(self):
        """Half-closes: there is nothing more to come, but the answer is still wanted."""
        self._socket.shutdown(socket.SHUT_WR)

    def reset(self):
        """Makes the end of this connection a reset instead of an orderly one."""
        self._socket.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))

    def ended_within(self, seconds):
        """Whether the service ends the connection, or has ended it, within this time."""
        ready, _, _ = select.select([self._socket], [], [], seconds)
        try:
            return bool(ready) and self._socket.recv(1, socket.MSG_PEEK) == b""
        except ConnectionResetError:
            return True

    def has_answer_within(self, seconds):
        """Whether anything comes from the service within this time, be it the connection's end."""
        ready, _, _ = select.select([self._socket], [], [], seconds)
        return bool(ready)

    def line(self):
        return self._reader.readline()

    def answer(self):
        """The next answer. That to a request of `request` is held to the API's description."""
        status_line = self._reader.readline()
        assert status_line.startswith(b"HTTP/1."), f"no answer but {status_line!r}"
        head = b""
        while not head.endswith(b"\r\n\r\n"):
            line = self._reader.readline()
            assert line, f"an answer without an end: {head!r}"
            head += line
            if line == b"\r\n":
                break
        headers = email.parser.BytesParser().parsebytes(head)
        body = self._reader.read(int(headers.get("Content-Length", 0)))
        answer = RawAnswer(int(status_line.split()[1]), headers, body)
        if self._asked:
            method, path, given = self._asked.pop(0)
            record(Exchange(method, path, given, None, answer.status, headers, body))
        return answer

    def rest(self):
        """All that comes until the service closes the connection; a reset ends it too."""
        try:
            return self._reader.read()
        except ConnectionResetError:
            return b""
