"""Tests that need a package which is not everywhere."""

from importlib.util import find_spec

import pytest


def needs(*packages: str) -> pytest.MarkDecorator:
    """Skip where one is missing; none is imported to know.

    Some bring Triton, which the tests of kernels must be the first to import.
    """
    missing = [name for name in packages if find_spec(name) is None]
    return pytest.mark.skipif(bool(missing), reason=f"needs {', '.join(missing)}")
