"""What was measured of a model's heads: attention per frame, call by call."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass, replace

from torch import Tensor

from ..video import ModelGeometry


@dataclass(frozen=True, eq=False)
class Sample:
    """The attention of all heads in one model call.

    Args:
        prompt, seed: of the video.
        chunk: number of the chunk.
        step: number of the call for this chunk; None: the clean one.
        frames: frames that were attended to, ascending; the chunk's own come last.
        current: how many of them are the chunk's own.
        mass: ``[L, H, F]`` float32, on the CPU: share of attention, mean over query rows.
        scores: ``[L, H, F]`` likewise: mean scaled score of the last query frame's tokens against
            those of each frame, before the softmax.
    """

    prompt: int
    seed: int
    chunk: int
    step: int | None
    frames: tuple[int, ...]
    current: int
    mass: Tensor
    scores: Tensor

    @property
    def past(self) -> int:
        """How many frames are not the chunk's own."""
        return len(self.frames) - self.current


@dataclass(frozen=True, eq=False)
class Return:
    """How much more heads look at what comes back than if it did not, in one past.

    Args:
        prompt, seed: of the videos; the prompt that they begin with, of those that differ.
        shifts: ``[scenes, L, H]`` float32, on the CPU: shares of attention, -1 to 1.
    """

    prompt: int
    seed: int
    shifts: Tensor


@dataclass(frozen=True, eq=False)
class HeadProfile:
    """Samples of one model, in the order of prompts, seeds, chunks and steps.

    Args:
        geometry: of the model.
        fingerprint: of the model.
        parameters: how it was measured, as plain values.
        samples: what was measured under steady prompts.
        returns: what was measured when something came back.
    """

    geometry: ModelGeometry
    fingerprint: str
    parameters: dict[str, object]
    samples: tuple[Sample, ...]
    returns: tuple[Return, ...] = ()

    def where(self, wanted: Callable[[Sample], bool]) -> HeadProfile:
        """Return the part whose samples are wanted."""
        return replace(self, samples=tuple(filter(wanted, self.samples)))

    @property
    def videos(self) -> set[tuple[int, int]]:
        """All (prompt, seed) that were measured."""
        return {(sample.prompt, sample.seed) for sample in self.samples}

    @property
    def returning(self) -> set[tuple[int, int]]:
        """All (prompt, seed) of whose past something was let come back."""
        return {(back.prompt, back.seed) for back in self.returns}

    @property
    def prompts(self) -> list[int]:
        return sorted({sample.prompt for sample in self.samples})

    @property
    def seeds(self) -> list[int]:
        return sorted({sample.seed for sample in self.samples})

    @property
    def steps(self) -> list[int | None]:
        """The steps there are, the clean call last."""
        return sorted({s.step for s in self.samples}, key=lambda step: (step is None, step))


def joined(parts: Iterable[HeadProfile]) -> HeadProfile:
    """Return one profile of what was measured in parts, whatever their order.

    Raises:
        ValueError: if they are not of one model, measured alike, or one video is in two of them.
    """
    first, *others = parts
    for other in others:
        for what in ("geometry", "fingerprint", "parameters"):
            mine, its = getattr(first, what), getattr(other, what)
            if mine != its:
                raise ValueError(f"parts of a profile must have one {what}, got {mine} and {its}")
    samples = [sample for part in (first, *others) for sample in part.samples]
    names = [(s.prompt, s.seed, s.chunk, s.step is None, s.step or 0) for s in samples]
    if len(set(names)) < len(names):
        raise ValueError("parts of a profile must be of different videos, got one of them twice")
    order = sorted(range(len(samples)), key=names.__getitem__)
    back = [each for part in (first, *others) for each in part.returns]
    if len({(each.prompt, each.seed) for each in back}) < len(back):
        raise ValueError("parts of a profile must be of different returns, got one of them twice")
    back.sort(key=lambda each: (each.prompt, each.seed))
    return replace(first, samples=tuple(samples[at] for at in order), returns=tuple(back))
