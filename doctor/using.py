"""What the pack would use here, asked of the pack itself."""

from __future__ import annotations

from collections.abc import Sequence

import torch

from ..headforcing_core.device import choose_device, free_memory, usual_dtype
from ..headforcing_core.generation import VideoRequest
from ..headforcing_core.inspection import Forecast, ModelSizes, check_fits, free_in
from ..headforcing_core.models import WAN_TEXT_TOKENS, Family, family_named, published_sizes
from ..kernels import Impl, Span, chosen_impl
from ..kernels.triton_choice import machine_refusal
from .machine import Use

# the run that is foreseen: a minute of the family that is taken where none is named
FAMILY, SECONDS, WIDTH, HEIGHT = "self_forcing", 60, 832, 480
# rows of each head in a pool that is only asked about
ROWS = 8


def use(triton: str | None, warned: Sequence[str]) -> Use:
    """Return what is used on the best device here.

    Args:
        triton: its version.
        warned: what the log warns of, as it grows.
    """
    device = choose_device()
    dtype = usual_dtype(device)
    family = family_named(FAMILY)
    impl = attention(device, dtype, family)
    why = None if impl is Impl.TRITON else reason(device, triton, warned)
    return Use(
        str(device),
        str(dtype).removeprefix("torch."),
        impl.value,
        why,
        "worth it on the graph, with TorchCompileModel" if impl is Impl.TRITON else "does not pay",
        free_memory(device),
        lacks(family, dtype, device),
    )


def attention(device: torch.device, dtype: torch.dtype, family: Family) -> Impl:
    """Return what reads the caches of a family, as the log of a run would say."""
    config = published_sizes(family)
    channels = config.dim // config.heads
    q = torch.zeros(1, 1, config.heads, channels, dtype=dtype, device=device)
    pool = torch.zeros(1, ROWS * config.heads, channels, dtype=dtype, device=device)
    spans = [Span(ROWS * head, ROWS) for head in range(config.heads)]
    return chosen_impl(q, pool, pool, spans)


def reason(device: torch.device, triton: str | None, warned: Sequence[str]) -> str:
    """Say why it is not Triton's kernel, in the words of who refused it."""
    if warned:
        return warned[0]
    if device.type != "cuda":
        return f"Triton's kernels need an NVIDIA GPU, this is {device.type}"
    if torch.version.hip is not None:
        return "on AMD Triton's kernels are used only where they are named"
    if triton is None:
        return "Triton is not installed"
    refused = machine_refusal(device, triton, interpreted=False)
    return "Triton's kernel refuses such tensors" if refused is None else str(refused)


def lacks(family: Family, dtype: torch.dtype, device: torch.device) -> str | None:
    """Say why the default minute does not fit here and what does; None if it fits."""
    video = family.video
    size = video.latent_size(WIDTH, HEIGHT)
    request = VideoRequest(family, video.latent_frames(SECONDS), *size, 0)
    sizes = ModelSizes.plain(published_sizes(family), dtype)
    forecast = Forecast(request, sizes, WAN_TEXT_TOKENS, device)
    try:
        check_fits(forecast, free_in(forecast))
    except RuntimeError as error:
        return str(error)
    return None
