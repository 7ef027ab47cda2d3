"""``headforcing compare``: methods on the same prompts and noise, scored against the truth."""

from __future__ import annotations

import argparse
import json
import logging
import platform
import shutil
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path

import torch
from torch import Tensor
from tqdm import tqdm

from ..bounds import check_within
from ..crews import Crew
from ..demo.comparison import (
    AWAY,
    LEGEND,
    Comparison,
    Row,
    Source,
    Spec,
    as_json,
    check_size,
    pictures_of,
    plot,
    rows_of,
    tables,
    under_each_other,
    with_model,
)
from ..demo.networks import SHIPPED, DemoModel
from ..demo.profiles import maps_of
from ..demo.scores import FIRST, FIRST_RETURN, LAST, Trial, trial, trial_of
from ..demo.world import VIDEO, parse
from ..device import choose_device
from ..files import png_of, save_all, write_text
from ..methods import NAMES, HeadMap, settings_named
from ..stopping import stop_if_asked, to_the_end
from ..version import VERSION
from ..video import check_seed
from .crew_options import add_crew_options, check_crew_options, crew_of
from .result_folder import result_folder

log = logging.getLogger("headforcing")
RESULTS, PLOT, PICTURES = "compare.json", "compare.png", "compare_pictures.png"
FILES = (RESULTS, PLOT, PICTURES)
UNFINISHED = "compare.unfinished"
MARK = "headforcing_compare"
# of a week's work; a number of the world's, which has as many as anybody asks for
MOST_PROMPTS, MOST_FIRST = 100_000, 10**9
# as many as there is patience for; any can be named
COMPARED = (
    *("rolling", "rolling:short", "sink_window", "sink_window:short", "full"),
    *("head_forcing", "head_forcing:compact", "pyramid"),
)
WIDTH = 2 + max(map(len, NAMES))
EPILOG = (
    "A method is a name, perhaps with settings: head_forcing:compact,episodes.count=3,map=random\n"
    "(map: profile, paper, random or random:DRAW, inverse, uniform; tau_anchor, tau_local,\n"
    "tau_return: type the heads anew; episodes=right: frames no rule can know).\n"
    "Methods:\n"
    + "\n".join(f"  {name:<{WIDTH}}{settings_named(name).build().says}" for name in NAMES)
)


def add_parser(commands: argparse._SubParsersAction) -> argparse.ArgumentParser:
    parser = commands.add_parser(
        "compare",
        help="score methods on held-out prompts of the demo model",
        description="Roll several methods out on the same held-out prompts and noise, find the\n"
        "things in their pictures, and score them against the prompts and against the world the\n"
        "demo model learned. Prints tables; writes compare.json, a plot, and pictures of the\n"
        "first prompt.",
        epilog=EPILOG,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    add = parser.add_argument
    said = "which (default: " + " ".join(COMPARED) + ")"
    add("--methods", nargs="+", default=list(COMPARED), metavar="NAME", help=said)
    add("--prompts", type=int, default=8, metavar="N", help="how many of them (default 8)")
    add("--first", type=int, default=0, metavar="N", help="number of the first (default 0)")
    add("--prompt", action="append", metavar="TEXT", help="a prompt of your own; can be repeated")
    add("--seeds", nargs="+", type=int, default=[0, 1, 2], metavar="N", help="default 0 1 2")
    add("--seconds", nargs="+", type=float, default=[30.0, 60.0], metavar="N", help="default 30 60")
    add("--out", default="compare_out", metavar="FOLDER", help="default compare_out")
    add("--model", metavar="FOLDER", help="a demo model trained elsewhere (default the shipped)")
    add("--device", metavar="NAME", help="cuda, cuda:1, cpu (default: a GPU if there is one)")
    add_crew_options(parser)
    parser.set_defaults(run=run)
    return parser


def run(options: argparse.Namespace) -> int:
    check_crew_options(options)
    specs, lengths = _checked(options)
    out = Path(options.out)
    with result_folder("--out", out, FILES, lambda: _is_ours(out)):
        folder = None if options.model is None else Path(options.model).absolute()
        model = DemoModel.load(folder or SHIPPED, choose_device(options.device))
        heads = maps_of(model)
        methods = [spec.on(heads) for spec in specs]
        comparison = Comparison(model, methods, _trials(options), options.seeds, lengths)
        source = Source(folder, _place(out))
        here = with_model(model, source.model, options.device)
        crew = crew_of(options, comparison.tasks(source), here)
        try:
            _run(comparison, heads, out, crew, source)
        finally:
            if comparison.has_scores:  # an hour's work is not lost with its last minute
                to_the_end(lambda: _finish(comparison, heads, out))
            else:
                log.info("no method was scored on a whole seed, nothing is written")
    return 0


def _run(
    comparison: Comparison, heads: Mapping[str, HeadMap], out: Path, crew: Crew, source: Source
) -> None:
    """Make and score everything; what a seed has given is kept at once, if it can be.

    Of a run that is stopped the videos stay, and the same command does not make them again.
    """

    def keep() -> None:
        try:
            write_text(out / RESULTS, _as_json(comparison, heads))
        except OSError as error:
            log.warning("not saved yet: %s", error)

    log.info("videos are made by %s", crew.says)
    with tqdm(total=comparison.work, unit="frame", desc="rolling out and scoring") as bar:

        def watch(frames: int) -> None:
            bar.update(frames)
            stop_if_asked()

        comparison.run(crew, source, watch, keep)
    if source.kept is not None:
        shutil.rmtree(source.kept, ignore_errors=True)


def _place(out: Path) -> Path | None:
    """Make the folder in which finished videos are kept; None: there is no room for one."""
    place = out.absolute() / UNFINISHED
    try:
        place.mkdir(exist_ok=True)
    except OSError as error:
        log.warning("videos are not kept: %s", error)
        return None
    return place


def _checked(options: argparse.Namespace) -> tuple[list[Spec], list[int]]:
    """Check what can be checked before anything is loaded."""
    for seed in options.seeds:
        check_seed(seed)
    for name in ("methods", "seeds"):
        values = getattr(options, name)
        if len(set(values)) < len(values):
            raise ValueError(f"{name} must each be named once, got {values}")
    check_within("prompts", options.prompts, 1, MOST_PROMPTS)
    check_within("first", options.first, 0, MOST_FIRST)
    lengths = sorted({VIDEO.latent_frames(seconds) for seconds in options.seconds})
    if lengths[0] < FIRST + LAST:
        raise ValueError(
            f"seconds must be at least {VIDEO.moment(FIRST + LAST):g}, so that a video has a "
            f"beginning and an end to compare, got {min(options.seconds)}"
        )
    specs = [Spec.parse(name) for name in options.methods]
    prompts = len(options.prompt) if options.prompt else options.prompts
    check_size(len(specs), prompts, len(options.seeds), lengths)
    return specs, lengths


def _is_ours(out: Path) -> bool:
    """Tell whether a folder holds an earlier comparison."""
    return (out / RESULTS).is_file() and MARK in (out / RESULTS).read_text("utf-8", "replace")


def _as_json(comparison: Comparison, heads: Mapping[str, HeadMap]) -> str:
    shares = _shares(heads)
    result = {
        MARK: VERSION,
        "command": ["headforcing", *sys.argv[1:]],
        "machine": _machine(comparison.model.wan.device),
        "complete": comparison.complete,
        "prompts": [trial.scene.text for trial in comparison.trials],
        "videos_at_once": len(comparison.trials),
        "seeds": list(comparison.seeds),
        "head_shares": {"columns": ["sink", "middle", "current"], "layers": shares.tolist()},
        "head_types": {scheme: head_map.counts for scheme, head_map in heads.items()},
        "curves": {
            measure: {
                name: [round(point.mean, 5) for point in points] for name, points in lines.items()
            }
            for measure, lines in comparison.curves().items()
        },
        "results": {str(n): as_json(rows_of(comparison, n)) for n in comparison.lengths},
        "returns": {str(n): comparison.returns(n) for n in comparison.lengths},
    }
    return json.dumps(result, indent=1)


def _finish(comparison: Comparison, heads: Mapping[str, HeadMap], out: Path) -> None:
    """Print the tables, then write the files, each of which is tried whatever became of others.

    Raises:
        OSError: if one is not where it was meant to be; it says where it is.
    """
    shares = _shares(heads)
    rows = {frames: rows_of(comparison, frames) for frames in comparison.lengths}
    sys.stdout.write(_text(comparison, rows, shares))
    sys.stdout.flush()
    pictures = {PICTURES: png_of(under_each_other(pictures_of(comparison)))}
    try:
        pictures[PLOT] = plot(comparison, rows[comparison.frames], shares)
    except RuntimeError as error:
        log.warning("%s", error)
    files = {RESULTS: _as_json(comparison, heads).encode(), **pictures}
    written = save_all(out, files)
    sys.stdout.write(f"wrote {', '.join(map(str, written))}\n")


def _shares(heads: Mapping[str, HeadMap]) -> Tensor:
    """Return each head's shares of attention, ``[L, H, 3]``: sink, middle, current chunk."""
    measured = heads["head_forcing"].evidence.statistics
    return torch.stack([torch.tensor(measured[n]) for n in ("sink", "middle", "current")], -1)


def _trials(options: argparse.Namespace) -> list[Trial]:
    if options.prompt:
        return [trial_of(parse(text), options.first + n) for n, text in enumerate(options.prompt)]
    return [trial(options.first + number) for number in range(options.prompts)]


def _text(comparison: Comparison, rows: Mapping[int, Sequence[Row]], shares: Tensor) -> str:
    parts = [] if comparison.complete else ["\nNOT COMPLETE: stopped before all seeds were done\n"]
    for frames, of_length in rows.items():
        parts.append(f"\n{VIDEO.seconds(frames):.0f} s, {frames} latent frames\n")
        parts.append(tables(of_length))
    parts.append("\n" + LEGEND)
    low, high = shares.flatten(0, 1).aminmax(dim=0)
    spans = ", ".join(
        f"{name} {a:.2f} to {b:.2f}"
        for name, a, b in zip(("sink", "middle", "current"), low, high, strict=True)
    )
    parts.append(f"attention of the {shares[..., 0].numel()} heads: {spans}\n")
    if AWAY not in comparison.kinds:
        needed = VIDEO.moment(FIRST_RETURN)
        parts.append(f"too short for a ground to leave and return: {needed:g} s are needed\n")
    return "".join(parts)


def _machine(device: torch.device) -> dict[str, object]:
    name = torch.cuda.get_device_name(device) if device.type == "cuda" else platform.processor()
    return {
        "device": f"{device.type} {name}".strip(),
        "threads": torch.get_num_threads(),
        "torch": torch.__version__,
        "python": platform.python_version(),
        "system": platform.system(),
    }
