"""A progress bar over the model calls of a rollout."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace

from torch import Tensor
from tqdm import tqdm

from ..backbone import Attend, Backbone
from ..rollout import FinishedChunk, Rollout
from ..schedule import NoiseLevel


@dataclass(frozen=True)
class _Counted:
    """A backbone whose calls move a bar; the rollout knows nothing of it."""

    backbone: Backbone
    bar: tqdm
    calls_per_chunk: int
    chunks: int

    def predict_clean(
        self, noisy: Tensor, level: NoiseLevel, text: object, attend: Attend
    ) -> Tensor:
        chunk, step = divmod(self.bar.n, self.calls_per_chunk)
        where = f"chunk {chunk + 1}/{self.chunks} step {step + 1}/{self.calls_per_chunk}"
        self.bar.set_description(where, refresh=False)
        clean = self.backbone.predict_clean(noisy, level, text, attend)
        self.bar.update()
        return clean


def progress(rollout: Rollout, given: Tensor | None = None) -> Iterator[FinishedChunk]:
    """Run a rollout under a bar that counts its chunks and steps, with the time left."""
    calls = len(rollout.levels) + 1
    with tqdm(total=calls * len(rollout.clock), unit="step") as bar:
        counted = _Counted(rollout.backbone, bar, calls, len(rollout.clock))
        for done in replace(rollout, backbone=counted).run(given):
            # given chunks are only committed: their drafts never come
            bar.update((done.chunk.index + 1) * calls - bar.n)
            yield done
