"""The command line: ``headforcing generate``, ``demo``, ``compare``, ``inspect``, ``profile``."""

from __future__ import annotations

import argparse
import logging
import signal
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from types import FrameType

from . import compare, demo, generate, inspect, profile

INTERRUPTED = 130
FAILED = 2
STOPS = (signal.SIGINT, signal.SIGTERM)
# after that many stops the process ends at once, saved or not
PATIENCE = 5


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one command and return its exit code: 0 done, 2 refused or failed, 130 interrupted."""
    options = _parser().parse_args(arguments)
    logging.basicConfig(level=logging.INFO, format="%(message)s", stream=sys.stderr, force=True)
    try:
        with _stopping_once():
            return options.run(options)
    except KeyboardInterrupt:
        return INTERRUPTED
    except (ValueError, RuntimeError, OSError) as error:
        if options.traceback:
            raise
        # torch appends its own stack to some messages; the first line is the sentence
        sentence = (str(error) or repr(error)).splitlines()[0]
        sys.stderr.write(f"headforcing {options.command}: {sentence}\n")
        return FAILED


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="headforcing",
        description="Long videos from autoregressive video models, with bounded memory.",
    )
    commands = parser.add_subparsers(dest="command", required=True, metavar="COMMAND")
    for command in (generate, demo, compare, inspect, profile):
        added = command.add_parser(commands)
        added.add_argument("--traceback", action="store_true", help="show where an error came from")
    return parser


@contextmanager
def _stopping_once() -> Iterator[None]:
    """End orderly on Ctrl-C or a service's stop: the first one interrupts.

    Impatient ones while the finished chunks are saved are ignored, but not for ever. After one
    they stay ignored, because the process is about to end.
    """
    before = {number: signal.getsignal(number) for number in STOPS}
    stopped = []

    def stop(number: int, frame: FrameType | None) -> None:
        stopped.append(number)
        if len(stopped) == 1:
            raise KeyboardInterrupt
        if len(stopped) > PATIENCE:
            signal.signal(number, signal.SIG_DFL)
            signal.raise_signal(number)

    try:
        for number, handler in before.items():
            if handler is not signal.SIG_IGN:  # as nohup and background jobs ask for
                signal.signal(number, stop)
        yield
    finally:
        for number, handler in before.items():
            # all is saved; the interpreter itself would let a late one end it with a signal's code
            signal.signal(number, signal.SIG_IGN if stopped else handler)
