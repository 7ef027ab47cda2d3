"""Brackets in prompts; tests/host/test_words.py holds them against the host's."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from headforcing.headforcing_core.words.emphasis import DEEPEST, weighted_parts


@pytest.mark.parametrize(
    ("text", "parts"),
    [
        ("a cat", [("a cat", 1)]),
        ("", []),
        ("a (cat) runs", [("a ", 1), ("cat", 1.1), (" runs", 1)]),
        ("(cat:1.5)", [("cat", 1.5)]),
        ("((cat))", [("cat", 1.21)]),
        ("(a (cat:2) b:0.5)", [("a ", 0.5), ("cat", 2), (" b", 0.5)]),
        ("(a:b)", [("a:b", 1.1)]),
        ("(:2)", [(":2", 1.1)]),
        (r"\(cat\)", [("(cat)", 1)]),
        (r"(a \(b\))", [("a (b)", 1.1)]),
        ("()", []),
        ("a (cat", [("a ", 1), ("(cat", 1)]),
        ("a) (cat) b", [("a) (cat) b", 1)]),
        (":) (x)", [(":) (x)", 1)]),
    ],
)
def test_brackets_are_read_as_the_host_does(text, parts):
    got = weighted_parts(text)
    assert [words for words, _ in got] == [words for words, _ in parts]
    assert [weight for _, weight in got] == pytest.approx([weight for _, weight in parts])


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("a embedding:face", "got 'embedding:face', the name of a file"),
        ("(cat:nan)", "must be a finite number, got 'nan'"),
        ("(cat:1e999)", "must be a finite number"),
        ("(" * 60 + "x" + ")" * 60, f"at most {DEEPEST} deep"),
    ],
)
def test_what_no_prompt_says_is_one_sentence(text, message):
    with pytest.raises(ValueError, match=message):
        weighted_parts(text)


@given(st.text(alphabet="ab(:1.5)\\ ", max_size=40))
def test_no_letter_is_lost_but_brackets_and_weights(text):
    try:
        said = "".join(words for words, _ in weighted_parts(text))
    except ValueError as error:
        assert "finite" in str(error)
        return
    assert [x for x in said if x in "ab"] == [x for x in text if x in "ab"]
    assert all(words for words, _ in weighted_parts(text))
