"""A small HTTP/1.1 server for stand-ins that must misbehave: it keeps each request as it came, and can answer
late, in part, wrongly or never. A thread a connection."""
import json
import select
import socket
import struct
import threading
import time
import urllib.parse
from dataclasses import dataclass, field


@dataclass
class Request:
    method: str
    target: str
    headers: list
    body: bytes
    raw: bytes
    received_at: float = field(default_factory=time.time)
    connection: object = None  # the Http2Connection that it came on; None over HTTP/1.1
    stream_id: int = 0

    @property
    def path(self):
        return self.target.partition("?")[0]

    @property
    def query(self):
        return dict(urllib.parse.parse_qsl(self.target.partition("?")[2], keep_blank_values=True))

    @property
    def form(self):
        return dict(urllib.parse.parse_qsl(self.body.decode(), keep_blank_values=True))

    @property
    def json(self):
        return json.loads(self.body)

    def header(self, name):
        """The header's value; None where it is absent. One that came twice is an error of the sender."""
        values = [value for key, value in self.headers if key.lower() == name.lower()]
        assert len(values) < 2, f"{name} came {len(values)} times"
        return values[0] if values else None


@dataclass
class Answer:
    """An answer. With status None, the stand-in does what was asked and gives its own answer."""
    status: int | None = 200
    body: object = b""           # bytes, text, or anything that JSON can hold
    headers: dict = field(default_factory=dict)  # one of None is left out
    raw: bytes | None = None     # sent as it is, instead of status, headers and body
    delay_s: float = 0
    gate: threading.Event | None = None  # answered only once this is set
    hang: bool = False           # never answered, the connection left open
    cut_after: int | None = None  # this many bytes of the answer are sent, then the connection is closed
    reset: bool = False          # closed by a reset instead of an orderly end
    drip_s: float = 0            # a byte at a time, with this pause, until the other side has enough
    # Over HTTP/2 alone:
    act: object = None           # act(connection, stream_id): done first, once the request has come
    trailers: dict = field(default_factory=dict)

    def parts(self):
        """The headers and the body."""
        body, kind = self.body, "text/plain"
        if not isinstance(body, (bytes, str)):
            body, kind = json.dumps(body), "application/json"
        body = body.encode() if isinstance(body, str) else body
        headers = {"Content-Type": kind, "Content-Length": str(len(body))} | self.headers
        return {name: value for name, value in headers.items() if value is not None}, body

    def wire(self):
        if self.raw is not None:
            return self.raw
        headers, body = self.parts()
        head = f"HTTP/1.1 {self.status} -\r\n" + "".join(f"{k}: {v}\r\n" for k, v in headers.items())
        return head.encode() + b"\r\n" + body


class HttpListener:
    """Listens on the loopback, on a free port unless one is given; respond(Request) gives the Answer to each
    request."""

    def __init__(self, respond, port=0):
        self._respond = respond
        self._listener = socket.create_server(("127.0.0.1", port), backlog=1024)
        self.port = self._listener.getsockname()[1]
        self.url = f"http://127.0.0.1:{self.port}"
        self.connections_accepted = 0
        # Readable from close() on: what every waiting thread also waits for.
        self._closing, self._close = socket.socketpair()
        self._accepting = threading.Thread(target=self._accept, daemon=True)
        self._accepting.start()

    def close(self):
        """Ends every connection; from then on the port refuses new ones."""
        self._close.close()
        self._accepting.join()

    def _accept(self):
        with self._listener:
            while True:
                ready, _, _ = select.select([self._listener, self._closing], [], [])
                if self._closing in ready:
                    return
                connection, _ = self._listener.accept()
                self.connections_accepted += 1
                threading.Thread(target=self._serve, args=(connection,), daemon=True).start()

    def _serve(self, connection):
        with connection:
            try:
                buffered = b""
                while True:
                    request, buffered = self._read(connection, buffered)
                    if request is None or not self._send(connection, self._respond(request)):
                        return
            except OSError:
                return  # the peer went away, as peers do

    def _receive(self, connection):
        ready, _, _ = select.select([connection, self._closing], [], [])
        return b"" if self._closing in ready else connection.recv(65536)

    def _read(self, connection, data):
        while b"\r\n\r\n" not in data:
            more = self._receive(connection)
            if not more:
                return None, b""
            data += more
        head, _, body = data.partition(b"\r\n\r\n")
        first, *lines = head.decode("latin-1").split("\r\n")
        method, target, _ = first.split(" ")
        headers = [(name, value.strip()) for name, _, value in (line.partition(":") for line in lines)]
        named = {name.lower(): value for name, value in headers}
        if named.get("expect", "").lower() == "100-continue":
            connection.sendall(b"HTTP/1.1 100 Continue\r\n\r\n")
        length = int(named.get("content-length", 0))
        while len(body) < length:
            more = self._receive(connection)
            if not more:
                return None, b""
            body += more
        raw = head + b"\r\n\r\n" + body[:length]
        return Request(method, target, headers, body[:length], raw), body[length:]

    def _drip(self, connection, wire, pause_s):
        for at in range(len(wire)):
            connection.sendall(wire[at:at + 1])
            if select.select([connection, self._closing], [], [], pause_s)[0]:
                return False  # it hung up
        return True

    def _send(self, connection, answer):
        """Whether the connection goes on."""
        if answer.gate is not None:
            answer.gate.wait()
        if answer.delay_s:
            select.select([self._closing], [], [], answer.delay_s)
        if answer.hang:
            select.select([connection, self._closing], [], [])
            return False
        wire = answer.wire()
        if answer.drip_s:
            return self._drip(connection, wire, answer.drip_s)
        connection.sendall(wire if answer.cut_after is None else wire[:answer.cut_after])
        if answer.reset:
            connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        return answer.cut_after is None and not answer.reset and answer.raw is None
