"""Prompts without a host are what they are in it; see check_words.py for what is done."""

import pytest
from comfy_host import needs_host
from host_script import found_by

pytestmark = [*needs_host, pytest.mark.whole]


@pytest.fixture(scope="module")
def found():
    pytest.importorskip("sentencepiece")
    return found_by("check_words.py")


def test_every_layout_gives_the_hosts_tokens_and_embeddings(found):
    assert len(found) == 4
    for layout, one in found.items():
        assert one["tokens"] and one["shapes"], layout
        assert max(one["off"]) < 3e-5, layout
