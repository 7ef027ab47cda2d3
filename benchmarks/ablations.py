"""What each type of head is for, in one picture: pruned as in Head Forcing, and two budgets swept.

    python benchmarks/ablations.py [--out FILE]

Draws what `headforcing compare` measured of the demo model; each file of results names its
command: demo_pruning_cpu.json, demo_tau_local_cpu.json, demo_b_epi_cpu.json. On the left the past
of heads of one type is taken away, beside that of as many heads at random; then the first frame.
"""

from __future__ import annotations

import argparse
import json
import re
from collections.abc import Mapping
from pathlib import Path

import matplotlib.pyplot as plt
from matplotlib.axes import Axes

RESULTS = Path(__file__).with_name("results")
TYPES = ("local", "anchor", "memory")
# as the paper prunes, after 15 s, before anything else is lost; the first frame shows after 30 s
EARLY, LATE = "60", "120"
TYPED, DRAWN, PLAIN = "#0969da", "#a9b4c0", "#1f2328"
Row = Mapping[str, Mapping[str, float]]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--out", type=Path, default=RESULTS / "demo_ablations_cpu.png")
    figure, axes = plt.subplots(2, 3, figsize=(15, 7.4), layout="constrained")
    draw_pruning(axes[0, 0], "seams", "seams x")
    draw_pruning(axes[1, 0], "ground_drift", "drift of the ground")
    draw_first_frame(axes[0, 1], "ground_drift", "drift of the ground")
    draw_tau(axes[1, 1])
    draw_episodes(axes[0, 2], "ground_error", "ground back, off by")
    draw_episodes(axes[1, 2], "ground_slope", "slope of recall")
    figure.savefig(parser.parse_args().out, dpi=90)


def rows_of(name: str, frames: str) -> Mapping[str, Row]:
    return json.loads((RESULTS / f"demo_{name}_cpu.json").read_text())["results"][frames]


def draw_pruning(axis: Axes, measure: str, label: str) -> None:
    """Draw what is lost with the past of each type, and of as many random heads."""
    rows = rows_of("pruning", EARLY)
    base = next(name for name in rows if name.startswith("head_forcing"))
    for at, kind in enumerate(TYPES):
        taken = f",{kind}_sink=0,{kind}_recent=0"
        for shift, name, colour, what in (
            (-0.2, base + taken, TYPED, "of that type"),
            (0.2, base + taken + ",map=random:0", DRAWN, "as many at random"),
        ):
            _bar(axis, at + shift, rows[name][measure], colour, what if at == 0 else None)
    _base(axis, rows[base][measure])
    axis.set_xticks(range(len(TYPES)), [f"{kind} heads" for kind in TYPES])
    axis.set(title=f"without their past, 15 s: {label}")
    axis.legend(fontsize=8)


def draw_first_frame(axis: Axes, measure: str, label: str) -> None:
    """Draw what is lost with the first frame, taken from anchors and from all others."""
    rows = rows_of("pruning", LATE)
    base = next(name for name in rows if name.startswith("head_forcing"))
    bars = {
        "anchors": base + ",anchor_sink=0",
        "as many\nat random": base + ",anchor_sink=0,map=random:0",
        "all others": base + ",local_sink=0,memory_sink=0",
        "all": base + ",local_sink=0,memory_sink=0,anchor_sink=0",
    }
    for at, (what, name) in enumerate(bars.items()):
        _bar(axis, at, rows[name][measure], DRAWN if "random" in what else TYPED)
    _base(axis, rows[base][measure])
    axis.set_xticks(range(len(bars)), list(bars))
    axis.set(title=f"without the first frame, 30 s: {label}")


def draw_tau(axis: Axes) -> None:
    rows = rows_of("tau_local", "240")
    found = sorted(
        (float(tau[1]), row)
        for name, row in rows.items()
        if (tau := re.search(r"tau_local=(.*)", name))
    )
    at = [tau for tau, _ in found]
    for measure, colour in (("seams", TYPED), ("found", PLAIN), ("obeyed", DRAWN)):
        axis.plot(at, [row[measure]["mean"] for _, row in found], "o-", color=colour, label=measure)
    cache = [row["cache_bytes"] / rows_most(found) for _, row in found]
    axis.plot(at, cache, "--", color="#cf222e", label="caches, of the largest")
    axis.set(title="share of heads that are local, 60 s", xlabel="tau_local", ylim=(0, None))
    axis.legend(fontsize=8)


def rows_most(found: list[tuple[float, Row]]) -> int:
    return max(row["cache_bytes"] for _, row in found)


def draw_episodes(axis: Axes, measure: str, label: str) -> None:
    """Draw recall by how many episodes are kept, by heads that recall and by the paper's memory."""
    rows = rows_of("b_epi", "240")
    for pattern, colour, what in (
        (r"recall_episodes=(\d+)$", TYPED, "heads that recall, profiled with returns"),
        (r"episodes\.count=(\d+)$", DRAWN, "memory heads, typed as in the paper"),
    ):
        found = sorted(
            (int(n[1]), row) for name, row in rows.items() if (n := re.search(pattern, name))
        )
        at = [count for count, _ in found]
        axis.plot(at, [row[measure]["mean"] for _, row in found], "o-", color=colour, label=what)
    axis.set(title=f"episodes kept, 60 s: {label}", xlabel="B_epi, frames", ylim=(0, None))
    axis.legend(fontsize=8)


def _bar(
    axis: Axes, at: float, value: Mapping[str, float], colour: str, label: str | None = None
) -> None:
    axis.bar(at, value["mean"], 0.38, color=colour, yerr=value["seeds"], capsize=3, label=label)


def _base(axis: Axes, value: Mapping[str, float]) -> None:
    axis.axhline(value["mean"], color=PLAIN, linewidth=1, label="nothing taken")


if __name__ == "__main__":
    main()
