"""How a video changes over time, measured without any network."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor
from torch.nn.functional import conv2d

# linear sRGB to XYZ, scaled so that white is 1, 1, 1 (D65)
TO_XYZ = ((0.4339, 0.3762, 0.1899), (0.2126, 0.7152, 0.0722), (0.0178, 0.1095, 0.8727))
LAPLACE = ((0.0, 1.0, 0.0), (1.0, -4.0, 1.0), (0.0, 1.0, 0.0))


@dataclass(frozen=True)
class Appearance:
    """What a stretch of video looks like, in numbers that drift.

    Args:
        lightness: mean L* of CIELAB, 0 to 100.
        contrast: standard deviation of L* within a picture.
        chroma: mean distance from grey, in CIELAB units.
        sharpness: variance of the Laplacian of L* over the variance of L*; plain sharpness would
            rise with contrast.
        motion: mean absolute difference of neighbouring pictures, 0 to 1; a frozen video has none
            and would otherwise count as perfectly consistent.
        flicker: mean absolute change of a whole picture's L* from one to the next.
    """

    lightness: float
    contrast: float
    chroma: float
    sharpness: float
    motion: float
    flicker: float


def appearance(pictures: Tensor) -> Appearance:
    """Measure pictures ``[N, 3, Y, X]``, sRGB from 0 to 1, in the order they are shown."""
    lab = to_lab(pictures)
    light = lab[:, :1]
    edges = conv2d(light, torch.tensor(LAPLACE, device=light.device)[None, None])
    spread = light.var((1, 2, 3))
    return Appearance(
        lightness=float(light.mean()),
        contrast=float(spread.sqrt().mean()),
        chroma=float(lab[:, 1:].norm(dim=1).mean()),
        sharpness=float((edges.var((1, 2, 3)) / spread.clamp_min(1e-6)).mean()),
        # of one picture: NaN
        motion=float(pictures.diff(dim=0).abs().mean()),
        flicker=float(light.mean((1, 2, 3)).diff().abs().mean()),
    )


@dataclass(frozen=True)
class Drift:
    """The last stretch of a video against its first.

    lightness and flicker are differences (0 is no drift), the others ratios (1 is no drift).
    """

    lightness: float
    contrast: float
    chroma: float
    sharpness: float
    motion: float
    flicker: float


def drift(first: Appearance, last: Appearance) -> Drift:
    """Compare two stretches.

    Source: first against last stretch as in Helios and Forcing-KV.
    """
    ratios = {
        name: getattr(last, name) / max(getattr(first, name), 1e-6)
        for name in ("contrast", "chroma", "sharpness", "motion")
    }
    return Drift(
        lightness=last.lightness - first.lightness, flicker=last.flicker - first.flicker, **ratios
    )


def seam_ratio(pictures: Tensor, every: int) -> float:
    """Return how much more pictures change where chunks join than within them; 1 is no seam.

    Args:
        pictures: ``[N, 3, Y, X]``; a chunk begins with the first and with every ``every``-th.

    Source: chunk discontinuity of Forcing-KV, with differences of pictures for flow.
    """
    change = pictures.diff(dim=0).abs().mean((1, 2, 3))
    joins = torch.arange(len(change)) % every == every - 1
    return float(change[joins].mean() / change[~joins].median().clamp_min(1e-6))


def to_lab(pictures: Tensor) -> Tensor:
    """Convert sRGB ``[N, 3, Y, X]``, 0 to 1, to CIELAB.

    Source: IEC 61966-2-1 (sRGB), CIE 15 (CIELAB).
    """
    linear = torch.where(
        pictures <= 0.04045, pictures / 12.92, ((pictures + 0.055) / 1.055).clamp_min(0) ** 2.4
    )
    xyz = torch.einsum("ij,njyx->niyx", torch.tensor(TO_XYZ, device=pictures.device), linear)
    cube = torch.where(
        xyz > (6 / 29) ** 3, xyz.clamp_min(1e-9) ** (1 / 3), xyz * 841 / 108 + 4 / 29
    )
    x, y, z = cube.unbind(1)
    return torch.stack([116 * y - 16, 500 * (x - y), 200 * (y - z)], 1)
