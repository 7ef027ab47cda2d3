"""Prompts as other tools write them: JSON, and lines of quoted keys."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from typing import Any

from .timed_prompt import Reading, TimedPrompt

NUMBER = r"\d+(?:\.\d+)?"
KEY = re.compile(rf"""\s*(["'])\s*({NUMBER}s?|\d+:\d{{2}})\s*\1\s*:\s*""")
VALUES = {
    '"': re.compile(r'"((?:[^"\\]|\\.)*)"\s*(?:,|$)', re.DOTALL),
    "'": re.compile(r"'((?:[^'\\]|\\.|'(?!\s*(?:,|$)))*)'\s*(?:,|$)", re.DOTALL),
}
BEGINS_JSON = re.compile(r'\s*(?:\{\s*"|\[\s*(?:\{|"))')
SAYS = ("prompt", "text", "description", "caption")
SECONDS = ("start", "time", "at", "begin", "from", "start_time", "seconds")
FRAMES = ("frame", "start_frame", "frames")
ENDS = ("end", "to", "end_time")


def keyed(text: str, how: Reading) -> list[TimedPrompt] | None:
    """Read ``"0": "text", "24": "text"`` in either quotes; None if it does not begin so.

    Raises:
        ValueError: if it begins so and goes on otherwise.
    """
    if not KEY.match(text):
        return None
    prompts, at = [], 0
    while at < len(text.rstrip()):
        key = KEY.match(text, at)
        quote = key and text[key.end() : key.end() + 1]
        value = VALUES[quote].match(text, key.end()) if quote in VALUES else None
        if not value:
            raise ValueError(
                'a keyed schedule must be like "0": "text", "24": "text", '
                f"got {text[at : at + 40]!r}"
            )
        said = re.sub(r"\\(.)", r"\1", value[1]).strip()
        prompts.append(TimedPrompt(said, how.seconds(key[2], counts_pictures=True)))
        at = value.end()
    return prompts


def from_json(text: str, how: Reading) -> list[TimedPrompt] | None:
    """Read an object of times, or a list of prompts, alone or under any name; None if it is none.

    Raises:
        ValueError: if it is JSON of another kind, or damaged.
    """
    if not BEGINS_JSON.match(text):
        return None
    try:
        found = json.loads(text)
    except ValueError as error:
        if re.match(r'\s*\{\s*"[^"]*"\s*:', text) or text.lstrip().startswith("[{"):
            raise ValueError(f"prompts in JSON must be whole, got {error}") from error
        return None
    while (
        isinstance(found, Mapping) and len(found) == 1 and isinstance(*found.values(), (list, dict))
    ):
        (found,) = found.values()
    if isinstance(found, Mapping):
        found = _timed(found)
    if not isinstance(found, list) or not found:
        raise _unknown(text)
    return [_prompt(each, how, text) for each in found]


def _timed(found: Mapping[str, Any]) -> object:
    """Return an object of times as a list; an object that has a list as that list."""
    lists = [value for value in found.values() if isinstance(value, list)]
    if len(lists) == 1:
        return lists[0]
    if all(re.fullmatch(rf"\s*(?:{NUMBER}s?|\d+:\d{{2}})\s*", key) for key in found):
        return [{"key": key, "text": value} for key, value in found.items()]
    return None


def _prompt(each: object, how: Reading, text: str) -> TimedPrompt:
    if isinstance(each, str):
        return TimedPrompt(each.strip())
    if not isinstance(each, Mapping):
        raise _unknown(text)
    said = next((each[name] for name in SAYS if isinstance(each.get(name), str)), None)
    if said is None:
        raise _unknown(text)
    end = next((each[name] for name in ENDS if name in each), None)
    for names, pictures in ((("key", *FRAMES), True), (SECONDS, False)):
        for name in names:
            if name in each:
                start = how.seconds(str(each[name]), counts_pictures=pictures)
                until = None if end is None else how.seconds(str(end), counts_pictures=pictures)
                return TimedPrompt(said.strip(), start, bool(each.get("cut")), until)
    return TimedPrompt(said.strip())


def _unknown(text: str) -> ValueError:
    return ValueError(
        'prompts in JSON must be like {"0": "text", "24": "text"}, ["text", "text"] or '
        f'[{{"start": 0, "prompt": "text"}}], got {text.strip()[:40]!r}'
    )
