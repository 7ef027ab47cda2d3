import pytest
from comfy_host import HOST
from live_host import LiveHost


@pytest.fixture(scope="session")
def host(tmp_path_factory):
    """One server for all tests that need one."""
    assert HOST is not None
    with LiveHost(tmp_path_factory.mktemp("host")) as running:
        yield running
