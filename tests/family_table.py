"""The rows of the README's table of families, as the code has them; run to print them."""

import sys
from pathlib import Path

import torch

if "headforcing" not in sys.modules:
    sys.path.insert(0, str(Path(__file__).parent))
    import pack  # noqa: F401  loads the pack from this checkout

from plans import map_for

from headforcing.headforcing_core.generation import VideoRequest
from headforcing.headforcing_core.inspection import ModelSizes
from headforcing.headforcing_core.methods import NAMES, settings_named
from headforcing.headforcing_core.models import FAMILIES, published_sizes

MINUTE, WIDTH, HEIGHT = 60, 832, 480
# methods that are for models of one kind say so
OWN = {"rolling_forcing", "krea", "krea:heads"}


def request_of(family, method=None):
    video, config = family.video, published_sizes(family)
    frames, size = video.latent_frames(MINUTE), video.latent_size(WIDTH, HEIGHT)
    head_map = method and map_for(method, config.heads, config.layers)
    request = VideoRequest(family, frames, *size, 0, method=method, head_map=head_map)
    return request, request.plan(ModelSizes.plain(config, torch.bfloat16))


def refused(family):
    """Methods, as they are by default, that a family refuses."""
    found = []
    for name in NAMES:
        try:
            request_of(family, settings_named(name).build(family.frames_per_chunk))
        except ValueError:
            found.append(name)
    whole = [name for name in found if ":" not in name]
    # presets are refused as their method is
    return [name for name in found if name in whole or name.partition(":")[0] not in whole]


def calls(family):
    kept = "0 to 1" if family.method.rebuilt else "1"
    if family.joint:
        return f"1 of {len(family.steps)} chunks + {kept}"
    said = f"{len(family.levels)} + {kept}"
    first = len(family.first_denoising.levels)
    return said if first == len(family.levels) else f"{said}, of the first {first} + {kept}"


def row(family):
    _, plan = request_of(family)
    own = [name for name in refused(family) if name not in OWN]
    others = ", ".join(f"`{name}`" for name in own if ":" not in name) or "none"
    return (
        f"| `{family.name}` | {family.title} | {family.frames_per_chunk} | "
        f"{family.window}, {family.sink} | {calls(family)} | {family.video.fps:g} | "
        f"{plan.bytes / 2**30:.2f} | {others} |"
    )


if __name__ == "__main__":
    for each in FAMILIES:
        if each.name != "demo":
            sys.stdout.write(row(each) + "\n")
