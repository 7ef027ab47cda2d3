"""A progress bar over the model calls of a rollout."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace

from torch import Tensor
from tqdm import tqdm

from ..models import Attend, Backbone
from ..rollout import FinishedChunk, Rollout
from ..stopping import stop_if_asked
from ..video import NoiseLevel


@dataclass(frozen=True)
class _Counted:
    """A backbone whose calls move a bar; the rollout knows nothing of it."""

    backbone: Backbone
    bar: tqdm
    levels: tuple[NoiseLevel, ...]
    chunks: int

    def predict_clean(
        self, noisy: Tensor, level: NoiseLevel, text: object, attend: Attend
    ) -> Tensor:
        chunk = self.bar.n // (len(self.levels) + 1) + 1
        number = self.levels.index(level) + 1 if level in self.levels else 0
        step = f"step {number}/{len(self.levels)}" if number else "commit"
        self.bar.set_description(f"chunk {chunk}/{self.chunks} {step}", refresh=False)
        clean = self.backbone.predict_clean(noisy, level, text, attend)
        self.bar.update()
        stop_if_asked()
        return clean


def progress(rollout: Rollout, given: Tensor | None = None) -> Iterator[FinishedChunk]:
    """Run a rollout under a bar that counts its chunks and steps, with the time left.

    Raises:
        ValueError: at once, if ``given`` does not fit the rollout.
    """
    rollout.check(given)
    return _with_bar(rollout, given)


def _with_bar(rollout: Rollout, given: Tensor | None) -> Iterator[FinishedChunk]:
    calls = len(rollout.levels) + 1
    with tqdm(total=calls * len(rollout.clock), unit="step") as bar:
        counted = _Counted(rollout.backbone, bar, rollout.levels, len(rollout.clock))
        for done in replace(rollout, backbone=counted).run(given):
            # given chunks are only committed: their drafts never come
            bar.update((done.chunk.index + 1) * calls - bar.n)
            yield done
