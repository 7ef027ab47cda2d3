"""Prompts through the host's own text encoder and through ours, from the same files."""
# ruff: noqa: I001, T201

import json
import sys
import tempfile
from dataclasses import replace
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent))
import in_host  # noqa: F401

import comfy.sd
import torch
from published_encoders import SIZES, spiece, write_encoders

from headforcing.headforcing_core.words import TextEncoder

# by these the host tells umT5 among its encoders
LAYERS, HIDDEN = 24, 10240
TINY = replace(SIZES, width=24, inner=16, hidden=HIDDEN, heads=2, layers=LAYERS)
PROMPTS = (
    "a cat walks on the red sands",
    "  two   spaces,\n a line &amp; it's  ",
    "他走路 naïve",
    "",
    "the (dog:1.5) runs",
    "((fast)) on [2] sands (not \\(this\\)) (odd:x) a) cat (",
    "(a cat:0.3) " + "walks " * 100,
    "(all of it:1.2)",
)
ROWS = 512


def by_host(path, prompts):
    config = {
        "d_model": TINY.width,
        "d_ff": TINY.hidden,
        "d_kv": TINY.inner // TINY.heads,
        "num_heads": TINY.heads,
        "vocab_size": TINY.vocabulary,
    }
    options = {"umt5xxl_model_config": config}
    clip = comfy.sd.load_clip([str(path)], clip_type=comfy.sd.CLIPType.WAN, model_options=options)
    tokens = [clip.tokenize(prompt) for prompt in prompts]
    texts = [clip.encode_from_tokens_scheduled(one)[0][0] for one in tokens]
    return [[t for t, _ in one["umt5xxl"][0]] for one in tokens], texts


def main():
    folder = Path(tempfile.mkdtemp())
    files = write_encoders(folder, spiece(TINY.vocabulary), TINY)
    found = {}
    for layout in (name for name in files if name.startswith("host")):
        path, _ = files[layout]
        # what prompts say is the same of all files
        prompts = PROMPTS if layout == "host fp32" else PROMPTS[:2]
        numbers, theirs = by_host(path, prompts)
        encoder = TextEncoder.open(path)
        texts = encoder.texts(prompts, 4096)
        ours = encoder.encode(texts, ROWS)
        found[layout] = {
            "tokens": [[*t.tokens, *[0] * (ROWS - len(t.tokens))] for t in texts] == numbers,
            "shapes": [list(x.shape) for x in ours] == [list(x.shape) for x in theirs],
            "off": [
                ((x - y).abs().max() / y.abs().max()).item()
                for x, y in zip(ours, theirs, strict=True)
            ],
        }
    print("FOUND", json.dumps(found))


if __name__ == "__main__":
    with torch.inference_mode():
        main()
