"""``headforcing generate``: from a checkpoint and a prompt to a video, or its latents."""

from __future__ import annotations

import argparse
import logging
from contextlib import ExitStack
from pathlib import Path

import torch
from torch import Tensor

from ..autoencoders import PublishedVae
from ..device import check_room, choose_device
from ..files import (
    check_file,
    check_writable,
    claimed,
    clear_leftovers,
    refuse_held,
)
from ..generation import VideoRequest
from ..models import (
    FAMILIES,
    WAN_CHANNELS,
    WAN_TEXT_TOKENS,
    WanConfig,
    WanModel,
    fingerprint,
)
from ..reel import Film, KeptChunks
from .foresight import check_before, config_of
from .loading import add_loading_options, check_lora, dtype_of, load_model
from .recording import record
from .request_options import add_method_options, request_of
from .showing import (
    Showing,
    add_video_options,
    check_vae,
    check_video_options,
    film_of,
    titled,
    vae_of,
)
from .start import read_start, settings_of
from .unfinished import Unfinished
from .words import Words, add_word_options, check_word_options, embedded

log = logging.getLogger("headforcing")
# inputs that are one file each; a model may be a folder
PLAIN = ("text_embedding", "prompts", "start", "map")
ENCODERS = ("text_encoder", "tokenizer", "vae")
INPUTS = ("model", "text_embedding", "prompts", *ENCODERS, "lora", "start", "map")
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
        help="generate a video, or its latents, from a checkpoint and a prompt",
        description="Run the autoregressive rollout of a checkpoint and write video and latents.\n"
        "What is finished is saved every minute; Ctrl-C stops and keeps it. Frames are latent\n"
        "frames, a quarter of a second each.",
        epilog=EPILOG,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    add = parser.add_argument
    add("--model", required=True, metavar="FILE", help=".safetensors, .pt, or a sharded folder")
    add_word_options(parser)
    add_video_options(parser)
    add("--seconds", metavar="N", type=float, default=5.0, help="length of the video (default 5)")
    add("--width", metavar="N", type=int, default=832, help="pixels, a multiple of 8 (default 832)")
    add(
        "--height", metavar="N", type=int, default=480, help="pixels, a multiple of 8 (default 480)"
    )
    add("--seed", metavar="N", type=int, default=0, help="same seed, same video (default 0)")
    add("--out", metavar="FILE", help="latents to write, .safetensors")
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


def run(options: argparse.Namespace) -> int:
    check_word_options(options)
    check_video_options(options)
    out = None if options.out is None else Path(options.out).absolute()
    _check_files(options)
    request = request_of(options)
    copies = 0 if out is None else COPIES
    check_room("the latents", copies * _size(request), "cpu", SHORTER)
    film = None if options.video is None else film_of(options)
    if out is not None:
        check_writable(out, _size(request))
    with ExitStack() as held:
        for place in (out, film and film.path):
            if place is not None:
                refuse_held(place.parent)
                held.enter_context(claimed(place))
                clear_leftovers(place)
        _generate(options, request, out, film)
    return 0


def _generate(
    options: argparse.Namespace, request: VideoRequest, out: Path | None, film: Film | None
) -> None:
    device = choose_device(options.device)
    words = None if options.text_encoder is None else Words.open(options, request.clock)
    vae = None if film is None else vae_of(options)
    config = config_of(options, request.family)
    _check_together(config, words, vae)
    said = words and words.said
    prompts = embedded(options, config) if words is None else None
    batch = 1 if prompts is None else prompts.texts[0].shape[0]
    plan = check_before(options, request, device, 1 if said is None else len(said), batch)
    if words is not None:
        prompts = words.schedule(request.clock, options.text_tokens, device)
        words = None  # nothing of the encoder is left when the model comes
    if film is not None and batch > 1:
        raise ValueError(f"--video must come with one embedding, got {batch} side by side")
    model = load_model(options, request.family, device)
    settings = {**_settings(options, request, model), "schedule": said}
    evidence = request.head_map and request.head_map.evidence
    if evidence and evidence.fingerprint != settings["weights"]:
        log.warning("the head map was measured on another model than this; profile this one")
    size = (0 if out is None else COPIES) * batch * _size(request)
    if model.device.type == "cpu":  # where they lie beside each other
        size += request.plan(model, batch).bytes
    check_room("latents and caches", size, "cpu", SHORTER)
    given = None
    if options.start is not None:
        shape = (batch, model.config.in_dim, request.rows, request.columns)
        given = read_start(options.start, shape, settings)
    left = Unfinished.of(out if film is None else film.path, settings, prompts, given)
    rollout = request.rollout(model, prompts)
    rollout.check(given)
    log.info(plan)
    kept, given = _gone_on(left, request, given, (batch, model.config.in_dim))
    if film is None:
        record(rollout, out, settings, given, kept=kept)
    else:
        pictures = vae.build(dtype_of(options, device), device)
        frames, film = request.clock.total_frames, titled(film, settings)
        with Showing(pictures, film, frames, device, left.parts) as showing:
            record(rollout, out, settings, given, showing.show, kept)
    left.remove()


def _gone_on(
    left: Unfinished, request: VideoRequest, given: Tensor | None, sizes: tuple[int, int]
) -> tuple[KeptChunks, Tensor | None]:
    """Return where chunks are kept, and the frames that are there: of an earlier run, if any."""
    chunks = left.chunks(request.clock)
    found = chunks.read((*sizes, request.rows, request.columns))
    if not found or (given is not None and sum(x.shape[2] for x in found) < given.shape[2]):
        return chunks, given
    log.info("going on after %d chunks from %s", len(found), left.folders[0])
    return chunks, torch.cat(found, 2)


def _check_together(config: WanConfig, words: Words | None, vae: PublishedVae | None) -> None:
    if words is not None:
        words.check(config)
    if vae is not None:
        check_vae(vae, config)


def _size(request: VideoRequest) -> int:
    """Return the bytes of one video's latents."""
    frames = request.clock.total_frames
    return frames * WAN_CHANNELS * request.rows * request.columns * torch.float32.itemsize


def _check_files(options: argparse.Namespace) -> None:
    for name in INPUTS:
        file = getattr(options, name)
        if file is None:
            continue
        option = "--" + name.replace("_", "-")
        if not file or not Path(file).exists():
            raise ValueError(f"{option} must be a file that exists, got {file!r}")
        if name in PLAIN:
            check_file(Path(file))
        for result in ("out", "video"):
            place = getattr(options, result)
            if place and Path(place).exists() and Path(file).samefile(place):
                raise ValueError(
                    f"--{result} must not be one of the inputs, got the file of {option}"
                )
    check_lora(options)


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
