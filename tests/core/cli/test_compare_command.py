"""``headforcing compare`` and the scores of the model that ships."""

import json
import math
from statistics import median

import pytest
import torch
from PIL import Image

from headforcing.headforcing_core import device
from headforcing.headforcing_core.cli import main
from headforcing.headforcing_core.demo.comparison import (
    Comparison,
    Row,
    Source,
    Spec,
    finished,
    roll_side_by_side,
    rows_of,
    tables,
    with_model,
    without_map,
)
from headforcing.headforcing_core.demo.comparison.short_names import short_names
from headforcing.headforcing_core.demo.evaluate import evaluate, grouped
from headforcing.headforcing_core.demo.evaluate import main as evaluate_command
from headforcing.headforcing_core.demo.networks import FAMILY, SHIPPED, DemoModel
from headforcing.headforcing_core.demo.profiles import maps_of
from headforcing.headforcing_core.demo.scores import Spread, trial
from headforcing.headforcing_core.methods import NAMES, HeadMap, PositionRule


@pytest.fixture(scope="module")
def model():
    return DemoModel.load()


def rolled(model, names, frames, trials=1, seed=0):
    stories = [trial(number).steady for number in range(trials)]
    run = roll_side_by_side(model, stories, [without_map(n) for n in names], frames, seed)
    return finished(run)


def run(comparison):
    """Make all of a comparison in this process; return the frames made."""
    made = []
    here = with_model(comparison.model, None, None)
    comparison.run(here, Source(None), made.append)
    return sum(made)


def test_methods_are_alike_while_nothing_is_forgotten(model):
    full, rolling = rolled(model, ["full", "rolling"], FAMILY.horizon)
    torch.testing.assert_close(full.latents, rolling.latents)


def test_methods_differ_beyond_the_horizon(model):
    full, rolling, sink = rolled(model, ["full", "rolling", "sink_window"], 30)
    assert (full.latents - rolling.latents)[:, :, 21:].abs().max() > 0.01
    assert (sink.latents - rolling.latents)[:, :, 12:].abs().max() > 0.01


def test_the_beginning_of_a_long_video_is_the_short_one(model):
    """So that 30 s can be read off a rollout of 60 s."""
    (short,), (long,) = rolled(model, ["rolling"], 24), rolled(model, ["rolling"], 33)
    torch.testing.assert_close(long.latents[:, :, :24], short.latents, rtol=0, atol=0)


def test_a_video_is_the_same_beside_others(model):
    alone = rolled(model, ["rolling"], 6)[0].latents[0]
    beside = rolled(model, ["rolling"], 6, trials=3)[0].latents[0]
    torch.testing.assert_close(beside, alone, atol=1e-4, rtol=1e-4)


def test_the_command_prints_and_writes(tmp_path, capsys):
    out = tmp_path / "out"
    options = ["--prompts", "2", "--seeds", "0", "1", "--seconds", "12", "30", "--out", str(out)]
    assert main(["compare", *options, "--methods", "rolling", "sink_window:short"]) == 0
    said = capsys.readouterr().out
    written = json.loads((out / "compare.json").read_text())
    assert (out / "compare.png").stat().st_size > 10_000
    with Image.open(out / "compare_pictures.png") as pictures:
        assert pictures.height > 2 * 4 * 64 and pictures.width > 7 * 64
    assert set(written["results"]) == {"48", "120"}
    assert set(written["results"]["48"]) == {"truth", "autoencoder", "rolling", "sink_window:short"}
    late = written["results"]["120"]
    assert set(late) == {"truth", "autoencoder", "rolling", "sink_window:short"}
    truth = {name: score["mean"] for name, score in late["truth"].items() if score}
    assert truth["obeyed"] == 1 and truth["delay"] == 0
    assert truth["ground_error"] < 0.002 < truth["ground_stranger"]
    returns = written["returns"]["120"]["rolling"]
    assert len([name for name in returns if name.startswith("ground from frame")]) == 3
    assert late["rolling"]["ground_drift"]["seeds"] is not None
    assert late["rolling"]["time_ratio"] == 1
    assert late["rolling"]["cache_bytes"] > late["sink_window:short"]["cache_bytes"] > 0
    assert late["rolling"]["seconds_per_chunk"] > 0 and written["videos_at_once"] == 2
    shares = torch.tensor(written["head_shares"]["layers"])
    assert shares.shape == (6, 6, 3)
    for word in (
        "48 latent frames",
        "120 latent frames",
        "memory and cost",
        "attention of the 36 heads",
    ):
        assert word in said


def test_what_was_scored_before_a_stop_is_kept(tmp_path, capsys, monkeypatch):
    real, kept = Comparison._keep, []

    def stopped(self, *what):
        if len(kept) == 3:  # the truth of both kinds of story, and one seed
            raise KeyboardInterrupt
        kept.append(what)
        real(self, *what)

    monkeypatch.setattr(Comparison, "_keep", stopped)
    options = ["--prompts", "1", "--seconds", "24", "--out", str(tmp_path / "out")]
    assert main(["compare", *options, "--methods", "rolling"]) == 130
    written = json.loads((tmp_path / "out" / "compare.json").read_text())
    assert not written["complete"] and "ground_drift" in written["results"]["96"]["rolling"]
    assert "NOT COMPLETE" in capsys.readouterr().out


def test_files_of_others_are_not_written_over(tmp_path, capsys):
    (tmp_path / "compare.json").write_text('{"mine": 1}')
    assert main(["compare", "--seconds", "12", "--out", str(tmp_path)]) == 2
    assert "must not hold a compare.json of something else" in capsys.readouterr().err
    assert (tmp_path / "compare.json").read_text() == '{"mine": 1}'
    assert main(["compare", "--seconds", "12", "--out", str(tmp_path / "compare.json")]) == 2
    assert "--out must be a folder" in capsys.readouterr().err


def test_ones_own_prompt_and_other_numbers(tmp_path, capsys):
    options = ["--seconds", "12", "--seeds", "9", "--first", "500", "--methods", "rolling"]
    mine = ["--prompt", "a red ring on olive"]
    assert main(["compare", *options, *mine, "--out", str(tmp_path)]) == 0
    written = json.loads((tmp_path / "compare.json").read_text())
    assert written["prompts"] == ["a red ring moving slowly on plain olive"]
    assert written["results"]["48"]["rolling"]["ground_drift"]["seeds"] is None
    assert "too short for a ground to leave" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("options", "rule"),
    [
        (["--methods", "magic"], "must be one of head_forcing"),
        (["--seconds", "6"], "seconds must be at least 9"),
        (["--methods", "rolling", "rolling"], "methods must each be named once"),
        (["--seeds", "1", "1"], "seeds must each be named once"),
        (["--first", "-1"], "first must be 0 to"),
        (["--prompts", "0"], "prompts must be 1 to"),
        (["--prompts", "100000"], "about a week's work, got 1,152,001,920; use fewer methods"),
        (["--seconds", "40000", "--seeds", "0", "--prompts", "1"], "the pictures of a video need"),
        (["--prompt", "a dog"], "words it was trained on"),
        (["--seeds", "-1"], "seed must be a non-negative integer"),
        (["--model", "nowhere"], "must have a file headforcing_demo"),
    ],
)
def test_bad_options_are_one_sentence(options, rule, tmp_path, capsys):
    assert main(["compare", *options, "--out", str(tmp_path / "out")]) == 2
    assert rule in capsys.readouterr().err


def test_a_method_that_does_not_fit_is_refused_at_once(model, monkeypatch):
    methods = [without_map("rolling"), without_map("full")]
    comparison = Comparison(model, methods, [trial(n) for n in range(3)], [0], [120])
    need = 3 * max(comparison.cache_bytes(method, 120) for method in methods)
    monkeypatch.setattr(device, "memory_of", lambda device: need - 1)
    with pytest.raises(RuntimeError, match=r"the caches of a method need .* use fewer prompts"):
        run(comparison)
    assert comparison.scores == {}


def test_the_truth_wins_every_comparison(model):
    """Scores say which pictures are right: no method may beat the world itself."""
    methods = [without_map("rolling:short")]
    comparison = Comparison(model, methods, [trial(n) for n in (2, 3)], [0], [120])
    assert run(comparison) == comparison.work
    rows = {row.name: row.scores for row in rows_of(comparison, 120)}
    truth, made = rows["truth"], rows["rolling:short"]
    for name in ("colour", "shape", "obeyed"):
        assert truth[name].mean >= 0.95 and made[name].mean <= truth[name].mean
    for name in ("ground_drift", "shade_drift", "ground_error", "thing_error"):
        assert truth[name].mean < 0.03 and made[name].mean >= truth[name].mean


def test_a_row_has_the_caches_and_the_time_of_its_length(model):
    methods = [without_map("full"), without_map("rolling")]
    comparison = Comparison(model, methods, [trial(0)], [0], [36, 60])
    run(comparison)
    short, long = ({r.name: r for r in rows_of(comparison, n)} for n in (36, 60))
    per_frame = short["full"].cache_bytes / 36
    assert long["full"].cache_bytes == 60 * per_frame
    assert short["rolling"].cache_bytes == long["rolling"].cache_bytes == 21 * per_frame
    seconds = comparison.scores["full"].seconds
    assert len(seconds) == 20
    assert short["full"].seconds == median(seconds[6:12])
    assert long["full"].seconds == median(seconds[10:20])


def test_what_was_not_measured_is_a_dash():
    row = Row("rolling", {"colour": Spread(0.5, math.nan), "kept": Spread(math.nan, math.nan)})
    line = tables([row]).splitlines()[1]
    assert line.split() == ["rolling", "0.50", "-"]


def test_long_names_are_shortened_and_told():
    base = "head_forcing,on_switch=keep,local_sink=1,local_recent=17,anchor_sink=1,anchor_recent=17"
    names = ["rolling", base, base + ",map=random:1", base + ",map=random:2", "x" * 70 + ",a=1"]
    shown = short_names(names)
    assert shown["rolling"] == "rolling" and len(set(shown.values())) == len(names)
    assert all(len(short) <= 66 for short in shown.values())
    assert shown[base + ",map=random:2"].startswith("head_forcing,…")
    assert shown[base + ",map=random:2"].endswith(",map=random:2")
    twins = [
        base + ",memory_sink=1" + end for end in (",tau_local=0.2" + "," + "a" * 45, "," + "a" * 45)
    ]
    assert len(set(short_names(twins).values())) == 2
    rows = [Row(name, {"found": Spread(0.5, 0.1)}) for name in names]
    said = tables(rows)
    assert max(map(len, said.partition("\n\n")[0].splitlines())) < 100
    assert all(name in said for name in names)


MAPS = {
    "head_forcing": HeadMap(
        "head_forcing", (("hf.local", "hf.anchor", "hf.memory", "hf.memory"),) * 9
    ),
}


def test_a_method_is_asked_for_with_settings():
    spec = Spec.parse("head_forcing:compact, episodes.count=3, positions=spread, map=random")
    made = spec.on(MAPS)
    memory = made.method.rules["hf.memory"]
    assert memory.policy.middle.count == 3 and memory.policy.recent == 4
    assert memory.positions is PositionRule.SPREAD
    assert made.head_map.counts == MAPS["head_forcing"].counts
    assert made.head_map.types != MAPS["head_forcing"].types


def test_a_draw_of_a_map_has_a_number():
    types = [Spec.parse(f"head_forcing,map=random{n}").on(MAPS).head_map.types for n in ("", ":1")]
    assert types == [MAPS["head_forcing"].shuffled(n).types for n in (0, 1)]
    other = Spec.parse("head_forcing,map=inverse:1").on(MAPS).head_map
    assert other.types != Spec.parse("head_forcing,map=inverse").on(MAPS).head_map.types


def test_thresholds_type_heads_anew(model):
    maps = maps_of(model)
    rows = {
        "tau_return=1": {"hf.anchor": 9, "hf.local": 6, "hf.memory": 21},
        "tau_local=0.5,tau_return=1": {"hf.anchor": 9, "hf.local": 14, "hf.memory": 13},
        "tau_local=1,tau_anchor=0": {"hf.recall": 2, "hf.local": 34},
        "tau_local=1,tau_anchor=0,map=random": {"hf.recall": 2, "hf.local": 34},
    }
    for said, counts in rows.items():
        assert Spec.parse(f"head_forcing,{said}").on(maps).head_map.counts == counts
    measured = maps["head_forcing"].evidence.statistics
    typed = Spec.parse("head_forcing,tau_anchor=0.25,tau_return=1").on(maps).head_map.types
    flat = [
        (value, kind)
        for row in zip(measured["sink"], typed, strict=True)
        for value, kind in zip(*row, strict=True)
    ]
    assert [kind for _, kind in sorted(flat, reverse=True)[:9]] == ["hf.anchor"] * 9


def test_maps_that_are_wrong_have_the_same_budget():
    inverse = Spec.parse("head_forcing,map=inverse").on(MAPS)
    assert inverse.head_map.counts == MAPS["head_forcing"].counts
    were = zip(MAPS["head_forcing"].types, inverse.head_map.types, strict=True)
    for before, after in were:
        assert before[0] == "hf.local" and after[0] == "hf.memory" and after[1] == "hf.anchor"
    # 1 + 1 + 18 + 18 frames of the past for four heads, and the current chunk
    uniform = Spec.parse("head_forcing,map=uniform").on(MAPS).method
    (rule,) = uniform.rules.values()
    assert rule.policy.sink + rule.policy.recent == 38 // 4
    assert (uniform.switch.rule.value, uniform.switch.recache_frames) == ("recache", 3)


WORKERS = ("--prompts", "1", "--seeds", "0", "1", "--seconds", "9", "--methods", "rolling", "deep")


def results(folder):
    """Return what a comparison wrote, without what is of its time and place."""
    said = json.loads((folder / "compare.json").read_text())
    for row in (row for rows in said["results"].values() for row in rows.values()):
        row.pop("seconds_per_chunk"), row.pop("time_ratio")
    return {name: value for name, value in said.items() if name not in ("command", "machine")}


def test_two_workers_score_what_one_does(tmp_path, capsys):
    for workers in ("1", "2"):
        out = tmp_path / workers
        assert main(["compare", *WORKERS, "--workers", workers, "--out", str(out)]) == 0
        assert {path.suffix for path in out.iterdir()} == {".json", ".png"}
    assert results(tmp_path / "1") == results(tmp_path / "2")


def test_a_stopped_comparison_makes_no_video_twice(tmp_path, monkeypatch, capsys):
    from headforcing.headforcing_core.demo.comparison import pieces

    made, real = [], pieces.roll_side_by_side

    def stops(model, stories, methods, frames, seed):
        made.append((len(stories[0]), methods[0].name, seed))
        if len(made) == 3:
            raise KeyboardInterrupt
        return real(model, stories, methods, frames, seed)

    monkeypatch.setattr(pieces, "roll_side_by_side", stops)
    command = ["compare", *WORKERS, "--workers", "1", "--out", str(tmp_path)]
    assert main(command) == 130
    kept = sorted((tmp_path / "compare.unfinished").iterdir())
    assert len(kept) == 2
    kept[0].write_bytes(kept[0].read_bytes()[:-9])  # one is damaged
    assert main(command) == 0
    assert len(made) == 3 + 4 - 1 and not (tmp_path / "compare.unfinished").exists()
    monkeypatch.undo()
    assert main([*command[:-1], str(tmp_path / "whole")]) == 0
    assert results(tmp_path) == results(tmp_path / "whole")


@pytest.mark.parametrize(
    ("spec", "rule"),
    [
        ("head_forcing,magic=1", "a setting must be one of anchor_episodes, anchor_kv_dtype"),
        ("head_forcing,anchor_recent", "must be name=value"),
        ("head_forcing,anchor_recent=x", "anchor_recent must be like 0, got 'x'"),
        ("head_forcing,positions=x", "positions must be one of absolute"),
        ("head_forcing,memory_recent=12", "at most horizon=21 frames"),
        ("head_forcing,map=x", "map must be one of profile"),
        ("rolling,map=random", "of a method that has a map"),
        ("pyramid,map=inverse", "map=inverse, map=paper and thresholds must come"),
        ("pyramid,map=paper", "map=paper and thresholds must come with head_forcing"),
        ("pyramid,tau_local=0.4", "thresholds must come with head_forcing"),
        ("rolling,tau_local=0.4", "of a method that has a map"),
        ("head_forcing,tau_local=2", "tau_local must be 0 to 1"),
        ("head_forcing,tau_magic=0.2", "a setting must be one of absolute"),
        ("head_forcing,map=paper,tau_local=0.4", "must come without map=paper"),
        ("head_forcing,map=random:", "a draw must be a whole number"),
        ("head_forcing,map=random:-1", "a draw must be a whole number"),
        ("head_forcing,map=uniform:1", "a draw must be a whole number"),
        ("head_forcing,map=random:99999999999999999999999", "seed must be"),
        ("rolling,episodes=right", "must come with a method that keeps episodes"),
        ("rolling,window=2", "at least 0 . 3 frames"),
    ],
)
def test_settings_that_make_no_sense_are_one_sentence(spec, rule):
    with pytest.raises(ValueError, match=rule):
        Spec.parse(spec)


def test_videos_that_choose_what_they_keep_are_the_same_beside_others(model):
    method = Spec.parse("head_forcing").on(maps_of(model))
    stories = [trial(number).steady for number in range(2)]
    (both,) = finished(roll_side_by_side(model, stories, [method], 30, 0))
    (alone,) = finished(roll_side_by_side(model, stories[:1], [method], 30, 0))
    assert torch.equal(both.latents[:1], alone.latents)
    (rolling,) = rolled(model, ["rolling"], 9, trials=2)
    first = (x.latents[:, :, :3] for x in (both, rolling))
    torch.testing.assert_close(*first, atol=1e-4, rtol=1e-4)


def test_what_ships_is_small():
    files = [path for path in SHIPPED.iterdir() if path.suffix == ".safetensors"]
    assert len(files) == 3
    assert sum(path.stat().st_size for path in files) <= 10_000_000


def test_the_card_says_what_is_measured(model):
    """Its scores are those of the weights beside it; another machine rounds a little otherwise."""
    card = json.loads((SHIPPED / "scores.json").read_text())
    now = grouped(list(evaluate(model, range(100), 0)))
    assert now.keys() == card.keys()
    for who in ("truth", "autoencoder", "model"):
        for name, share in card["all"][who].items():
            assert now["all"][who][name] == pytest.approx(share, abs=0.04), (who, name)


def test_the_evaluation_command(tmp_path, capsys):
    file = tmp_path / "scores.json"
    assert evaluate_command(["--prompts", "2", "--first", "900", "--json", str(file)]) == 0
    assert "model/truth" in capsys.readouterr().out
    assert json.loads(file.read_text())["all"]["prompts"] == 2
    for wrong, rule in (
        (["--model", str(tmp_path)], "must have a file"),
        (["--prompts", "0"], "--prompts must be 1 to"),
        (["--prompts", "1000000"], "about a week's work, got 21,000,000; use fewer --prompts"),
        (["--seed", "-1"], "seed must be a non-negative integer below 2**64"),
        (["--json", str(tmp_path / "no" / "x.json")], "the folder for x.json must exist"),
    ):
        assert evaluate_command(wrong) == 2
        assert rule in capsys.readouterr().err


# the others are for models of another kind
FITTING = [name for name in NAMES if not name.startswith(("krea", "rolling_forcing"))]


@pytest.mark.parametrize("name", FITTING)
def test_the_defaults_of_every_method_run_on_the_demo_model(model, name):
    compared = Spec.parse(name).on(maps_of(model))
    story = trial(0).steady
    (made,) = finished(roll_side_by_side(model, [story], [compared], 30, 0))
    assert made.latents.shape[2] == 30 and made.latents.isfinite().all()
