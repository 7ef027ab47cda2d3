"""The option that says how large a model is, where there is no file of it."""

from __future__ import annotations

import argparse

from ..models import SIZES, Family, WanConfig, published_sizes


def add_size_option(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--size",
        choices=SIZES,
        help="of a model that is not here (default: that which the family was published with)",
    )


def config_of(options: argparse.Namespace, family: Family) -> WanConfig:
    """Return the sizes of the model that options name.

    Raises:
        ValueError: if it has other latents than the family.
    """
    if options.size is None:
        return published_sizes(family)
    config = SIZES[options.size]
    if config.in_dim != family.channels:
        raise ValueError(
            f"--size must be of the {family.channels} latent channels of {family.title}, got "
            f"{options.size} of {config.in_dim}"
        )
    return config
