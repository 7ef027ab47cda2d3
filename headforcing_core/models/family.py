"""How the models of one paper are run, as a value."""

from __future__ import annotations

from dataclasses import dataclass, fields, replace

from ..files import shown
from ..methods import (
    ALL_HEADS,
    HeadPolicy,
    HeadRule,
    KreaRealtime,
    Method,
    MethodSettings,
    PositionRule,
    Switch,
    SwitchRule,
)
from ..methods.middles import MeanSink, Middle
from ..video import (
    TRAINING_STEPS,
    Multistep,
    NoiseLevel,
    Renoising,
    VideoFormat,
    levels_at,
    noise_levels,
    truncated_levels,
)
from .wan_config import WanConfig


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
        window: frames seen, sink and current chunk included. The horizon where the authors have
            none: up to there it keeps everything, beyond it the window slides.
        horizon: frames the model was trained on.
        channels: of its latents.
        video: how its latents are packed, and pictures per second.
        weights: state dicts of a torch file, best first.
        shift: timestep shift.
        sink: first frames kept for ever.
        positions: where RoPE is told kept frames stand.
        recaches: a new prompt has the frames of the window computed again under it.
        keeps: how its authors keep the past, where that is more than a window and a sink.
        first_steps: steps of the first chunk that is generated; None: those of the others.
        solves: steps are those of a solver of the flow (UniPC), with no noise drawn in between.
        joint: as many chunks as there are steps are denoised together, the oldest least noisy.
        holds_image: a given image is the first frame of the first chunk, held clean beside the
            frames that are denoised.
        blend: chunks over which a new prompt comes in, 0: at once.
        shot_words: what a prompt begins with that begins a shot.
        with_lora: whether the authors publish a base model and an adapter for it.
        two_experts: whether its files may hold a second model, which remembers.
        latent_size: the only (rows, columns) it can draw; None: any.
        sigmas: noise levels as they are, in place of steps and shift.
    """

    name: str
    title: str
    source: str
    file_pattern: str
    frames_per_chunk: int
    steps: tuple[int, ...]
    window: int
    horizon: int
    channels: int
    video: VideoFormat
    weights: tuple[str, ...]
    shift: float = 5.0
    sink: int = 0
    positions: PositionRule = PositionRule.ABSOLUTE
    recaches: bool = False
    keeps: MethodSettings | None = None
    first_steps: tuple[int, ...] | None = None
    solves: bool = False
    joint: bool = False
    holds_image: bool = False
    blend: int = 0
    shot_words: str | None = None
    with_lora: bool = False
    two_experts: bool = False
    latent_size: tuple[int, int] | None = None
    sigmas: tuple[float, ...] | None = None

    def __post_init__(self) -> None:
        for steps in (self.steps, self.first_steps):
            if steps is not None and steps[:1] != (TRAINING_STEPS,):
                raise ValueError(
                    f"steps must begin at {TRAINING_STEPS}: a chunk starts as pure noise, "
                    f"got {shown(steps)}"
                )
        self._check_sigmas()

    def _check_sigmas(self) -> None:
        if self.sigmas is None:
            return
        given, own = len([sigma for sigma in self.sigmas if sigma]), len(self.steps)
        if self.solves:
            raise ValueError(
                f"sigmas must be left unconnected for {self.title}, got {given} levels; its solver "
                "takes steps and shift"
            )
        if self.joint and given != own:
            raise ValueError(
                f"sigmas must be {own} levels and 0 for {self.title}, got {given}: as many chunks "
                "are denoised together"
            )

    @property
    def kind(self) -> tuple[object, ...]:
        """What two families share whose models can be run as each other's."""
        return self.frames_per_chunk, self.channels, self.joint, self.solves, type(self.keeps)

    def check_config(self, config: WanConfig) -> None:
        """Refuse weights that prove to be of another kind of model, whatever the file is called.

        Raises:
            ValueError: if its latents are others.
        """
        if config.in_dim != self.channels:
            raise ValueError(
                f"the file must hold a model of {self.channels} latent channels, as {self.title} "
                f"is, got one of {config.in_dim}: another model, whatever the file is called"
            )

    def first_chunk(self, given: int) -> int | None:
        """Return the frames of the first chunk of a video that begins with ``given`` ones.

        An image is one frame: then the first chunk is that frame alone, unless it is held in a
        whole one.
        """
        return None if self.holds_image and given == 1 else given % self.frames_per_chunk or None

    def without_pictures(self) -> Family:
        """Return the family as it runs where no autoencoder is at hand: it keeps a first frame."""
        if not isinstance(self.keeps, KreaRealtime):
            return self
        return replace(self, keeps=replace(self.keeps, keep_first=True))

    def check_first_chunk(self, first: int | None, method: Method) -> None:
        """Refuse a first chunk of another size where the past is made of whole ones.

        Args:
            method: that is run, see ``fitting``.

        Raises:
            ValueError: if so.
        """
        means = any(isinstance(r.policy.middle, MeanSink) for r in method.rules.values())
        whole = self.joint or self.holds_image or method.rebuilt is not None or means
        if whole and first not in (None, self.frames_per_chunk):
            raise ValueError(
                f"first frames must be whole chunks of {self.frames_per_chunk} for {method.name} "
                f"with {self.title}{', or one image' if self.holds_image else ''}, got a first "
                f"chunk of {first}"
            )

    @property
    def denoising(self) -> Renoising | Multistep:
        """How a chunk is made clean."""
        return self._denoising(self.steps)

    @property
    def first_denoising(self) -> Renoising | Multistep:
        """How the first chunk that is generated is made clean."""
        # levels that are given hold for every chunk
        steps = self.first_steps if self.sigmas is None else None
        return self._denoising(self.steps if steps is None else steps)

    def _denoising(self, steps: tuple[int, ...]) -> Renoising | Multistep:
        if self.sigmas is not None:
            levels = levels_at(self.sigmas)
        elif self.solves:
            levels = truncated_levels(steps, self.shift)
        else:
            levels = noise_levels(steps, self.shift)
        return Multistep(levels) if self.solves else Renoising(levels)

    @property
    def levels(self) -> tuple[NoiseLevel, ...]:
        """Noise levels of every chunk but perhaps the first, noisiest first."""
        return self.denoising.levels

    @property
    def method(self) -> Method:
        """How its authors keep the past."""
        if self.keeps is not None:
            return replace(self.keeps.build(self.frames_per_chunk), name=self.name)
        policy = HeadPolicy.of_window(self.window, self.sink, self.frames_per_chunk)
        return Method(
            self.name,
            f"as {self.title} does it: {self.sink} first frames and the last, {self.window} in all",
            {ALL_HEADS: HeadRule(policy, self.positions)},
            switch=Switch(SwitchRule.RECACHE, self.window) if self.recaches else Switch(),
            source=self.source,
        )

    def fitting(self, method: Method) -> Method:
        """Return a method as it is run with models of this family.

        What the authors' rollout does besides keeping frames, it does under any method.

        Raises:
            ValueError: if the method makes no sense with such models, and why.
        """
        own = self.method
        other_loop = method.reach is not None and not self.joint
        if other_loop or (method.rebuilt is not None and own.rebuilt is None):
            raise ValueError(
                f"{method.name} must come with models that are run as it says, got {self.title}; "
                "choose another method"
            )
        if self.joint:
            self._check_joint(method)
        kept = method.online or any(r.policy.middle != Middle() for r in method.rules.values())
        if own.rebuilt is not None and kept:
            raise ValueError(
                f"{method.name} must have caches that outlive a chunk, got {self.title}, which "
                "computes its past anew before every chunk; choose rolling, sink_window or full"
            )
        shots, rebuilt = method.shots or own.shots, method.rebuilt or own.rebuilt
        means = any(isinstance(r.policy.middle, MeanSink) for r in method.rules.values())
        if means and shots is not None and shots.offset % self.frames_per_chunk:
            raise ValueError(
                f"offset must be whole chunks of {self.frames_per_chunk} where first frames are "
                f"means of their place in a chunk, got {shots.offset}"
            )
        reach = method.reach or own.reach
        return replace(method, shots=shots, rebuilt=rebuilt, reach=reach)

    def _check_joint(self, method: Method) -> None:
        together = f"{self.title} denoises {len(self.steps)} chunks in one call"
        if method.online is not None:
            raise ValueError(
                f"{method.name} must tell heads apart while one chunk is denoised, got "
                f"{self.title}: {together}; choose another method"
            )
        if any(rule.per_frame for rule in method.rules.values()):
            raise ValueError(
                f"{method.name} must read the same for all frames of a call, got positions or "
                f"pages that differ between them: {together}; choose positions such as contiguous"
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
        its positions are re-encoded unless ``positions`` says otherwise. Steps that are chosen are
        those of every chunk.

        Raises:
            ValueError: if its past has no such value.
        """
        chosen = {"window": window, "sink": sink, "positions": positions}
        chosen = {name: value for name, value in chosen.items() if value is not None}
        keeps = self.keeps
        if keeps is not None and chosen:
            unknown = sorted(set(chosen) - {field.name for field in fields(keeps)})
            if unknown:
                raise ValueError(
                    f"{unknown[0]} must be left as it is for {self.title}, which keeps its past "
                    f"otherwise, got {getattr(chosen[unknown[0]], 'value', chosen[unknown[0]])}; "
                    "choose a method instead"
                )
            keeps = replace(keeps, **chosen)
        new_sink = sink is not None and sink != self.sink
        rule = PositionRule.CONTIGUOUS if new_sink and sink else self.positions
        return replace(
            self,
            steps=self.steps if steps is None else steps,
            first_steps=self.first_steps if steps is None else None,
            shift=self.shift if shift is None else shift,
            sigmas=self.sigmas if sigmas is None else sigmas,
            window=self.window if window is None else window,
            sink=self.sink if sink is None else sink,
            positions=positions or rule,
            keeps=keeps,
        )
