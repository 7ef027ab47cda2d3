"""What a command's video is told: prompts and a text encoder, or an embedding."""

from __future__ import annotations

import argparse
import logging
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import torch

from ..files import read_text, read_text_embedding
from ..models import WanConfig
from ..video import (
    FORMS,
    ChunkClock,
    PromptSchedule,
    TimedPrompt,
    VideoFormat,
    plan_text,
    schedule_of,
    shot_texts,
    with_cuts,
)
from ..words import Text, TextEncoder

log = logging.getLogger("headforcing")
# eight times what models were trained with: keys and values of it lie in every layer
LONGEST_TEXT = 4096
# bytes of a file of prompts: four for each of the letters that a schedule may have
LARGEST_FILE = 4_000_000


@dataclass(frozen=True)
class Words:
    """Prompts that were read, and what will encode them."""

    prompts: tuple[TimedPrompt, ...]
    video: VideoFormat
    encoder: TextEncoder
    texts: list[Text]
    shots: tuple[int, ...] = ()

    @classmethod
    def open(
        cls,
        options: argparse.Namespace,
        prompts: tuple[TimedPrompt, ...],
        clock: ChunkClock,
        video: VideoFormat,
        shot_words: str | None = None,
    ) -> Words:
        """Look at the encoder of prompts; none of its weights is read.

        Raises:
            ValueError: if the encoder is none, or prompts do not fit it or the video.
            RuntimeError: if what reads prompts is not installed.
        """
        prompts = with_cuts(prompts, shot_words)
        plan, shots = plan_text(prompts, clock, video), shot_texts(prompts, shot_words)
        encoder = TextEncoder.open(options.text_encoder, options.tokenizer)
        said = [*(prompt.text for prompt in prompts), *shots.values()]
        texts = encoder.texts(said, LONGEST_TEXT)
        if len(prompts) > 1:
            log.info("%s", plan)
        return cls(prompts, video, encoder, texts, tuple(shots))

    def check(self, config: WanConfig) -> None:
        """Refuse an encoder that a model was not trained with.

        Raises:
            ValueError: if it is another one.
        """
        if self.encoder.width != config.text_dim:
            raise ValueError(
                f"--text-encoder must give the {config.text_dim} numbers per token that the model "
                f"takes, got one that gives {self.encoder.width}"
            )

    def schedule(self, clock: ChunkClock, rows: int, device: torch.device) -> PromptSchedule:
        """Encode the prompts; nothing of the encoder stays in memory.

        Args:
            rows: to which texts are padded.

        Raises:
            ValueError: if its weights are no finite numbers.
        """
        encoded = self.encoder.encode(self.texts, rows, device)
        if device.type == "cuda":
            torch.cuda.empty_cache()  # what a layer lay in is the model's
        own, shots = encoded[: len(self.prompts)], encoded[len(self.prompts) :]
        schedule = schedule_of(self.prompts, own, clock, self.video)
        return schedule.with_shots(list(clock), dict(zip(self.shots, shots, strict=True)))


def add_word_options(parser: argparse.ArgumentParser) -> None:
    add = parser.add_argument
    add(
        "--prompt",
        metavar="TEXT",
        help=f"what is shown; or several, and when each begins: {FORMS}. A # after a time is a "
        "cut, and words in brackets count more: (words:1.2)".replace("%", "%%"),
    )
    add("--prompts", metavar="FILE", help="the same from a text file")
    add(
        "--text-encoder",
        metavar="FILE",
        help="umT5-XXL, for --prompt: its authors' .pth, ComfyUI's or diffusers' files",
    )
    add(
        "--tokenizer",
        metavar="FILE",
        help="its spiece.model (default: in the encoder's file, or in google/umt5-xxl beside it)",
    )
    add(
        "--text-embedding",
        metavar="FILE",
        help="in place of a prompt: its umT5 embedding, [rows, width], safetensors or .pt",
    )


def plain(prompts: Sequence[TimedPrompt]) -> list[dict[str, object]] | None:
    """Return prompts as plain values, for the metadata of what is made of them."""
    return [{"text": one.text, "start": one.start, "cut": one.cut} for one in prompts] or None


def words_said(options: argparse.Namespace) -> str | None:
    """Return what ``--prompt`` or ``--prompts`` say; None: neither is given.

    Raises:
        ValueError: if the file of the latter is no text.
    """
    if options.prompts is None:
        return options.prompt
    return read_text(Path(options.prompts), LARGEST_FILE, "--prompts must exist")


def check_word_options(options: argparse.Namespace, known: bool = False) -> None:
    """Refuse two ways at once to say what is shown, and none.

    Args:
        known: an earlier video says it, if nothing else does.

    Raises:
        ValueError: if they do.
    """
    ways = ("prompt", "prompts", "text_embedding")
    given = [_option(name) for name in ways if getattr(options, name) is not None]
    if known and not given:
        given = ["the prompts of the video"]
    if len(given) != 1:
        raise ValueError(
            f"one of {', '.join(map(_option, ways))} must say what is shown, got "
            f"{' and '.join(given) or 'none'}"
        )
    said = given != ["--text-embedding"]
    if said and options.text_encoder is None:
        raise ValueError(f"{given[0]} must come with --text-encoder, got none")
    for name in ("text_encoder", "tokenizer"):
        if not said and getattr(options, name) is not None:
            raise ValueError(f"{_option(name)} must come with --prompt, got --text-embedding")


def embedded(options: argparse.Namespace, config: WanConfig) -> PromptSchedule:
    """Return one prompt for all of a video: the embedding that options name.

    Raises:
        ValueError: if it is none that the model takes.
    """
    text = read_text_embedding(options.text_embedding, config.text_dim, options.text_tokens)
    return PromptSchedule.constant(text)


def _option(name: str) -> str:
    return "--" + name.replace("_", "-")
