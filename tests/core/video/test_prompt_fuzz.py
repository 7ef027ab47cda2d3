"""Any text is prompts or one sentence, in time that grows as the text does."""

import gc
import random
import re
import time

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from headforcing.headforcing_core.models import WAN_VIDEO
from headforcing.headforcing_core.video import (
    ChunkClock,
    TimedPrompt,
    parse_prompts,
    plan_text,
    schedule_of,
    times_text,
    with_prefix,
)
from headforcing.headforcing_core.video.timed_prompt import LONGEST, MOST

CLOCK = ChunkClock(2400, 3)
# what a text that is no prompt may be made of: alone, many times, and among each other
SIGNS = (
    *(" ", "\n", "\t", "\r\n", "\0", "\x1c", "\u00a0", "\u200b", "\u0301", "\ufdfa", "\ud800"),
    *("[", "]", "(", ")", "{", "}", "[[", "([", ")]", "\u3010", "\uff3b", "\uff11", "\u300c"),
    *('"', "'", '"""', "`", "```\n", "\\", '\\"', "\\u0041", "*", "#", "|", "-", ":", ",", ";"),
    *("/", "~", ".", "..", "\u2026", "=", "=>", "->", "-->", "<", ">", "@", ":-)", "x-", "--|"),
    *("0", "1", "1.", "1.1.1.", "1,", "1,1", "1:", "1:1:", "1 - ", "1e", "0x", "-1", "1_", "f1"),
    *("s", "5s", "5s#", "#5s", "1s1", "at ", "and ", "between 1 and ", "segundo ", "5 seg "),
    *("0:00 ", "0:00 a ", "0:00 a\n", "[0s] ", "[0s] a ", "[0:00]", "[0:1", "[1s", "[:", "[,"),
    *("[0:5] a\n", "[0:00-0:01] a ", "(1", "(0s) a ", "(0-1s) a ", "0-1s: a\n", "0s: a\n"),
    *("<1s", "a [1s", "a [1s] | ", "a[1s]\n", "a | ", "a ", "a\n", "  - ", "1: ", "0@", "0@a\n"),
    *(
        "shot 1",
        "shot 1\n",
        "shot 1: a\n",
        "[shot 1] a ",
        "\u7b2c\u4e00",
        "\u7b2c1\u4e2a",
        "\u4e00",
    ),
    *('{"a":', '[{"', '["a",', '"a",', "'a',", '","', '", "', "', ", "] ", '" ', "']", "{1:"),
    *('"0": "a", ', "'0': 'a', ", '"0":', "'0':'", '{"0": "a", ', '[["', "[(1,", "a = [", "true,"),
    *("00:00:00,000 --> ", "0:00 --> 0:01\na\n\n", "1\n00:00:00 --> 00:00:01\n", "WEBVTT\n"),
    *("prompt: a\nstart: 1\n", "frame_1 ", "'\"", "null", "#\n"),
)
AROUND = (
    *(("", ""), ("a", "x"), ("[0:5] a\n", "x"), ("[", "]"), ('["', '"]'), ('[["a"]', "]")),
    *(('{"0": "', '"}'), ('{"0": "a", ', "}"), ('"0": "a', '", '), ("'0': 'a", "', "), ("0@", "")),
    *(("WEBVTT\n", ""), ("0:00 --> 0:01\n", " x"), ("0s: ", " 5s: b"), ("```\n", "\n```")),
    *(("shot 1", ": a\nshot 2: b"), ("[1", "a"), ("(0s", ")"), ("a [", "s]"), ("[0-", "s] a")),
    *(('[{"start": ', ', "prompt": "a"}]'), ('[{"start": 0, "prompt": "', '"}]'), ("a | b", "| c")),
    *(("1", "s: a"), ("-", "> 0"), ('[{"prompt": "a", "cut": ', "}]"), ("5s", " a")),
)


# schedules of any length, right ones and others: each is made of what its number makes
FORMS = {
    "clocks": lambda i: f"[{i // 60}:{i % 60:02}] a\n",
    "in a line": lambda i: f"[{i}s] a | ",
    "bare": lambda i: f"{i}s: a\n",
    "ranges": lambda i: f"({i}-{i + 1}s) a\n",
    "at": lambda i: f"{24 * i}@a\n",
    "lasting": lambda i: "a [1s#] | ",
    "keyed": lambda i: f'"{24 * i}": "a", ',
    "JSON": lambda i: ("{" * (i == 0)) + f'"{i}s": "a", ',
    "list": lambda i: ("[" * (i == 0)) + f'{{"start": {i}, "prompt": "a"}}, ',
    "Python": lambda i: ("{" * (i == 0)) + f"'{i}s': 'a', ",
    "shots": lambda i: f"shot {i + 1}: a\n",
    "subtitles": lambda i: f"{i}\n0:{i // 60:02}:{i % 60:02} --> 9:00:00\na\n\n",
    "a paragraph": lambda i: "WEBVTT\n0:00 --> 0:01\n" if i == 0 else "aaaaaaaa",
    "crossed": lambda i: "a [1s] |" if i == 0 else "((((((((]",
    "damaged": lambda i: '["a" x ' if i == 0 else '","',
}
# with which they close
CLOSED = {"JSON": '"9000s": "b"}', "list": '{"start": 9000, "prompt": "b"}]', "Python": "}"}


def said(text):
    """Do all that is done with a prompt text; what it is refused with is one short sentence."""
    try:
        prompts = parse_prompts(text, 16)
        assert all(prompt.text.encode() for prompt in prompts)
        times_text(prompts), with_prefix(prompts, "oil painting,")
        plan_text(prompts, CLOCK, WAN_VIDEO), schedule_of(prompts, prompts, CLOCK, WAN_VIDEO)
    except ValueError as error:
        sentence = str(error)
        assert type(error) is ValueError and len(sentence) < 1000 and sentence.isprintable()
        assert " must " in sentence and " got " in sentence
        return sentence
    return None


def seconds(work, *given, runs=1):
    """The least time of the processor; other processes take none of it, nor do collections."""
    times = []
    gc.disable()
    try:
        for _ in range(runs):
            begin = time.thread_time()
            work(*given)
            times.append(time.thread_time() - begin)
    finally:
        gc.enable()
    return min(times)


def grows_faster(work, text_of, length):
    """Whether a text four times as long takes over six times as long, however often it is asked.

    What is quadratic takes 16 times as long.
    """
    return all(
        seconds(work, text_of(4 * length), runs=runs)
        > 6 * max(0.002, seconds(work, text_of(length), runs=runs))
        for runs in (1, 2, 4, 8)
    )


def repeated(sign, begin="a", end="x"):
    return lambda length: begin + sign * (length // len(sign)) + end


@pytest.mark.parametrize("sign", SIGNS)
def test_a_text_twice_as_long_takes_twice_as_long(sign):
    text_of, length = repeated(sign), 500
    while length < 8000 and seconds(said, text_of(length)) < 0.003:
        length *= 2
    assert not grows_faster(said, text_of, length)


@pytest.mark.parametrize("sign", [" ", "\n", "-", "1", "a", "a ", '"', '","', "0:00 a\n"])
def test_no_text_takes_long(sign):
    """What is quadratic inside of a regular expression shows in long texts only."""
    assert seconds(said, repeated(sign)(40_000)) < 6
    assert not grows_faster(said, repeated(sign), 10_000)


@pytest.mark.parametrize("form", FORMS)
def test_a_schedule_twice_as_long_takes_twice_as_long(form):
    def text_of(length):
        parts = map(FORMS[form], range(length // len(FORMS[form](9))))
        return "".join(parts) + CLOSED.get(form, "")

    assert not grows_faster(said, text_of, 12_000)


def test_a_plan_of_a_day_takes_no_day():
    prompts, day = [TimedPrompt("a")] * 2000, ChunkClock(345_600, 3)
    assert seconds(plan_text, prompts, day, WAN_VIDEO) < 6


def test_what_is_quadratic_is_seen():
    dashes = repeated("-")
    assert any(grows_faster(re.compile("-+>").search, dashes, 2000) for _ in range(5))
    assert not grows_faster(re.compile("(?<!-)-+>").search, dashes, 2000)


@settings(max_examples=250)
@given(
    st.lists(st.sampled_from(SIGNS), min_size=1, max_size=6).map("".join),
    st.sampled_from([1, 1, 3, 20]),
    st.sampled_from(AROUND),
)
def test_any_text_is_prompts_or_one_sentence_soon(signs, times, around):
    begin, end = around
    text = begin + signs * times + end
    assert seconds(said, text) < 2 + len(text) / 1000


@pytest.mark.long
@pytest.mark.parametrize("seed", range(300))
def test_any_long_text_is_prompts_or_one_sentence_soon(seed):
    chosen = random.Random(seed)
    signs = "".join(chosen.choice(SIGNS) for _ in range(chosen.choice((1, 1, 2, 2, 3))))
    text_of = repeated(signs, *chosen.choice(AROUND))
    assert seconds(said, text_of(100_000)) < 15
    assert not grows_faster(said, text_of, 12_500)


@pytest.mark.long
@pytest.mark.parametrize("seed", range(20))
def test_any_mixed_text_is_prompts_or_one_sentence_soon(seed):
    chosen = random.Random(seed)
    for _ in range(1000):
        begin, end = chosen.choice(AROUND)
        said(begin + "".join(chosen.choices(SIGNS, k=chosen.randint(1, 12))) + end)
    assert seconds(said, "".join(chosen.choices(SIGNS, k=30_000))) < 15


MANY, DEEP = "9" * 5000, 5000
NESTED = "[" * 300 + "]" * 300


@pytest.mark.parametrize(
    "text",
    [
        *(opens * DEEP for opens in ("[", "{", "(", '["', '[{"', '{"a":', "[[", '[["a"], [')),
        *('["a", ' + inside + "]" for inside in ("[" * DEEP, "-" * DEEP + "1", "1" + "+1" * DEEP)),
        *('["a", ' + inside + "]" for inside in ("lambda: " * DEEP + "1", '"b"' + "[0]" * DEEP)),
        *('{"0": "a", ' + inside for inside in (NESTED + ": 1}", "{" * 90 + "}" * 91)),
        '["a\0", "b"',
        "['a\0', 'b'",
    ],
    ids=lambda text: ascii(text[:24]),
)
def test_brackets_in_brackets_break_nothing(text):
    said(text)


TIME, CUT = (
    "start in JSON: a time must be like 12, .*, got ",
    "cut in JSON must be true or false, got ",
)
DATA, WHOLE = "prompts in JSON must be like ", "prompts in JSON must be whole, got "
ODD = "must have a prompt, a start, an end or a duration, got "
FINITE, HALF = (
    "every time must be a number of seconds, got one without an end for 'b'",
    "half of one",
)


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        *(('[{"prompt": "a", "start": ' + n + "}]", TIME) for n in (MANY, "1e999", "NaN", NESTED)),
        *(('[{"prompt": "a", "cut": ' + n + "}]", CUT) for n in (MANY, NESTED, f'"{MANY}"')),
        *(("[{'prompt': 'a', 'start': " + n + "}]", WHOLE) for n in (MANY, "0x" + "f" * 5000)),
        *(('[{"prompt": "a", "' + key + '": 1}]', ODD) for key in (MANY, "\\ud800", "\\n\\n")),
        ("[{'prompt': 'a', 1: 2, None: 3}]", ODD + "'1' as well"),
        *(("[0s] a\n[" + n + "] b", FINITE) for n in (MANY, MANY + "s", MANY + ":99")),
        *(
            ("[0s] a\n[" + n + "] b", "before the video ends")
            for n in ("9" * 20 + "s", "9999999:99")
        ),
        ("[0-5s] a\n[5-" + MANY + "s] b", FINITE),
        ('{"0": "a", "' + MANY + '": "b"}', FINITE),
        ("0s: a\n" + MANY + "s: b", FINITE),
        ("0@a\n" + MANY + "@b", FINITE),
        ("a [5s] | b [" + MANY + "s] | c", FINITE),
        ("a [" + "0" * 500 + "s]", "a prompt must last longer than nothing, got "),
        ("shot 1: a\nshot " + MANY + ": b", "shots must be numbered 1, 2, 3"),
        ("[0s] a\n[1," + MANY + ",999s] b", "times in brackets must be like .* in line 2"),
        *(("[0:5] a\n[5:10] b" + sign, HALF) for sign in ("\ud83d", "\ude00")),
        *((text, HALF) for text in ('{"0": "\\ud83d"}', '"0": "\\ud83d"', "a\ud83d|b", "\ude00")),
        ("{'0': 'a', 0: 'b'}", WHOLE),
        *((text, DATA) for text in ("{'a': 1, [1]: 2}", "{'a', ['b']}", "{'shots': {None: 'a'}}")),
        ('{"' + MANY + '": 1, "": 2}', DATA),
        ('{"0": "a", "0": "b"}', "every key must come once, got '0' twice"),
        (
            "{" + f'"{MANY}": "a", ' * 2 + '"0": "b"}',
            "every key must come once, got '9{40}...' twice",
        ),
        ("a" * (LONGEST + 1), "must have at most 1000000 characters, got 1000001; make a schedule"),
        ('["a"' + ', "a"' * MOST + "]", "must have at most 115200 prompts, got 115201; a day"),
        (
            "Oil " * 5000 + "\n" + "0:00 a\n" * 2000,
            "at most 1000000 characters in all, got 19999 in",
        ),
    ],
    ids=lambda text: ascii(text[:24] + text[-12:]),
)
def test_what_python_refuses_in_its_words_is_refused_in_ours(text, sentence):
    assert re.search(sentence, said(text))


def test_numbers_without_an_end_are_no_schedule():
    assert said("[0] a\n[1e400] b") is None and len(parse_prompts("[0] a\n[1e400] b", 16)) == 1


def test_words_in_front_of_every_prompt_have_an_end_too():
    many = [TimedPrompt("a")] * 112
    with pytest.raises(ValueError, match=r"at most 1000000 .* got 9001 in front of 112 prompts"):
        with_prefix(many, "x" * 9001)
    with pytest.raises(ValueError, match=r"must have whole characters, got .* half of one"):
        with_prefix(many, "oil \ud83d")
