"""For the tests of the sandbox's SetupIntents."""
import pytest
import requests
import stripe

from sandbox_fixture import RETURN_URL

ALWAYS = "pm_card_authenticationRequired"
UNLESS_SET_UP = "pm_card_authenticationRequiredOnSetup"
SET_UP_ALREADY = "pm_card_authenticationRequiredSetupForOffSession"


def create(account, **params):
    """A SetupIntent of a card that works, confirmed in one step, unless told otherwise."""
    wanted = {"payment_method": "pm_card_visa", "confirm": True, "return_url": RETURN_URL} | account.options | params
    return stripe.SetupIntent.create(**{k: v for k, v in wanted.items() if v is not None})


def begin(account, **params):
    """One that is not confirmed."""
    return create(account, **{"payment_method": None, "confirm": None, "return_url": None} | params)


def confirm(account, setup, **params):
    return stripe.SetupIntent.confirm(setup.id, **{"return_url": RETURN_URL} | account.options | params)


def cancel(account, setup, **params):
    return stripe.SetupIntent.cancel(setup.id, **account.options, **params)


def retrieve(account, setup, **params):
    return stripe.SetupIntent.retrieve(setup.id, **account.options, **params)


def press(setup, action):
    """The payer's answer on the 3-D Secure page; gives where he is sent back to."""
    answer = requests.post(setup.next_action.redirect_to_url.url, data={"action": action}, allow_redirects=False,
                           timeout=10)
    assert answer.status_code == 303
    return answer.headers["Location"]


def set_up(account, name, **params):
    """The saved card of a SetupIntent that its holder authenticated."""
    setup = create(account, payment_method=name, customer=account.customer().id, **params)
    press(setup, "complete")
    return stripe.PaymentMethod.retrieve(retrieve(account, setup).payment_method, **account.options)


def card_of(account, method):
    return {"customer": method.customer, "payment_method": method.id}


def refused(call, error=stripe.error.InvalidRequestError):
    with pytest.raises(error) as caught:
        call()
    return caught.value


def attempts(account, setup):
    """The statuses of the confirmations, newest first."""
    return [attempt.status for attempt in
            stripe.SetupAttempt.list(setup_intent=setup.id, **account.options).data]
