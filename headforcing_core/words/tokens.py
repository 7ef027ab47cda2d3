"""Words into the numbers a text encoder knows them by."""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path

import torch

from ..files import check_file, placed
from .emphasis import weighted_parts
from .published_encoder import PublishedEncoder

# what ends a text
END = 1
MODEL = "spiece.model"
# beside an encoder: as its authors, and diffusers, lay it
PLACES = ("google/umt5-xxl", "tokenizer", "../tokenizer", ".")
# bytes of a tokenizer's file; umT5's has 4.5 million
LARGEST = 1 << 26
# rows of an embedding that no piece of its tokenizer uses
MOST_SPARE = 512


class Tokenizer:
    """Divides words as umT5 was trained with: a sentencepiece model.

    Args:
        model: its bytes.
        where: they are from, for sentences.

    Raises:
        ValueError: if they are none, or of a model that ends texts in another way.
        RuntimeError: if sentencepiece is not installed.
    """

    def __init__(self, model: bytes, where: str):
        try:
            import sentencepiece
        except ImportError:
            raise RuntimeError(
                "reading a prompt needs sentencepiece, which is not installed: "
                'pip install "headforcing[words]"'
            ) from None
        self._model, self.where = sentencepiece.SentencePieceProcessor(), where
        try:
            self._model.LoadFromSerializedProto(model)
        except RuntimeError:
            raise ValueError(
                f"the tokenizer must be a sentencepiece model, got {len(model)} bytes of another "
                f"kind in {where}"
            ) from None
        self.size = self._model.GetPieceSize()
        if self._model.eos_id() != END:
            raise ValueError(
                f"the tokenizer must be umT5's, which ends a text with {END}, got one that ends it "
                f"with {self._model.eos_id()} in {where}"
            )

    def numbers(self, words: str) -> list[int]:
        """Return the pieces of words, without one that ends them."""
        return self._model.EncodeAsIds(words)


@dataclass(frozen=True)
class Text:
    """A prompt in numbers, the last of which ends it, and how much each counts."""

    tokens: tuple[int, ...]
    weights: tuple[float, ...]

    @classmethod
    def read(cls, prompt: str, tokenizer: Tokenizer) -> Text:
        """Divide a prompt.

        Raises:
            ValueError: if its brackets are none, see ``weighted_parts``.
        """
        tokens: list[int] = []
        weights: list[float] = []
        for words, weight in weighted_parts(prompt):
            numbers = tokenizer.numbers(words)
            tokens += numbers
            weights += [weight] * len(numbers)
        return cls((*tokens, END), (*weights, 1.0))

    @property
    def weighted(self) -> bool:
        return any(weight != 1 for weight in self.weights)


def tokenizer_of(encoder: PublishedEncoder, path: str | Path, given: str | None) -> Tokenizer:
    """Return an encoder's tokenizer: the one that is given, that in its file, or one beside it.

    Args:
        path: of the encoder.
        given: a spiece.model, or its folder; None: to be found.

    Raises:
        ValueError: if there is none, or it is that of another encoder.
        RuntimeError: if sentencepiece is not installed.
    """
    if given is None and encoder.tokenizer is not None:
        with encoder.source.reading(encoder.tokenizer) as stored:
            if stored.dtype != torch.uint8 or stored.numel() > LARGEST:
                raise ValueError(
                    f"{encoder.tokenizer} must be at most {LARGEST} bytes, got {stored.numel()} of "
                    f"{stored.dtype}; the file is damaged"
                )
            model = stored.contiguous().numpy().tobytes()
        tokenizer = Tokenizer(model, "the encoder's file")
    else:
        file = _found(Path(path), given)
        size = check_file(file, "the tokenizer must exist")
        if size > LARGEST:
            raise ValueError(
                f"the tokenizer must have at most {LARGEST} bytes, got {size} in {placed(file)}"
            )
        tokenizer = Tokenizer(file.read_bytes(), placed(file))
    rows = encoder.sizes.vocabulary
    if not rows - MOST_SPARE <= tokenizer.size <= rows:
        raise ValueError(
            f"the tokenizer must be that of the encoder, which knows {rows} pieces, got one of "
            f"{tokenizer.size} in {tokenizer.where}"
        )
    return tokenizer


def tokenizer_beside(path: str) -> str | None:
    """Return the tokenizer's file that lies beside an encoder; None: there is none."""
    files = (_around(Path(path)) / place / MODEL for place in PLACES)
    return next((str(file) for file in files if file.is_file()), None)


def _around(path: Path) -> Path:
    # of a folder, what lies in it and, of diffusers', beside it
    return path if os.path.isdir(path) else path.parent


def _found(path: Path, given: str | None) -> Path:
    if given is not None:
        return Path(given) / MODEL if os.path.isdir(given) else Path(given)
    beside = tokenizer_beside(str(path))
    if beside is not None:
        return Path(beside)
    raise ValueError(
        f"an encoder's tokenizer, {MODEL}, must lie in {PLACES[0]} or {PLACES[1]} beside it, got "
        f"none in {placed(_around(path))}; name it with --tokenizer"
    )
