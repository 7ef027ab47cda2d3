"""Prompts as other tools write them: JSON and what is like it, and lines of quoted keys."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

from .prompt_literals import LONGEST_NUMBER, literal, once
from .prompt_signs import line_at, plain_signs
from .timed_prompt import CLOCK, EXACT, UNIT, Reading, TimedPrompt, Unit, brief

TIME = rf"(?:{CLOCK}|{EXACT}\ ?(?:{UNIT})?)"
KEY = re.compile(rf"""\s{{0,99}}(["'])\s?({TIME})\s?\1\s?:\s?""", re.IGNORECASE)
VALUES = {
    '"': re.compile(r'"((?:[^"\\]|\\.)*)"\s{0,99}(?:,|$)', re.DOTALL),
    "'": re.compile(r"'((?:[^'\\]|\\.|'(?!\s{0,99}(?:,|$)))*)'\s{0,99}(?:,|$)", re.DOTALL),
}
DATA = re.compile(r"""(?:\{\s*(?:["']|\d+\s*:)|\[\s*(?:[{"']|[\[(]\s*["'\d]))""")
# what only data has, anywhere in a text
INSIDE = re.compile(
    rf"""(?:^|[{{,]|:\s)[ \t]{{0,9}}["'`](?:{TIME}|frame_?\d+|prompts?|prompt_map)["'`]\ ?:"""
    r"""|^\w+\ ?=\ ?[\[{]|^\[?\[\d+,\ ?["']|--\ ?\|\ ?--""",
    re.MULTILINE | re.IGNORECASE,
)
TIMES = re.compile(
    r"^[ \t]{0,40}(?:-[ \t])?(?:start|frame|time|duration|end)\ ?:\ ?\d",
    re.MULTILINE | re.IGNORECASE,
)
TEXTS = re.compile(r"^[ \t]{0,40}(?:-[ \t])?(?:prompt|text)\ ?:", re.MULTILINE | re.IGNORECASE)
# of what begins like data: that it is
SURE = re.compile(r"""["'][\w ]{1,40}["']\s?:\s?["'\d\[{]|\A\{\s*\d+\s*:\s*["']""")
NEXT_TEXT = re.compile(r"""["']\s?,\s?["']""")
SAYS = ("prompt", "text", "description", "caption")
# names, and what they count if they say it themselves
STARTS = dict.fromkeys(
    ("start", "time", "at", "begin", "from", "start_time", "startTime"), Unit.AUTO
)
STARTS |= dict.fromkeys(("timestamp", "t", "seconds"), Unit.AUTO) | {"start_seconds": Unit.SECONDS}
STARTS |= dict.fromkeys(
    ("frame", "start_frame", "startFrame", "frame_start", "keyframe"), Unit.PICTURES
)
ENDS = dict.fromkeys(("end", "to", "end_time", "endTime"), Unit.AUTO)
ENDS |= {"end_seconds": Unit.SECONDS}
ENDS |= dict.fromkeys(("end_frame", "endFrame", "frame_end"), Unit.PICTURES)
LASTS = {"duration": Unit.AUTO, "lasts": Unit.AUTO, "duration_seconds": Unit.SECONDS}
LASTS |= {"num_frames": Unit.PICTURES, "frames": Unit.PICTURES}
# they number the prompts, and change nothing
NUMBERS = ("id", "index", "cut", "key")
LISTS = ("prompts", "schedule", "prompt_map", "prompts_list", "shots", "scenes", "segments")
LISTS += ("timeline", "clips", "multi_prompt")
FORM = '{"0": "text", "24": "text"}, ["text", "text"] or [{"start": 0, "prompt": "text"}]'


def keyed(text: str, how: Reading) -> list[TimedPrompt] | None:
    """Read ``"0": "text", "24": "text"`` in either quotes; None if it does not begin so.

    Raises:
        ValueError: if it begins so and goes on otherwise, or a time comes twice.
    """
    # quotes of other keyboards may stand in texts: only where it begins with them are they ours
    signs = text if KEY.match(text) else plain_signs(text)
    if not KEY.match(signs):
        return None
    found, at, end = [], 0, len(signs.rstrip())
    while at < end:
        key = KEY.match(signs, at)
        quote = key and signs[key.end() : key.end() + 1]
        value = VALUES[quote].match(signs, key.end()) if quote in VALUES else None
        if not value:
            raise ValueError(
                'a keyed schedule must be like "0": "text", "24": "text", got '
                f"{line_at(text, at + len(signs[at:]) - len(signs[at:].lstrip()))}"
            )
        found.append((key[2], _unescaped(text[value.start(1) : value.end(1)], quote).strip()))
        at = value.end()
    said = once(found).items()
    return [TimedPrompt(text, how.seconds(key, counts_pictures=True)) for key, text in said]


def _unescaped(text: str, quote: str) -> str:
    if quote == '"':
        try:
            return json.loads(f'"{text}"', strict=False)
        except ValueError:
            pass  # \\( of a prompt is no escape of JSON, and stays
    return re.sub(r"""\\(["'\\])""", r"\1", text)


def from_data(text: str, how: Reading) -> list[TimedPrompt] | None:
    """Read an object of times, or a list of prompts, alone or under a name; None if it is none.

    Raises:
        ValueError: if it is data of another kind, or damaged.
    """
    if not DATA.match(text):
        return None
    found = _loaded(text)
    if found is None:
        return None
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
    signs = plain_signs(text)
    found, lines = INSIDE.search(signs), list(TIMES.finditer(signs))
    if found is None and len(lines) + bool(TEXTS.search(signs)) > 1:
        found = lines[0] if lines else None
    if found is None:
        return None
    return line_at(text, found.start() + len(found[0]) - len(found[0].lstrip()))


def _loaded(text: str) -> object:
    try:
        return json.loads(text, object_pairs_hook=once, parse_int=_whole)
    except json.JSONDecodeError as error:
        reason = f"{error.msg} in line {error.lineno}"
    except RecursionError:
        reason = "lists in lists without an end"
    try:
        return literal(text)
    except (ValueError, SyntaxError):
        if not _is_sure(text):
            return None  # a prompt that begins with a bracket
        raise ValueError(
            f"prompts in JSON must be whole, got {line_at(text, 0)}: {reason[:1].lower()}"
            f"{reason[1:]}; write {FORM}"
        ) from None


def _whole(digits: str) -> float:
    """Return a whole number; one that Python would not write down again, as infinity."""
    return int(digits) if len(digits) <= LONGEST_NUMBER else float(digits)


def _is_sure(text: str) -> bool:
    """Whether a text that begins like data is data, though it cannot be read."""
    if SURE.search(text):
        return True
    rest = text.rstrip()
    if rest.endswith(("]", "}")) and NEXT_TEXT.search(text):
        return True
    first, last = rest[1:].lstrip(), rest[:-1].rstrip().removesuffix(",").rstrip()
    quoted = first.startswith(('"', "'")) and last.endswith(('"', "'"))
    return quoted and rest[0] + rest[-1] == "[]" and len(first) + len(last) > len(rest) + 1


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
        if "key" in each:
            start = how.seconds(_said(each["key"]), counts_pictures=True)
        _check(each, said, start, end)
        if start is None and lasts is not None:
            start, end = at, at + lasts
            at = end
        elif start is not None and lasts is not None and end is None:
            end = start + lasts
        if end is not None and start is not None and end <= start:
            raise ValueError(f"a prompt must end after it begins, got {start:g} s to {end:g} s")
        prompts.append(TimedPrompt(each[said].strip(), start, bool(each.get("cut")), end))
    return prompts


def _check(each: Mapping[str, Any], said: str, start: float | None, end: float | None) -> None:
    """Refuse what would be passed over.

    Raises:
        ValueError: what must hold.
    """
    odd = sorted(set(each) - {said, *NUMBERS, *STARTS, *ENDS, *LASTS})
    if odd:
        raise ValueError(
            "a prompt in JSON must have a prompt, a start, an end or a duration, got "
            f"{brief(odd[0])} as well; leave that out"
        )
    if end is not None and start is None:
        raise ValueError(f"a prompt in JSON must say when it begins, got its end, {end:g} s, alone")
    if not isinstance(each.get("cut", False), bool):
        raise ValueError(f"cut in JSON must be true or false, got {brief(each['cut'])}")


def _time(each: Mapping[str, Any], names: Mapping[str, Unit], how: Reading) -> float | None:
    given = [name for name in names if name in each]
    if len(given) > 1:
        raise ValueError(f"a time in JSON must be told once, got {' and '.join(given)}")
    for name in given:
        reading = how if names[name] is Unit.AUTO else replace(how, unit=names[name])
        try:
            return reading.seconds(_said(each[name]))
        except ValueError as error:
            raise ValueError(f"{name} in JSON: {error}") from None
    return None


def _said(time: object) -> str:
    return time if isinstance(time, str) else brief(time)


def _unknown(text: str) -> ValueError:
    return ValueError(f"prompts in JSON must be like {FORM}, got {line_at(text, 0)}")
