"""Plays the rows of a table at the same time: those of one test function, against an instance that they share.

    def test_row(quick, row, together):
        together(lambda row: play(quick, row))

The vector tables use it, whose rows mostly wait for a silence or a delay.  Invariants: each test reports the outcome of
its own row, a skip and a traceback too; only rows whose tests were selected are played, in their order, and the next
function's begin when all of these are done.
"""

import concurrent.futures

LANES = 8


class Together:
    """The outcomes of one module's rows."""

    def __init__(self, lanes=LANES):
        self.pool = concurrent.futures.ThreadPoolExecutor(lanes)
        self.outcomes = {}

    def play(self, item, function):
        """The outcome of function(**parameters) for the pytest item; the first call of a test function plays all its rows."""
        if item.originalname not in self.outcomes:
            self.outcomes[item.originalname] = {
                one.callspec.id: self.pool.submit(function, **one.callspec.params) for one in item.session.items
                if one.path == item.path and one.originalname == item.originalname}
        return self.outcomes[item.originalname][item.callspec.id].result()

    def close(self):
        """What has not begun does not begin; what has is waited for."""
        self.pool.shutdown(cancel_futures=True)
