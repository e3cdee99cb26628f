"""docs/guide.md, and its programs saved in a folder as its reader saves them."""
import sys

import pytest

from conftest import ROOT
from support.guide import Guide

# By a program's language.
INTERPRETERS = {"py": sys.executable, "mjs": "node"}


@pytest.fixture(scope="session")
def guide():
    return Guide((ROOT / "docs" / "guide.md").read_text())


@pytest.fixture
def folder(guide, tmp_path):
    """Where the guide's programs were saved."""
    guide.save_programs(tmp_path)
    return tmp_path


@pytest.fixture(params=sorted(INTERPRETERS))
def language(request):
    return request.param
