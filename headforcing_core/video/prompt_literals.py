"""Lists and objects as Python writes them, in prompts that no reader of JSON reads."""

from __future__ import annotations

import ast
import re
import warnings
from collections.abc import Iterator, Sequence
from typing import Any

from .timed_prompt import brief

# Python's own parser is not asked: brackets in brackets cost it exponential time, or its stack
DEEPEST = 40
# signs of a number: nothing that is counted has more, and Python writes down none of 4,300 digits
LONGEST_NUMBER = 400
TOKEN = re.compile(
    r"(?P<gap>[ \t\n]+|\#[^\n]*|\\\n)"
    r'|(?P<value>[RrUu]?(?:"""(?:[^\\]|\\.)*?"""|'
    r"'''(?:[^\\]|\\.)*?'''"
    r'|"[^"\\\n]*(?:\\.[^"\\\n]*)*"'
    r"|'[^'\\\n]*(?:\\.[^'\\\n]*)*')"
    rf"|[+-]?\ ?\.?\d(?:(?<=[Ee])[+-]|[\w.]){{0,{LONGEST_NUMBER}}}"
    r"|(?:True|False|None)\b|set\(\)|\.\.\.)"
    r"|(?P<sign>[\[\](){},:])",
    re.ASCII | re.DOTALL,
)
CLOSING = {"[": "]", "(": ")", "{": "}"}


def literal(text: str) -> object:
    """Return what a list or an object says; keys are texts, sets are tuples.

    Texts that lack a comma between them, and keys that come twice, say nothing.

    Raises:
        ValueError, SyntaxError: if it is none.
    """
    with warnings.catch_warnings():  # \\( is no escape of Python's; it is a prompt's
        warnings.simplefilter("ignore")
        return _inside(_tokens(text), "", 0)


def once(pairs: Sequence[tuple[str, Any]]) -> dict[str, Any]:
    """Return an object of keys that each come once.

    Raises:
        ValueError: if one does not.
    """
    found: dict[str, Any] = {}
    for key, value in pairs:
        if key in found:
            raise ValueError(f"every key must come once, got {brief(key)} twice")
        found[key] = value
    return found


def _tokens(text: str) -> Iterator[re.Match[str]]:
    at = 0
    while at < len(text):
        token = TOKEN.match(text, at)
        if token is None:
            raise ValueError("no sign of a list")
        if token.lastgroup != "gap":
            yield token
        at = token.end()


def _inside(tokens: Iterator[re.Match[str]], opening: str, depth: int) -> object:
    """Return what stands between a bracket and the one that closes it; without one, all."""
    values, keys, wanted, commas = [], [], True, False
    for token in tokens:
        sign = token["sign"]
        if sign and sign == CLOSING.get(opening):
            break
        if wanted and sign in CLOSING and depth < DEEPEST:
            values.append(_inside(tokens, sign, depth + 1))
        elif wanted and token["value"]:
            values.append(ast.literal_eval(token["value"]))
        elif not wanted and sign == ",":
            commas = True
        elif not wanted and sign == ":" and opening == "{" and len(keys) == len(values) - 1:
            keys.append(str(values.pop()))
        else:
            raise ValueError("a comma is missing, or something else")
        wanted = not wanted
    else:
        if opening:
            raise ValueError("a bracket is not closed")
    if keys or (opening == "{" and not values):
        if len(keys) != len(values):
            raise ValueError("a key has no value")
        return once(list(zip(keys, values, strict=True)))
    if opening in ("", "(") and len(values) == 1 and not commas:
        return values[0]
    return values if opening == "[" else tuple(values)
