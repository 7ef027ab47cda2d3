"""Torch files as torch and trainers write them: all of them are read."""

from collections import Counter

import pytest
import torch

from headforcing.headforcing_core.files import open_tensors

BASE = torch.randn(6, 8, generator=torch.Generator().manual_seed(0))
WHOLE_FILES = {
    "plain": {"a": BASE, "b": BASE.bfloat16(), "c": BASE.half(), "d": torch.arange(4)},
    "small floats": {"a": BASE.to(torch.float8_e4m3fn), "b": BASE.to(torch.float8_e5m2)},
    "shared": {"a": BASE, "b": BASE, "c": BASE.t(), "d": BASE[2:4, ::3], "e": BASE[1]},
    "expanded": {"bias": torch.ones(1).expand(5000), "rows": BASE[:1].expand(100, 8)},
    "numbers": {"a": torch.tensor(2.5), "empty": torch.ones(0, 4), "flag": torch.tensor(True)},
    "parameters": {"a": torch.nn.Parameter(BASE), "b": torch.nn.Parameter(BASE[0], False)},
    "complex": {"a": torch.complex(BASE, BASE)},
    "a module's": dict(
        torch.nn.Sequential(torch.nn.Linear(3, 4), torch.nn.Conv2d(2, 3, 3)).state_dict()
    ),
    "nested": {"model": {"state_dict": {"a": BASE}}, "step": 7},
    "what trainers keep": {
        "generator_ema": {"a": BASE},
        "optimizer": {
            "state": {0: {"step": torch.tensor(3.0)}},
            "param_groups": [{"betas": (0.9, 1)}],
        },
        "loss": float("nan"),
        "milestones": Counter([3, 3, 5]),
        "names": {"x", "y"},
        "bytes": b"\x00\xff",
        "more": bytearray(b"ab"),
        "size": torch.Size([1, 2]),
        "dtype": torch.bfloat16,
        "device": torch.device("cpu"),
        "args": None,
    },
}


@pytest.mark.parametrize("is_old", [False, True], ids=["zip", "old"])
@pytest.mark.parametrize("name", WHOLE_FILES)
def test_what_torch_saves_is_read(tmp_path, name, is_old):
    if is_old and name == "small floats":
        pytest.skip("torch itself does not read those back")
    path = tmp_path / "x.pt"
    torch.save(WHOLE_FILES[name], path, _use_new_zipfile_serialization=not is_old)
    expected = torch.load(path, weights_only=True)
    for wrapper in ("generator_ema", "model", "state_dict"):
        expected = expected.get(wrapper, expected)
    source = open_tensors(path)
    assert source.shapes == {name: tuple(x.shape) for name, x in expected.items()}
    for key, tensor_there in expected.items():
        with source.reading(key) as got:
            assert got.dtype == tensor_there.dtype and torch.equal(got, tensor_there)


def test_a_state_dict_with_its_versions_is_read(tmp_path):
    module = torch.nn.Sequential(torch.nn.Linear(3, 4), torch.nn.BatchNorm1d(4))
    state = module.state_dict()
    assert state._metadata
    torch.save(state, tmp_path / "x.pt")
    assert set(open_tensors(tmp_path / "x.pt").shapes) == set(state)


def test_a_tensor_with_attributes_is_read(tmp_path):
    weight = torch.nn.Parameter(BASE)
    weight.parallel = True
    plain = BASE.clone()
    plain.note = "x"
    torch.save({"a": weight, "b": plain}, tmp_path / "x.pt")
    assert open_tensors(tmp_path / "x.pt").shapes == {"a": (6, 8), "b": (6, 8)}


def test_long_files_of_many_tensors_are_read(tmp_path):
    """Ten sets of weights of forty blocks, and the optimizer's."""
    state = {f"blocks.{n}.weight": torch.zeros(2) for n in range(3000)}
    torch.save(
        {"generator": state, "optimizer": {"state": dict(enumerate(state.values()))}},
        tmp_path / "x.pt",
    )
    assert len(open_tensors(tmp_path / "x.pt").shapes) == 3000


def test_parameters_that_share_their_numbers_are_read(tmp_path):
    """Tied weights are stored once, however many names they have."""
    weight = torch.zeros(7_500_000)
    torch.save({f"w{n}": torch.nn.Parameter(weight) for n in range(4)}, tmp_path / "x.pt")
    assert len(open_tensors(tmp_path / "x.pt").shapes) == 4
