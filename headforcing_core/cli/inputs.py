"""The files that a command reads."""

from __future__ import annotations

import argparse
from pathlib import Path

from ..files import check_file
from .loading import check_lora

# inputs that are one file each; a model may be a folder
PLAIN = ("text_embedding", "prompts", "start", "map")
ENCODERS = ("text_encoder", "tokenizer", "vae")
INPUTS = ("model", "text_embedding", "prompts", *ENCODERS, "lora", "start", "map")


def check_inputs(options: argparse.Namespace) -> None:
    """Refuse files that are not there, and results in the place of one.

    Raises:
        ValueError: if there are such.
    """
    for name in INPUTS:
        file = getattr(options, name)
        if file is None:
            continue
        option = "--" + name.replace("_", "-")
        if not file or not Path(file).exists():
            raise ValueError(f"{option} must be a file that exists, got {file!r}")
        if name in PLAIN:
            check_file(Path(file))
        for result in ("out", "video"):
            place = getattr(options, result)
            if place and Path(place).exists() and Path(file).samefile(place):
                raise ValueError(
                    f"--{result} must not be one of the inputs, got the file of {option}"
                )
    check_lora(options)


def names_of_inputs(options: argparse.Namespace) -> dict[str, str | None]:
    """Return the names of files by option, for the metadata of what is made of them."""
    files = {name: getattr(options, name) for name in INPUTS}
    return {name: file and Path(file).name for name, file in files.items()}
