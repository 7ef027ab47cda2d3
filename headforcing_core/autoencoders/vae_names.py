"""Parameter names of Wan's autoencoders: from what a file calls them to what diffusers does."""

from __future__ import annotations

import re
from collections.abc import Mapping

AUTHORS = r"^(.*?)decoder\.middle\.0\.residual\.0\.gamma$"
DIFFUSERS = r"^(.*?)decoder\.mid_block\.resnets\.0\.norm1\.gamma$"
# of Wan 2.1, whose blocks lie in a row: two or three and what changes the size
UP = 4
PARTS = (
    (r"^conv1\.", "quant_conv."),
    (r"^conv2\.", "post_quant_conv."),
    (r"^(encoder|decoder)\.conv1\.", r"\1.conv_in."),
    (r"^(encoder|decoder)\.head\.0\.", r"\1.norm_out."),
    (r"^(encoder|decoder)\.head\.2\.", r"\1.conv_out."),
    (r"\.middle\.0\.", ".mid_block.resnets.0."),
    (r"\.middle\.1\.", ".mid_block.attentions.0."),
    (r"\.middle\.2\.", ".mid_block.resnets.1."),
    (r"\.residual\.0\.", ".norm1."),
    (r"\.residual\.2\.", ".conv1."),
    (r"\.residual\.3\.", ".norm2."),
    (r"\.residual\.6\.", ".conv2."),
    (r"\.shortcut\.", ".conv_shortcut."),
    # of Wan 2.2, whose blocks lie in blocks
    (r"\.downsamples\.(\d)\.downsamples\.2\.", r".down_blocks.\1.downsampler."),
    (r"\.downsamples\.(\d)\.downsamples\.(\d)\.", r".down_blocks.\1.resnets.\2."),
    (r"\.upsamples\.(\d)\.upsamples\.3\.", r".up_blocks.\1.upsampler."),
    (r"\.upsamples\.(\d)\.upsamples\.(\d)\.", r".up_blocks.\1.resnets.\2."),
    (r"\.downsamples\.(\d+)\.", r".down_blocks.\1."),
)
IN_A_ROW = re.compile(r"\.upsamples\.(\d{1,3})\.")
KINDS = (
    (r"lora_|lokr_|hada_|\.diff\b", "a LoRA"),
    (r"(^|\.)patch_embedding\.weight$", "a video model"),
    (r"SelfAttention|attn\.q\.weight|text_model\.", "a text encoder"),
    (r"decoder\.(mid\.block_1|mid_block\.resnets\.0\.norm1\.weight)", "a VAE of images"),
    (r"taesd|^(encoder|decoder)\.\d", "a small VAE for previews"),
    (r"^(encoder|decoder)\.", "a VAE of another kind"),
)


def vae_names(stored: Mapping[str, object]) -> dict[str, str]:
    """Map diffusers' names to those under which a file stores an autoencoder.

    Raises:
        ValueError: if the file holds none of Wan's, saying what it seems to be.
    """
    found: dict[str, str] = {}
    prefixes = {
        (one[1], mark)
        for name in stored
        for mark in (AUTHORS, DIFFUSERS)
        if (one := re.match(mark, name))
    }
    if len(prefixes) != 1:
        what = f"{len(prefixes)} of them" if prefixes else _what_it_is(stored)
        raise ValueError(f"the file must hold one Wan VAE, got {what}; give wan_2.1_vae")
    ((prefix, mark),) = prefixes
    for at in stored:
        if at.startswith(prefix):
            name = at.removeprefix(prefix)
            name = _of_diffusers(name) if mark == AUTHORS else name
            if name in found:
                raise ValueError(f"the file must hold each weight once, got {found[name]} and {at}")
            found[name] = at
    return found


def _of_diffusers(name: str) -> str:
    for pattern, replacement in PARTS:
        name = re.sub(pattern, replacement, name)
    return IN_A_ROW.sub(_up, name)


def _up(found: re.Match[str]) -> str:
    block, part = divmod(int(found[1]), UP)
    kind = "upsamplers.0" if part == UP - 1 else f"resnets.{part}"
    return f".up_blocks.{block}.{kind}."


def _what_it_is(names: Mapping[str, object]) -> str:
    joined = "\n".join(names)
    kinds = (kind for pattern, kind in KINDS if re.search(pattern, joined, re.MULTILINE))
    return next(kinds, f"{len(names)} other tensors")
