"""``headforcing generate``: a rollout from a checkpoint to a file of latents."""

from __future__ import annotations

import argparse
import logging
from pathlib import Path

import torch

from ..bounds import check_within
from ..device import check_room, choose_device
from ..files import (
    check_file,
    check_writable,
    claimed,
    clear_leftovers,
    read_text_embedding,
    refuse_held,
    shown,
)
from ..generation import VideoRequest
from ..methods import (
    NAMES,
    HeadMap,
    Method,
    PositionRule,
    read_head_map,
    settings_named,
    with_values,
)
from ..models import (
    FAMILIES,
    WAN_CHANNELS,
    WAN_TEXT_TOKENS,
    WAN_VIDEO,
    Family,
    WanModel,
    choose_family,
    fingerprint,
)
from ..video import PromptSchedule
from .foresight import check_before
from .loading import add_loading_options, check_lora, load_model
from .recording import record
from .start import read_start, settings_of

log = logging.getLogger("headforcing")
# inputs that are one file each; a model may be a folder
PLAIN = ("text_embedding", "start", "map")
INPUTS = ("model", "text_embedding", "lora", "start", "map")
# eight times what models were trained with: keys and values of it lie in every layer
LONGEST_TEXT = 4096
# chunk by chunk until the end, and once more while they are written
COPIES = 2
SHORTER = "use fewer --seconds or a smaller picture"
EPILOG = "Families:\n" + "\n".join(
    f"  {f.name:26}{f.title} ({f.source})"
    + (
        f"\n{'':28}not yet: {f.refusal}"
        if f.refusal
        else f"\n{'':28}chunks of {f.frames_per_chunk}, window {f.window}, sink {f.sink}"
    )
    for f in FAMILIES
)


def add_parser(commands: argparse._SubParsersAction) -> argparse.ArgumentParser:
    parser = commands.add_parser(
        "generate",
        help="generate latents from a checkpoint and a text embedding",
        description="Run the autoregressive rollout of a checkpoint and write the latents.\n"
        "What is finished is saved every minute; Ctrl-C stops and keeps it. Frames are latent\n"
        "frames, a quarter of a second each.",
        epilog=EPILOG,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    add = parser.add_argument
    add("--model", required=True, metavar="FILE", help=".safetensors, .pt, or a sharded folder")
    add(
        "--text-embedding",
        required=True,
        metavar="FILE",
        help="umT5 embedding of the prompt, [rows, width], safetensors or .pt",
    )
    add("--seconds", metavar="N", type=float, default=5.0, help="length of the video (default 5)")
    add("--width", metavar="N", type=int, default=832, help="pixels, a multiple of 8 (default 832)")
    add(
        "--height", metavar="N", type=int, default=480, help="pixels, a multiple of 8 (default 480)"
    )
    add("--seed", metavar="N", type=int, default=0, help="same seed, same video (default 0)")
    add("--out", required=True, metavar="FILE", help="latents to write, .safetensors")
    add("--start", metavar="FILE", help="latents written earlier, to go on from")
    add_method_options(parser)
    add(
        "--text-tokens",
        metavar="N",
        type=int,
        default=WAN_TEXT_TOKENS,
        help="rows the text is padded to",
    )
    add_loading_options(parser)
    add("--anyway", action="store_true", help="run even if memory is not expected to suffice")
    parser.set_defaults(run=run)
    return parser


def add_method_options(parser: argparse.ArgumentParser) -> None:
    """Add what says how the past is kept and how chunks are made."""
    add = parser.add_argument
    add(
        "--method",
        metavar="NAME",
        help=f"how the past is kept (default: as the family does): {', '.join(NAMES)}",
    )
    add("--set", action="append", metavar="NAME=VALUE", help="a setting of the method")
    add("--map", metavar="FILE", help="head map, for methods that tell heads apart")
    add(
        "--window",
        metavar="N",
        type=int,
        help="frames a head sees, sink and current chunk included",
    )
    add("--sink", metavar="N", type=int, help="first frames that are never forgotten")
    add(
        "--positions",
        choices=[rule.value for rule in PositionRule],
        help="where RoPE is told kept frames stand (contiguous: closed up, within the horizon)",
    )
    add(
        "--steps",
        metavar="N,N",
        type=_steps,
        help="denoising steps before the shift, e.g. 1000,750,500,250",
    )
    add(
        "--shift",
        metavar="N",
        type=float,
        help="timestep shift; models of all families were trained with 5",
    )
    add(
        "--first-chunk",
        metavar="N",
        type=int,
        help="frames of the first chunk (1 to start from an image)",
    )


def run(options: argparse.Namespace) -> int:
    out = Path(options.out).absolute()
    _check_files(options, out)
    request = request_of(options)
    check_room("the latents", COPIES * _size(request), "cpu", SHORTER)
    check_writable(out, _size(request))
    refuse_held(out.parent)
    with claimed(out):
        clear_leftovers(out)
        _generate(options, request, out)
    return 0


def _generate(options: argparse.Namespace, request: VideoRequest, out: Path) -> None:
    device = choose_device(options.device)
    plan = check_before(options, request, device)
    model = load_model(options, request.family, device)
    settings = _settings(options, request, model)
    evidence = request.head_map and request.head_map.evidence
    if evidence and evidence.fingerprint != settings["weights"]:
        log.warning("the head map was measured on another model than this; profile this one")
    text = read_text_embedding(options.text_embedding, model.config.text_dim, options.text_tokens)
    size = COPIES * len(text) * _size(request)
    if model.device.type == "cpu":  # where they lie beside each other
        size += request.plan(model, len(text)).bytes
    check_room("latents and caches", size, "cpu", SHORTER)
    given = None
    if options.start is not None:
        shape = (text.shape[0], model.config.in_dim, request.rows, request.columns)
        given = read_start(options.start, shape, settings)
    prompts = PromptSchedule.constant(text)
    log.info(plan)
    record(request.rollout(model, prompts), out, settings, given)


def _size(request: VideoRequest) -> int:
    """Return the bytes of one video's latents."""
    frames = request.clock.total_frames
    return frames * WAN_CHANNELS * request.rows * request.columns * torch.float32.itemsize


def _check_files(options: argparse.Namespace, out: Path) -> None:
    for name in INPUTS:
        file = getattr(options, name)
        if file is None:
            continue
        option = "--" + name.replace("_", "-")
        if not file or not Path(file).exists():
            raise ValueError(f"{option} must be a file that exists, got {file!r}")
        if name in PLAIN:
            check_file(Path(file))
        if out.exists() and Path(file).samefile(out):
            raise ValueError(f"--out must not be one of the inputs, got the file of {option}")
    check_lora(options)


def request_of(options: argparse.Namespace) -> VideoRequest:
    """Check all that can be checked before a model is loaded."""
    family = choose_family(options.model, options.family).tuned(
        steps=options.steps,
        shift=options.shift,
        window=options.window,
        sink=options.sink,
        positions=PositionRule(options.positions) if options.positions else None,
    )
    check_within("--text-tokens", options.text_tokens, 1, LONGEST_TEXT)
    rows, columns = WAN_VIDEO.latent_size(options.width, options.height)
    frames = WAN_VIDEO.latent_frames(options.seconds)
    method, head_map = _method(options, family)
    return VideoRequest(
        family, frames, rows, columns, options.seed, options.first_chunk, method, head_map
    )


def _method(options: argparse.Namespace, family: Family) -> tuple[Method | None, HeadMap | None]:
    if options.method is None:
        for name in ("set", "map"):
            if getattr(options, name):
                raise ValueError(f"--{name} must come with --method, got none")
        return None, None
    for name in ("window", "sink", "positions"):
        if getattr(options, name) is not None:
            raise ValueError(
                f"--{name} is of the family's own window; with --method, use --set {name}=..."
            )
    settings = with_values(settings_named(options.method), options.set or [])
    head_map = None if options.map is None else read_head_map(options.map)
    return settings.build(family.frames_per_chunk), head_map


def _settings(
    options: argparse.Namespace, request: VideoRequest, model: WanModel
) -> dict[str, object]:
    files = {name: getattr(options, name) for name in INPUTS}
    return {
        **request.settings,
        **{name: file and Path(file).name for name, file in files.items()},
        "start_settings": settings_of(options.start) if options.start else None,
        "weights": fingerprint(model.state_dict()),
        "lora_strength": options.lora_strength,
        "text_tokens": options.text_tokens,
        "heads": model.config.heads,
        "dtype": str(model.dtype).removeprefix("torch."),
        "device": str(model.device),
    }


def _steps(text: str) -> tuple[int, ...]:
    try:
        return tuple(int(part) for part in text.split(","))
    except ValueError:
        raise argparse.ArgumentTypeError(
            f"must be whole numbers with commas between them, got {shown(text)}"
        ) from None
