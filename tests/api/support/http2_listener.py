"""HTTP/2 over TLS for stand-ins that must misbehave, on an implementation that shares nothing with the service's. A
client that does not choose h2 is served HTTP/1.1."""
import ssl
from collections import deque

from .http2_connection import Http2Connection
from .http_listener import HttpListener

HANDSHAKE_S = 10


class Http2Listener(HttpListener):
    """As HttpListener; `settings` go in the first SETTINGS frame of each connection, `alpn` is what it offers."""

    def __init__(self, respond, port=0, *, certificate, settings=None, alpn=("h2", "http/1.1"), tls=None):
        self._context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        self._context.load_cert_chain(*certificate)
        self._context.set_alpn_protocols(list(alpn))
        if tls is not None:
            self._context.set_ciphers("DEFAULT:@SECLEVEL=0")  # else the system's OpenSSL speaks nothing so old
            self._context.minimum_version = self._context.maximum_version = tls
        self.settings = settings or {}
        self.connections = []       # those that spoke HTTP/2, oldest first
        self._on_connect = deque()
        self._on_headers = deque()
        super().__init__(respond, port)
        self.url = f"https://localhost:{self.port}"

    def when_connected(self, *actions):
        """Each is called once, with the socket of a new connection, and says what is said on it."""
        self._on_connect.extend(actions)

    def when_headers_come(self, *actions):
        """Each is called once, with connection and stream id, when a request's head came."""
        self._on_headers.extend(actions)

    @property
    def open_connections(self):
        """Those whose end it will see."""
        return [connection for connection in self.connections if not connection.ended and not connection.deaf]

    def _serve(self, connection):
        try:
            connection.settimeout(HANDSHAKE_S)
            secure = self._context.wrap_socket(connection, server_side=True)
            secure.settimeout(None)
        except OSError:  # ssl.SSLError is one: the client refuses
            connection.close()
            return
        if self._on_connect:
            with secure:
                self._act(self._on_connect, secure)
        elif secure.selected_alpn_protocol() == "h2":
            self.connections.append(Http2Connection(
                secure, self._closing, self._respond, self.settings,
                lambda connection, stream_id: self._act(self._on_headers, connection, stream_id)))
            self.connections[-1].run()
        else:
            super()._serve(secure)

    @staticmethod
    def _act(actions, *arguments):
        try:
            action = actions.popleft()
        except IndexError:
            return
        try:
            action(*arguments)
        except OSError:
            pass  # the peer went away, as peers do
