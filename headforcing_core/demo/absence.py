"""Something leaves and comes back within the horizon; its past is the world's own video."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from statistics import fmean

import torch
from torch import Tensor

from ..methods import Rolling, SwitchRule
from .comparison import Compared, request_for, schedule
from .networks import FAMILY, DemoModel
from .scores import Hidden, Recollection, Sight, absence, look_at, sampled
from .world import HELD_OUT, Clip, Look, Story, draw

CHUNK = FAMILY.frames_per_chunk
# frames away: as long as it is back within the horizon
AWAY = tuple(range(CHUNK, FAMILY.horizon - CHUNK, CHUNK))


@dataclass(frozen=True)
class Absence:
    """Held-out stories of one length: a chunk of what leaves, others, a chunk of what is back.

    Args:
        hidden: what leaves.
        numbers: of the stories.
        away: frames, whole chunks.
        stories: one per number; scene 0 of each shows what leaves.
        videos: of the world, ``[pictures, 3, Y, X]`` each.
        coded: their latents, ``[B, C, F, Y, X]``.
    """

    hidden: Hidden
    numbers: tuple[int, ...]
    away: int
    stories: list[Story]
    videos: list[Tensor]
    coded: Tensor

    @classmethod
    def of(
        cls,
        model: DemoModel,
        hidden: Hidden,
        numbers: Sequence[int],
        away: int,
        seen: bool = True,
    ) -> Absence:
        """Draw and encode the stories.

        Args:
            seen: what comes at the end was there; else another was.
        """
        # two take its place, one after the other, where there is room
        between = [CHUNK, CHUNK + away // CHUNK // 2 * CHUNK][: 1 + (away > CHUNK)]
        cuts, others = (0, *between, CHUNK + away), (1, 2)[: len(between)]
        stories = [absence(hidden, n, cuts, (0 if seen else 3, *others, 0)) for n in numbers]
        pairs = zip(numbers, stories, strict=True)
        videos = [draw(Clip(HELD_OUT + n, story, away + 2 * CHUNK)) for n, story in pairs]
        coded = model.encode(torch.stack(videos))
        return cls(hidden, tuple(numbers), away, stories, videos, coded)

    @property
    def back(self) -> int:
        """The frame at which it is back."""
        return CHUNK + self.away

    @property
    def frames(self) -> int:
        return self.back + CHUNK

    @property
    def last_seen(self) -> float:
        """How far off the shade is that was seen last, mean absolute RGB, of what is replaced."""
        off = []
        for number, story in zip(self.numbers, self.stories, strict=True):
            look = Look.of(HELD_OUT + number)
            own, last = (self.hidden.true(look, cut.scene) for cut in (story[-1], story[-2]))
            off.append(float((own - last).abs().mean()))
        return fmean(off)

    def shown(self, model: DemoModel, method: Compared, seed: int) -> list[Sight]:
        """Let a model that remembers by a method make the last chunk; return what it shows."""
        request = request_for(method, self.frames, seed)
        rollout = request.rollout(model.wan, schedule(model, self.stories))
        *_, last = rollout.run(self.coded[:, :, : self.back])
        return sights(model, last.latent.cpu())

    def recollection(self, shown: Sequence[Sight]) -> Recollection:
        """Hold the shades that were shown at the end against those of the beginning."""
        shades = []
        for video, sight, story in zip(self.videos, shown, self.stories, strict=True):
            scene = story[-1].scene
            was = self.hidden.seen(look_at(sampled(video)[:CHUNK]), story[0].scene)
            shades.append((was, self.hidden.seen(sight, scene), self.hidden.middle(scene)))
        return Recollection.of(shades)


def sights(model: DemoModel, latents: Tensor) -> list[Sight]:
    """Return what is seen in each of ``[B, C, F, Y, X]``."""
    return [look_at(model.snapshots(latent)) for latent in latents]


def window(frames: int) -> Compared:
    """Return the method that sees the last frames, the chunk that is made included."""
    # what was said then stays with what was seen then, as in training
    return Compared("window", Rolling(frames, on_switch=SwitchRule.KEEP).build(CHUNK))
