"""How scripts/costs judges what it counted, and reads callgrind's files."""
import sys
from pathlib import Path

import pytest

sys.path.append(str(Path(__file__).resolve().parent.parent / "bench"))

from bounds import COLUMNS, Bounds  # noqa: E402
from counted import calls_of  # noqa: E402

FIGURES = {"create": dict.fromkeys(COLUMNS, 100_000.0), "get": dict.fromkeys(COLUMNS, 0.0)}
DUMP = """\
events: Ir
fn=(1) main
cfn=(2) malloc
calls=3 10
7 300
fn=(3) walk
cfn=(3)
calls=2 5
cfn=(4) walk'2
calls=4 5
cfn=(2)
calls=5 10
"""


def changed(request, name, figure):
    return FIGURES | {request: FIGURES[request] | {name: figure}}


@pytest.fixture(name="bounds")
def bounds_that_were_written(tmp_path):
    Bounds.around(FIGURES, "Debian GNU/Linux 12").write(tmp_path / "bounds")
    return Bounds.read(tmp_path / "bounds")


def test_bounds_are_a_tenth_above_what_was_counted(bounds):
    assert bounds.release == "Debian GNU/Linux 12"
    assert bounds.values["create"] == dict.fromkeys(COLUMNS, 110_000.0) 
    assert bounds.compare(FIGURES) == ([], [])


def test_a_figure_above_its_bound_is_named(bounds):
    assert bounds.compare(changed("create", "bytes written", 115_500.0)) == (
        ["create: 115,500.0 bytes written, 5.0 % above the bound of 110,000.0"], [])
    assert bounds.compare(changed("create", "bytes written", 110_000.0)) == ([], [])


def test_a_request_that_begins_to_write_is_named(bounds):
    assert bounds.compare(changed("get", "syncs", 1.0)) == (["get: 1.0 syncs, 900.0 % above the bound of 0.1"], [])
    assert bounds.compare(changed("get", "syncs", 0.05)) == ([], [])


def test_a_figure_far_below_its_bound_is_named(bounds):
    assert bounds.compare(changed("create", "statements", 82_500.0)) == (
        [], ["create: 82,500.0 statements, 25.0 % below the bound of 110,000.0"])
    assert bounds.compare(changed("create", "statements", 88_100.0)) == ([], [])


def test_calls_are_counted_by_the_name_of_the_function(tmp_path):
    (tmp_path / "dump").write_text(DUMP)
    assert calls_of(tmp_path / "dump") == {"malloc": 8, "walk": 6}
