"""The stand-in of the other side, upstream.c, with nghttpx in front of it for TLS and HTTP/2."""
import base64
import contextlib
import json
import re
import urllib.parse
import urllib.request

from support.nghttpx import Nghttpx
from support.process import Process, environment
from support.sandbox import Sandbox
from support.waiting import wait_until

LISTENING = re.compile(r"listening on (http://127\.0\.0\.1:\d+)")
CHARGE = {"amount": 424242, "currency": "xts", "payment_method": "pm_card_visa", "confirm": "true",
          "automatic_payment_methods[enabled]": "true", "automatic_payment_methods[allow_redirects]": "never",
          "metadata[payment_id]": "PAYMENT", "expand[]": "payment_method"}
DELIVERED_S = 120


def template(binary):
    """The sandbox's answer to a charge, with names for what differs."""
    with contextlib.closing(Sandbox(binary)) as sandbox:
        form = urllib.parse.urlencode(CHARGE | {"currency": "usd"}).encode()
        key = base64.b64encode(b"sk_test_0123456789abcdefghijklmn:").decode()
        request = urllib.request.Request(sandbox.url + "/v1/payment_intents", form, {"Authorization": f"Basic {key}"})
        with urllib.request.urlopen(request) as answer:
            text = answer.read().decode()
    intent = json.loads(text)
    text = text.replace(intent["id"], "pi_3@id@").replace(str(CHARGE["amount"]), "@amount@")
    return text.replace('"currency":"usd"', '"currency":"@currency@"').replace("PAYMENT", "@payment@")


class Upstream:
    def __init__(self, build, folder):
        file = folder / "payment_intent.json"
        file.write_text(template(build / "paymentsd"))
        self._process = Process([build / "tests" / "bench" / "upstream", file], environment())
        found = self._process.out.wait_for(LISTENING.search)
        assert found, "\n".join(self._process.err.all())
        self.url = found[1]
        self._nghttpx = Nghttpx(self.url, folder)
        self.settings = self._nghttpx.settings  # of a service whose Stripe this is, over TLS and HTTP/2
        self.pids = (self._process.pid, self._nghttpx.process.pid)

    def close(self):
        self._nghttpx.close()
        self._process.kill()

    def _ask(self, path):
        with urllib.request.urlopen(self.url + path) as answer:
            return answer.read()

    def set_latency(self, latency_ms):
        self._ask(f"/latency?{latency_ms}")

    def wait_until_delivered(self):
        """Until there was a webhook for each payment."""
        def is_delivered():
            intents, webhooks = json.loads(self._ask("/counts"))
            return webhooks >= intents
        wait_until(is_delivered, DELIVERED_S, "a webhook for each payment")
