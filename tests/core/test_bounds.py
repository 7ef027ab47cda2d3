"""Bounds of numbers, and what is refused before anything is allocated."""

import argparse

import pytest
from plans import bank_for

from headforcing.headforcing_core import device
from headforcing.headforcing_core.bounds import (
    MOST_FRAMES,
    WEEK,
    check_frames,
    check_week,
    check_within,
    read_numbers,
)
from headforcing.headforcing_core.methods import settings_named, with_values
from headforcing.headforcing_core.models import FAMILIES


@pytest.mark.parametrize("value", [0, 0.5, 7, 7.0])
def test_what_is_within_is_taken(value):
    check_within("x", value, 0, 7)


@pytest.mark.parametrize("value", [-1, 7.1, float("nan"), float("inf"), 10**400, -(10**400)])
def test_what_is_outside_is_one_short_sentence(value):
    with pytest.raises(ValueError, match=r"^x must be 0 to 7 frames, got ") as refused:
        check_within("x", value, 0, 7, "frames")
    assert len(str(refused.value)) < 100


def test_a_longest_video_has_the_most_frames():
    assert max(family.video.latent_frames(86_400) for family in FAMILIES) == MOST_FRAMES
    check_frames("window", MOST_FRAMES)
    with pytest.raises(ValueError, match="window must be 0 to 518400 frames, got 518401"):
        check_frames("window", MOST_FRAMES + 1)
    with pytest.raises(ValueError, match="window must be 1 to 518400 frames, got 0"):
        check_frames("window", 0, 1)


def test_more_than_a_week_is_not_begun():
    check_week(WEEK, "use fewer")
    with pytest.raises(ValueError, match="about a week's work, got 6,000,001; use fewer"):
        check_week(WEEK + 1, "use fewer")


def test_memory_that_is_not_there_is_told(monkeypatch):
    monkeypatch.setattr(device, "memory_of", lambda device: 3 << 29)
    device.check_room("the pictures", 3 << 29, "cpu", "use fewer")
    said = r"the pictures need 2.00 GiB, which cpu does not have \(it has 1.50 GiB\); use fewer"
    with pytest.raises(RuntimeError, match=said):
        device.check_room("the pictures", 2 << 30, "cpu", "use fewer")


@pytest.mark.parametrize(
    ("option", "text", "said"),
    [
        ("--whole", "1.5", "argument --whole: must be a whole number, got '1.5'"),
        ("--whole", "9" * 5000, "argument --whole: must be a whole number, got '999"),
        ("--any", "much", "argument --any: must be a number, got 'much'"),
    ],
)
def test_parsers_say_what_is_no_number(option, text, said, capsys):
    parser = argparse.ArgumentParser()
    parser.add_argument("--whole", type=int)
    parser.add_argument("--any", type=float)
    read_numbers(parser)
    with pytest.raises(SystemExit):
        parser.parse_args([option, text])
    sentence = capsys.readouterr().err.splitlines()[-1]
    assert said in sentence and len(sentence) < 200
    assert parser.parse_args(["--whole", "1_000", "--any", "1e3"]).whole == 1000


@pytest.mark.parametrize("scope", ["model", "head"])
def test_frames_are_not_compared_beyond_what_that_costs(scope):
    """Every two of them, in every list of episodes."""

    def caches(recent):
        changes = [f"memory_recent={recent}", "positions=absolute", f"episodes.scope={scope}"]
        return bank_for(with_values(settings_named("head_forcing"), changes).build(3), 3000)

    caches(600)
    with pytest.raises(ValueError, match="at most 2,000,000 pairs of frames after a chunk, got"):
        caches(1500)
