"""The service reaches Stripe over TLS and verifies its certificate: a server that cannot prove its name gets no charge."""
import socket
import ssl
import threading
import urllib.parse

import pytest

from support.certificates import make_certificate
from support.merchant import Merchant


class TlsFront:
    """Speaks TLS with the given certificate, and passes what it decrypts on to a plain server and back."""

    def __init__(self, target_url, certificate, key):
        target = urllib.parse.urlsplit(target_url)
        self.target = (target.hostname, target.port)
        self.context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        self.context.load_cert_chain(certificate, key)
        self.decrypted_bytes = 0
        self.listener = socket.create_server(("127.0.0.1", 0))
        self.port = self.listener.getsockname()[1]
        threading.Thread(target=self._accept, daemon=True).start()

    def _accept(self):
        while True:
            try:
                plain, _ = self.listener.accept()
            except OSError:
                return
            threading.Thread(target=self._serve, args=(plain,), daemon=True).start()

    def _serve(self, plain):
        try:
            with self.context.wrap_socket(plain, server_side=True) as client, \
                    socket.create_connection(self.target) as server:
                back = threading.Thread(target=self._pump, args=(server, client), daemon=True)
                back.start()
                self._pump(client, server)
                back.join(timeout=10)
        except OSError:  # ssl.SSLError is one: the client did not believe the certificate
            plain.close()

    def _pump(self, source, sink):
        try:
            while data := source.recv(65536):
                self.decrypted_bytes += len(data) if isinstance(source, ssl.SSLSocket) else 0
                sink.sendall(data)
            sink.shutdown(socket.SHUT_WR)
        except OSError:
            pass

    def close(self):
        self.listener.close()


@pytest.fixture
def front(sandbox, tmp_path):
    made = []

    def start(name):
        certificate, key = make_certificate(tmp_path, name)
        made.append(TlsFront(sandbox.url, certificate, key))
        return made[-1], certificate

    yield start
    for one in made:
        one.close()


def pay_over(start_server, front, **settings):
    server = start_server(f"https://localhost:{front.port}", patience="1s", **settings)
    merchant = Merchant.with_stripe(server)
    return merchant.pay()


def test_a_certificate_of_a_trusted_authority_is_believed(start_server, front):
    listener, certificate = front("localhost")
    payment = pay_over(start_server, listener, stripe_ca_file=certificate)
    assert payment["status"] == "completed"
    assert listener.decrypted_bytes > 0


def test_a_certificate_of_a_stranger_is_not_and_nothing_is_sent(start_server, front):
    listener, _ = front("localhost")
    payment = pay_over(start_server, listener)
    assert payment["status"] == "pending" and payment["provider_ref"] is None
    assert listener.decrypted_bytes == 0


def test_a_certificate_of_another_name_is_not_and_nothing_is_sent(start_server, front):
    listener, certificate = front("stripe.example")
    payment = pay_over(start_server, listener, stripe_ca_file=certificate)
    assert payment["status"] == "pending" and payment["provider_ref"] is None
    assert listener.decrypted_bytes == 0
