"""Which family a file is of: what its name says, or its user."""

from __future__ import annotations

import re
from pathlib import Path

from .families import FAMILIES, FAMILY_NAMES, family_named
from .family import Family

# stages before the few steps
EARLIER_STAGES = "ardiffusion|odeinit|causalode|causalcd|teacher"
# what names of files are made of that say nothing of a project
WORDS = (
    *(
        "model",
        "pytorch",
        "diffusion",
        "generator",
        "ema",
        "checkpoint",
        "ckpt",
        "weights",
        "index",
    ),
    *("framewise", "chunkwise", "[124]step", "bf16", "fp16", "fp32", "fp8", "e4m3fn", "e5m2"),
    *("scaled", "merged", "4o6", "te", "nvfp4", "safetensors", "json", "pt", "pth", "bin"),
)
NAMELESS = f"({'|'.join(WORDS)})*"
# folders that divide a project's files, among them those of a cache of Hugging Face
KINDS = "framewise|chunkwise"
INSIDE = f"{KINDS}|ar|hfweights|transformer|snapshots|[0-9a-f]{{40}}"


def recognise(path: str | Path) -> Family | None:
    """Return the family that a file's name says; weights alone never tell.

    Folders count beside the name where authors let them: ``framewise/``, ``chunkwise/``, and that
    of the project for a name such as ``model.pt``. A name that says an earlier stage of the
    training says no family: such models take many steps.
    """
    said = _said(Path(path))
    if re.search(EARLIER_STAGES, said):
        return None
    return next((f for f in FAMILIES if re.search(f.file_pattern, said)), None)


def _said(path: Path) -> str:
    """Return the name with the folders that count, lower case, without ``-_ .``."""
    *folders, name = (re.sub(r"[-_ .]", "", part.lower()) for part in ("", *path.parts))
    said = [name]
    nameless = re.fullmatch(NAMELESS, name)
    for folder in reversed(folders):
        if not (nameless or re.fullmatch(KINDS, folder)):
            break
        said.insert(0, folder)
        if not re.fullmatch(INSIDE, folder):
            break
    return "/".join(said)


def choose_family(path: str | Path, name: str | None) -> Family:
    """Return the family to run a file with: the user's choice, else what the file says.

    Raises:
        ValueError: if neither says, or the choice does not fit what the file says: its rollout is
            of another kind, or its chunks are of another size.
    """
    said = recognise(path)
    if name is None and said is None:
        raise ValueError(
            f"the family of {Path(path).name} must be chosen, its name does not tell and weights "
            f"never do: {', '.join(FAMILY_NAMES)}"
        )
    family = family_named(said.name if name is None else name)
    if said and said.frames_per_chunk != family.frames_per_chunk:
        raise ValueError(
            f"family must fit the file: {Path(path).name} says {said.name}, which denoises "
            f"{said.frames_per_chunk} frames at a time, got {family.name} with "
            f"{family.frames_per_chunk}; choose {said.name}, or rename the file if it is wrong"
        )
    if said and said.kind != family.kind:
        raise ValueError(
            f"family must fit the file: {Path(path).name} says {said.name}, whose rollout is of "
            f"another kind than that of {family.name}; choose {said.name}, or rename the file if "
            "it is wrong"
        )
    return family
