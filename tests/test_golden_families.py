"""Models of other families against recorded runs of their original code."""

import sys
from dataclasses import replace
from pathlib import Path

import families2_impl
import families_impl
import pytest
from test_golden import HERE, WHOLE, named, one_thread  # noqa: F401  the thread is a fixture

from headforcing.headforcing_core import (
    CacheBank,
    HeadPolicy,
    PositionRule,
    Rollout,
    contexts,
    joint_rollout,
)
from headforcing.headforcing_core.contexts import RebuiltContext
from headforcing.headforcing_core.memory import open_chunk
from headforcing.headforcing_core.memory.contents import Maker
from headforcing.headforcing_core.methods import HeadRule, RollingForcing
from headforcing.headforcing_core.methods.middles import MeanSink
from headforcing.headforcing_core.models.experts import TwoExperts
from headforcing.headforcing_core.video import NoiseLevel, PromptSchedule, denoising, noise_levels
from headforcing.headforcing_core.video.unipc import UniPC

sys.path.insert(0, str(HERE))
import check_families
import check_families2

FAMILIES = {
    "set_rolling": (check_families, families_impl),
    "set_reward": (check_families, families_impl),
    "set_cfpp": (check_families2, families2_impl),
    "set_krea": (check_families2, families2_impl),
    "set_longlive2": (check_families2, families2_impl),
    "set_sgf": (check_families2, families2_impl),
}
SETS = [folder / name for folder in (HERE, WHOLE) for name in FAMILIES]
FREE = {"rollout latents", "own sampler latents"}


def checked(folder: Path, only=None, **kwargs):
    checker, implementation = FAMILIES[folder.name]
    return checker.run(implementation, folder, only, **kwargs)


def failures(report) -> list[dict]:
    """What is not as recorded; faults of the originals are not reproduced."""
    passed = (row["status"] == "PASS" or row["what"] == "upstream fault" for row in report.rows)
    return [row for row, good in zip(report.rows, passed, strict=True) if not good]


def seen(report) -> set[str]:
    """The fixtures whose latents are others, or that wanted noise the original did not draw."""
    return {
        row["fixture"]
        for row in failures(report)
        if (row["what"] in FREE and (row["max_abs"] or 0) > row["tol"])
        or str(row["worst"]).startswith("IndexError")
    }


@pytest.mark.parametrize("folder", SETS, ids=named)
def test_equal_to_the_original(folder):
    if not folder.is_dir():
        pytest.skip("only the recordings in tests/golden are at hand")
    report, meta = checked(folder)
    compared = {row["fixture"] for row in report.rows if row["what"] in FREE}
    assert compared >= {n for n, about in meta["fixtures"].items() if about.get("regular", True)}
    assert failures(report) == []


@pytest.mark.parametrize("style", check_families2.KEY_STYLES)
def test_under_every_published_name(style):
    report, _ = checked(HERE / "set_cfpp", ["f_i2v_two_step"], key_style=style)
    assert report.rows and failures(report) == []


STEPS = noise_levels((1000, 600, 200), 5)  # of the recording of Rolling Forcing


def noisier(level: NoiseLevel) -> NoiseLevel:
    return STEPS[STEPS.index(level) - 1]


def averaged(original):
    """Every frame of a window is told the mean timestep."""

    def predicting(backbone, text, attend):
        predict = original(backbone, text, attend)

        def told(noisy, levels, step):
            mean = sum(level.timestep for level in levels) / len(levels)
            return predict(noisy, [level._replace(timestep=mean) for level in levels], step)

        return told

    return predicting


def with_rule(change):
    """Change the one rule of a method."""

    def wrong(original):
        def build(self, chunk=3):
            method = original(self, chunk)
            ((type_, rule),) = method.rules.items()
            return replace(method, rules={type_: change(self, rule, chunk)})

        return build

    return wrong


def anchored(settings: RollingForcing, rule: HeadRule, chunk: int) -> HeadRule:
    """The first frames are an ordinary sink."""
    policy = HeadPolicy.of_window(settings.window, settings.anchor, chunk)
    return HeadRule(policy, rule.positions, rule.ahead)


def first_pin(original):
    """What stands for a shot is that of the first one that had any."""
    shots = []

    def split(self, past, chunk, shot):
        if shot and shot not in shots:
            shots.append(shot)
        return original(self, past, chunk, min(shots) if shot else 0)

    return split


def euler(original):
    def step(self, clean, noisy):
        sigma, then = self.sigmas[self.at : self.at + 2]
        self.at += 1
        return noisy + (then - sigma) * (noisy - clean) / sigma

    return step


def newly_told(original):
    def turn_to(self, chunk, prompts):
        original(self, chunk, prompts)
        self._text = prompts.at(chunk.start)

    return turn_to


def exactly(original):
    def levels(steps, shift):
        return tuple(NoiseLevel(sigma, 1000 * sigma) for sigma, _ in original(steps, shift))

    return levels


DEFECTS = {  # each a plausible mistake: (set, fixture, where, name, what it does instead)
    "the first steps for every chunk": (
        ("set_cfpp", "f_i2v_two_step", Rollout, "_draft"),
        lambda original: lambda self, chunk, text, _, held: original(self, chunk, text, True, held),
    ),
    "no first steps after given frames": (
        ("set_cfpp", "f_i2v_two_step", Rollout, "_draft"),
        lambda original: (
            lambda self, chunk, text, begins, held: original(
                self, chunk, text, begins and chunk.start == 0, held
            )
        ),
    ),
    "chunks of a window mixed to the level they had": (
        ("set_rolling", "x_small_cache", joint_rollout, "add_noise"),
        lambda original: lambda clean, noise, level: original(clean, noise, noisier(level)),
    ),
    "chunks of a window share the noise of one": (
        ("set_rolling", "x_small_cache", joint_rollout.Drawn, "draw"),
        lambda original: (
            lambda self, chunk, step: original(
                self, replace(chunk, index=max(0, chunk.index - step)), step
            )
        ),
    ),
    "one timestep for a window": (
        ("set_rolling", "x_small_cache", joint_rollout, "predicting"),
        averaged,
    ),
    "the anchor in clean calls": (
        ("set_rolling", "x_small_cache", RollingForcing, "build"),
        with_rule(anchored),
    ),
    "the anchor at its own place in joint calls": (
        ("set_rolling", "x_small_cache", RollingForcing, "build"),
        with_rule(lambda _, rule, chunk: replace(rule, ahead=None)),
    ),
    "remembered at the last step's timestep": (
        ("set_rolling", "x_small_cache", contexts, "CLEAN"),
        lambda original: NoiseLevel(0.0, STEPS[-1].timestep),
    ),
    "a window that reads one frame less": (
        ("set_rolling", "x_small_cache", HeadPolicy, "ahead"),
        lambda original: (
            lambda self, past, frames, reach, at: original(self, past, frames, reach - 1, at)
        ),
    ),
    "a mean of rotated keys": (
        ("set_reward", "f_alpha_0.8", Maker, "_raw"),
        lambda original: (
            lambda self, frame: tuple(x.numbers().float() for x in self._frame(frame)[:2])
        ),
    ),
    "the mean of the youngest frames": (
        ("set_reward", "f_alpha_0.8", MeanSink, "take"),
        lambda original: (
            lambda self, held, leaving, event: original(
                self, held, [frame + self.frames for frame in leaving], event
            )
        ),
    ),
    "folded at every call of a chunk": (
        ("set_reward", "f_alpha_0.8", MeanSink, "rates"),
        lambda original: property(lambda self: (1 - self.keep**5,) * self.frames),
    ),
    "a sink that never moves": (
        ("set_reward", "f_alpha_0.8", MeanSink, "rates"),
        lambda original: property(lambda self: (0.0,) * self.frames),
    ),
    "the past under the new prompt": (
        ("set_krea", "f_prompt_two", RebuiltContext, "turn_to"),
        newly_told,
    ),
    "a prompt that comes at once": (
        ("set_krea", "f_prompt_two", PromptSchedule, "blended"),
        lambda original: lambda self, chunks, over, mix: self,
    ),
    "the first frame in place of a later picture": (
        ("set_krea", "f_prompt_two", RebuiltContext, "_head"),
        lambda original: lambda self: self._first,
    ),
    "no last call at timestep 0": (
        ("set_krea", "i_attention_bias", families2_impl, "noise_levels"),
        lambda original: lambda steps, shift: original(steps[:-1], shift),
    ),
    "less weight on the first frame too": (
        ("set_krea", "i_attention_bias", open_chunk, "sorted"),
        lambda original: lambda pages, key: [None, *pages],
    ),
    "Euler's steps": (("set_longlive2", "b_multi_shot", UniPC, "step"), euler),
    "timesteps that are not whole": (
        ("set_longlive2", "b_multi_shot", families2_impl, "truncated_levels"),
        exactly,
    ),
    "an earlier shot's first frames stay": (
        ("set_longlive2", "b_multi_shot", HeadPolicy, "_split_in_order"),
        first_pin,
    ),
    "what is remembered jumps with the shot": (
        ("set_longlive2", "b_multi_shot", CacheBank, "begin_shot"),
        lambda original: lambda self, first, offset: original(self, first, 0),
    ),
    "nothing of a shot stays": (
        ("set_longlive2", "b_multi_shot", families2_impl.LongLive2, "build"),
        with_rule(lambda _, rule, chunk: replace(rule, policy=replace(rule.policy, shot_sink=0))),
    ),
    "an image that is not held": (
        ("set_longlive2", "g_image", Rollout, "_draft"),
        lambda original: (
            lambda self, chunk, text, begins, held: original(self, chunk, text, begins, None)
        ),
    ),
    "an image told to be noise": (
        ("set_longlive2", "g_image", denoising, "CLEAN"),
        lambda original: NoiseLevel(0.0, 999.0),
    ),
    "the first expert remembers": (
        ("set_sgf", "g_image", TwoExperts, "predict_clean"),
        lambda original: (
            lambda self, noisy, level, text, attend: self.denoiser.predict_clean(
                noisy, level, text.denoiser, attend
            )
        ),
    ),
    "kept frames at their own numbers": (
        ("set_sgf", "g_image", PositionRule, "place"),
        lambda original: lambda self, *args: original(PositionRule.ABSOLUTE, *args),
    ),
}


@pytest.mark.parametrize("defect", DEFECTS)
def test_a_mistake_is_seen(monkeypatch, defect):
    (folder, fixture, owner, name), wrong = DEFECTS[defect]
    monkeypatch.setattr(owner, name, wrong(getattr(owner, name, None)), raising=False)
    report, _ = checked(HERE / folder, [fixture])
    assert seen(report) == {fixture}
