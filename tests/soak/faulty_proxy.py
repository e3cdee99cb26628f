#!/usr/bin/python3
"""A proxy in front of Stripe that injects network faults: faulty_proxy.py TARGET_URL CERTIFICATE KEY

Speaks TLS and HTTP/2 (python3-h2) to the service, and HTTP/1.1 to the target. It resets streams before or after the
request was carried out, and closes, resets or silences connections. A request that it reports as not processed was
never passed on. It prints its address on stdout and, on SIGTERM, the number of each fault as JSON."""
import asyncio
import collections
import json
import random
import signal
import socket
import ssl
import struct
import sys
import urllib.parse

from h2.config import H2Configuration
from h2.connection import H2Connection
from h2.errors import ErrorCodes
from h2.events import DataReceived, RequestReceived, StreamEnded, StreamReset, WindowUpdated
from h2.exceptions import H2Error
from hyperframe.frame import GoAwayFrame

# The share of requests that meet each fault.
STREAM_FAULTS = {"stream refused": 0.01, "stream reset, not processed": 0.01, "stream reset, processed": 0.01,
                 "stream reset in the answer": 0.01, "stream left hanging": 0.0002}
CONNECTION_FAULTS = {"connection reset, not processed": 0.0005, "connection reset, processed": 0.0005,
                     "connection closed": 0.0005, "going away": 0.001, "connection silent for a while": 0.0005,
                     "connection silent for ever": 0.0002}
FAULTS = STREAM_FAULTS | CONNECTION_FAULTS
RESET_CODES = (ErrorCodes.CANCEL, ErrorCodes.INTERNAL_ERROR, ErrorCodes.PROTOCOL_ERROR)
GOAWAY_CODES = (ErrorCodes.NO_ERROR, ErrorCodes.INTERNAL_ERROR)
SILENCE_S = (0.1, 4)
KEPT_HEADERS = {"authorization", "content-type", "idempotency-key", "stripe-version", "user-agent"}


class Target:
    """The HTTP/1.1 server, with one connection for each concurrent request."""

    def __init__(self, url):
        parsed = urllib.parse.urlsplit(url)
        self._address = parsed.hostname, parsed.port
        self._idle = []

    async def exchange(self, headers, body):
        """Returns the answer's status, headers and body."""
        while self._idle and self._idle[-1][0].at_eof():
            self._idle.pop()[1].close()
        reader, writer = self._idle.pop() if self._idle else await asyncio.open_connection(*self._address)
        lines = [f"{headers[':method']} {headers[':path']} HTTP/1.1", f"host: {self._address[0]}:{self._address[1]}",
                 f"content-length: {len(body)}",
                 *(f"{name}: {headers[name]}" for name in KEPT_HEADERS & headers.keys())]
        writer.write("\r\n".join([*lines, "", ""]).encode() + body)
        first, *fields = (await reader.readuntil(b"\r\n\r\n")).decode().rstrip().split("\r\n")
        answered = [(name.lower(), value) for name, value in (field.split(": ", 1) for field in fields)]
        body = await reader.readexactly(int(dict(answered)["content-length"]))
        self._idle.append((reader, writer))
        return first.split(" ")[1], [field for field in answered if field[0] != "connection"], body


class Connection(asyncio.Protocol):
    """The server's end of one of the service's connections."""

    def __init__(self, target, counts):
        self._target = target
        self._counts = counts
        self._h2 = H2Connection(H2Configuration(client_side=False, header_encoding="utf-8",
                                                validate_outbound_headers=False, normalize_outbound_headers=False))
        self._requests = {}     # incomplete requests by stream: headers, body
        self._in_progress = {}  # tasks by stream
        self._unsent = {}       # by stream: the part of the answer that waits for the window
        self._forwarded = 0     # the highest stream whose request was passed on
        self._silent = False
        self._last = None       # after GOAWAY: the last stream that is processed

    def connection_made(self, transport):
        self._transport = transport
        self._counts["connections"] += 1
        self._h2.initiate_connection()
        self._flush()

    def connection_lost(self, _error):
        self._silent = True

    def data_received(self, data):
        try:
            for event in self._h2.receive_data(data):
                self._handle(event)
        except H2Error as error:
            self._counts[f"the service broke HTTP/2: {error!r}"] += 1
        self._flush()

    def _handle(self, event):
        if isinstance(event, RequestReceived):
            self._requests[event.stream_id] = dict(event.headers), bytearray()
        elif isinstance(event, DataReceived):
            self._h2.acknowledge_received_data(event.flow_controlled_length, event.stream_id)
            if event.stream_id in self._requests:
                self._requests[event.stream_id][1].extend(event.data)
        elif isinstance(event, StreamEnded) and event.stream_id in self._requests:
            self._process(event.stream_id, *self._requests.pop(event.stream_id))
        elif isinstance(event, StreamReset):
            self._requests.pop(event.stream_id, None)
            self._unsent.pop(event.stream_id, None)
        elif isinstance(event, WindowUpdated):
            for stream_id in list(self._unsent):
                self._send_rest(stream_id)

    def _process(self, stream_id, headers, body):
        """The request is complete: chooses a fault, or passes it on."""
        if self._last is not None and stream_id > self._last:
            return  # GOAWAY said that it is not processed
        self._counts["requests"] += 1
        fault, = random.choices([None, *FAULTS], [1 - sum(FAULTS.values()), *FAULTS.values()])
        self._counts[fault or "no fault"] += 1
        if fault in CONNECTION_FAULTS:
            self._fail(fault)
        if fault == "stream refused":
            self._reset(stream_id, ErrorCodes.REFUSED_STREAM)
        elif fault == "stream reset, not processed":
            self._reset(stream_id, random.choice(RESET_CODES))
        elif fault != "connection reset, not processed" and (self._last is None or stream_id <= self._last):
            self._forwarded = max(self._forwarded, stream_id)
            self._in_progress[stream_id] = asyncio.create_task(self._pass_on(stream_id, headers, body, fault))

    def _fail(self, fault):
        if fault == "connection closed":
            self._flush()
            self._transport.close()
        elif fault == "going away":
            self._last = self._forwarded
            self._flush()
            self._write(GoAwayFrame(0, self._last, random.choice(GOAWAY_CODES)).serialize())
            self._close_if_done()
        elif fault.startswith("connection reset"):
            linger = struct.pack("ii", 1, 0)
            self._transport.get_extra_info("socket").setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, linger)
            self._transport.abort()
        else:
            self._silent = True
            self._transport.pause_reading()
            if fault == "connection silent for a while":
                asyncio.get_running_loop().call_later(random.uniform(*SILENCE_S), self._resume)

    def _resume(self):
        self._silent = self._transport.is_closing()
        if not self._silent:
            self._transport.resume_reading()
            self._flush()

    async def _pass_on(self, stream_id, headers, body, fault):
        try:
            status, answered, text = await self._target.exchange(headers, body)
            if fault == "stream reset, processed":
                self._reset(stream_id, random.choice(RESET_CODES))
            elif fault != "stream left hanging":
                self._h2.send_headers(stream_id, [(":status", status), *answered])
                halved = fault == "stream reset in the answer"
                self._unsent[stream_id] = memoryview(text)[:len(text) // 2] if halved else memoryview(text)
                self._send_rest(stream_id, whole=not halved)
                if halved:
                    self._reset(stream_id, random.choice(RESET_CODES))
        except H2Error:
            pass  # the service has ended the stream
        except (OSError, EOFError) as error:
            self._counts[f"the target failed: {error!r}"] += 1
        del self._in_progress[stream_id]
        self._flush()
        self._close_if_done()

    def _send_rest(self, stream_id, whole=True):
        """Sends as much of the answer's body as the window allows."""
        rest = self._unsent[stream_id]
        room = min(self._h2.local_flow_control_window(stream_id), self._h2.max_outbound_frame_size)
        while rest and room > 0:
            self._h2.send_data(stream_id, bytes(rest[:room]))
            rest = rest[room:]
            room = min(self._h2.local_flow_control_window(stream_id), self._h2.max_outbound_frame_size)
        self._unsent[stream_id] = rest
        if not rest:
            del self._unsent[stream_id]
            if whole:
                self._h2.end_stream(stream_id)

    def _reset(self, stream_id, code):
        self._unsent.pop(stream_id, None)
        self._h2.reset_stream(stream_id, code)

    def _close_if_done(self):
        if self._last is not None and not self._in_progress and not self._unsent:
            self._transport.close()

    def _flush(self):
        if not self._silent:
            self._write(self._h2.data_to_send())

    def _write(self, data):
        if data and not self._silent and not self._transport.is_closing():
            self._transport.write(data)


async def serve(target_url, certificate, key):
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate, key)
    context.set_alpn_protocols(["h2"])
    counts, target = collections.Counter(), Target(target_url)
    ended = asyncio.Event()
    loop = asyncio.get_running_loop()
    loop.add_signal_handler(signal.SIGTERM, ended.set)
    server = await loop.create_server(lambda: Connection(target, counts), "127.0.0.1", 0, ssl=context, backlog=1024)
    print(f"listening on https://localhost:{server.sockets[0].getsockname()[1]}", flush=True)
    await ended.wait()
    print(json.dumps(counts), flush=True)


if __name__ == "__main__":
    asyncio.run(serve(*sys.argv[1:]))
