"""Finds secrets by their shape, which all secrets that tests hand out or are given have. Every log line, every command's
output and, when a server has ended, every byte of its data is searched."""
import base64
import os
import re

KEY_FILES = re.compile(r"(master|pepper)\.key.*")
# Random text long enough that it is no placeholder ("sk_test_...") and no prefix or end that is shown to people.
SECRET = re.compile(rb"""
    [sr]k_(?:test|live)_[0-9A-Za-z]{16,}      # API keys, ours and Stripe's
  | whsec_[0-9A-Za-z+/]{16,}=*                # signing secrets, both directions
  | _secret_[0-9A-Za-z]{8,}                   # a client secret, also within a redirect's URL
""", re.VERBOSE)
# The card numbers that tests send, in all their spellings. No other test may have them kept.
CARD_NUMBERS = {"4242424242424242", "4242 4242 4242 4242", "4242-4242-4242-4242", "4242 4242-4242 4242",
                "378282246310005", "2223003122003222", "6011111111111117", "5555-5555-5555-4444"}


def found(data):
    """The secrets and card numbers that these bytes, or this text, show."""
    data = data.encode() if isinstance(data, str) else data
    return ([match.group() for match in SECRET.finditer(data)] +
            [number for number in CARD_NUMBERS if number.encode() in data])


def _keys_in(directory):
    """The service's own keys, as they are written and as they are."""
    for name in filter(KEY_FILES.fullmatch, os.listdir(directory)):
        with open(os.path.join(directory, name), "rb") as file:
            text = file.read().strip()
        yield text
        yield bytes.fromhex(text.decode()) if len(text) == 64 else base64.b64decode(text)


def refuse_in_files(directory, others=()):
    """Fails where a file of a server that has ended, other than its keys', shows a secret in clear."""
    wanted = [*_keys_in(directory), *(text.encode() for text in others if not found(text))]
    for name in os.listdir(directory):
        path = os.path.join(directory, name)
        if KEY_FILES.fullmatch(name) or not os.path.isfile(path):
            continue
        with open(path, "rb") as file:
            data = file.read()
        shown = found(data) + [secret for secret in wanted if secret in data]
        assert not shown, f"{name} shows in clear: {shown[:5]}"


def refuse_in_output(words, output):
    shown = found(output)
    assert not shown, f"{' '.join(map(str, words))} shows {shown}"
