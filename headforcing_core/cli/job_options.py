"""What a job may say, and how that is said on the command line."""

from __future__ import annotations

import argparse
from collections.abc import Iterator, Sequence
from pathlib import Path

from ..bounds import read_numbers
from ..files import shown
from . import generate
from .inputs import INPUTS

# results are named and placed by the command; nobody types into many videos at once
NOT_OF_A_JOB = ("out", "video", "device", "prompts_from", "traceback", "help")
# what is one value of several numbers, and not several values to try
SERIES = ("steps",)


class _Parser(argparse.ArgumentParser):
    """A parser whose complaints are sentences, not ends of the process."""

    def error(self, message: str) -> None:
        raise ValueError(message)


def parser_of_jobs() -> _Parser:
    """Return a parser of what a job comes to on the command line."""
    parser = _Parser(prog="headforcing", add_help=False, allow_abbrev=False)
    read_numbers(generate.add_parser(parser.add_subparsers(dest="command")))
    return parser


def known_options() -> dict[str, argparse.Action]:
    """Return what a job may say, by name."""
    (commands,) = (
        a for a in parser_of_jobs()._actions if isinstance(a, argparse._SubParsersAction)
    )
    actions = commands.choices[generate.NAME]._actions
    return {_name(a): a for a in actions if _name(a) not in NOT_OF_A_JOB}


def _name(action: argparse.Action) -> str:
    long = next(option for option in action.option_strings if option.startswith("--"))
    return long.removeprefix("--").replace("-", "_")


def choices(key: str, value: object, action: argparse.Action | None) -> Sequence[object]:
    """Return the values that are to be tried of one that a line says."""
    several = key in SERIES or isinstance(action, argparse._AppendAction)
    if several or not isinstance(value, list):
        return [value]
    if not value:
        raise ValueError(f"{key} must have a value to try, got an empty list")
    return value


def arguments_of(key: str, action: argparse.Action, value: object) -> Iterator[str]:
    """Yield how a value is said on the command line."""
    option = action.option_strings[0]
    if value is None or value is False:
        return
    if action.nargs == 0:
        if value is not True:
            raise ValueError(f"{key} must be true or false, got {shown(value)}")
        yield option
        return
    if isinstance(action, argparse._AppendAction):
        if not isinstance(value, dict | list):
            raise ValueError(f"{key} must be an object, or a list of words, got {shown(value)}")
        pairs = value.items() if isinstance(value, dict) else None
        for one in value if pairs is None else [f"{name}={_said(key, v)}" for name, v in pairs]:
            yield f"{option}={_said(key, one)}"
        return
    if key in SERIES and isinstance(value, list):
        value = ",".join(_said(key, one) for one in value)
    said = _said(key, value)
    yield f"{option}={Path(said).absolute() if key in INPUTS and said else said}"


def _said(key: str, value: object) -> str:
    if isinstance(value, bool) and key == "set":
        return str(value).lower()
    if isinstance(value, bool) or not isinstance(value, str | int | float):
        raise ValueError(f"{key} must be words or a number, got {shown(value)}")
    return str(value)
