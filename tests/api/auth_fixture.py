"""For the tests of authentication: unused addresses, made-up keys, and requests with them."""
import itertools
import zlib

DIGITS = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"
FAILURES_ALLOWED = 10
addresses = itertools.count(1)


def new_address():
    number = next(addresses)
    return f"198.{18 + number // 65536}.{number // 256 % 256}.{number % 256}"


def made_up_key(mode="live", letter="a"):
    """A well-formed key that nobody made: its check digits are right."""
    start = f"sk_{mode}_" + letter * 32
    crc, check = zlib.crc32(start.encode()), ""
    for _ in range(6):
        crc, digit = divmod(crc, 62)
        check = DIGITS[digit] + check
    return start + check


def ask(server, key=None, address=None, **headers):
    return server.api(key, X_Forwarded_For=address or new_address(), **headers).get("/v1/payments")


def fail(server, address, times=1, key=None):
    return [ask(server, key or made_up_key(), address) for _ in range(times)][-1]
