"""Numbers that nobody means, for every option of the command line that takes one."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

import torch
from random_model import TINY, write_random_checkpoint
from safetensors.torch import save_file

from headforcing.headforcing_core.heads import CLASSIFIERS
from headforcing.headforcing_core.methods import METHODS, setting_names, settings_named

# no option and no setting takes any of them: whole numbers, others, and none
WHOLE = ("1" + "0" * 30, "9" * 400, "-" + "9" * 400)
FLOAT = ("1e308", "-1e308", "1e999", "nan", "inf", "-inf")
SENSELESS = (*WHOLE, *FLOAT, "9" * 5000, "", " ", "0x10")
# long work somebody may want: steps of a training, frames of a day
LARGE = "518400"
# these some take; a few are as large as they come
SOME = ("0", "-1", "1", "2147483648", "9223372036854775808", "1000000000", "1000000000000")
OTHERS = ("0.5", "1e-300", "-0.0", "0_2", "\u0661", LARGE)
VALUES = (*SOME, *OTHERS, *SENSELESS)
CHECKPOINT, TEXT, ADAPTER = "self_forcing.safetensors", "text.safetensors", "lora.safetensors"
# besides the option that is tried, all is as small as it may be
INSPECT = {"--frames": "12", "--chunk": "3", "--width": "64", "--height": "64"}
GENERATE = {
    "--seconds": "0.5",
    "--width": "32",
    "--height": "32",
    "--text-tokens": "8",
    "--seed": "0",
    "--steps": "1000",
}
GENERATE_MORE = ("--shift", "--first-chunk", "--window", "--sink", "--heads", "--lora-strength")
DEMO = {"--seconds": "0.5", "--zoom": "1", "--seed": "0"}
COMPARE = {"--seconds": "9", "--prompts": "1", "--seeds": "0", "--first": "0"}
PROFILE = {
    "--seconds": "4",
    "--prompts": "1",
    "--seeds": "1",
    "--chunks": "1",
    "--rows": "4",
    "--seed": "0",
}
PROFILE_MORE = ("--first-chunk", "--last-chunk", "--keep-first", "--doubt")
EVALUATE = {"--prompts": "1", "--first": "0", "--seed": "0"}
TRAIN = {
    "--steps": "1",
    "--autoencoder-steps": "1",
    "--clips": "1",
    "--seed": "0",
    "--threads": "1",
}


class Case(NamedTuple):
    """A command line with one odd number in it."""

    what: str
    value: str
    arguments: list[str]


def write_files(folder: Path) -> None:
    """Write what commands read: a tiny model, a text, an adapter."""
    write_random_checkpoint(folder / CHECKPOINT)
    rng = torch.Generator().manual_seed(0)
    save_file({"text": torch.randn(5, TINY.text_dim, generator=rng)}, folder / TEXT)
    low = {
        f"blocks.0.self_attn.q.lora_{part}.weight": torch.randn(shape, generator=rng)
        for part, shape in (("A", (2, TINY.dim)), ("B", (TINY.dim, 2)))
    }
    save_file(low, folder / ADAPTER)


def cases() -> Iterator[Case]:
    """Yield every option and every setting with every value."""
    yield from _inspected()
    yield from _generated()
    for model, base in (("demo", PROFILE), (CHECKPOINT, {**PROFILE, "--width": "32"})):
        head = ["profile", model, "--report", "out"]
        more = PROFILE_MORE if model == "demo" else (*PROFILE_MORE, "--height", "--heads")
        yield from _options(head, base | ({} if model == "demo" else {"--height": "32"}), more)
    for classifier in CLASSIFIERS:
        for name, _ in setting_names(classifier):
            head = ["profile", "demo", "--report", "out"]
            yield from _settings(head, f"{classifier.scheme}.{name}", PROFILE)
    yield from _options(["demo", "--out", "out"], DEMO)
    yield from _options(["compare", "--methods", "rolling:short", "--out", "out"], COMPARE)
    yield from _options(["evaluate"], EVALUATE)
    yield from _options(["train", "--work", "out"], TRAIN)
    for name in ("head_forcing", "pyramid", "rolling_sink"):
        for setting, _ in setting_names(settings_named(name)):
            for value in VALUES:
                method = f"{name},{setting}={value}"
                line = _line(["demo", "--out", "out", f"--method={method}"], DEMO)
                yield Case(f"demo {name} {setting}", value, line)


def _inspected() -> Iterator[Case]:
    for name in METHODS:
        for setting, _ in setting_names(settings_named(name)):
            yield from _settings(["inspect", name], setting, {**INSPECT, "--frames": "60"})
    for name in ("rolling", "full", "head_forcing", "pyramid", "memrope"):
        yield from _options(["inspect", name], INSPECT, ("--switch",))
    yield from _options(["inspect"], INSPECT)


def _generated() -> Iterator[Case]:
    head = ["generate", "--model", CHECKPOINT, "--text-embedding", TEXT, "--out", "out.safetensors"]
    for option in (*GENERATE, *GENERATE_MORE):
        with_lora = ["--lora", ADAPTER] if option == "--lora-strength" else []
        for value in VALUES:
            line = _line([*head, *with_lora], GENERATE | {option: value})
            yield Case(f"generate {option}", value, line)
    steps = {"second": "1000,{}", "many": ",".join(["1000"] * 20_000) + ",{}"}
    for what, text in steps.items():
        for value in VALUES:
            line = _line(head, GENERATE | {"--steps": text.format(value)})
            yield Case(f"generate --steps {what}", value, line)
    for name in METHODS:
        if not settings_named(name).build().needs_map:
            for setting, _ in setting_names(settings_named(name)):
                yield from _settings([*head, "--method", name], setting, GENERATE)


def _options(head: list[str], base: dict[str, str], more: tuple[str, ...] = ()) -> Iterator[Case]:
    for option in (*base, *more):
        for value in VALUES:
            what = " ".join((*head[:2], option)) if len(head) > 1 else f"{head[0]} {option}"
            yield Case(what, value, _line(head, base | {option: value}))


def _settings(head: list[str], setting: str, base: dict[str, str]) -> Iterator[Case]:
    for value in VALUES:
        line = _line([*head, f"--set={setting}={value}"], base)
        yield Case(f"{head[0]} {head[-1]} {setting}", value, line)


def _line(head: list[str], options: dict[str, str]) -> list[str]:
    return [*head, *(f"{name}={value}" for name, value in options.items())]
