"""A proxy before a PostgreSQL server, which can lose the answer of a COMMIT, drop all packets as a broken network does, or
let the server read another text than the client has sent. It reads the frontend/backend protocol: a message is a letter, its
length and its content."""
import contextlib
import socket
import threading
import time

COMMIT_SENT = b"\x00COMMIT\x00"          # the end of a Parse message's name, and its text
COMMIT_DONE = b"COMMIT\x00"              # a CommandComplete message's content
SYNC = b"S\x00\x00\x00\x04"
TLS_ASKED_FOR = (80877103).to_bytes(4, "big")
HELD_S = 0.5


class PostgresqlProxy:
    """`cut`: "unsent": the COMMIT never reaches the server; "unanswered": its answer is lost; "late": the client's
    connection ends first, and the server gets the COMMIT afterwards."""

    def __init__(self, server):
        self.server = server
        self.cut = None
        self._after = b""
        self.cuts = 0
        self.commits_until_cut = 0
        self.refusing = False  # new connections
        self.refuse_after_cut = False
        self._replaced = {}
        self._cut_at = None
        self._dropping = threading.Event()
        self._lock = threading.Lock()
        self._sockets = []
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.port = self._listener.getsockname()[1]
        threading.Thread(target=self._accept, daemon=True).start()

    def cut_commit(self, how, number=1, after=b""):
        """At the COMMIT with this number, counted from now on, on a connection that has sent this text before."""
        with self._lock:
            self.cut, self.commits_until_cut, self._after = how, number, after

    def cut_at(self, text):
        """A connection ends when its client sends this text."""
        self._cut_at = text.encode()

    def replace(self, text, by):
        """In what the client sends from now on. `by` is padded to the length of `text`."""
        assert len(by) <= len(text)
        self._replaced[text.encode()] = by.ljust(len(text)).encode()

    def drop_everything(self):
        self._dropping.set()

    def close(self):
        self._listener.close()
        for one in self._sockets:
            _shut(one)

    def _accept(self):
        with contextlib.suppress(OSError):
            while True:
                client = self._listener.accept()[0]
                if self.refusing:
                    client.close()
                    continue
                server = (socket.create_connection(("127.0.0.1", self.server.port))
                          if not self._dropping.is_set() else None)
                self._sockets += [client] + ([server] if server else [])
                if server:
                    for one in (client, server):
                        one.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
                    lost = threading.Event()
                    for target in (self._from_client, self._from_server):
                        threading.Thread(target=_quietly, args=(target, client, server, lost), daemon=True).start()

    def _take_cut(self):
        """How to cut this COMMIT; None: not at all."""
        with self._lock:
            if self.cut is None:
                return None
            self.commits_until_cut -= 1
            if self.commits_until_cut > 0:
                return None
            how, self.cut = self.cut, None
            self.cuts += 1
            self.refusing = self.refuse_after_cut
            return how

    def _from_client(self, client, server, lost):
        start = _read_start(client)
        if start[4:8] == TLS_ASKED_FOR:
            client.sendall(b"N")
            start = _read_start(client)
        server.sendall(start)
        after = False
        while True:
            message = _read_message(client)
            if self._cut_at is not None and self._cut_at in message:
                break
            for text, by in self._replaced.items():
                message = message.replace(text, by)
            after = after or self._after != b"" and self._after in message
            self._wait_while_dropping()
            how = self._take_cut() if (after or not self._after) and message[:1] == b"P" and COMMIT_SENT in message else None
            if how == "unsent":
                break
            if how == "unanswered":
                lost.set()
            if how == "late":
                while not message.endswith(SYNC):
                    message += _read_message(client)
                _shut(client)
                time.sleep(HELD_S)
                lost.set()
            server.sendall(message)
        _shut(client)
        _shut(server)

    def _from_server(self, client, server, lost):
        while True:
            message = _read_message(server)
            self._wait_while_dropping()
            if lost.is_set() and message[:1] == b"C" and message.endswith(COMMIT_DONE):
                break
            if not lost.is_set():
                client.sendall(message)
        _shut(client)
        _shut(server)

    def _wait_while_dropping(self):
        while self._dropping.is_set():
            time.sleep(1)


def _quietly(target, client, server, lost):
    with contextlib.suppress(OSError, EOFError):
        target(client, server, lost)
    _shut(client)
    if not lost.is_set():
        _shut(server)


def _shut(one):
    with contextlib.suppress(OSError):
        one.shutdown(socket.SHUT_RDWR)


def _read(one, count, start=b""):
    data = start
    while count > 0:
        piece = one.recv(count)
        if not piece:
            raise EOFError
        data += piece
        count -= len(piece)
    return data


def _read_start(one):
    """The first message has no letter."""
    head = _read(one, 4)
    return _read(one, int.from_bytes(head, "big") - 4, head)


def _read_message(one):
    head = _read(one, 5)
    return _read(one, int.from_bytes(head[1:], "big") - 4, head)
