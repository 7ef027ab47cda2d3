"""Prompts written down are read as the same prompts."""

import pytest

from headforcing.headforcing_core.video import TimedPrompt, Unit, parse_prompts, prompts_text

PROMPTS = (
    TimedPrompt('a "red" cat, [0:5] it is | and (very:1.2) {old}', 0.0),
    TimedPrompt("ein Hund\nläuft 5s", 5.25, True),
    TimedPrompt("0-10s: 猫", 10.0),
)


@pytest.mark.parametrize("count", [1, 2, 3])
@pytest.mark.parametrize("unit", list(Unit))
def test_prompts_are_read_as_they_were(count, unit):
    assert parse_prompts(prompts_text(PROMPTS[:count]), 16, unit) == PROMPTS[:count]
