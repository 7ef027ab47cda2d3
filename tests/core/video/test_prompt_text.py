"""Prompt schedules in the forms that people already type."""

import json
from pathlib import Path

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from headforcing.headforcing_core.models import WAN_VIDEO
from headforcing.headforcing_core.video import (
    ChunkClock,
    TimedPrompt,
    Unit,
    parse_prompts,
    plan_text,
    schedule_of,
    with_prefix,
)
from headforcing.headforcing_core.video.prompt_plan import snapped

MINUTE = ChunkClock(240, 3)


CASES = json.loads(Path(__file__).with_name("prompt_cases.json").read_text())


def parsed(text, unit=Unit.AUTO):
    return [(p.text, p.start, p.cut) for p in parse_prompts(text, 16, unit)]


TWO = [("a cat", 0, False), ("a dog, running", 10, False)]


@pytest.mark.parametrize(
    "text",
    [
        "[0:10] a cat\n[10:20] a dog, running",
        "[0:10] a cat [10:20] a dog, running",
        "[0:10] a cat | [10:20] a dog, running",
        "[0] a cat\n[10] a dog, running",
        "[0s] a cat\n[10s] a dog, running",
        "[0-10] a cat\n[10-20] a dog, running",
        "[00:00\u201300:10] a cat\n[00:10\u201300:20] a dog, running",
        "a cat [10s] | a dog, running [10s]",
        "a cat[10s]\na dog, running[10s]",
        "a cat [10] | a dog, running",
        '"0": "a cat", "160": "a dog, running"',
        '"0":"a cat",\n"160":"a dog, running",',
        "0@a cat\n160@a dog, running",
        "0s@a cat\n10s@a dog, running",
        "  0 @ a cat | 160 @ a dog, running  ",
        "0-10s: a cat\n10-20s: a dog, running",
        "0s - 10s a cat\n10s - 20s a dog, running",
        "0s to 10s: a cat\n10s to 20s: a dog, running",
        "0:00 a cat\n0:10 a dog, running",
        "0:00 - a cat\n0:10 - a dog, running",
        "0:00-0:10 a cat\n0:10-0:20 a dog, running",
        "0s: a cat\n10s: a dog, running",
        "[0s - 10s]: a cat\n[10s - 20s]: a dog, running",
        "00:00:00 --> 00:00:10\na cat\n\n00:00:10 --> 00:00:20\na dog, running",
        "(0-10s) a cat\n(10-20s) a dog, running",
        "(0:00) a cat\n(0:10) a dog, running",
        "[0:00] a cat\n[0:10] a dog, running",
        "[0s:10s] a cat\n[10s:20s] a dog, running",
        "\u30100:10\u3011 a cat\n\u301010:20\u3011 a dog, running",
        "\u30100\uff1a10\u3011a cat\n\uff3b10\uff5e20\uff3da dog, running",
        "'0': 'a cat', '160': 'a dog, running'",
        '{"0": "a cat", "160": "a dog, running"}',
        '{"0s": "a cat", "10s": "a dog, running"}',
        '[{"start": 0, "prompt": "a cat"}, {"start": 10, "prompt": "a dog, running"}]',
        '{"prompts": [{"frame": 0, "text": "a cat"}, {"frame": 160, "text": "a dog, running"}]}',
    ],
)
def test_forms_that_mean_the_same(text):
    assert parsed(text) == TWO


def answer(text):
    """What a text is: refused, plain, or its prompts and their seconds."""
    try:
        prompts = parse_prompts(text, 16)
    except ValueError as error:
        assert "\n" not in str(error) and " got " in str(error)
        return "refused"
    if len(prompts) == 1 and prompts[0].start is None and prompts[0].text == text.strip():
        return "plain"
    return [[p.start and round(p.start, 6), p.text] for p in prompts]


def test_texts_that_people_write_are_read_with_certainty_or_refused():
    """Each has the answers that are right; most may also be refused."""
    wrong = [case["text"] for case in CASES if answer(case["text"]) not in case["accepted"]]
    assert len(CASES) > 1000 and not wrong


def test_a_minute_mark_needs_a_dash():
    assert parsed("[0-1:30] a cat\n[1:30-2:00] a dog") == [("a cat", 0, 0), ("a dog", 90, 0)]


def test_a_face_is_as_long_as_it_is():
    assert [text for text, _, _ in parsed("a :-) b ;) | c | d :-( e")] == [
        "a :-) b ;)",
        "c",
        "d :-( e",
    ]


def test_texts_without_times_share_the_video():
    assert parsed("a cat | a dog | a cow") == [
        (f"a {x}", None, False) for x in ("cat", "dog", "cow")
    ]
    assert parsed("a cat") == [("a cat", None, False)]
    prompts = parse_prompts("a cat | a dog | a cow", 16)
    assert snapped(prompts, MINUTE, WAN_VIDEO) == [0, 81, 159]


@pytest.mark.parametrize(
    "text",
    [
        '"Stop!" she shouts, running through the rain',
        "A cinematic shot of a fox.\nThe fox walks through snow.\n\nCamera: slow dolly in, 35mm.",
        "(masterpiece:1.2), a cat, [blurry|sharp] lights",
        "a photo [1990] of a cat",
        "10:30 pm in Tokyo, neon street",
        "3-5 people walk along the shore",
        "1. a cat\n2. a dog",
        "[close up] a cat, 24 fps, 16:9",
        "a {red|blue} ball",
        "He says: '0 to 100 in 3 seconds'",
        "Shot 1 of the film: a cat",
    ],
)
def test_a_plain_prompt_stays_one_as_it_is(text):
    assert parsed(text) == [(text, None, False)]


@pytest.mark.parametrize(
    "text",
    [
        "[Shot 1] a cat walks\n[Shot 2] the cat runs",
        "Shot 1: a cat walks\nShot 2: the cat runs",
        "\u955c\u59341\uff1aa cat walks\n\u955c\u59342\uff1athe cat runs",
        '{"prompts": ["a cat walks", "the cat runs"]}',
        '["a cat walks", "the cat runs"]',
        "a cat walks | the cat runs",
    ],
)
def test_forms_that_share_the_video(text):
    assert parsed(text) == [("a cat walks", None, False), ("the cat runs", None, False)]


def test_a_heading_stands_in_front_of_every_prompt():
    for text in (
        "Oil painting.\n[0:5] a fox\n[5:10] a bear",
        "Oil\npainting.\n0-5s a fox\n5-10s a bear",
    ):
        assert [p.text for p in parse_prompts(text, 16)] == [
            "Oil painting. a fox",
            "Oil painting. a bear",
        ]


def test_brackets_inside_a_timed_text_stay():
    assert parsed("[0:5] a fox [close up]\n[5:10] a bear")[0] == ("a fox [close up]", 0, False)


def test_the_plan_tells_where_ends_are_not_what_was_asked():
    def plan(text):
        return plan_text(parse_prompts(text, 16), ChunkClock(120, 3), WAN_VIDEO).splitlines()

    assert "ends there (was to end at 10 s)" in plan("[0:10] a\n[5:15] b")[0]
    assert "goes on to there (was to end at 5 s)" in plan("[0:5] a\n[15:20] b")[0]
    assert "ends there (was to end at 500 s)" in plan("[0:10] a\n[10:500] b")[1]
    assert not any("was to end" in line for line in plan("[0:10] a\n[10:30] b"))


def test_a_hash_is_a_cut():
    assert parsed("a cat [10s] | a dog [5s#] | a cow") == [
        ("a cat", 0, False),
        ("a dog", 10, True),
        ("a cow", 15, False),
    ]
    for text in (
        "[0:10] a cat [10:20#] a dog",
        "[0:10] a cat\n[10:20]# a dog",
        "0-10s: a cat\n10-20s#: a dog",
        "0:00 a cat\n0:10# a dog",
        "0@a cat\n160#@a dog",
    ):
        assert parsed(text) == [("a cat", 0, False), ("a dog", 10, True)]
    assert parsed("[0:10] a cat\n[10:20] #dog")[1] == ("#dog", 10, False)
    prompts = parse_prompts("a cat [10s] | a dog [5s#]", 16)
    schedule = schedule_of(prompts, ["A", "B"], MINUTE, WAN_VIDEO)
    assert schedule.cuts_at(60) and not schedule.cuts_at(0)


def test_units():
    assert parsed("[0] a cat [160] a dog", Unit.PICTURES) == [("a cat", 0, 0), ("a dog", 10, 0)]
    assert parsed('"0": "a cat", "10": "a dog"', Unit.SECONDS) == [
        ("a cat", 0, 0),
        ("a dog", 10, 0),
    ]
    assert parsed("a cat [160] | a dog", Unit.PICTURES)[1] == ("a dog", 10, 0)
    assert parsed("a cat [10s] | a dog", Unit.PICTURES)[1] == ("a dog", 10, 0)


def test_quotes_and_colons_inside_texts():
    assert parsed('"0": "a \\"cat\\", sitting: here"') == [('a "cat", sitting: here', 0, False)]
    assert parsed("[0:5] a sign: it says [5:9] open") == [("a sign: it says", 0, 0), ("open", 5, 0)]


def test_prompts_begin_with_the_nearest_chunk():
    prompts = (TimedPrompt("a", 0), TimedPrompt("b", 10), TimedPrompt("c", 20.2))
    assert snapped(prompts, MINUTE, WAN_VIDEO) == [0, 39, 81]
    # of two edges that are as near the later one
    assert snapped((TimedPrompt("a", 0), TimedPrompt("b", 0.375)), MINUTE, WAN_VIDEO) == [0, 3]
    plan = plan_text(prompts, MINUTE, WAN_VIDEO).splitlines()
    assert plan[1] == "9.75 s to 20.25 s, latent frames 39 to 80 (asked for 10 s): b"
    assert plan[0] == "0 s to 9.75 s, latent frames 0 to 38: a"


@given(st.lists(st.floats(0.76, 50), min_size=1, max_size=8))
def test_snapping_never_moves_a_prompt_by_more_than_half_a_chunk(steps):
    times, at = [0.0], 0.0
    for step in steps:
        at += step
        times.append(at)
    times = [t for t in times if t < 59]
    starts = snapped([TimedPrompt("x", t) for t in times], MINUTE, WAN_VIDEO)
    assert all(start % 3 == 0 for start in starts) and starts == sorted(set(starts))
    for start, wanted in zip(starts, times, strict=True):
        assert abs(start / 4 - wanted) <= 0.375 + 1e-9 or start == 237


def test_the_same_words_before_every_prompt():
    prompts = with_prefix(parse_prompts("a cat | a dog", 16), " oil painting, ")
    assert [p.text for p in prompts] == ["oil painting, a cat", "oil painting, a dog"]
    assert with_prefix(prompts, "  ") == tuple(prompts)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "must have a text, got none"),
        (" \n ", "must have a text, got none"),
        ("[0:10] a cat [5:10] ", "must have a text, got none at 5 s"),
        ("[1:10] a cat", "the first prompt must begin at 0, got 1 s"),
        ("[0:10] a cat [0:10] a dog", "one after the other, got 0 s after 0 s"),
        ("[0:5] a cat\n[10:5] a dog", "must end after it begins, got .*10:5. a dog. in line 2"),
        ("[0:ten] a cat", "times in brackets must be like .* got .*0:ten. a cat"),
        ("[0:5] a cat\n[5%] a dog", "times must all be in one form .* got '.5%. a dog' in line 2"),
        ("[0:5 a cat", "a bracket with a time must be closed, got '.0:5 a cat'"),
        (
            "0: a cat\n160: a dog",
            "must say what they count, got '0: a cat' in line 1; write 0s: for",
        ),
        (
            "a cat (0-5s), a dog (5-10s)",
            "what looks like times must be in a form that is read, got 'a cat",
        ),
        ('{"0": "a cat", "24": "a dog"', "prompts in JSON must be whole"),
        ('[{"start": "soon", "prompt": "a cat"}]', "a time must be like 12, .*, got 'soon'"),
        (
            '[{"start": null, "prompt": "a cat"}]',
            "start in JSON: a time must be like 12, .*, got 'none'",
        ),
        (
            "Scene 1 (0-5s): a cat\nScene 2 (5-10s): a dog",
            "what looks like times must be in a form that is read",
        ),
        ("- [0:5] a cat\n- [5:10] a dog", "what looks like times must be in a form that is read"),
        ("**0:00** a cat\n**0:10** a dog", "what looks like times must be in a form that is read"),
        ("0:00 --> 0:05 align:left\na cat", "subtitles must have times and texts alone"),
        ('{"a": 1, "b": 2}', "prompts in JSON must be like"),
        ('[{"start": 0, "prompt": "a cat"}, "a dog"]', "must all have a time or none"),
        ("0@a cat\na dog", "every line must be like 24@text"),
        ("a cat | a dog [10s] | a cow", "every prompt but the last must say how long"),
        ('"0": "a cat" "5": "a dog"', "a keyed schedule must be like"),
        ('"0": "a cat', "a keyed schedule must be like"),
    ],
)
def test_what_cannot_be_read_is_one_sentence(text, message):
    with pytest.raises(ValueError, match=message) as error:
        parse_prompts(text, 16)
    assert "\n" not in str(error.value)


@given(st.text(max_size=60))
@example("|")
@example(" |\n| ")
def test_any_text_is_a_schedule_or_one_sentence(text):
    try:
        prompts = parse_prompts(text, 16)
    except ValueError as error:
        assert str(error)
    else:
        assert prompts and all(p.text for p in prompts)


def test_prompts_that_cannot_be_kept_apart_are_refused():
    with pytest.raises(ValueError, match=r"a chunk, 0.75 s, apart, got 'b' and 'c' both at 0.75 s"):
        near = (TimedPrompt("a", 0), TimedPrompt("b", 0.7), TimedPrompt("c", 0.8))
        snapped(near, MINUTE, WAN_VIDEO)
    with pytest.raises(ValueError, match="before the video ends at 60 s, got 'b' at 61 s"):
        snapped((TimedPrompt("a", 0), TimedPrompt("b", 61)), MINUTE, WAN_VIDEO)
