"""Prompts as other tools write them: JSON and what is like it, and lines of quoted keys."""

from __future__ import annotations

import ast
import json
import re
from collections.abc import Mapping, Sequence
from typing import Any

from .prompt_signs import line_at, plain_signs
from .timed_prompt import CLOCK, EXACT, UNIT, Reading, TimedPrompt

TIME = rf"(?:{CLOCK}|{EXACT}\ ?(?:{UNIT})?)"
KEY = re.compile(rf"""\s{{0,99}}(["'])\s?({TIME})\s?\1\s?:\s?""", re.IGNORECASE)
VALUES = {
    '"': re.compile(r'"((?:[^"\\]|\\.)*)"\s{0,99}(?:,|$)', re.DOTALL),
    "'": re.compile(r"'((?:[^'\\]|\\.|'(?!\s{0,99}(?:,|$)))*)'\s{0,99}(?:,|$)", re.DOTALL),
}
DATA = re.compile(r"""(?:\{\s*(?:["']|\d+\s*:)|\[\s*(?:[{"']|[\[(]\s*["'\d]))""")
# what only data has, anywhere in a text
INSIDE = re.compile(
    rf"""(?:^|[{{,]|:\s)\s{{0,9}}["'`](?:{TIME}|frame_?\d+|prompts?|prompt_map)["'`]\s?:|^\w+\s?=\s?[\[{{]"""
    r"""|^\s*-?\s*(?:start|frame|time)\s?:\s?\d+\s*$|^\[?\[\d+,\s?["']""",
    re.MULTILINE | re.IGNORECASE,
)
SAYS = ("prompt", "text", "description", "caption")
STARTS = {
    False: ("start", "time", "at", "begin", "from", "start_time", "startTime", "start_seconds",
            "timestamp", "t", "seconds"),
    True: ("key", "frame", "start_frame", "startFrame", "frame_start", "keyframe"),
}  # fmt: skip
ENDS = {
    False: ("end", "to", "end_time", "endTime", "end_seconds"),
    True: ("end_frame", "endFrame", "frame_end"),
}
LASTS = {False: ("duration", "lasts", "duration_seconds"), True: ("num_frames", "frames")}
# they number the prompts, and change nothing
NUMBERS = ("id", "index", "cut")
LISTS = ("prompts", "schedule", "prompt_map", "prompts_list", "shots", "scenes", "segments")
LISTS += ("timeline", "clips", "multi_prompt")
FORM = '{"0": "text", "24": "text"}, ["text", "text"] or [{"start": 0, "prompt": "text"}]'


def keyed(text: str, how: Reading) -> list[TimedPrompt] | None:
    """Read ``"0": "text", "24": "text"`` in either quotes; None if it does not begin so.

    Raises:
        ValueError: if it begins so and goes on otherwise, or a time comes twice.
    """
    if KEY.match(plain_signs(text)):
        signs = plain_signs(text)
    else:
        return None
    found, at = [], 0
    while at < len(signs.rstrip()):
        key = KEY.match(signs, at)
        quote = key and signs[key.end() : key.end() + 1]
        value = VALUES[quote].match(signs, key.end()) if quote in VALUES else None
        if not value:
            raise ValueError(
                'a keyed schedule must be like "0": "text", "24": "text", got '
                f"{line_at(text, at + len(signs[at:]) - len(signs[at:].lstrip()))}"
            )
        said = re.sub(r"\\(.)", r"\1", text[value.start(1) : value.end(1)]).strip()
        found.append((key[2], said))
        at = value.end()
    return [TimedPrompt(said, how.seconds(key, counts_pictures=True)) for key, said in _once(found)]


def from_data(text: str, how: Reading) -> list[TimedPrompt] | None:
    """Read an object of times, or a list of prompts, alone or under a name; None if it is none.

    Raises:
        ValueError: if it is data of another kind, or damaged.
    """
    if not DATA.match(text):
        return None
    found = _loaded(text)
    if isinstance(found, Mapping) and len(found) == 1:
        ((name, inside),) = found.items()
        if name in LISTS and isinstance(inside, (dict, list)):
            found = inside
    if isinstance(found, Mapping):
        found = [found] if any(isinstance(found.get(name), str) for name in SAYS) else _timed(found)
    if not isinstance(found, list) or not found:
        raise _unknown(text)
    return _read(found, how, text)


def looks_like_data(text: str) -> str | None:
    """Return the line that only data has, of a text that was read as none."""
    found = INSIDE.search(plain_signs(text))
    begin = found and found.start() + len(found[0]) - len(found[0].lstrip())
    return None if found is None else line_at(text, begin)


def _loaded(text: str) -> object:
    try:
        return json.loads(text, object_pairs_hook=lambda pairs: dict(_once(pairs)))
    except json.JSONDecodeError as error:
        reason = f"{error.msg} in line {error.lineno}"
    except RecursionError:
        reason = "lists in lists without an end"
    try:
        return _keys_as_text(ast.literal_eval(text))
    except (ValueError, SyntaxError, RecursionError, MemoryError):
        raise ValueError(
            f"prompts in JSON must be whole, got {line_at(text, 0)}: {reason[:1].lower()}"
            f"{reason[1:]}; write {FORM}"
        ) from None


def _keys_as_text(found: object) -> object:
    return {str(k): v for k, v in found.items()} if isinstance(found, dict) else found


def _once(pairs: Sequence[tuple[str, Any]]) -> Sequence[tuple[str, Any]]:
    for number, (key, _) in enumerate(pairs):
        if key in [other for other, _ in pairs[:number]]:
            raise ValueError(f"every key must come once, got {key!r} twice")
    return pairs


def _timed(found: Mapping[str, Any]) -> object:
    """Return an object of times as a list."""
    if all(re.fullmatch(rf"\s*{TIME}\s*", key, re.IGNORECASE) for key in found):
        return [{"key": key, "text": value} for key, value in found.items()]
    return None


def _read(found: Sequence[object], how: Reading, text: str) -> list[TimedPrompt]:
    prompts, at = [], 0.0
    for each in found:
        if isinstance(each, str):
            prompts.append(TimedPrompt(each.strip()))
            continue
        said = isinstance(each, Mapping) and next(
            (n for n in SAYS if isinstance(each.get(n), str)), None
        )
        if not said:
            raise _unknown(text)
        start, end, lasts = (_time(each, names, how) for names in (STARTS, ENDS, LASTS))
        known = {
            said,
            *NUMBERS,
            *(n for kind in (STARTS, ENDS, LASTS) for ns in kind.values() for n in ns),
        }
        if not known >= set(each):
            (odd, *_) = set(each) - known
            raise ValueError(
                f"a prompt in JSON must have a prompt, a start, an end or a duration, got {odd!r} "
                "as well; leave that out"
            )
        if start is None and lasts is not None:
            start, end = at, at + lasts
            at = end
        elif start is not None and lasts is not None and end is None:
            end = start + lasts
        if end is not None and start is not None and end <= start:
            raise ValueError(f"a prompt must end after it begins, got {start:g} s to {end:g} s")
        prompts.append(TimedPrompt(each[said].strip(), start, bool(each.get("cut")), end))
    return prompts


def _time(
    each: Mapping[str, Any], names: Mapping[bool, Sequence[str]], how: Reading
) -> float | None:
    for pictures, known in names.items():
        for name in known:
            if name in each:
                try:
                    return how.seconds(str(each[name]), counts_pictures=pictures)
                except ValueError as error:
                    raise ValueError(f"{name} in JSON: {error}") from None
    return None


def _unknown(text: str) -> ValueError:
    return ValueError(f"prompts in JSON must be like {FORM}, got {line_at(text, 0)}")
