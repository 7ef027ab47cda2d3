"""What the README says was measured is what the committed results say."""

import json
import re
import shlex
from pathlib import Path

import family_table
import pytest

from headforcing.headforcing_core.models import FAMILIES

ROOT = Path(__file__).parents[1]
README = (ROOT / "README.md").read_text("utf-8")
RESULTS = ROOT / "benchmarks" / "results"
COLUMNS = (
    *(("ground_error", 4), ("ground_slope", 2), ("ground_stranger", 4), ("ground_late", 4)),
    *(("thing_error", 3), ("ground_drift", 4), ("seams", 2)),
    *(("obeyed", 2), ("found", 2), ("shape", 2), ("speed", 2)),
)
NAMES = {"the world itself": "truth"}
# rules of episodes that look at nothing
BLIND = ("reservoir", "fifo_stride")


def measured():
    rows = {}
    for file in sorted(RESULTS.glob("demo_recall_*_cpu.json")):
        rows |= json.loads(file.read_text())["results"]["240"]
    return rows


def table():
    section = README.partition("## What methods remember")[2].partition("\n## ")[0]
    rows = [line.strip()[1:-1].split("|") for line in section.splitlines() if line[:2] == "| "]
    return [[cell.strip() for cell in row] for row in rows]


@pytest.mark.parametrize("row", table()[1:], ids=lambda row: row[0])
def test_a_row_of_the_readme_is_what_was_measured(row):
    name, *cells = row
    name = name.strip("`")
    known = measured()[NAMES.get(name, name)]
    for (measure, decimals), cell in zip(COLUMNS, cells[:-1], strict=True):
        value = known.get(measure)
        if value is None or value["mean"] is None:
            assert cell == ""
            continue
        said = cell.split(" +- ")
        assert said[0] == f"{value['mean']:.{decimals}f}", measure
        if len(said) > 1:
            assert said[1] == f"{value['seeds']:.{decimals}f}", measure
    kib = known.get("cache_bytes")
    assert cells[-1] == ("" if kib is None else str(kib // 1024))


def test_all_methods_are_in_the_table():
    assert len(table()) >= 17


def pruned_rows():
    """Return what was measured of each row on pruning, in the README's order."""
    results = json.loads((RESULTS / "demo_pruning_cpu.json").read_text())["results"]
    early, late = results["60"], results["120"]
    base = next(name for name in early if name.startswith("head_forcing"))
    *_, recall, _ = early
    own = [base + f",{kind}_sink=0,{kind}_recent=0" for kind in ("local", "anchor", "memory")]
    first = (",anchor_sink=0", ",anchor_sink=0,map=random:0", ",local_sink=0,memory_sink=0")
    first = (*first, ",local_sink=0,memory_sink=0,anchor_sink=0")
    names = [name + drawn for name in (*own, recall) for drawn in ("", ",map=random:0")]
    return [*map(early.get, (base, *names)), *(late[base + more] for more in ("", *first))]


def test_what_pruning_takes_is_what_was_measured():
    said, found = cells_after("demo_pruning_cpu.json"), pruned_rows()
    assert len(said) == len(found) == 14
    for (_, *cells), row in zip(said, found, strict=True):
        measures = (("seams", 2), ("ground_drift", 4), ("found", 2))
        means = [f"{row[m]['mean']:.{p}f} +- {row[m]['seeds']:.{p}f}" for m, p in measures]
        assert cells == means


def test_rules_of_episodes_are_what_was_measured():
    rows = json.loads((RESULTS / "demo_rules_cpu.json").read_text())["results"]["240"]
    known = {}
    for name, row in rows.items():
        chosen = dict(part.split("=") for part in name.split(",")[1:])
        rule = chosen.get("episodes.update", "novelty_replace")
        by = chosen.get("episodes.descriptor", "keys") if rule not in BLIND else ""
        known[rule, by] = row
    said = cells_after("demo_rules_cpu.json")
    assert len(said) == 8
    for rule, by, *cells in said:
        row = known[rule, by]
        error, slope, late = (row[f"ground_{m}"] for m in ("error", "slope", "late"))
        assert cells == [
            f"{error['mean']:.4f} +- {error['seeds']:.4f}",
            f"{slope['mean']:.2f}",
            f"{late['mean']:.4f} +- {late['seeds']:.4f}",
        ]


def test_shares_of_time_are_what_was_measured():
    results = json.loads((RESULTS / "rollout_profile_cpu.json").read_text())
    section = README.partition("rollout_profile_cpu.json")[2].partition("\n\n")[0]
    said = dict(re.findall(r"`([\w:]+)` (\d\.\d\d)", section))
    needed = {
        method: sum(part for name, part in parts.items() if "mm" in name or "attention" in name)
        for method, parts in results["shares"].items()
    }
    assert said == {method: f"{share:.2f}" for method, share in needed.items()}
    least, most = (f"{limit(results['compiled'].values()):.2f}" for limit in (min, max))
    assert f"takes {least} to {most} of the time" in section


def cells_after(file):
    """Return the rows of the table that follows where the README names a file of results."""
    rows = README.partition(file)[2].partition("|")[2].partition("\n\n")[0].splitlines()[2:]
    return [[cell.strip(" `") for cell in row[1:-1].split("|")] for row in rows]


def test_what_eight_bits_cost_attention_is_what_was_measured():
    results = json.loads((RESULTS / "eight_bits_cpu.json").read_text())
    said = cells_after("eight_bits_cpu.json")
    assert {name for name, *_ in said} == set(results["blocks"])
    for name, *cells in said:
        row = results["blocks"][name]
        whole = max(row["int8"], key=int)
        numbers = [row["bfloat16"]["-"]]
        numbers += [row[kept][block] for kept in ("int8", "fp8") for block in (whole, "32")]
        assert cells == [f"{number:.4f}" for number in numbers]
    turning = README.partition("Keys of normal numbers, values as they are:")[2]
    rows = turning.partition("|")[2].split("\n\n")[0].splitlines()[2:]
    for way, *cells in ([cell.strip() for cell in row[1:-1].split("|")] for row in rows):
        assert cells == [f"{results['turning'][kept][way]:.4f}" for kept in ("int8", "fp8")]
    assert len(rows) == 4


def test_what_eight_bits_cost_a_video_is_what_was_measured():
    rows = json.loads((RESULTS / "demo_eight_bits_cpu.json").read_text())["results"]["240"]
    said = cells_after("demo_eight_bits_cpu.json")
    assert len(said) == 9
    known = {}
    for name, row in rows.items():
        kept = re.search(r"int8|fp8", name)
        method = re.sub(r",.*|[:_]int8$", "", name)
        known[method, kept[0] if kept else "float32"] = row
    for method, kept, *cells in said:
        row = known[method.strip("`"), kept]
        measures = (
            *(("ground_drift", 4), ("seams", 2), ("found", 2), ("shape", 2), ("obeyed", 2)),
            *(("ground_error", 4), ("ground_slope", 2)),
        )
        means = [f"{row[m]['mean']:.{p}f} +- {row[m]['seeds']:.{p}f}" for m, p in measures]
        assert cells == [*means, str(row["cache_bytes"] // 1024)]


def test_attention_on_a_gpu_is_what_was_measured():
    file = "attention_nvidia_h100_80gb_hbm3.json"
    rows = json.loads((RESULTS / file).read_text())["rows"]
    by = {(row["what"], row["contestant"]): row for row in rows}
    said = cells_after(file)
    assert len(said) == 4
    for name, *cells in said:
        what = next(w for w, _ in by if w.removeprefix("dense ") == name.partition(",")[0])
        dense, own, plain = (
            by[what, contestant]
            for contestant in ("dense SDPA, whole window", "triton", "grouped SDPA")
        )
        numbers = own["fewer_keys"], own["faster"], plain["faster"], own["tflops"] / dense["tflops"]
        assert cells == [f"{number:.2f}" for number in numbers], name


def test_rollouts_on_a_gpu_are_what_was_measured():
    file = "rollout_nvidia_h100_80gb_hbm3.json"
    rows = json.loads((RESULTS / file).read_text())["rows"]
    said = {name: cells for name, *cells in cells_after(file)}
    assert set(said) == {row["method"] for row in rows}
    for name, cells in said.items():
        own = sorted(
            (row for row in rows if row["method"] == name),
            key=lambda row: (row["compiled"], row["chunk"]),
        )
        pairs = [
            ", ".join(f"{row[what]:.{digits}f}" for row in own[at : at + 2])
            for at in (0, 2)
            for what, digits in (("fps", 1), ("busy", 2))
        ]
        assert cells == [*pairs, f"{max(row['peak_gib'] for row in own):.1f}"], name


@pytest.mark.parametrize("family", [f for f in FAMILIES if f.name != "demo"], ids=lambda f: f.name)
def test_a_family_is_as_the_readme_says(family):
    """What it is run with, what its caches take, and which methods it refuses."""
    assert family_table.row(family) in README.splitlines()


def test_every_family_is_in_the_table():
    said = [cells[0].strip("`") for cells in cells_after("`--family` | models")]
    assert said == [family.name for family in FAMILIES if family.name != "demo"]


def test_the_table_of_hosts_is_what_was_run():
    rows = json.loads((RESULTS / "hosts.json").read_text())
    said = cells_after("COMFYUI_HOSTS=")
    names = ("comfyui", "page", "passed", "failed", "skipped")
    assert said == [[str(row[name]) for name in names] for row in rows]
    assert sum(row["failed"] for row in rows) == 0


def test_pictures_and_files_that_are_named_are_there():
    for target in re.findall(r"\]\(([^)#]+)\)", README):
        if not target.startswith("http"):
            assert (ROOT / target).exists(), target


def commands():
    """Return the lines of words that begin with ``headforcing generate``."""
    whole = README.replace("\\\n", " ")
    indented = re.findall(r"^    (headforcing generate .*)$", whole, re.MULTILINE)
    return [*indented, *re.findall(r"`(headforcing generate [^`]*)`", whole)]


@pytest.mark.parametrize("command", commands())
def test_commands_are_understood(command, tmp_path, monkeypatch, capsys):
    """All that they lack here is the files."""
    from headforcing.headforcing_core.cli import main

    monkeypatch.chdir(tmp_path)
    assert main(shlex.split(command)[1:]) == 2
    assert "must be a file that exists" in capsys.readouterr().err


def test_commands_are_found():
    assert len(commands()) >= 2 and any("--from" in command for command in commands())


def test_the_caption_is_what_was_measured():
    told = json.loads((RESULTS / "demo_minute.json").read_text())
    caption = README.partition("demo_minute.webp)")[2].partition("\n\nFew-step")[0]
    assert (told["seed"], told["seconds"]) == (0, 60)
    for one in told["methods"].values():
        assert f"{one['cache_bytes'] // 1024} KiB" in caption
        for off in one["ground_off"].values():
            assert f"{off:.4f}" in caption
    plain, ours = (one["ground_off"] for one in told["methods"].values())
    assert plain.keys() == ours.keys() and all(plain[name] > 2 * ours[name] for name in ours)
    assert (RESULTS / "demo_minute.webp").stat().st_size < 1_500_000


def test_the_short_table_of_memory_is_that_of_inspect():
    """Its numbers are those of the long table, which is held against the command."""
    long = {cells[0]: cells[3:] for cells in cells_after("the device: caches, weights")}
    short = cells_after("A minute and an hour take")
    assert len(short) == 10
    for name, *sizes, card in short:
        assert sizes == long[re.match(r"[\w:]+", name)[0]]
        assert float(sizes[1]) < float(card.split()[0])


def test_links_within_the_page_lead_somewhere():
    titles = re.findall(r"^#+ (.*)$", README, re.MULTILINE)
    anchors = {re.sub(r"[^\w\- ]", "", title).lower().replace(" ", "-") for title in titles}
    assert set(re.findall(r"\]\(#([^)]+)\)", README)) <= anchors
