"""Profiles on disk: one of the profiler is read as it was, one that lies is one sentence."""

import json
from dataclasses import replace

import pytest
import torch
from planted import planted_profile
from safetensors import safe_open
from safetensors.torch import save_file

from headforcing.headforcing_core.heads import read_profile, write_profile

KEY = "headforcing.profile"
NAN, INFINITY = float("nan"), float("inf")


@pytest.fixture(scope="module")
def whole(tmp_path_factory):
    """What a file of two samples holds: what it says, and its tensors."""
    path = tmp_path_factory.mktemp("profile") / "p.safetensors"
    profile = planted_profile()
    (sample,) = profile.samples
    again = replace(
        sample, prompt=1, step=None, mass=sample.mass.clone(), scores=sample.scores.clone()
    )
    profile = replace(profile, samples=(sample, again))
    write_profile(path, profile)
    with safe_open(path, "pt") as file:
        return json.loads(file.metadata()[KEY]), {n: file.get_tensor(n) for n in file.keys()}


def written(folder, told, tensors):
    path = folder / "p.safetensors"
    save_file(tensors, path, {KEY: told if isinstance(told, str) else json.dumps(told)})
    return path


def test_what_the_profiler_measured_is_read(tmp_path, whole):
    profile = read_profile(written(tmp_path, *whole))
    assert [(s.prompt, s.step) for s in profile.samples] == [(0, 0), (1, None)]
    for number, sample in enumerate(profile.samples):
        assert torch.equal(sample.mass, whole[1][f"mass.{number}"])
        # what is allowed is far from what rounding does
        assert (sample.mass.double().sum(-1) - 1).abs().max() < 1e-5


def at(path, value):
    def change(told, tensors):
        *way, last = path
        for step in way:
            told = told[step]
        told[last] = value

    return change


def without(name):
    return lambda told, tensors: told.pop(name)


def first(name, change):
    def changed(told, tensors):
        tensors[f"{name}.0"] = change(tensors[f"{name}.0"].clone()).contiguous()

    return changed


def with_value(value):
    def change(tensor):
        tensor[0, 0, 0] = value
        return tensor

    return change


def with_negative(mass):
    mass[0, 0, 0] -= 2
    mass[0, 0, 1] += 2
    return mass


S = ("samples", 0)
LIES = {
    "another version": (at(["version"], 2), "version must be 1, got 2"),
    "a true version": (at(["version"], True), "version must be 1, got True"),
    "no version": (without("version"), "it lacks 'version'"),
    "no geometry": (without("geometry"), "it lacks 'geometry'"),
    "geometry in a list": (at(["geometry"], [2, 6, 24]), "geometry must be a JSON object"),
    "another geometry": (at(["geometry", "layers"], 3), r"mass.0 must be \[3, 6, 36\], got"),
    "no layers": (at(["geometry", "layers"], 0), "layers and heads must be at least 1"),
    "a billion layers": (at(["geometry", "layers"], 10**9), "layers must be a whole number"),
    "half a layer": (at(["geometry", "layers"], 2.0), "layers must be a whole number"),
    "a true head": (at(["geometry", "heads"], True), "heads must be a whole number"),
    "an odd head": (at(["geometry", "head_dim"], 23), "head_dim must be even"),
    "a fingerprint": (at(["fingerprint"], 3), "fingerprint must be a text"),
    "parameters": (at(["parameters"], [1]), "parameters must be a JSON object"),
    "no samples": (
        at(["samples"], []),
        "must have two tensors of each sample and one of each return, got 4 of 0",
    ),
    "samples in a dict": (at(["samples"], {}), "samples must be a list"),
    "a sample of nothing": (at(S, None), "a sample must be a JSON object, got None"),
    "a prompt below": (at([*S, "prompt"], -1), "prompt must be a whole number from 0"),
    "a prompt in words": (at([*S, "prompt"], "fox"), "prompt must be a whole number"),
    "half a seed": (at([*S, "seed"], 0.5), "seed must be a whole number"),
    "a true chunk": (at([*S, "chunk"], True), "chunk must be a whole number"),
    "a step below": (at([*S, "step"], -1), "step must be a whole number"),
    "a false step": (at([*S, "step"], False), "step must be a whole number"),
    "frames of letters": (at([*S, "frames"], "abc"), "frames must be a list"),
    "a float frame": (at([*S, "frames", 3], 3.0), "frames must be a whole number"),
    "a frame twice": (at([*S, "frames", 3], 2), "frames of sample 0 must ascend"),
    "frames below": (at([*S, "frames", 0], -1), "frames must be a whole number from 0"),
    "fewer frames": (at([*S, "frames"], [1, 2, 3]), r"mass.0 must be \[2, 6, 3\], got"),
    "no frames": (at([*S, "frames"], []), "current must be a whole number from 1 to 0"),
    "no current": (at([*S, "current"], 0), "current must be a whole number from 1 to 36"),
    "much current": (at([*S, "current"], 37), "current must be a whole number from 1 to 36"),
    "one call twice": (lambda told, _: told["samples"][1].update(prompt=0, step=0), "twice"),
    "a negative share": (first("mass", with_negative), "mass.0 must be shares that sum to 1"),
    "other sums": (first("mass", lambda mass: mass * 1.1), "mass.0 must be shares that sum to 1"),
    "no share": (first("mass", torch.zeros_like), "mass.0 must be shares that sum to 1"),
    "a share of NaN": (first("mass", with_value(NAN)), "mass.0 must be finite numbers"),
    "a score of NaN": (first("scores", with_value(NAN)), "scores.0 must be finite numbers"),
    "an infinite score": (first("scores", with_value(INFINITY)), "scores.0 must be finite"),
    "half floats": (first("mass", torch.Tensor.half), "mass.0 must be float32, got torch.float16"),
    "whole scores": (first("scores", torch.Tensor.int), "scores.0 must be float32"),
    "flat shares": (first("mass", torch.Tensor.flatten), r"mass.0 must be \[2, 6, 36\]"),
    "other scores": (first("scores", lambda x: x[:1]), r"scores.0 must be \[2, 6, 36\], got"),
    "a tensor more": (lambda _, x: x.update(more=torch.ones(1)), "two tensors of each sample"),
    "another tensor": (lambda _, x: x.update(more=x.pop("mass.1")), r"mass.1 must be .*, got \[\]"),
    "a tensor less": (lambda _, x: x.pop("mass.1"), "samples must be at most 1, got 2"),
}


@pytest.mark.parametrize("name", LIES)
def test_a_profile_that_lies_is_one_sentence(tmp_path, whole, name):
    change, said = LIES[name]
    told, tensors = json.loads(json.dumps(whole[0])), dict(whole[1])
    change(told, tensors)
    with pytest.raises(ValueError, match=said) as error:
        read_profile(written(tmp_path, told, tensors))
    assert str(error.value).startswith("p.safetensors must be a head profile: ")
    assert len(str(error.value)) < 300 and "\n" not in str(error.value)


TEXTS = {
    "null": ("null", "must be a JSON object"),
    "a list": ("[]", "must be a JSON object"),
    "nothing": ("", "must be whole"),
    "half": ("{", "must be whole"),
    "brackets": ('{"a":' + "[" * 100_000, "must nest|must be whole"),
    "digits": ('{"version": ' + "9" * 5000 + "}", "at most 100 digits"),
    "NaN": ('{"version": NaN}', "must be finite"),
    "keys twice": ('{"version": 2, "version": 1}', "must name a key once"),
}


@pytest.mark.parametrize("name", TEXTS)
def test_a_profile_that_says_nothing_is_one_sentence(tmp_path, whole, name):
    text, said = TEXTS[name]
    with pytest.raises(ValueError, match=f"must be a head profile: .*{said}") as error:
        read_profile(written(tmp_path, text, whole[1]))
    assert len(str(error.value)) < 300
