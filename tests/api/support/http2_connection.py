"""The server's end of one HTTP/2 connection, which can misbehave. Everything happens on the thread that makes it. Calls
from a test's thread (`goaway`, `mute`, `close`, ...) are handed to that thread and done soon."""
import os
import queue
import select
import socket
import ssl
import struct
import threading
import time
from collections import deque

from h2.config import H2Configuration
from h2.connection import H2Connection
from h2.errors import ErrorCodes
from h2.events import (DataReceived, PingReceived, RequestReceived, SettingsAcknowledged, StreamEnded,
                       StreamReset)
from h2.exceptions import H2Error
from h2.settings import SettingCodes, Settings
from hyperframe.frame import GoAwayFrame, RstStreamFrame, SettingsFrame

from .http_listener import Request

LIMIT = SettingCodes.MAX_CONCURRENT_STREAMS
WINDOW = SettingCodes.INITIAL_WINDOW_SIZE
NO_STREAM = 0
HIGHEST_STREAM = 2**31 - 1
POLL_S = 0.005


class _Unlimited(H2Connection):
    """Leaves the limit of streams to Http2Connection, which refuses single streams as servers do."""
    open_inbound_streams = -1


class _Reply:
    """An answer that is on its way."""

    def __init__(self, stream_id, answer):
        self.stream_id = stream_id
        self.answer = answer
        self.due = time.monotonic() + answer.delay_s
        self.headers, body = answer.parts()
        self.body = body if answer.cut_after is None else body[:answer.cut_after]
        self.begun = False

    def may_go(self):
        return time.monotonic() >= self.due and (self.answer.gate is None or self.answer.gate.is_set())


class Http2Connection:
    """`respond(Request)` gives the Answer. `settings` go into the first SETTINGS frame. `on_headers(connection,
    stream_id)` is called when a request's head came, before its body."""

    def __init__(self, sock, closing, respond, settings, on_headers):
        self._sock = sock
        self._closing = closing
        self._respond = respond
        self._on_headers = on_headers
        self._woken, self._wake = socket.socketpair()
        self._actions = queue.SimpleQueue()
        self._requests = {}  # by stream: head, body so far
        self._replies = []
        self._mute = False
        self._thread = threading.current_thread()
        self._window_stays_shut = WINDOW in settings
        self._h2 = _Unlimited(H2Configuration(client_side=False, header_encoding="utf-8"))
        self._h2.local_settings = Settings(client=False, initial_values={LIMIT: 100} | settings)
        self.stream_limit = None  # what the client acknowledged last
        self._limit_told = self._h2.local_settings.max_concurrent_streams
        self._limits_unacknowledged = deque([self._limit_told])
        self.deaf = False  # reads nothing any more, so it does not see its end either
        self.ended = False
        self.requests_open = 0
        self.pings = 0
        self.errors = []  # what the client did that HTTP/2 forbids

    # For tests, on any thread

    def send_raw(self, data):
        def send():
            self._flush()
            self._sock.sendall(data)
        self._do(send)

    def goaway(self, last_stream_id=HIGHEST_STREAM, error=ErrorCodes.NO_ERROR):
        self.send_raw(GoAwayFrame(NO_STREAM, last_stream_id, error).serialize())

    def reset(self, stream_id, error):
        """RST_STREAM."""
        self.send_raw(RstStreamFrame(stream_id, error).serialize())
        self._do(lambda: self._forget(stream_id))

    def allow_streams(self, count):
        """A new SETTINGS frame with this limit."""
        def note():
            self._limit_told = count
            self._limits_unacknowledged.append(count)
        self._do(note)
        self.send_raw(SettingsFrame(NO_STREAM, {LIMIT: count}).serialize())

    def open_windows(self):
        """Where `settings` shut each stream's window after so many bytes, lets the client send on."""
        def let():
            self._window_stays_shut = False
            self._limits_unacknowledged.append(self._limit_told)
            self._h2.update_settings({WINDOW: 65535})
        self._do(let)

    def interim(self, stream_id, status, **headers):
        """An answer before the answer."""
        self._do(lambda: self._h2.send_headers(stream_id, [(":status", str(status)), *headers.items()]))

    def answer_now(self, stream_id, answer):
        """Before the request is whole."""
        self._do(lambda: self._replies.append(_Reply(stream_id, answer)))

    def encoded(self, *headers):
        """A block of headers as this connection has to write it; only on its own thread, where `act` is called."""
        return self._h2.encoder.encode(headers)

    def mute(self, *, reading):
        """From now on it says nothing, and takes no request. The system acknowledges what comes, read or unread."""
        def fall_silent():
            self._mute, self.deaf = True, not reading
        self._do(fall_silent)

    def close(self, *, notice=False, reset=False):
        """Ends it by FIN, with TLS's notice before it where wanted, or by RST."""
        def end():
            if notice:
                self._sock.settimeout(0)  # does not wait for the other side's
                try:
                    self._sock.unwrap()
                except ssl.SSLWantReadError:
                    pass
            if reset:
                self._sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
            self.ended = True
        self._do(end)

    def send_beneath_tls(self, data):
        self._do(lambda: os.write(self._sock.fileno(), data))

    def _do(self, action):
        if threading.current_thread() is self._thread:
            action()
            return
        self._actions.put(action)
        try:
            self._wake.send(b"x")
        except OSError:
            pass  # it has ended

    # Its thread

    def run(self):
        try:
            self._h2.initiate_connection()
            self._flush()
            while not self.ended:
                self._step()
        except OSError:
            pass  # the peer went away, as peers do
        finally:
            self.ended = True
            self._sock.close()
            self._woken.close()

    def _step(self):
        sources = [self._woken, self._closing] + ([] if self.deaf else [self._sock])
        ready, _, _ = select.select(sources, [], [], POLL_S if self._replies else None)
        if self._closing in ready:
            self.ended = True
            return
        if self._sock in ready:
            self._receive()
        if self._woken in ready:
            self._woken.recv(4096)
        while not self._actions.empty():
            self._actions.get()()
        if not self._mute and not self.ended:
            self._send_replies()
            self._flush()

    def _flush(self):
        self._sock.sendall(self._h2.data_to_send())

    def _receive(self):
        data = self._sock.recv(65536)
        if not data:
            self.ended = True
        else:
            try:
                events = self._h2.receive_data(data)
            except H2Error as error:
                self.errors.append(f"{type(error).__name__}: {error}")
                self._flush()  # its GOAWAY
                self.ended = True
                return
            for event in events:
                self._handle(event)

    def _handle(self, event):
        if isinstance(event, RequestReceived):
            self._begin(event)
        elif isinstance(event, DataReceived) and event.stream_id in self._requests:
            self._requests[event.stream_id][1].extend(event.data)
            if not self._window_stays_shut:
                self._h2.acknowledge_received_data(event.flow_controlled_length, event.stream_id)
        elif isinstance(event, StreamEnded) and event.stream_id in self._requests and not self._mute:
            self._answer(event.stream_id)
        elif isinstance(event, StreamReset):
            self._forget(event.stream_id)
        elif isinstance(event, PingReceived):
            self.pings += 1
        elif isinstance(event, SettingsAcknowledged):
            self.stream_limit = self._limits_unacknowledged.popleft()

    def _begin(self, event):
        self._requests[event.stream_id] = event.headers, bytearray()
        self.requests_open = len(self._requests)
        if self.stream_limit is not None and self.requests_open > self.stream_limit:
            self.errors.append(f"{self.requests_open} streams where {self.stream_limit} are allowed")
        if self.requests_open > self._limit_told:
            self._h2.reset_stream(event.stream_id, ErrorCodes.REFUSED_STREAM)
            self._forget(event.stream_id)
        else:
            self._on_headers(self, event.stream_id)

    def _forget(self, stream_id):
        self._requests.pop(stream_id, None)
        self.requests_open = len(self._requests)
        self._replies = [reply for reply in self._replies if reply.stream_id != stream_id]

    def _answer(self, stream_id):
        headers, body = self._requests[stream_id]
        pseudo = {name: value for name, value in headers if name.startswith(":")}
        answer = self._respond(Request(
            pseudo[":method"], pseudo[":path"], [pair for pair in headers if not pair[0].startswith(":")],
            bytes(body), bytes(body), connection=self, stream_id=stream_id))
        if answer.act is not None:
            answer.act(self, stream_id)
        if not answer.hang:
            self._replies.append(_Reply(stream_id, answer))

    def _send_replies(self):
        for reply in list(self._replies):
            if not reply.may_go():
                continue
            try:
                over = self._send(reply)
            except H2Error:
                over = True  # the client gave the stream up
            if over:
                self._forget(reply.stream_id)

    def _send(self, reply):
        """Sends what the client's windows allow. Whether that was all."""
        answer, stream_id = reply.answer, reply.stream_id
        if answer.raw is not None:
            self._sock.sendall(answer.raw)
            return True
        if not reply.begun and answer.cut_after != 0:
            head = {":status": str(answer.status)} | {name.lower(): value for name, value in reply.headers.items()}
            self._h2.send_headers(stream_id, head.items())
            reply.begun = True
        while reply.body:
            room = min(self._h2.local_flow_control_window(stream_id), self._h2.max_outbound_frame_size,
                       1 if answer.drip_s else len(reply.body))
            if room <= 0:
                return False
            self._h2.send_data(stream_id, reply.body[:room])
            reply.body = reply.body[room:]
            if answer.drip_s:
                reply.due = time.monotonic() + answer.drip_s
                return False
        if answer.cut_after is not None:
            self._flush()
            self.close(reset=answer.reset)
        elif answer.trailers:
            self._h2.send_headers(stream_id, answer.trailers.items(), end_stream=True)
        else:
            self._h2.end_stream(stream_id)
        return True
