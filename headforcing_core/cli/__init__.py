"""The command line: ``headforcing generate``, ``headforcing demo``."""

from __future__ import annotations

import argparse
import logging
import signal
import sys
from collections.abc import Sequence

from . import demo, generate

INTERRUPTED = 130
FAILED = 2


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one command and return its exit code: 0 done, 2 refused or failed, 130 interrupted."""
    parser = argparse.ArgumentParser(
        prog="headforcing",
        description="Long videos from autoregressive video models, with bounded memory.",
    )
    parser.add_argument("--traceback", action="store_true", help="show where an error came from")
    commands = parser.add_subparsers(dest="command", required=True, metavar="COMMAND")
    for command in (generate, demo):
        command.add_parser(commands)
    options = parser.parse_args(arguments)
    logging.basicConfig(level=logging.INFO, format="%(message)s", stream=sys.stderr, force=True)
    # a service that is stopped gets the same orderly end as Ctrl-C
    previous = signal.signal(signal.SIGTERM, signal.default_int_handler)
    try:
        return options.run(options)
    except KeyboardInterrupt:
        return INTERRUPTED
    except (ValueError, RuntimeError, OSError) as error:
        if options.traceback:
            raise
        sys.stderr.write(f"headforcing {options.command}: {error}\n")
        return FAILED
    finally:
        signal.signal(signal.SIGTERM, previous)
