"""``headforcing profile`` as its users run it."""

import json
import re

import pytest
import torch
from random_model import TINY, write_random_checkpoint
from safetensors.torch import save_file

from headforcing.headforcing_core.cli import main, profile_subject
from headforcing.headforcing_core.demo.networks import DemoModel
from headforcing.headforcing_core.demo.profiles import MAPS, PAPER_MAP, maps_of
from headforcing.headforcing_core.inspection import fitting
from headforcing.headforcing_core.methods import read_head_map, settings_named
from headforcing.headforcing_core.models import fingerprint

SCHEMES = ("head_forcing", "pyramid", "forcing_kv", "dummy")
SMALL = ("--prompts", "2", "--seconds", "5", "--chunks", "1")
CHECKPOINT = ("--width", "64", "--height", "48", "--family", "self_forcing", "--heads", "4")


def profile(*arguments, out, workers="1"):
    return main(["profile", *map(str, arguments), "--workers", workers, "--report", str(out)])


@pytest.fixture(scope="module")
def reported(tmp_path_factory):
    out = tmp_path_factory.mktemp("demo") / "report"
    assert profile("demo", *SMALL, "--against", MAPS / "head_forcing.json", out=out) == 0
    return out


def test_the_demo_is_profiled(reported):
    for scheme in SCHEMES:
        head_map = read_head_map(reported / f"{scheme}.json")
        assert (len(head_map.types), len(head_map.types[0])) == (6, 6)
        assert set(head_map.counts) <= set(settings_named(scheme).build().rules)
        assert (reported / f"{scheme}_types.png").read_bytes().startswith(b"\x89PNG")
    figures = json.loads((reported / "report.json").read_text())
    assert set(figures) == set(SCHEMES)
    against = figures["head_forcing"]["against"]["head_forcing: profile of demo"]
    assert 0.5 < against["agreeing"] <= 1


def test_the_page_needs_nothing_beside_it(reported):
    page = (reported / "report.html").read_text("utf-8")
    sources = re.findall(r'src="([^"]{0,30})', page)
    assert len(sources) >= 2 * len(SCHEMES)
    assert all(source.startswith("data:image/png;base64,") for source in sources)
    assert "http" not in page and "hf.memory" in page and "in doubt" in page


def test_two_workers_measure_what_one_does(tmp_path):
    small = ("--prompts", "4", "--seconds", "5", "--chunks", "1", "--returns", "1")
    for workers in ("1", "2"):
        assert profile("demo", *small, out=tmp_path / workers, workers=workers) == 0
    for name in ("profile.safetensors", *(f"{scheme}.json" for scheme in SCHEMES)):
        one, two = ((tmp_path / workers / name).read_bytes() for workers in ("1", "2"))
        assert one == two, name


def test_what_does_not_fit_is_refused_before_the_model_is_read(tmp_path, monkeypatch, capsys):
    file, out = tmp_path / "x.safetensors", tmp_path / "out"
    write_random_checkpoint(file)
    small = (*CHECKPOINT, "--prompts", "1", "--returns", "0", "--seconds", "5", "--chunks", "1")
    read = []
    with monkeypatch.context() as patch:
        patch.setattr(fitting, "free_memory", lambda place: 3 << 20)
        patch.setattr(profile_subject, "load_model", lambda *given: read.append(given))
        assert profile(file, *small, out=out) == 2
        said = capsys.readouterr().err
        assert re.search(r"need .* GiB free; it fits with weight dtype fp8 at \d+ x \d+ ", said)
        assert said.endswith("; --anyway tries all the same\n") and "method" not in said
        assert not read
    with monkeypatch.context() as patch:
        patch.setattr(fitting, "free_memory", lambda place: 3 << 20)
        assert profile(file, *small, "--anyway", out=out) == 0
        # nothing is left to be made
        assert profile(file, *small, out=out) == 0
        assert profile(file, *small, "--seeds", "2", out=out) == 2
    # nor of a profile of one text, after which nothing can come back
    text = torch.randn(1, 8, TINY.text_dim)
    save_file({"text": text}, tmp_path / "text.safetensors")
    one = (*CHECKPOINT, "--seconds", "5", "--chunks", "1")
    one += ("--text-embedding", tmp_path / "text.safetensors")
    assert profile(file, *one, out=tmp_path / "one") == 0
    with monkeypatch.context() as patch:
        patch.setattr(fitting, "free_memory", lambda place: 3 << 20)
        assert profile(file, *one, out=tmp_path / "one") == 0
    # a size that is offered is one that can be asked for
    width, height = re.search(r"fp8 at (\d+) x (\d+)", said).groups()
    other = [*small, "--width", width, "--height", height, "--weight-dtype", "fp8"]
    monkeypatch.setattr(fitting, "free_memory", lambda place: 3 << 20)
    assert profile(file, *other, out=tmp_path / "other") == 0


def test_a_stopped_run_goes_on(reported, tmp_path, monkeypatch):
    from headforcing.headforcing_core.cli import profile_run

    made, real = [], profile_run.measured

    def stops(subject, settings, video, watch):
        made.append(video)
        if len(made) == 2:
            raise KeyboardInterrupt
        return real(subject, settings, video, watch)

    monkeypatch.setattr(profile_run, "measured", stops)
    assert profile("demo", *SMALL, out=tmp_path) == 130
    assert profile("demo", *SMALL, out=tmp_path) == 0
    assert made[0] != made[1] and made[1:3] == made[1:2] * 2  # the first was not made twice
    for scheme in SCHEMES:
        name = f"{scheme}.json"
        assert (tmp_path / name).read_text() == (reported / name).read_text()


def test_another_measurement_in_the_same_folder_is_refused(reported, capsys):
    before = (reported / "profile.safetensors").read_bytes()
    assert profile("demo", *SMALL, "--rows", "7", out=reported) == 2
    said = capsys.readouterr().err
    assert "whose profile has another parameters" in said and said.count("\n") <= 2
    assert (reported / "profile.safetensors").read_bytes() == before


def test_rules_can_be_tuned(reported, capsys):
    assert profile("demo", *SMALL, "--set", "head_forcing.tau_anchor=0.5", "--doubt", "0",
                   out=reported) == 0  # fmt: skip
    assert read_head_map(reported / "head_forcing.json").counts["hf.anchor"] == 18
    assert profile("demo", *SMALL, "--set", "head_forcing.absolute=true", "--aggregate", "samples",
                   out=reported) == 0  # fmt: skip
    rule = read_head_map(reported / "head_forcing.json").evidence.parameters["rule"]
    assert (rule["absolute"], rule["aggregate"]) == (True, "samples")


def test_heads_that_recall_are_named_where_prompts_allow_it(reported, tmp_path, capsys):
    few = ("demo", "--prompts", "4", "--seconds", "5", "--chunks", "1")
    assert profile(*few, out=tmp_path) == 0
    assert "pasts after which something came back: 4" in capsys.readouterr().out
    named = read_head_map(tmp_path / "head_forcing.json")
    shipped = read_head_map(MAPS / "head_forcing.json")
    found, known = (
        {(a, b) for a in range(6) for b in range(6) if m.types[a][b] == "hf.recall"}
        for m in (named, shipped)
    )
    assert found == known != set()
    # the paper's own rule, on what is measured already
    for paper in (("--returns", "0"), ("--set", "head_forcing.tau_return=1")):
        assert profile(*few, *paper, out=tmp_path) == 0
        assert "hf.recall" not in read_head_map(tmp_path / "head_forcing.json").counts
    assert "hf.recall" not in read_head_map(reported / "head_forcing.json").counts  # two prompts
    assert profile(*few, "--returns", "5", out=tmp_path) == 2
    assert "returns must be 0 to 4" in capsys.readouterr().err
    assert profile("demo", *SMALL, "--returns", "1", out=tmp_path / "other") == 2
    assert "returns must be measured with 4 different prompts or more" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("demo", "--set", "tau=1"), "--set must begin with a rule"),
        (("demo", "--set", "head_forcing.tau=1"), "a setting must be one of"),
        (("demo", "--doubt", "2"), "--doubt must be 0 to 1"),
        (("demo", "--seconds", "1"), "make it longer"),
        (("demo", "--prompts", "0"), "prompts must be 1 to "),
        (("demo", "--prompts", "1001"), "prompts x seeds x chunks must be at most 3000"),
        (("demo", "--prompts", "100", "--seconds", "86400"), "about a week's work, got 34,560,000"),
        (("demo", "--lora", "x"), "--lora must come with a checkpoint"),
        (("demo", "--against", "nowhere.json"), "a head map must be a file that exists"),
        (("nowhere.safetensors",), "MODEL must be demo or a file that exists"),
    ],
)
def test_bad_options_are_one_sentence(arguments, message, tmp_path, capsys):
    assert profile(*arguments, out=tmp_path / "r") == 2
    said = capsys.readouterr().err.strip().splitlines()[-1]
    assert said.startswith("headforcing profile: ") and message in said
    assert not list(tmp_path.glob("r/*"))


def test_a_checkpoint_is_profiled(tmp_path, capsys):
    write_random_checkpoint(tmp_path / "model.safetensors")
    for n in range(2):
        text = torch.randn(5, TINY.text_dim, generator=torch.Generator().manual_seed(n))
        save_file({"text": text}, tmp_path / f"text{n}.safetensors")
    texts = [tmp_path / f"text{n}.safetensors" for n in range(2)]
    model = tmp_path / "model.safetensors"
    options = (model, *CHECKPOINT, "--seconds", "4", "--chunks", "1")
    assert profile(*options, "--text-embedding", *texts, out=tmp_path / "a") == 0
    assert "random embeddings" not in capsys.readouterr().err
    head_map = read_head_map(tmp_path / "a" / "head_forcing.json")
    assert (len(head_map.types), len(head_map.types[0])) == (TINY.layers, TINY.heads)
    assert head_map.evidence.parameters["profile"]["text"] == "text0.safetensors, text1.safetensors"
    assert profile(*options, "--prompts", "1", out=tmp_path / "b") == 0
    assert "prompts are random embeddings" in capsys.readouterr().err
    assert "random embeddings" in (tmp_path / "b" / "report.html").read_text()
    other = read_head_map(tmp_path / "b" / "head_forcing.json")
    assert other.evidence.fingerprint == head_map.evidence.fingerprint


def test_a_map_of_another_model_is_told(tmp_path, capsys):
    write_random_checkpoint(tmp_path / "self_forcing.safetensors")
    text = torch.randn(5, TINY.text_dim, generator=torch.Generator().manual_seed(0))
    save_file({"text": text}, tmp_path / "text.safetensors")
    model, size = tmp_path / "self_forcing.safetensors", ("--width", "64", "--height", "48")
    assert profile(model, *CHECKPOINT, "--seconds", "4", "--chunks", "1", "--prompts", "1",
                   out=tmp_path / "heads") == 0  # fmt: skip
    capsys.readouterr()
    path = tmp_path / "heads" / "head_forcing.json"
    embedding = str(tmp_path / "text.safetensors")
    options = ["generate", "--model", str(model), "--text-embedding", embedding, *size,
               "--heads", "4", "--seconds", "1", "--out", str(tmp_path / "x.safetensors"),
               "--method", "head_forcing", "--map", str(path)]  # fmt: skip
    assert main(options) == 0
    assert "another model" not in capsys.readouterr().err
    known = json.loads(path.read_text())
    path.write_text(json.dumps(known | {"fingerprint": "0123"}))
    assert main(options) == 0
    assert "measured on another model" in capsys.readouterr().err


def test_the_maps_that_ship_are_of_the_model_that_ships():
    model = DemoModel.load()
    shipped = maps_of(model)
    name = fingerprint(model.wan.state_dict())
    assert set(shipped) == {*SCHEMES, PAPER_MAP}
    assert shipped["head_forcing"].counts["hf.recall"] == 2
    assert "hf.recall" not in shipped[PAPER_MAP].counts
    for scheme, head_map in shipped.items():
        assert (
            head_map.scheme == scheme.removesuffix("_paper")
            and head_map.evidence.fingerprint == name
        )
        assert not head_map.edits


def test_another_demo_model_is_measured(tmp_path):
    model = DemoModel.load()
    with torch.no_grad():
        model.wan.blocks[0].self_attn.q.weight.neg_()
    made = maps_of(model)
    assert made["head_forcing"].evidence.fingerprint == fingerprint(model.wan.state_dict())
