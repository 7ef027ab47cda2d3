"""The rollout against recorded runs of the original code."""

import json
import sys
from pathlib import Path

import golden_impl
import pytest
import torch

HERE = Path(__file__).parent / "golden"
WHOLE = Path(__file__).parents[2] / "shared" / "golden"  # more recordings, where they are at hand


def of_self_forcing(folder):
    """Whether this checker reads the set; other families have checkers of their own."""
    return "family" not in json.loads((folder / "config.json").read_text())


MORE = [p.parent for p in sorted(WHOLE.glob("*/config.json")) if of_self_forcing(p.parent)]
SETS = [HERE / "set_a", *MORE]

sys.path.insert(0, str(HERE))
import check_golden  # noqa: E402


@pytest.fixture(autouse=True)
def one_thread():
    threads = torch.get_num_threads()
    torch.set_num_threads(1)  # as recorded
    yield
    torch.set_num_threads(threads)


def failures(report):
    return [row for row in report.rows if row["status"] != "PASS"]


def named(path):
    return f"{path.parent.name}/{path.name}"


@pytest.mark.parametrize("folder", SETS, ids=named)
def test_equal_to_the_original(folder):
    report, meta = check_golden.run(golden_impl, folder)
    assert {row["fixture"] for row in report.rows} == set(meta["fixtures"])
    assert failures(report) == []


@pytest.mark.parametrize("style", check_golden.KEY_STYLES)
@pytest.mark.parametrize("folder", SETS[:1], ids=named)
def test_under_every_published_name(folder, style):
    report, _ = check_golden.run(golden_impl, folder, only=["h_two_steps"], key_style=style)
    assert report.rows and failures(report) == []


def test_the_whole_sets_are_said_to_be_absent():
    if not WHOLE.is_dir():
        pytest.skip("only the recordings in tests/golden are at hand")
    assert len(SETS) > 1


DEFECTS = {  # each a plausible mistake; the recordings must see it
    "later frames one position late": (
        golden_impl.Rope,
        "frames",
        lambda original: lambda self, at, device: original(self, [f + (f > 2) for f in at], device),
    ),
    "the newest frame is forgotten": (
        golden_impl.HeadPolicy,
        "split",
        lambda original: lambda *args: [*original(*args)[:2], original(*args)[2][:-1]],
    ),
    "values of one slot off by a percent": (
        golden_impl.CacheBank,
        "commit",
        lambda original: (
            lambda self, *args: (
                [pool.v.codes[:, :1].mul_(0.99) for layer in self.layers for pool in layer.pools],
                original(self, *args),
            )[-1]
        ),
    ),
}


@pytest.mark.parametrize("defect", DEFECTS)
def test_a_mistake_is_seen(monkeypatch, defect):
    owner, name, wrong = DEFECTS[defect]
    monkeypatch.setattr(owner, name, wrong(getattr(owner, name)))
    report, _ = check_golden.run(golden_impl, HERE / "set_a", only=["c_window6_sink1"])
    assert {row["what"] for row in failures(report)} >= {"teacher-forced x0", "own sampler latents"}
