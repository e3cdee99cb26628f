"""A call that goes on in the background while a test does something else."""
import threading

from .waiting import PATIENCE_S, scaled


class InBackground:
    """InBackground(merchant.pay, "5.00"): the call, under way in a thread of its own."""

    def __init__(self, call, *arguments, **named):
        self._result = self._error = None
        self._thread = threading.Thread(target=self._run, args=(call, arguments, named), daemon=True)
        self._thread.start()

    def _run(self, call, arguments, named):
        try:
            self._result = call(*arguments, **named)
        except BaseException as error:  # raised again where the result is asked for
            self._error = error

    @property
    def over(self):
        return not self._thread.is_alive()

    def result(self, timeout=PATIENCE_S):
        """The call's result, once it has one; its exception is raised here."""
        self._thread.join(scaled(timeout))
        assert self.over, "the call did not end"
        if self._error is not None:
            raise self._error
        return self._result
