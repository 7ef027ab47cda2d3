"""The project behind the checkers of recorded runs: what all families share.

Model, caches, attention and loops are the shipped ones. What is here translates [B, F, C, Y, X]
latents and recorded noise, and looks into caches where a checker asks what is in them.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

import torch
from torch import Tensor

from headforcing.headforcing_core import CacheBank, CachePlan, Chunk, HeadAttention, Rope
from headforcing.headforcing_core.memory import Ahead, OpenWindow, group_heads
from headforcing.headforcing_core.methods import Kind, Method, Page
from headforcing.headforcing_core.video import NoiseLevel, each_frame
from headforcing.kernels import rotate


def bank_of(
    model, method: Method, size: Sequence[int], chunk: int, horizon: int, batch: int = 1,
    ahead: Ahead | None = None,
) -> CacheBank:  # fmt: skip
    """Return the caches of a method, for latents of ``size`` rows and columns."""
    geometry = model.config.geometry
    return CacheBank(
        CachePlan(
            geometry,
            Rope(geometry.head_dim, model.config.grid(*size)),
            group_heads(method, None, geometry),
            chunk,
            horizon,
            batch,
            method=method,
            ahead=ahead,
        )
    )


@dataclass
class RecordedNoise:
    """The numbers the original drew.

    draws: of each generated chunk after each of its steps, [B, F, C, Y, X] or [B * F, C, Y, X].
    given: frames that are not generated, and the chunks they fill.
    """

    noise: Tensor
    draws: Sequence[Sequence[Tensor]]
    given: int = 0
    given_chunks: int = 0

    def draw(self, chunk: Chunk, step: int) -> Tensor:
        if step == 0:
            start = chunk.start - self.given
            return self.noise[:, start : start + len(chunk)].transpose(1, 2)
        drawn = self.draws[chunk.index - self.given_chunks][step - 1]
        if drawn.ndim == 4:
            drawn = drawn.unflatten(0, (-1, len(chunk)))
        return drawn.transpose(1, 2)


class Forced:
    """Calls in the order of a recording, each with the recording's inputs.

    The original lets go of frames when the next chunk comes, we when a chunk is kept: so a chunk is
    kept when the next one comes, and what later calls may attend to can be looked at before.
    """

    def __init__(self, bank: CacheBank, numbers: Callable[[int], int] = lambda start: 0):
        self.bank, self.numbers = bank, numbers
        self.opened = self.chunk = None
        self.ended = False

    def attend(self, start: int, frames: int, chunk_frames: int | None = None) -> HeadAttention:
        """Return what a call on frames reads; more of them than a chunk has are a window."""
        if self.ended and start > self.chunk.start:
            self.bank.commit(self.chunk)
            self.opened = self.chunk = None
        chunk = Chunk(self.numbers(start), start, start + frames)
        if chunk_frames is not None:
            self.opened = self.chunk = None
            self.ended = False
            return HeadAttention(self.bank.open_window(chunk))
        if chunk != self.chunk:
            self.opened, self.chunk = self.bank.open(chunk), chunk
        self.ended = False
        return HeadAttention(self.opened)

    def again(self) -> HeadAttention:
        """Open the chunk once more, after the past has changed."""
        self.opened = self.bank.open(self.chunk)
        return HeadAttention(self.opened)

    def end(self) -> None:
        """The chunk's clean call is done: it is kept when the next one comes."""
        self.ended = True

    def held(self, layer: int) -> Held:
        """Return what later calls may attend to."""
        share, *others = self.bank.layers[layer].shares
        assert not others
        places, arena, ledger = share.ledger.places, share.arena, share.ledger
        read = ledger.read(self.opened.chunk.start)
        found = []
        for page, slot in places.slots.items():
            found.append(
                (
                    page,
                    arena.k.codes[:, :, slot],
                    arena.v.codes[:, :, slot],
                    read.get(page, page.at),
                )
            )
        for page, at in places.aside.items():
            found.append((page, *(x.codes for x in arena.beside.aside_at(at)), page.at))
        found.sort(key=lambda entry: (entry[0].at, entry[0].number))
        pages, keys, values, positions = zip(*found, strict=True)
        turned = torch.cat([arena.rotations.frame(at) for at in positions])
        self.bank._rotations.forget()
        return Held(
            pages,
            torch.cat(keys, 2).transpose(1, 2),
            torch.cat(values, 2).transpose(1, 2),
            turned[:, None],
        )


@dataclass
class Held:
    """k, v: ``[B, slots * P, H, D]``, k as RoPE leaves it; turned: its rotation."""

    pages: Sequence[Page]
    k: Tensor
    v: Tensor
    turned: Tensor

    @property
    def raw_k(self) -> Tensor:
        return rotate(self.k, self.turned.conj())


def number_of(page: Page) -> int:
    """Return the frame a page is, as checkers count: -1 for a mean of several."""
    return -1 if page.kind is Kind.AVERAGE and len(page.frames) > 1 else page.at


@dataclass(frozen=True)
class Traced:
    """A backbone whose calls are told."""

    backbone: object
    tell: Callable[[HeadAttention, Tensor, Sequence[NoiseLevel], Tensor], None]
    calls: list = field(default_factory=list)

    def predict_clean(self, noisy, level, text, attend):
        clean = self.backbone.predict_clean(noisy, level, text, attend)
        self.tell(attend, noisy, each_frame(level, noisy.shape[2]), clean)
        return clean


def attended(attend: HeadAttention) -> dict[str, list[int]]:
    """Return the frames a call read, with positions, as the checker of families wants them."""
    opened = attend.opened
    (share, *_) = opened._layers[0].shares
    own = {frame: frame for frame in opened.chunk.frames}
    if isinstance(opened, OpenWindow):
        past = share.ledger.ahead(opened.chunk, opened.plan.ahead.reach)
    else:
        past = share.ledger.read(opened.chunk.start)
    frames = [*(number_of(page) for page in past), *own]
    positions = [*past.values(), *own.values()]
    return {"key_frames": frames, "key_positions": positions, "query_positions": list(own)}
