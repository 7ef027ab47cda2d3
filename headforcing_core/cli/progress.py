"""A progress bar over the model calls of a rollout."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from torch import Tensor
from tqdm import tqdm

from ..joint_rollout import JointRollout
from ..models import Attend, Backbone
from ..rollout import Begun, FinishedChunk, Rollout
from ..stopping import stop_if_asked
from ..video import NoiseLevel

AnyRollout = Rollout | JointRollout


@dataclass(frozen=True)
class _Counted:
    """A backbone whose calls move a bar; the rollout knows nothing of it."""

    backbone: Backbone
    bar: tqdm
    steps: int
    # calls after which each chunk is finished
    ends: Sequence[int]

    def predict_clean(
        self,
        noisy: Tensor,
        level: NoiseLevel | Sequence[NoiseLevel],
        text: object,
        attend: Attend,
    ) -> Tensor:
        chunks, step = len(self.ends), attend.step
        done = bisect_right(self.ends, self.bar.n)
        said = "commit" if step is None else f"step {step + 1}/{self.steps}"
        self.bar.set_description(f"chunk {min(done + 1, chunks)}/{chunks} {said}", refresh=False)
        clean = self.backbone.predict_clean(noisy, level, text, attend)
        self.bar.update()
        stop_if_asked()
        return clean


def progress(rollout: AnyRollout, given: Tensor | Begun | None = None) -> Iterator[FinishedChunk]:
    """Run a rollout under a bar that counts its chunks and steps, with the time left.

    Raises:
        ValueError: at once, if ``given`` does not fit the rollout.
    """
    rollout.check(given.frames if isinstance(given, Begun) else given)
    return _with_bar(rollout, given)


def _with_bar(rollout: AnyRollout, given: Tensor | Begun | None) -> Iterator[FinishedChunk]:
    ends = [rollout.calls_until(index) for index in range(len(rollout.clock))]
    with tqdm(total=ends[-1], unit="step") as bar:
        counted = _Counted(rollout.backbone, bar, len(rollout.denoising.levels), ends)
        for done in rollout.through(counted).run(given):
            # given chunks are only kept: their drafts never come
            bar.update(ends[done.chunk.index] - bar.n)
            yield done
