"""What the commands that score a demo model have in common."""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Callable, Sequence
from pathlib import Path

from ..bounds import check_within, read_numbers
from ..device import choose_device
from ..files import save_or_rescue, write_text
from ..stopping import stopping_once, to_the_end
from ..streams import sturdy_streams
from ..video import check_seed
from .networks import SHIPPED, DemoModel

MOST_FIRST = 10**9


def carried_out(
    name: str,
    parser: argparse.ArgumentParser,
    run: Callable[[argparse.Namespace], None],
    arguments: Sequence[str] | None,
) -> int:
    """Run a command; return its exit code. What it refuses is one sentence."""
    with sturdy_streams() as out:
        options = parser.parse_args(arguments)
        try:
            with stopping_once():
                run(options)
        except KeyboardInterrupt:
            return 130
        except (ValueError, RuntimeError, OSError) as error:
            sys.stderr.write(f"{name}: {str(error).splitlines()[0]}\n")
            return 2
        out.flush()
        if out.lost:
            sys.stderr.write(f"{name}: {out.lost}\n")
        return 2 if out.lost else 0


def scoring_parser(name: str, description: str, prompts: int, of: str) -> argparse.ArgumentParser:
    """Return a parser with what can be said to each of them.

    Args:
        prompts: how many held-out ones there are by default.
        of: what they are.
    """
    parser = argparse.ArgumentParser(
        prog=f"python -m headforcing.headforcing_core.demo.{name}",
        description=description,
        formatter_class=argparse.ArgumentDefaultsHelpFormatter,
    )
    read_numbers(parser)
    add = parser.add_argument
    add("--prompts", type=int, default=prompts, metavar="N", help=f"how many held-out {of}")
    add("--first", type=int, default=0, metavar="N", help="number of the first")
    add("--seed", type=int, default=0, metavar="N", help="of the noise")
    add("--model", metavar="FOLDER", help="a demo model trained elsewhere")
    add("--json", metavar="FILE", help="write the scores there, too")
    add("--device", metavar="NAME", help="cuda, cuda:1, cpu (default: a GPU if there is one)")
    return parser


def check_options(options: argparse.Namespace, least: int, most: int) -> None:
    """Refuse numbers of prompts that make no sense.

    Args:
        least, most: of prompts.
    """
    check_within("--prompts", options.prompts, least, most)
    check_within("--first", options.first, 0, MOST_FIRST)
    check_seed(options.seed)


def numbers_of(options: argparse.Namespace) -> range:
    """Return the numbers of the prompts."""
    return range(options.first, options.first + options.prompts)


def model_of(options: argparse.Namespace) -> DemoModel:
    """Load the model that is scored."""
    folder = SHIPPED if options.model is None else Path(options.model)
    return DemoModel.load(folder, choose_device(options.device))


def file_of(options: argparse.Namespace, check: Callable[[Path], None]) -> Path | None:
    """Return where scores are written, if anywhere.

    Args:
        check: refuses a place before anything is worked at.
    """
    if not options.json:
        return None
    file = Path(options.json).absolute()
    check(file)
    return file


def keep_scores(file: Path | None, scores: object) -> None:
    """Write plain values, if they are to be written, where they can be."""
    if file is not None:
        content = json.dumps(scores, indent=1)
        to_the_end(lambda: save_or_rescue(lambda p: write_text(p, content), file, "the scores"))
