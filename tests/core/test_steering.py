"""What is said while a video is made is as if it had been said before."""

from itertools import product

import pytest
import torch
from every_family import (
    FAMILY_NAMES,
    REFUSED,
    Recoder,
    every_family,
    model_of,
    request_of,
    whole,
)
from random_model import TINY

from headforcing.headforcing_core import Begun, PromptSchedule
from headforcing.headforcing_core.methods import NAMES
from headforcing.headforcing_core.models import WAN_VIDEO, family_named
from headforcing.headforcing_core.video import (
    ChunkClock,
    LivePrompt,
    TimedPrompt,
    Unit,
    as_ran,
    parse_prompts,
    schedule_of,
    schedule_text,
)

CHUNKS = 8
TEXTS = torch.randn(4, 1, 4, TINY.text_dim, generator=torch.Generator().manual_seed(3))
PAIRS = [p for p in product(NAMES, ("self_forcing", "longlive2")) if p not in REFUSED]


def schedule(size, *said, cuts=()):
    """Return (chunk, text) pairs as a schedule."""
    starts, texts = zip(*said, strict=True)
    at = frozenset(size * chunk for chunk in cuts)
    return PromptSchedule(tuple(size * c for c in starts), tuple(TEXTS[t] for t in texts), at)


def made(request, prompts, steer=None, given=None):
    """Return the chunks of a video; ``steer`` gives schedules by number of chunk."""
    asked = []

    def told(chunk):
        asked.append(chunk.index)
        return (steer or {}).get(chunk.index)

    model = model_of(request.family.channels)
    rollout = request.rollout(model, prompts, recoder=Recoder(), steer=steer and told)
    done = list(rollout.run(given))
    first = 0 if given is None else given.frames.shape[2] // request.family.frames_per_chunk
    # those that wait in the window of an earlier run are not asked for again
    waiting = 0 if given is None or given.ahead is None else len(request.family.steps) - 1
    assert steer is None or asked == list(range(first + waiting, CHUNKS))
    return done


def check(request, steps):
    """Compare a video that is steered with one that is not, a step at a time."""
    plain, *told = (schedule(request.family.frames_per_chunk, *s, cuts=c) for _, s, c in steps)
    steer = dict(zip([chunk for chunk, _, _ in steps[1:]], told, strict=True))
    found = whole(made(request, plain, steer))
    assert torch.equal(found, whole(made(request, told[-1])))
    assert not torch.equal(found, whole(made(request, plain)))


@every_family
def test_every_family_takes_a_prompt_on_the_way(name):
    """One in the midst of another, then one in the place of another that begins with its chunk."""
    plain = ((0, 0), (5, 1))
    check(
        request_of(name, CHUNKS),
        [
            (None, plain, ()),
            (3, ((0, 0), (3, 2), (5, 1)), ()),
            (5, ((0, 0), (3, 2), (5, 3)), ()),
        ],
    )


@pytest.mark.parametrize("name", [n for n in FAMILY_NAMES if not family_named(n).joint])
def test_every_family_takes_a_cut_on_the_way(name):
    check(
        request_of(name, CHUNKS),
        [(None, ((0, 0), (6, 1)), (6,)), (4, ((0, 0), (4, 2), (6, 1)), (4, 6))],
    )


def test_chunks_that_are_denoised_together_keep_the_cuts_they_had():
    """Also where the new prompt comes in the place of the one that begins with the cut."""
    request = request_of("rolling_forcing", CHUNKS)
    check(request, [(None, ((0, 0), (6, 1)), (6,)), (4, ((0, 0), (4, 2), (6, 1)), (6,))])
    check(request, [(None, ((0, 0), (6, 1)), (6,)), (6, ((0, 0), (6, 2)), (6,))])


@pytest.mark.parametrize(("method", "name"), PAIRS)
def test_every_method_takes_a_prompt_on_the_way(method, name):
    check(
        request_of(name, CHUNKS, method),
        [
            (None, ((0, 0),), ()),
            (2, ((0, 0), (2, 1)), ()),
            (5, ((0, 0), (2, 1), (5, 2)), (5,)),
        ],
    )


def test_the_first_chunk_takes_one_too():
    check(request_of("self_forcing", CHUNKS), [(None, ((0, 0),), ()), (0, ((0, 1),), ())])


@every_family
def test_a_run_that_was_steered_and_killed_goes_on_as_the_schedule_that_ran(name):
    """Without steering it again: what it had made is of that schedule."""
    request = request_of(name, CHUNKS)
    size = request.family.frames_per_chunk
    plain, ran = schedule(size, (0, 0)), schedule(size, (0, 0), (5, 1))
    done = made(request, plain, {5: ran})
    for stop in (6, 7):
        latents = whole(done[:stop])
        begun = Begun(latents, latents.shape[2], done[stop - 1].ahead)
        assert torch.equal(whole(made(request, ran, given=begun)), whole(done))


def said(prompts):
    return [(prompt.text, prompt.start, prompt.cut) for prompt in prompts]


def test_a_schedule_as_it_ran_has_the_new_prompt_and_true_times():
    clock = ChunkClock.covering(60, 3)
    prompts = parse_prompts("[0:4] a cat\n[4:10#] a dog\n[10:15] a cow", 16)
    ran = as_ran(prompts, clock, WAN_VIDEO, 24, LivePrompt("a fox"))
    # 4 s lie nearest to chunk 5, which begins with frame 15: its first picture is at 3.75 s
    assert said(ran)[1:3] == [("a dog", 3.75, True), ("a fox", 6.0, False)]
    assert [p.text for p in ran] == ["a cat", "a dog", "a fox", "a cow"]
    starts = schedule_of(ran, range(4), clock, WAN_VIDEO).starts
    assert starts[:3] == (0, 15, 24)
    again = parse_prompts(schedule_text(ran), 16)
    assert said(again) == said(ran)
    assert schedule_of(again, range(4), clock, WAN_VIDEO).starts == starts


def test_what_was_to_begin_with_that_chunk_gives_way_and_leaves_its_cut():
    clock = ChunkClock.covering(60, 3)
    prompts = parse_prompts("[0:4] a cat\n[4:10#] a dog", 16)
    ran = as_ran(prompts, clock, WAN_VIDEO, 15, LivePrompt("a fox"))
    assert said(ran) == [("a cat", 0.0, False), ("a fox", 3.75, True)]
    first = as_ran(prompts, clock, WAN_VIDEO, 0, LivePrompt("a fox", cut=True))
    assert said(first)[0] == ("a fox", 0.0, False)


def test_prompts_that_share_a_video_get_their_times():
    clock = ChunkClock.covering(60, 3)
    prompts = parse_prompts("a cat | a dog", 16)
    ran = as_ran(prompts, clock, WAN_VIDEO, 12, LivePrompt("a fox", cut=True))
    expected = schedule_of(prompts, range(2), clock, WAN_VIDEO)
    starts = schedule_of(ran, range(3), clock, WAN_VIDEO)
    assert starts.starts == (0, 12, expected.starts[1]) and starts.cuts == {12}


@pytest.mark.parametrize(
    "text",
    ["a [b] | c: (x:1.2)", "a cat at 0:05", "one\n\ntwo", 'she says "24@x"', "[1] a", "10s: b"],
)
def test_a_schedule_is_written_so_that_it_is_read(text):
    prompts = [TimedPrompt("a cat", 0.0), TimedPrompt(text, 0.75, cut=True)]
    for unit in Unit:
        assert said(parse_prompts(schedule_text(prompts), 24, unit)) == said(prompts)


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("  \n", "must have a text"),
        ("[0:5] a cat", "one prompt without a time"),
        ("a cat | a dog", "one prompt without a time"),
        ("a cat [10s]", "one prompt without a time"),
        ('{"0": "a cat", "24": "a dog"}', "one prompt without a time"),
        ("a \ud83d cat", "whole characters"),
        ("cat " * 300_000, "at most"),
        ("1 " * 20_000, "at most 10000 characters"),  # a second of the server's for each 20 000
    ],
)
def test_what_is_no_single_prompt_is_refused(text, why):
    with pytest.raises(ValueError, match=why):
        LivePrompt.read(text)
    assert LivePrompt.read(" a cat ", True) == LivePrompt("a cat", True)
