"""`make demo` is the first thing that a newcomer sees: it must work, and leave nothing running or on disk."""

import os
import subprocess

ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))


def test_the_demo_shows_all_that_there_is(binary, tmp_path):
    ended = subprocess.run(
        [os.path.join(ROOT, "scripts", "demo")],
        env={**os.environ, "BUILD": os.path.dirname(str(binary)), "DEMO_ONCE": "1", "TMPDIR": str(tmp_path)},
        stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, timeout=120, check=False)
    assert ended.returncode == 0, ended.stdout
    for said in ("over TLS and HTTP/2",
                 "webhook received: payment.completed (signature verified)",
                 "the same payment; charges in Stripe's own books: 1",
                 "webhook received: payment.failed (signature verified)",
                 '"type": "redirect_to_url"',
                 "webhook received: payment.capturable (signature verified)",
                 '"amount_captured": "65.50"',
                 '"code": "canceled"',
                 "webhook received: payment.refunded (signature verified)",
                 '"last4": "4242"',
                 "webhook received: card.saved (signature verified)",
                 "GET /v1/payments?status=completed",
                 "action required",
                 "/redeliver"):
        assert said in ended.stdout
    # One by card, one authenticated, one captured, one by a saved card; and the first one sent again.
    assert ended.stdout.count("payment.completed (signature verified)") == 5
    assert "WRONG SIGNATURE" not in ended.stdout
    assert not list(tmp_path.iterdir())
