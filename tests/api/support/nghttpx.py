"""nghttpx in front of the sandbox. The service reaches it as it reaches Stripe, over TLS and HTTP/2, and the other side of
that is not our code. nghttpx passes each request on over HTTP/1.1. If the sandbox drops a connection, nghttpx answers 502:
another fault, but a fault too."""
import re
import socket
import urllib.parse

from .certificates import make_certificate
from .process import Process, environment

PROGRAM = "/usr/sbin/nghttpx"  # Debian's nghttp2-proxy; sbin is not on everybody's PATH
LISTENING = re.compile(r"Listening on ")
OPTIONS = (
    "--conf=/dev/null", "--single-process", "--no-ocsp",
    "--host-rewrite",  # the sandbox links to its own pages
    "--frontend-http2-max-concurrent-streams=100",
    # The sandbox may leave a call hanging: the service's time-out is to end it.
    "--backend-read-timeout=1h", "--frontend-http2-read-timeout=1h",
)


class Nghttpx:
    """In front of the server at a URL. Keeps its certificate in the folder."""

    def __init__(self, target_url, folder):
        target = urllib.parse.urlsplit(target_url)
        self.certificate, key = make_certificate(folder, "localhost", "127.0.0.1")
        # nghttpx refuses port 0, but takes a socket that listens already, as it does from itself when it is upgraded.
        with socket.create_server(("127.0.0.1", 0), backlog=1024) as listener:
            port = listener.getsockname()[1]
            self.process = Process(
                [PROGRAM, *OPTIONS, f"--frontend=127.0.0.1,{port}", f"--backend={target.hostname},{target.port}",
                 key, self.certificate],
                environment(NGHTTPX_ACCEPT_1=f"tcp,{listener.fileno()}"), fds=[listener.fileno()])
        self.url = f"https://localhost:{port}"
        if not self.process.err.wait_for(LISTENING.search):
            self.process.kill()
            raise AssertionError("nghttpx does not listen:\n" + self._said())

    @property
    def settings(self):
        """The settings of a service whose Stripe this is."""
        return {"stripe_api_base": self.url, "stripe_ca_file": self.certificate}

    def close(self):
        status = self.process.exit_status()
        self.process.kill()
        assert status is None, f"nghttpx ended by itself with status {status}:\n" + self._said()

    def _said(self):
        return "\n".join(self.process.err.all()[-20:])
