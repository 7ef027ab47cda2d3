"""Model families: how published models are sized and run.

Those numbers stand here and nowhere else; what all Wan models share is in wan.py and video/rope.py.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, replace
from pathlib import Path

from ..files import WRAPPERS, shown
from ..methods import (
    ALL_HEADS,
    HeadPolicy,
    HeadRule,
    Method,
    PositionRule,
    Switch,
    SwitchRule,
)
from ..video import TRAINING_STEPS, NoiseLevel, VideoFormat, levels_at, noise_levels
from .wan import WanConfig

# of latents: Wan 2.1 and the larger Wan 2.2, and the small one
WAN_CHANNELS, WAN_5B_CHANNELS = 16, 48
WAN_VIDEO = VideoFormat(time_stride=4, space_stride=8, fps=16)
WAN_5B_VIDEO = VideoFormat(time_stride=4, space_stride=16, fps=24)
WAN_HEAD_DIM = 128
WAN_TEXT_TOKENS = 512
WAN_EPS = 1e-6
# of the encoder of its texts: eps of norms, and how many tokens apart is as far as any
UMT5_EPS, UMT5_FAR = 1e-6, 128
WAN_HORIZON = 21
WAN_1_3B_MODEL = WanConfig(
    dim=12 * WAN_HEAD_DIM,
    ffn_dim=8960,
    freq_dim=256,
    text_dim=4096,
    in_dim=WAN_CHANNELS,
    out_dim=WAN_CHANNELS,
    heads=12,
    layers=30,
    patch=(1, 2, 2),
    eps=WAN_EPS,
)
WAN_1_3B = WAN_1_3B_MODEL.geometry

FOUR_STEPS = (1000, 750, 500, 250)
# of what was built on a model, and of stages before the few steps, of which names tell
NOT_PLUS = r"(?!\+|plus)"
EARLIER_STAGES = "ardiffusion|odeinit|causalode|teacher"
# chunk-wise and frame-wise files have one name: their folder, or more of the name, must tell
CAUSAL_FORCING = f"^(?!.*longvideo)(?=.*causalforcing{NOT_PLUS})"
PLAIN_FIRST = ("generator", *WRAPPERS)


@dataclass(frozen=True)
class Family:
    """How the models of one paper are run. Frames are latent frames.

    Args:
        name: what users type.
        title: what users read.
        source: the paper.
        file_pattern: searched in a file's name, lower case, without ``-_ .``.
        frames_per_chunk: frames denoised together.
        steps: denoising steps as the authors list them, warped by ``shift``.
        sigmas: noise levels as they are, in place of steps and shift.
        window: frames seen, sink and current chunk included. The horizon where the authors have
            none: up to there it keeps everything, beyond it the window slides.
        sink: first frames kept for ever.
        horizon: frames the model was trained on.
        positions: where RoPE is told kept frames stand.
        recaches: a new prompt has the frames of the window computed again under it.
        weights: state dicts of a torch file, best first.
        with_lora: whether the authors publish a base model and an adapter for it.
        latent_size: the only (rows, columns) it can draw; None: any.
        refusal: why its rollout is not built yet; None when it is.
    """

    name: str
    title: str
    source: str
    file_pattern: str
    frames_per_chunk: int = 3
    steps: tuple[int, ...] = FOUR_STEPS
    shift: float = 5.0
    window: int = WAN_HORIZON
    sink: int = 0
    horizon: int = WAN_HORIZON
    positions: PositionRule = PositionRule.ABSOLUTE
    recaches: bool = False
    weights: tuple[str, ...] = WRAPPERS
    with_lora: bool = False
    latent_size: tuple[int, int] | None = None
    refusal: str | None = None
    sigmas: tuple[float, ...] | None = None

    def __post_init__(self) -> None:
        if self.steps[:1] != (TRAINING_STEPS,):
            raise ValueError(
                f"steps must begin at {TRAINING_STEPS}: a chunk starts as pure noise, "
                f"got {shown(self.steps)}"
            )

    def check_config(self, config: WanConfig) -> None:
        """Refuse weights that prove to be of another kind of model, whatever the file is called.

        Raises:
            ValueError: if its latents are others.
        """
        if config.in_dim != WAN_CHANNELS:
            other = "a Wan 2.2 5B model" if config.in_dim == WAN_5B_CHANNELS else "another model"
            raise ValueError(
                f"the file must hold a model of {WAN_CHANNELS} latent channels, as {self.title} "
                f"is, got one of {config.in_dim}: {other}, which cannot be run yet"
            )

    @property
    def levels(self) -> tuple[NoiseLevel, ...]:
        if self.sigmas is not None:
            return levels_at(self.sigmas)
        return noise_levels(self.steps, self.shift)

    @property
    def method(self) -> Method:
        """How its authors keep the past."""
        policy = HeadPolicy.of_window(self.window, self.sink, self.frames_per_chunk)
        return Method(
            self.name,
            f"as {self.title} does it: {self.sink} first frames and the last, {self.window} in all",
            {ALL_HEADS: HeadRule(policy, self.positions)},
            switch=Switch(SwitchRule.RECACHE, self.window) if self.recaches else Switch(),
            source=self.source,
        )

    def tuned(
        self,
        *,
        steps: tuple[int, ...] | None = None,
        shift: float | None = None,
        sigmas: tuple[float, ...] | None = None,
        window: int | None = None,
        sink: int | None = None,
        positions: PositionRule | None = None,
    ) -> Family:
        """Return the family with some values replaced; None keeps the trained one.

        A sink the family was not trained with would leave the trained range as the video grows, so
        its positions are re-encoded unless ``positions`` says otherwise.
        """
        new_sink = sink is not None and sink != self.sink
        rule = PositionRule.CONTIGUOUS if new_sink and sink else self.positions
        return replace(
            self,
            steps=self.steps if steps is None else steps,
            shift=self.shift if shift is None else shift,
            sigmas=self.sigmas if sigmas is None else sigmas,
            window=self.window if window is None else window,
            sink=self.sink if sink is None else sink,
            positions=positions or rule,
        )


# ordered: the first pattern that matches a file name wins
FAMILIES = (
    Family(
        "longlive",
        "LongLive",
        "arXiv 2509.22622",
        "longlive(?!2)",
        window=12,
        sink=3,
        recaches=True,
        with_lora=True,
    ),
    Family(
        "rolling_forcing",
        "Rolling Forcing",
        "arXiv 2509.25161",
        "rollingforcing",
        steps=(1000, 800, 600, 400, 200),
        refusal="it denoises five chunks jointly at rising noise levels",
    ),
    Family(
        "reward_forcing",
        "Reward Forcing",
        "arXiv 2512.04678",
        "rewardforcing",
        window=12,
        sink=3,
        refusal="its sink is a running average of the frames that leave the window",
    ),
    Family(
        "krea_14b",
        "Krea Realtime 14B",
        "krea-ai/realtime-video",
        "krearealtime",
        steps=(1000, 800, 600, 400, 200, 0),
        window=6,
        refusal="it rebuilds its context from clean frames before every chunk",
    ),
    Family(
        "causal_forcing_framewise",
        "Causal Forcing, frame-wise",
        "arXiv 2602.02214",
        CAUSAL_FORCING + "(?=.*framewise)",
        frames_per_chunk=1,
    ),
    Family(
        "causal_forcing_chunkwise",
        "Causal Forcing, chunk-wise",
        "arXiv 2602.02214",
        CAUSAL_FORCING + "(?=.*chunkwise)",
        weights=PLAIN_FIRST,
    ),
    Family("self_forcing", "Self-Forcing", "arXiv 2506.08009", "selfforcing" + NOT_PLUS),
    Family(
        "demo", "the demo model", "headforcing_core/demo", "headforcingdemo", latent_size=(8, 8)
    ),
)
FAMILY_NAMES = tuple(family.name for family in FAMILIES)
SUPPORTED = tuple(family.name for family in FAMILIES if not family.refusal)


def family_named(name: str) -> Family:
    """Return a family by name.

    Raises:
        ValueError: if there is none, or its rollout is not built yet.
    """
    for family in FAMILIES:
        if family.name == name:
            if family.refusal:
                raise ValueError(
                    f"{family.title} models cannot be run yet: {family.refusal}; "
                    f"supported are {', '.join(SUPPORTED)}"
                )
            return family
    raise ValueError(f"family must be one of {', '.join(FAMILY_NAMES)}, got {name!r}")


def recognise(path: str | Path) -> Family | None:
    """Return the family that a file's name says; weights alone never tell.

    A folder counts beside the name where Causal-Forcing's authors let it: ``framewise/``,
    ``chunkwise/``. A name that says an earlier stage of the training says no family: such models
    take many steps.
    """
    path = Path(path)
    said, folder = (re.sub(r"[-_ .]", "", part.lower()) for part in (path.name, path.parent.name))
    if folder in ("framewise", "chunkwise"):
        said = folder + said
    if re.search(EARLIER_STAGES, said):
        return None
    return next((f for f in FAMILIES if re.search(f.file_pattern, said)), None)


def choose_family(path: str | Path, name: str | None) -> Family:
    """Return the family to run a file with: the user's choice, else what the file says.

    Raises:
        ValueError: if neither says, or the choice does not fit what the file says: its rollout is
            of another kind, or its chunks are of another size.
    """
    said = recognise(path)
    if name is None and said is None:
        raise ValueError(
            f"the family of {Path(path).name} must be chosen, its name does not tell and weights "
            f"never do: {', '.join(SUPPORTED)}"
        )
    family = family_named(said.name if name is None else name)
    if said and said.refusal:
        raise ValueError(
            f"family must fit the file: {Path(path).name} says {said.name}, which cannot be run "
            f"yet, got {family.name}; rename the file if it is wrong"
        )
    if said and said.frames_per_chunk != family.frames_per_chunk:
        raise ValueError(
            f"family must fit the file: {Path(path).name} says {said.name}, which denoises "
            f"{said.frames_per_chunk} frames at a time, got {family.name} with "
            f"{family.frames_per_chunk}; choose {said.name}, or rename the file if it is wrong"
        )
    return family


def video_format(channels: int) -> VideoFormat:
    """Return how videos of latents with so many channels are packed; Wan 2.1's if unknown."""
    return WAN_5B_VIDEO if channels == WAN_5B_CHANNELS else WAN_VIDEO
