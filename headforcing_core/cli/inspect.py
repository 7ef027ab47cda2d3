"""``headforcing inspect``: which frames a method reads, where they stand, and what it costs."""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import asdict, replace
from textwrap import indent

import torch

from ..bounds import check_frames, check_within
from ..device import GIB
from ..inspection import (
    STAND_IN,
    ChunkInspected,
    ModelSizes,
    Reading,
    balances,
    budgets,
    check_work,
    inspect,
)
from ..memory import ArenaPlan
from ..methods import MOST_HEADS, NAMES, Method, read_head_map, settings_named, with_values
from ..models import FAMILY_NAMES, Family, WeightDtype, family_named
from ..video import ChunkClock, Rope
from .plan import MOST_FREE
from .saying import refuse_said
from .size_option import add_size_option, config_of

BYTES = torch.bfloat16.itemsize
# a window as long as what it was trained on, and nothing of its own
PLAIN_FAMILY = "self_forcing"


def add_parser(commands: argparse._SubParsersAction) -> argparse.ArgumentParser:
    parser = commands.add_parser(
        "inspect",
        help="show which frames a method reads, chunk by chunk",
        description="Follow a method through a video without a model: which frames each type of "
        "head reads, where RoPE is told they stand, and the bytes it holds. Sizes are those of the "
        "family's model in bfloat16: Wan 1.3B, if none is chosen. Where a method looks at "
        f"pictures, scores stand in: {STAND_IN}.",
        epilog="Methods: " + ", ".join(NAMES),
    )
    add = parser.add_argument
    add("method", metavar="METHOD", nargs="?", help="name, or name:preset; none: what each costs")
    add("--set", action="append", metavar="NAME=VALUE", help="a setting of the method")
    add("--frames", type=int, default=60, metavar="N", help="latent frames (default 60)")
    add(
        "--family",
        choices=FAMILY_NAMES,
        default=PLAIN_FAMILY,
        metavar="NAME",
        help=f"whose model, horizon and chunks (default {PLAIN_FAMILY}): {', '.join(FAMILY_NAMES)}",
    )
    add_size_option(parser)
    add(
        "--weight-dtype",
        choices=[kept.value for kept in WeightDtype if kept is not WeightDtype.STORED],
        help="without METHOD: what weights are kept in (default bfloat16)",
    )
    add("--free", type=float, metavar="GIB", help="without METHOD: what fits in so much memory")
    add("--chunk", type=int, metavar="N", help="frames per chunk (default the family's)")
    add("--switch", type=int, action="append", metavar="N", help="a new prompt from this frame on")
    add("--map", metavar="FILE", help="a head map, to count heads of each type")
    add("--width", type=int, default=832, metavar="N", help="pixels (default 832)")
    add("--height", type=int, default=480, metavar="N", help="pixels (default 480)")
    add(
        "--ranks",
        type=int,
        default=1,
        metavar="N",
        help="without METHOD: how even each is on so many devices",
    )
    add(
        "--offload",
        action="store_true",
        help="without METHOD: with memory that is read once per chunk out of the way",
    )
    add("--json", action="store_true", help="print JSON")
    parser.set_defaults(run=run)
    return parser


def run(options: argparse.Namespace) -> int:
    family = family_named(options.family)
    if options.chunk is None:
        options.chunk = family.frames_per_chunk
    config = config_of(options, family)
    grid = config.grid(*family.video.latent_size(options.width, options.height))
    rope = Rope(config.geometry.head_dim, grid)
    check_frames("--frames", options.frames, 1)
    check_within("--ranks", options.ranks, 1, MOST_HEADS)
    if options.method is None:
        without = "must come with METHOD, got none; without it each is told as it is by default"
        refuse_said(options, ("set", "switch", "map"), without)
        told, family = _balances, replace(family, frames_per_chunk=options.chunk)
        if options.ranks == 1:
            told = _table
            check_within("--free", options.free or 0, 0, MOST_FREE, "GiB")
        kept = WeightDtype(options.weight_dtype or WeightDtype.SAME)
        sizes = ModelSizes.plain(config, torch.bfloat16, 1 + family.two_experts, kept)
        sys.stdout.write(told(sizes, family, rope, options))
        return 0
    if options.offload:
        raise ValueError("--offload must come without METHOD, got both; headforcing plan tells it")
    alone = "must come without METHOD, got both; headforcing plan takes both"
    refuse_said(options, ("free", "weight_dtype"), alone)
    if options.ranks > 1:
        raise ValueError(f"--ranks {alone}")
    settings = with_values(settings_named(options.method), options.set or [])
    clock = ChunkClock.covering(options.frames, options.chunk)
    method = family.fitting(settings.build(options.chunk)).on_grid(grid.tokens_per_frame)
    if method.rebuilt is not None or method.reach is not None:
        raise ValueError(
            f"METHOD must be followed on a family that keeps its past chunk by chunk, got "
            f"{family.title}; without METHOD what each costs is told, and headforcing plan tells "
            "what a run takes"
        )
    method = method.fitted(clock.total_frames, options.chunk)
    method.check(options.chunk, family.horizon)
    for rule in method.rules.values():
        rule.policy.middle.check(grid.tokens_per_frame)
    switches = sorted(options.switch or [])
    for switch in switches:
        check_within("--switch", switch, 1, clock.total_frames, "frames")
    check_work(method, clock, switches, written=options.json)
    counts = _counts(options.map, method)
    plans = {t: ArenaPlan(rule, options.chunk, rope) for t, rule in method.rules.items()}
    chunks = inspect(method, clock, family.horizon, plans, BYTES, switches)
    said = _as_json(method, options, counts, chunks) if options.json else map(_as_text, chunks)
    for part in said:
        sys.stdout.write(part)
    return 0


def _table(sizes: ModelSizes, family: Family, rope: Rope, options: argparse.Namespace) -> str:
    """Return what each method costs, as Markdown or JSON."""
    costs, free = budgets(sizes, family, rope, options.frames, options.offload), options.free
    fits = [] if free is None else [cost.in_all <= free * GIB for cost in costs]
    if options.json:
        marks = [{"fits": fit} for fit in fits] or [{}] * len(costs)
        rows = [asdict(cost) | mark for cost, mark in zip(costs, marks, strict=True)]
        return json.dumps(rows, indent=1) + "\n"
    window = next(cost for cost in costs if cost.method == "rolling").attended
    lines = [
        "| method | head-frames attended | of the window | caches, GiB | in all, GiB |"
        + (" with the host, GiB | copied per chunk, GiB |" if options.offload else ""),
        "|---|---|---|---|---|" + "---|---|" * options.offload,
    ]
    lines += [
        f"| `{cost.method}` | {cost.attended:.0f} | {cost.attended / window:.0%} | "
        f"{cost.bytes / GIB:.2f} | {cost.in_all / GIB:.2f} |"
        + (f" {cost.host_bytes / GIB:.2f} | {cost.crossed / GIB:.2f} |" * options.offload)
        for cost in costs
    ]
    if fits:
        marks = [
            f" fits in {free:g} GiB |",
            "---|",
            *(f" {'yes' if fit else 'no'} |" for fit in fits),
        ]
        lines = [line + mark for line, mark in zip(lines, marks, strict=True)]
    return "\n".join(lines) + "\n"


def _balances(sizes: ModelSizes, family: Family, rope: Rope, options: argparse.Namespace) -> str:
    """Return how even each method is on several ranks, as Markdown or JSON."""
    rows = list(balances(sizes, family, rope, options.frames, options.ranks))
    if options.json:
        return json.dumps([asdict(row) for row in rows], indent=1) + "\n"
    lines = [
        f"| method | fullest of {options.ranks} ranks, of the mean | dealt by count | its caches, "
        "GiB | of all |",
        "|---|---|---|---|---|",
    ]
    lines += [
        f"| `{row.method}` | {row.dealt:.3f} | {row.by_count:.3f} | {row.bytes / GIB:.2f} | "
        f"{row.share:.0%} |"
        for row in rows
    ]
    return "\n".join(lines) + "\n"


def _counts(path: str | None, method: Method) -> Mapping[str, int] | None:
    if path is None:
        return None
    head_map = read_head_map(path)
    if head_map.scheme != method.scheme:
        raise ValueError(
            f"--map must be of {method.scheme or 'no method: this one needs none'}, "
            f"got one of {head_map.scheme}"
        )
    return head_map.counts


def _as_json(
    method: Method,
    options: argparse.Namespace,
    counts: Mapping[str, int] | None,
    chunks: Iterable[ChunkInspected],
) -> Iterator[str]:
    """Yield JSON, chunk by chunk: a long video's does not fit in memory."""
    result = {
        "method": options.method,
        "says": method.says,
        "source": method.source,
        "frames_per_chunk": options.chunk,
        "horizon": family_named(options.family).horizon,
        "on_switch": method.switch.rule.value,
        "switches": options.switch or [],
        "stand_in": STAND_IN,
        "bytes_are": f"of one head, {options.width}x{options.height}, bfloat16",
        "heads_of_type": counts,
        "chunks": [],
    }
    yield json.dumps(result, indent=1).removesuffix("]\n}")
    between = "\n"
    for chunk in chunks:
        # the frames of a mean may be a range
        yield between + indent(json.dumps(asdict(chunk), indent=1, default=list), "  ")
        between = ",\n"
    yield "\n ]\n}\n"


def _as_text(chunk: ChunkInspected) -> str:
    lines = [f"chunk {chunk.chunk}, frames {chunk.frames[0]} to {chunk.frames[-1]}\n"]
    for type_, inspected in chunk.heads.items():
        mib = inspected.held_bytes / 2**20
        for reading in inspected.readings:
            who = f"{type_} {mib:.1f} MiB" if reading is inspected.readings[0] else ""
            lines.append(f"  {who:28}{_reading_text(reading, len(inspected.readings))}\n")
    return "".join(lines)


def _reading_text(reading: Reading, runs: int) -> str:
    start = f"query {reading.query_frames[0]}: " if runs > 1 else ""
    pages = (f"{_frames_text(page.frames)} at {page.relative}" for page in reading.pages)
    return start + (", ".join(pages) or "nothing but itself")


def _frames_text(frames: Sequence[int]) -> str:
    return str(frames[0]) if len(frames) == 1 else f"[{frames[0]}..{frames[-1]}]"
