"""``headforcing drift``: how much videos change from their first seconds on."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path

from tqdm import tqdm

from ..files import named, png_of, save_all
from ..stopping import stop_if_asked
from ..telemetry import (
    BANDS,
    FORMAT,
    MOST_DRAWN,
    Measured,
    as_json,
    as_table,
    draw_reports,
    measure_file,
)
from .result_folder import result_folder

RESULTS, PLOT = "drift.json", "drift.png"
FILES = (RESULTS, PLOT)
EPILOG = "Measures, each of which has a band that it should stay in:\n" + "\n".join(
    f"  {name:<10} {band.says}" for name, band in BANDS.items()
)


def add_parser(commands: argparse._SubParsersAction) -> argparse.ArgumentParser:
    parser = commands.add_parser(
        "drift",
        help="measure how videos change from their first seconds on",
        description="Read videos piece by piece, measure them against their own first seconds\n"
        "without any network, and tell which measure left its band and when. Prints a table;\n"
        "writes drift.json and drift.png.",
        epilog=EPILOG,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    add = parser.add_argument
    add("videos", nargs="+", metavar="VIDEO", help=f"a file, or up to {MOST_DRAWN}")
    add("--out", default="drift_out", metavar="FOLDER", help="default drift_out")
    said = "a new scene is meant to begin here, in seconds"
    add("--cut", type=float, action="append", metavar="N", help=said + "; can be repeated")
    parser.set_defaults(run=run)
    return parser


def run(options: argparse.Namespace) -> int:
    if len(options.videos) > MOST_DRAWN:
        raise ValueError(f"videos must be at most {MOST_DRAWN}, got {len(options.videos)}")
    out = Path(options.out)
    with result_folder("--out", out, FILES, lambda: _is_ours(out)):
        found = [_measured(path, options.cut or []) for path in options.videos]
        sys.stdout.write(as_table(found) + "\n")
        content = {RESULTS: as_json(found).encode(), PLOT: png_of(draw_reports(found))}
        written = save_all(out, content)
        sys.stdout.write(f"wrote {', '.join(map(str, written))}\n")
    return 0


def _measured(path: str, cuts: Sequence[float]) -> Measured:
    with tqdm(unit="picture", desc=f"measuring {named(path)}") as bar:

        def progress(done: int, expected: int) -> None:
            stop_if_asked()
            bar.total = max(expected, done)
            bar.update(done - bar.n)

        return measure_file(path, named(path), cuts, progress=progress)


def _is_ours(out: Path) -> bool:
    """Tell whether a folder holds an earlier report."""
    return (out / RESULTS).is_file() and FORMAT in (out / RESULTS).read_text("utf-8", "replace")
