"""The pure part of the page's scripts, tested in node: what a browser is not needed for."""

import shutil
import subprocess
from pathlib import Path

import pytest

NODE = shutil.which("node")
TESTS = sorted(Path(__file__).parent.glob("*.test.mjs"))


def test_there_are_tests():
    assert TESTS


@pytest.mark.skipif(NODE is None, reason="no node")
@pytest.mark.parametrize("path", TESTS, ids=lambda path: path.name)
def test_in_node(path):
    done = subprocess.run(
        [NODE, "--test", path], capture_output=True, text=True, timeout=120, check=False
    )
    assert done.returncode == 0, done.stdout[-6000:] + done.stderr[-2000:]
