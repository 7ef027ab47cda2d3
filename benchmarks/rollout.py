"""A whole rollout: time of a chunk early and late, pictures per second, memory, and what takes it.

    python benchmarks/rollout.py [--compile] [--json FILE] [--comfyui FOLDER]
    python benchmarks/rollout.py --small     tiny sizes on the CPU: does the script work
    python benchmarks/rollout.py --profile   on the CPU: what takes the time of a chunk

The first needs a GPU. Random weights of Wan 1.3B's shape in bfloat16, 832 x 480, four steps and a
commit per chunk of 3 latent frames, each method at its 8th chunk and at its 80th. What lies before
is committed, not made. With --compile everything is measured once more after torch.compile. With a
ComfyUI, its Wan VAE (random weights) decodes what was made. The profile is of a layer of Wan 1.3B
in float32 at 256 tokens per frame; with --compile it tells how long a chunk takes compiled, too.
"""

from __future__ import annotations

import argparse
import sys
import time
from collections.abc import Iterable, Iterator
from dataclasses import asdict, dataclass
from pathlib import Path
from statistics import median

import torch
from torch.autograd import DeviceType
from torch.autograd.profiler_util import FunctionEvent
from torch.profiler import ProfilerActivity, profile

sys.path.insert(0, str(Path(__file__).parents[1] / "tests"))
import pack  # noqa: F401  loads the pack from this checkout
from host_vae import seconds_per_chunk
from rollout_setup import CHUNK, FULL, LAYER, SMALL, Setup
from setting import machine, result_file, written

from headforcing.headforcing_core.models import WAN_VIDEO, WanModel
from headforcing.headforcing_core.rollout import FinishedChunk

METHODS = ("rolling", "head_forcing", "head_forcing:compact", "pyramid", "full")
# of a profile, what a model cannot do without
NEEDED = ("mm", "attention")


@dataclass
class Row:
    """One method at one chunk.

    Args:
        chunk: its number, from 1.
        compiled: by torch.compile.
        seconds: to make it, its commit included.
        fps: pictures per second, and with those of the VAE.
        peak_gib: most memory that was in use, weights included; a GPU's.
        new_blocks: what the allocator had to ask the device for after the first chunk that was
            timed.
        launches: kernels and copies that a GPU ran for a chunk.
        busy: share of the time in which it ran them. CUDA graphs could win the rest, no more.
        missing: why there is nothing.
    """

    method: str
    chunk: int
    compiled: bool = False
    seconds: float | None = None
    fps: float | None = None
    fps_with_vae: float | None = None
    peak_gib: float | None = None
    new_blocks: int | None = None
    launches: int | None = None
    busy: float | None = None
    missing: str = ""


@torch.no_grad()
def measured(setup: Setup, model: WanModel, row: Row, vae_seconds: float | None) -> Row:
    """Time a method from the row's chunk on, and fill the row."""
    gpu = setup.device == "cuda"
    if gpu:
        torch.cuda.empty_cache()
        torch.cuda.reset_peak_memory_stats()
    try:
        chunks, seconds, blocks = setup.begun(model, row.method, row.chunk - 1), [], []
        for _ in range(setup.timed):
            if gpu:
                torch.cuda.synchronize()
            begin = time.perf_counter()
            next(chunks)
            if gpu:
                torch.cuda.synchronize()
                blocks.append(torch.cuda.memory_stats().get("num_device_alloc", 0))
            seconds.append(time.perf_counter() - begin)
    except RuntimeError as error:  # there is not that much memory
        row.missing = str(error).splitlines()[0]
        return row
    pictures = CHUNK * WAN_VIDEO.time_stride
    row.seconds = median(seconds)
    row.fps = pictures / row.seconds
    if vae_seconds is not None:
        row.fps_with_vae = pictures / (row.seconds + vae_seconds)
    if gpu:
        row.peak_gib = torch.cuda.max_memory_allocated() / 2**30
        row.new_blocks = blocks[-1] - blocks[0]
        watch(chunks, row)
    return row


def watch(chunks: Iterator[FinishedChunk], row: Row) -> None:
    """Count what the GPU does for one more chunk."""
    try:
        with profile(activities=[ProfilerActivity.CPU, ProfilerActivity.CUDA]) as seen:
            next(chunks)
            torch.cuda.synchronize()
    except RuntimeError as error:  # not every machine lets its GPU be watched
        row.missing = str(error).splitlines()[0]
        return
    row.launches, device_seconds = device_work(seen.events())
    row.busy = device_seconds / row.seconds


def device_work(events: Iterable[FunctionEvent]) -> tuple[int, float]:
    """Return how many things a GPU did, and the seconds they took."""
    own = [event for event in events if event.device_type == DeviceType.CUDA]
    return len(own), sum(event.time_range.elapsed_us() for event in own) / 1e6


@torch.no_grad()
def shares(setup: Setup, method: str) -> dict[str, float]:
    """Return what share of a chunk's time each operation has, most first."""
    (at,) = setup.at
    chunks = setup.begun(setup.model(), method, at - 1)
    next(chunks)
    with profile(activities=[ProfilerActivity.CPU]) as seen:
        for _ in range(setup.timed):
            next(chunks)
    spent = {each.key: each.self_cpu_time_total for each in seen.key_averages()}
    whole = sum(spent.values())
    return {key: part / whole for key, part in sorted(spent.items(), key=lambda x: -x[1])}


@torch.no_grad()
def compiled_ratio(setup: Setup, method: str) -> float:
    """Return how long a chunk takes compiled, as a multiple of plain; both in turns."""
    (at,), models = setup.at, [setup.model(), setup.model()]
    models[1].compile(backend=setup.compiler)
    runs = [setup.begun(model, method, at - 1) for model in models]
    ratios = []
    for _ in range(setup.timed):
        seconds = []
        for chunks in runs:
            begin = time.perf_counter()
            next(chunks)
            seconds.append(time.perf_counter() - begin)
        ratios.append(seconds[1] / seconds[0])
    return median(ratios)


def needed(parts: dict[str, float]) -> float:
    """Return the share of matrix products and attention."""
    return sum(part for name, part in parts.items() if any(word in name for word in NEEDED))


def table(rows: list[dict[str, object]]) -> str:
    names = list(Row.__dataclass_fields__)
    lines = ["| " + " | ".join(name.replace("_", " ") for name in names) + " |"]
    lines.append("|---" * len(names) + "|")
    for row in rows:
        cells = ("" if value is None else shown(value) for value in row.values())
        lines.append("| " + " | ".join(cells) + " |")
    return "\n".join(lines)


def shown(value: object) -> str:
    return f"{value:.3g}" if isinstance(value, float) else str(value)


def options_of(arguments: list[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--json", type=result_file, help="default: results/rollout_CARD.json")
    parser.add_argument("--comfyui", type=Path, help="a ComfyUI, for its VAE")
    parser.add_argument("--compile", action="store_true", help="once more after torch.compile")
    parser.add_argument("--small", action="store_true", help="tiny sizes, on the CPU")
    parser.add_argument("--profile", action="store_true", help="what takes the time, on the CPU")
    parser.add_argument("--methods", nargs="+", default=METHODS)
    return parser.parse_args(arguments)


def profiled(options: argparse.Namespace) -> dict[str, object]:
    """Tell what takes the time of a chunk on the CPU."""
    found, ratios = {}, {}
    for method in options.methods:
        found[method] = parts = shares(LAYER, method)
        rest = ", ".join(f"{n} {p:.3f}" for n, p in list(parts.items())[:8])
        say(f"{method}: matrix products and attention {needed(parts):.3f} ({rest})")
        if options.compile:
            ratios[method] = compiled_ratio(LAYER, method)
            say(f"{method}: compiled in {ratios[method]:.2f} of the time")
    return {"shares": found, "compiled": ratios}


def timed(options: argparse.Namespace, setup: Setup, about: dict[str, object]) -> None:
    """Time every method, and tell about it; what is measured is written at once."""
    vae = None
    if options.comfyui:
        sizes = (CHUNK, setup.rows, setup.columns)
        vae = seconds_per_chunk(options.comfyui, sizes, setup.device, setup.dtype)
    model, rows = setup.model(), []
    about |= {"vae_seconds_per_chunk": vae, "rows": rows}
    for compiled in (False, True)[: 1 + options.compile]:
        if compiled:
            model.compile(backend=setup.compiler)
        for row in (Row(method, at, compiled) for method in options.methods for at in setup.at):
            rows.append(asdict(measured(setup, model, row, vae)))
            written(about, options.json, "rollout", setup.device)
    say(table(rows))


def command(options: argparse.Namespace) -> list[str]:
    """Return how to do the same elsewhere, where folders have other names."""
    flags = [f"--{name}" for name in ("compile", "small", "profile") if getattr(options, name)]
    flags += ["--comfyui", "FOLDER"] if options.comfyui else []
    flags += ["--methods", *options.methods] if options.methods != METHODS else []
    return ["python", "benchmarks/rollout.py", *flags]


def main(arguments: list[str] | None = None) -> int:
    options = options_of(arguments)
    setup = SMALL if options.small else LAYER if options.profile else FULL
    if setup.device == "cuda" and not torch.cuda.is_available():
        sys.stderr.write("torch must see a GPU to time a rollout, it sees none; --small or "
                         "--profile run without one\n")  # fmt: skip
        return 1
    about: dict[str, object] = {"command": command(options), "machine": machine(setup.device)}
    if options.profile:
        written(about | profiled(options), options.json, "rollout", setup.device)
    else:
        timed(options, setup, about)
    return 0


def say(text: str) -> None:
    sys.stdout.write(text + "\n")


if __name__ == "__main__":
    sys.exit(main())
