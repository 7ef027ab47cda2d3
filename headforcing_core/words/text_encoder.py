"""Prompts into what a video model is told."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from pathlib import Path

import torch
from torch import Tensor

from .encoder import encoded
from .published_encoder import PublishedEncoder, open_encoder
from .tokens import END, Text, Tokenizer, tokenizer_of

log = logging.getLogger("headforcing")


class TextEncoder:
    """A published umT5 encoder and its tokenizer; nothing of it is in memory but while it encodes.

    Gives what ComfyUI's CLIP Text Encode gives of the same file, words in brackets included:
    ``(words:1.2)`` count more. Texts are not cleaned.
    """

    def __init__(self, published: PublishedEncoder, tokenizer: Tokenizer):
        self._published, self._tokenizer = published, tokenizer

    @classmethod
    def open(cls, path: str | Path, tokenizer: str | None = None) -> TextEncoder:
        """Open an encoder: a file or folder of its authors, of ComfyUI, diffusers or transformers.

        Args:
            tokenizer: its spiece.model, or the folder of that; None: in the file, or beside it.

        Raises:
            ValueError: if one of both is not whole, or they do not belong together.
            RuntimeError: if sentencepiece is not installed.
        """
        published = open_encoder(path)
        return cls(published, tokenizer_of(published, path, tokenizer))

    @property
    def width(self) -> int:
        return self._published.sizes.width

    def texts(self, prompts: Sequence[str], most: int) -> list[Text]:
        """Read prompts.

        Args:
            most: tokens of a prompt.

        Raises:
            ValueError: if one has more.
        """
        texts = [Text.read(prompt, self._tokenizer) for prompt in prompts]
        for prompt, text in zip(prompts, texts, strict=True):
            if len(text.tokens) > most:
                raise ValueError(
                    f"a prompt must have at most {most} tokens, got {len(text.tokens)} of "
                    f"{prompt[:40]!r}; shorten it"
                )
        return texts

    def encode(
        self, texts: Sequence[Text], rows: int, device: torch.device | str = "cpu"
    ) -> list[Tensor]:
        """Encode prompts; equal ones once.

        Args:
            rows: to which they are padded with zeros, which the model attends to as well; longer
                ones stay longer, as in ComfyUI.

        Returns:
            per prompt ``[1, S, width]`` float32 on the CPU.

        Raises:
            ValueError: if weights are no finite numbers.
        """
        # what a weight moves a token away from, or towards
        nothing = ((END,),) if any(text.weighted for text in texts) else ()
        different = [*dict.fromkeys((*(text.tokens for text in texts), *nothing))]
        log.info("encoding %d prompts", len({text.tokens for text in texts}))
        known = dict(zip(different, encoded(self._published, different, device), strict=True))
        return [_padded(_weighted(text, known), rows) for text in texts]


def _weighted(text: Text, known: dict[tuple[int, ...], Tensor]) -> Tensor:
    """Return the embedding of a text, each token as far from that of no text as it counts."""
    plain = known[text.tokens]
    if not text.weighted:
        return plain
    nothing = torch.zeros_like(plain)
    nothing[0] = known[(END,)][0]
    weights = torch.tensor(text.weights)[:, None]
    return torch.where(weights == 1, plain, (plain - nothing) * weights + nothing)


def _padded(embedding: Tensor, rows: int) -> Tensor:
    missing = max(0, rows - len(embedding))
    return torch.nn.functional.pad(embedding, (0, 0, 0, missing))[None]
