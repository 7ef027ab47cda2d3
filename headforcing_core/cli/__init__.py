"""The command line: ``headforcing generate``, ``plan``, ``demo``, ``compare`` and others."""

from __future__ import annotations

import argparse
import logging
import sys
from collections.abc import Sequence

from ..bounds import read_numbers
from ..errors import FAILED, INTERRUPTED, TOLD, sentence
from ..stopping import stopping_once
from ..streams import sturdy_streams
from . import batch, compare, demo, drift, generate, inspect, plan, profile
from .company import follows, together


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one command and return its exit code: 0 done, 2 refused or failed, 130 interrupted."""
    with sturdy_streams(quiet=follows()) as out:
        options = _parser().parse_args(arguments)
        logging.basicConfig(level=logging.INFO, format="%(message)s", stream=sys.stderr, force=True)
        code = _run(options)
        out.flush()
        if code == 0 and out.lost:
            _say(options, out.lost)
            return FAILED
    return code


def _run(options: argparse.Namespace) -> int:
    try:
        with stopping_once(), together(options) as ranks:
            return options.run(options) if ranks is None else generate.run(options, ranks)
    except KeyboardInterrupt:
        return INTERRUPTED
    except TOLD as error:
        if options.traceback:
            raise
        _say(options, sentence(error))
        return FAILED


def _say(options: argparse.Namespace, said: str) -> None:
    sys.stderr.write(f"headforcing {options.command}: {said}\n")


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="headforcing",
        description="Long videos from autoregressive video models, with bounded memory.",
        epilog="headforcing doctor says what this machine has, what will be used, what to mend.",
    )
    commands = parser.add_subparsers(dest="command", required=True, metavar="COMMAND")
    for command in (generate, batch, plan, demo, compare, drift, inspect, profile):
        added = command.add_parser(commands)
        read_numbers(added)
        added.add_argument("--traceback", action="store_true", help="show where an error came from")
    return parser
