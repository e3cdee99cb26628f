"""The most that each figure of a request may be, as scripts/costs keeps it in a file."""
import math

COLUMNS = ("instructions", "statements", "allocations", "pwrites", "bytes written", "syncs")
ABOVE_PERCENT = 10  # a bound is so much more than what was counted,
LOW = 0.8           # and may be lowered once a figure is below this share of it
# What one transaction of a timer (authentications are recorded every minute) adds to the average of 200 requests, at most.
SLACK = {"instructions": 1000, "statements": 0.1, "allocations": 0.5, "pwrites": 0.1, "bytes written": 250, "syncs": 0.1}
HEAD = """\
# What a request may cost at most, on average: 10 % more than was counted on this release of Debian. scripts/costs compares,
# and `scripts/costs --set` writes this file.
"""


def bound_for(name, figure):
    bound = max(figure * (100 + ABOVE_PERCENT) / 100, figure + SLACK[name])
    return float(math.ceil(bound)) if bound > 100 else math.ceil(bound * 10) / 10


class Bounds:
    def __init__(self, release, values):
        self.release = release  # of Debian
        self.values = values    # values[request][figure]

    @classmethod
    def around(cls, figures, release):
        return cls(release, {request: {name: bound_for(name, counts[name]) for name in COLUMNS}
                             for request, counts in figures.items()})

    @classmethod
    def read(cls, path):
        release, _, *rows = [line for line in path.read_text().splitlines() if not line.startswith("#")]
        return cls(release, {request: dict(zip(COLUMNS, map(float, numbers)))
                             for request, *numbers in map(str.split, rows)})

    def write(self, path):
        rows = [["request", *(name.replace(" ", "-") for name in COLUMNS)]]
        rows += [[request, *(f"{bounds[name]:g}" if bounds[name] < 100 else f"{bounds[name]:.0f}" for name in COLUMNS)]
                 for request, bounds in self.values.items()]
        lines = [f"{request:8}" + "".join(f"{cell:>15}" for cell in cells) for request, *cells in rows]
        path.write_text(HEAD + "\n".join([self.release, *lines]) + "\n")

    def compare(self, figures):
        """A line for each figure above its bound, and one for each that is so far below that the bound may be lowered."""
        exceeded, low = [], []
        for request, bounds in self.values.items():
            for name, bound in bounds.items():
                figure = figures[request][name]
                if figure > bound:
                    exceeded.append(f"{request}: {figure:,.1f} {name}, {100 * (figure / bound - 1):.1f} % above the bound "
                                    f"of {bound:,.1f}")
                elif figure < bound * LOW and figure < bound - 2 * SLACK[name]:
                    low.append(f"{request}: {figure:,.1f} {name}, {100 * (1 - figure / bound):.1f} % below the bound of "
                               f"{bound:,.1f}")
        return exceeded, low
