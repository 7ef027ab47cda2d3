"""What a compiler must be told of our kernels that a launch would tell it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import NamedTuple

# of Wan's 128 channels these are for time
TIME = 44


class Job(NamedTuple):
    """One kernel for one card.

    dim: channels per head, or those that are turned.
    config: of the tiles; None takes what the launcher would.
    options: of the compiler, besides.
    """

    kernel: str
    card: int | str
    dtype: str
    dim: int
    config: tuple[int, ...] | None = None
    options: Mapping[str, int] = {}


Described = tuple[object, dict[str, str], set[str], dict[str, int], list[int]]


def described(job: Job) -> Described:
    """Return a kernel's function, types, aligned arguments, constants and tiles."""
    match job.kernel:
        case "reencode":
            return described_reencode(job)
        case "write_rotated":
            return described_write_rotated(job)
        case _:
            return described_product(job)


def described_reencode(job: Job) -> Described:
    import triton

    from headforcing.kernels.reencode import triton_kernel as file

    strides = [f"{x}_{y}" for x in ("keys", "raw") for y in ("batch", "head")]
    rows = ["keys_slot", "keys_row", "raw_page", "raw_row"]
    types = dict.fromkeys(("keys", "raw"), f"*{job.dtype}")
    types |= {"slots": "*i64", "source": "*i64", "turns": "*fp32", "tokens": "i32", "groups": "i32"}
    types |= dict.fromkeys(strides + rows, "i32")
    constants = {"TIME": TIME, "CHANNELS": job.dim, "WIDTH": triton.next_power_of_2(job.dim)}
    constants["TILE"] = file.TILE
    # rows of 44 channels start where they start
    aligned = {"keys", "raw", "slots", "source", *strides, "keys_slot", "keys_row"}
    return file._turn, types, aligned, constants, []


def described_write_rotated(job: Job) -> Described:
    import triton

    from headforcing.kernels.write_rotated import triton_kernel as file

    strides = [f"{x}_{y}" for x in "qkv" for y in ("batch", "token", "head")]
    strides += ["k_pool_batch", "v_pool_batch"]
    types = dict.fromkeys(("q", "k", "v", "out", "k_pool", "v_pool"), f"*{job.dtype}")
    types |= {"rotation": "*fp32", "rows": "*i32"}
    aligned = {*types, *strides}
    types |= dict.fromkeys((*strides, "tokens", "page"), "i32")
    constants = {"D": job.dim, "WIDTH": triton.next_power_of_2(job.dim), "TILE": file.TILE}
    return file._write, types, aligned, constants, []


def described_product(job: Job) -> Described:
    import triton

    from headforcing.kernels.attention_mass import triton_kernel as attention_mass
    from headforcing.kernels.head_attention import triton_kernel as head_attention

    own = f"*{job.dtype}"
    file = head_attention if job.kernel == "head_attention" else attention_mass
    capability = None if isinstance(job.card, str) else divmod(job.card, 10)
    config = file.Config(*job.config) if job.config else file.config_for(capability, job.dim)
    constants = {"D": job.dim, "WIDTH": max(16, triton.next_power_of_2(job.dim))}
    constants |= {"TILE_Q": config.queries, "TILE_K": config.keys}
    strides = ["q_batch", "q_token", "q_head", "k_batch"]
    types = {"q": own, "k_pool": own, "table": "*i32", "tokens": "i32", "scale": "fp32"}
    if file is head_attention:
        constants["TILES"] = config.tiles
        fn, strides = head_attention._attend, [*strides, "v_batch"]
        types |= {"v_pool": own, "out": own}
    else:
        fn, strides = attention_mass._sum_frame, [*strides, "k_row"]
        types |= {"out": "*fp32", "queries": "i32", "batch": "i32"}
    aligned = {"q", "k_pool", "v_pool", "out", "table"}
    aligned |= set() if job.dim % 16 else set(strides)
    return fn, types | dict.fromkeys(strides, "i32"), aligned, constants, list(config)
