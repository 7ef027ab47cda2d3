"""``headforcing generate``: a rollout from a checkpoint to a file of latents."""

from __future__ import annotations

import argparse
from pathlib import Path

import torch

from ..checkpoint import load_checkpoint
from ..families import FAMILIES, WAN_TEXT_TOKENS, WAN_VIDEO, Family
from ..generation import VideoRequest
from ..latent_file import read_latents, read_text_embedding
from ..lora import Lora
from ..positions import PositionRule
from .recording import record

DTYPES = {"float32": torch.float32, "bfloat16": torch.bfloat16, "float16": torch.float16}
EPILOG = "Families:\n" + "\n".join(
    f"  {f.name:26}{f.title} ({f.source})"
    + (f"; not yet: {f.refusal}" if f.refusal else f"; {f.frames_per_chunk} frames per chunk")
    for f in FAMILIES
)


def add_parser(commands: argparse._SubParsersAction) -> None:
    parser = commands.add_parser(
        "generate",
        help="generate latents from a checkpoint and a text embedding",
        description="Run the autoregressive rollout of a checkpoint and write the latents. "
        "Ctrl-C stops it and keeps what is finished.",
        epilog=EPILOG,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    add = parser.add_argument
    add("--model", required=True, metavar="FILE", help=".safetensors, .pt, or a sharded folder")
    add("--family", help="how the model is run (below); needed when the file name does not tell")
    add(
        "--text-embedding",
        required=True,
        metavar="FILE",
        help="umT5 embedding of the prompt, [rows, width], safetensors or .pt",
    )
    add("--seconds", type=float, default=5.0, help="length of the video (default 5)")
    add("--width", type=int, default=832, help="pixels, a multiple of 8 (default 832)")
    add("--height", type=int, default=480, help="pixels, a multiple of 8 (default 480)")
    add("--seed", type=int, default=0, help="same seed, same video (default 0)")
    add("--out", required=True, metavar="FILE", help="latents to write, .safetensors")
    add("--start", metavar="FILE", help="latents written earlier, to go on from")
    add("--lora", metavar="FILE", help="adapter merged into the model, e.g. LongLive's lora.pt")
    add("--lora-strength", type=float, default=1.0, help="how much of it (default 1)")
    _add_method_options(parser)
    add("--heads", type=int, help="attention heads, if not of 128 channels each")
    add("--text-tokens", type=int, default=WAN_TEXT_TOKENS, help="rows the text is padded to")
    add("--dtype", choices=DTYPES, help="default: bfloat16 on a GPU, float32 on a CPU")
    add("--device", help="cuda, cuda:1, mps, cpu (default: a GPU if there is one)")
    parser.set_defaults(run=run)


def _add_method_options(parser: argparse.ArgumentParser) -> None:
    add = parser.add_argument
    add("--window", type=int, help="frames a head sees, sink and current chunk included")
    add("--sink", type=int, help="first frames that are never forgotten")
    add(
        "--positions",
        choices=[rule.value for rule in PositionRule],
        help="where RoPE is told kept frames stand (contiguous: closed up, within the horizon)",
    )
    add("--steps", type=_steps, help="denoising steps before the shift, e.g. 1000,750,500,250")
    add("--shift", type=float, help="timestep shift; models of all families were trained with 5")
    add("--first-chunk", type=int, help="frames of the first chunk (1 to start from an image)")


def run(options: argparse.Namespace) -> int:
    out = Path(options.out)
    _check_out(out)
    device = torch.device(options.device or ("cuda" if torch.cuda.is_available() else "cpu"))
    dtype = DTYPES[options.dtype or ("float32" if device.type == "cpu" else "bfloat16")]
    rows, columns = WAN_VIDEO.latent_size(options.width, options.height)
    frames = WAN_VIDEO.latent_frames(options.seconds)
    lora = Lora.open(options.lora, options.lora_strength) if options.lora else None
    loaded = load_checkpoint(
        options.model,
        family=options.family,
        heads=options.heads,
        lora=lora,
        dtype=dtype,
        device=device,
    )
    family = _tuned(loaded.family, options)
    request = VideoRequest(family, frames, rows, columns, options.seed, options.first_chunk)
    config = loaded.model.config
    text = read_text_embedding(options.text_embedding, config.text_dim, options.text_tokens)
    given = None
    if options.start:
        given = read_latents(options.start, (text.shape[0], config.in_dim, rows, columns))
    settings = {
        **request.settings,
        "model": Path(options.model).name,
        "heads": config.heads,
        "lora": options.lora and Path(options.lora).name,
        "lora_strength": options.lora_strength if options.lora else None,
        "dtype": str(dtype).removeprefix("torch."),
    }
    record(request.rollout(loaded.model, text), out, settings, given)
    return 0


def _tuned(family: Family, options: argparse.Namespace) -> Family:
    return family.tuned(
        steps=options.steps,
        shift=options.shift,
        window=options.window,
        sink=options.sink,
        positions=PositionRule(options.positions) if options.positions else None,
    )


def _check_out(out: Path) -> None:
    """Refuse a place that cannot be written now, not after the last chunk."""
    if out.suffix != ".safetensors":
        raise ValueError(f"--out must end in .safetensors, got {out.name}")
    if not out.parent.is_dir():
        raise ValueError(f"the folder of --out must exist, got {out.parent}")


def _steps(text: str) -> tuple[int, ...]:
    return tuple(int(part) for part in text.split(","))
