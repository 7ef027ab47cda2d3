"""The demo's weights on disk: what would make black pictures, or none, is told when it is read."""

import shutil

import pytest
import torch
from safetensors.torch import load_file, save_file

from headforcing.headforcing_core.demo.networks import SHIPPED, DemoModel
from headforcing.headforcing_core.demo.networks.model import (
    AUTOENCODER_FILE,
    MODEL_FILE,
    TEXT_ENCODER_FILE,
)

FILES = (MODEL_FILE, TEXT_ENCODER_FILE, AUTOENCODER_FILE)


@pytest.fixture
def folder(tmp_path):
    for name in FILES:
        shutil.copy(SHIPPED / name, tmp_path)
    return tmp_path


def changed(path, name, change):
    weights = load_file(path)
    weights[name] = change(weights[name])
    save_file(weights, path, {"headforcing.heads": "6", "headforcing.predicts": "clean"})


def with_one(value):
    def change(weight):
        weight.view(-1)[3] = value
        return weight

    return change


@pytest.mark.parametrize("value", [float("nan"), float("inf"), -float("inf")])
@pytest.mark.parametrize(
    ("file", "name"),
    [
        (AUTOENCODER_FILE, "mean"),
        (AUTOENCODER_FILE, "std"),
        (AUTOENCODER_FILE, "narrow.bias"),
        (TEXT_ENCODER_FILE, "words.weight"),
        (MODEL_FILE, "head.head.weight"),
    ],
)
def test_weights_that_are_no_numbers_are_told(folder, file, name, value):
    changed(folder / file, name, with_one(value))
    with pytest.raises(ValueError, match=f"got NaN or infinity in 1 tensors: {name}; the file is"):
        DemoModel.load(folder)


@pytest.mark.parametrize("value", [0.0, -1.0])
def test_latents_must_have_a_size(folder, value):
    changed(folder / AUTOENCODER_FILE, "std", with_one(value))
    with pytest.raises(ValueError, match=f"std in .* must be positive, got {value:g}; the file is"):
        DemoModel.load(folder)


def test_weights_must_be_floating_point(folder):
    changed(folder / AUTOENCODER_FILE, "mean", torch.Tensor.int)
    with pytest.raises(ValueError, match="must hold floating point numbers, got others: mean"):
        DemoModel.load(folder)


def test_the_weights_that_ship_are_read(folder):
    assert (DemoModel.load(folder).autoencoder.std > 0).all()
