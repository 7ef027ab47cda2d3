"""Train the demo model: ``python -m headforcing.headforcing_core.demo.train --work FOLDER``."""

from __future__ import annotations

import argparse
import logging
import os
import sys
from collections.abc import Sequence
from pathlib import Path

import torch
from safetensors import SafetensorError

from ..bounds import check_within, read_numbers
from ..device import check_room, choose_device
from ..files import claimed
from .course import Workplace, train_all
from .networks import CONFIG, FAMILY, LATENT_SIDE
from .training import (
    REMEMBERED_FROM,
    RETURNING,
    TRAINED_ON,
    check_optimisers,
)
from .world import HELD_OUT

log = logging.getLogger("headforcing")
# each step draws with a seed of its own, a thousand million of them between two trainings
MOST_SEED = 10**10
# a week, at about a second each
MOST_STEPS = 600_000
# latents in float16, which are there in parts and as a whole
CLIP_BYTES = 2 * CONFIG.in_dim * FAMILY.horizon * LATENT_SIDE**2


def main(arguments: Sequence[str] | None = None) -> int:
    options = _parser().parse_args(arguments)
    logging.basicConfig(level=logging.INFO, format="%(message)s", stream=sys.stderr)
    try:
        train(options)
    except KeyboardInterrupt:
        log.info("stopped; the same command goes on from what was saved in %s", options.work)
        return 130
    except (ValueError, RuntimeError, OSError, SafetensorError) as error:
        sys.stderr.write(f"train: {str(error).splitlines()[0]}\n")
        return 2
    return 0


def train(options: argparse.Namespace) -> None:
    """Run what is not yet done of a training, and write the model it gives.

    Raises:
        ValueError: if an option makes no sense, or the folder holds another training.
    """
    check_optimisers()
    _check(options)
    device = choose_device(options.device)
    place = Workplace(Path(options.work))
    place.folder.mkdir(parents=True, exist_ok=True)
    with claimed(place.folder):
        train_all(place, options, device)


def _check(options: argparse.Namespace) -> None:
    check_within("--seed", options.seed, 0, MOST_SEED)
    check_within("--steps", options.steps, 1, MOST_STEPS)
    check_within("--autoencoder-steps", options.autoencoder_steps, 1, MOST_STEPS)
    check_within("--recall-steps", options.recall_steps, 1, MOST_STEPS)
    check_within("--finish-steps", options.finish_steps, 1, MOST_STEPS)
    check_within("--clips", options.clips, 1, RETURNING)
    check_within("--recall-clips", options.recall_clips, 1, HELD_OUT - RETURNING)
    # each is a process while clips are drawn
    check_within("--threads", options.threads, 1, os.cpu_count() or 1)
    most = max(options.clips, options.recall_clips)
    check_room("the clips", 2 * most * CLIP_BYTES, "cpu", "use fewer --clips or --recall-clips")


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m headforcing.headforcing_core.demo.train",
        description="Train the demo model from nothing: its autoencoder, then its video model and "
        "text encoder. Ctrl-C stops; the same command goes on.",
        formatter_class=argparse.ArgumentDefaultsHelpFormatter,
    )
    read_numbers(parser)
    add = parser.add_argument
    add("--work", required=True, metavar="FOLDER", help="where everything is kept")
    add("--steps", type=int, default=7_500, metavar="N", help="of the video model, in all")
    add("--autoencoder-steps", type=int, default=2000, metavar="N", help="of the autoencoder")
    add("--clips", type=int, default=TRAINED_ON, metavar="N", help="clips to learn from")
    more = "steps in which the model that draws learns to remember"
    add("--recall-steps", type=int, default=2400, metavar="N", help=more)
    more = "steps in which it learns to do both"
    add("--finish-steps", type=int, default=1400, metavar="N", help=more)
    more = "clips to remember from"
    add("--recall-clips", type=int, default=REMEMBERED_FROM, metavar="N", help=more)
    more = "weights of a model that draws: it only learns to remember"
    add("--from", dest="start", metavar="FOLDER", help=more)
    add("--seed", type=int, default=0, metavar="N", help="same seed, same model on one machine")
    add("--device", metavar="NAME", help="cuda, cuda:1, cpu (default: a GPU if there is one)")
    add("--threads", type=int, default=torch.get_num_threads(), metavar="N", help="CPU threads")
    return parser


if __name__ == "__main__":
    sys.exit(main())
