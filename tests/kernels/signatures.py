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
    codes: that pools hold, int8 or fp8; None: they hold none.
    """

    kernel: str
    card: int | str
    dtype: str
    dim: int
    config: tuple[int, ...] | None = None
    options: Mapping[str, int] = {}
    codes: str | None = None

    @property
    def format(self) -> int:
        """The constant that kernels know the codes by."""
        return (None, "int8", "fp8").index(self.codes)

    @property
    def stored(self) -> str:
        """What a pool is to a compiler."""
        return {None: f"*{self.dtype}", "int8": "*i8", "fp8": "*u8"}[self.codes]


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
    types = dict.fromkeys(("keys", "raw"), job.stored)
    types |= {"slots": "*i64", "source": "*i64", "turns": "*fp32", "tokens": "i32", "groups": "i32"}
    types |= dict.fromkeys(strides + rows, "i32")
    constants = {"TIME": TIME, "CHANNELS": job.dim, "WIDTH": triton.next_power_of_2(job.dim)}
    constants |= {"TILE": file.TILE, "FORMAT": job.format}
    # rows of 44 channels start where they start
    aligned = {"keys", "raw", "slots", "source", *strides, "keys_slot", "keys_row"}
    return file._turn, types, aligned, constants, []


def described_write_rotated(job: Job) -> Described:
    import triton

    from headforcing.kernels.write_rotated import triton_kernel as file

    strides = [f"{x}_{y}" for x in "qkv" for y in ("batch", "token", "head")]
    kept = ["k_pool", "v_pool", "k_scales", "v_scales"]
    strides += ["k_pool_batch", "v_pool_batch", "scales_batch"]
    types = dict.fromkeys(("q", "k", "v", "out"), f"*{job.dtype}")
    types |= dict.fromkeys(kept[:2], job.stored)
    types |= dict.fromkeys(kept[2:], "*bf16" if job.codes else job.stored)
    types |= {"rotation": "*fp32", "rows": "*i32"}
    aligned = {*types, *strides}
    types |= dict.fromkeys((*strides, "tokens", "page"), "i32")
    width = triton.next_power_of_2(job.dim)
    constants = {"D": job.dim, "WIDTH": width, "TILE": file.TILE} | {"FORMAT": job.format}
    return file._write, types, aligned, constants, []


def described_product(job: Job) -> Described:
    import triton

    from headforcing.kernels.attention_mass import triton_kernel as attention_mass
    from headforcing.kernels.head_attention import triton_kernel as head_attention

    own = f"*{job.dtype}"
    file = head_attention if job.kernel == "head_attention" else attention_mass
    capability = None if isinstance(job.card, str) else divmod(job.card, 10)
    more = {"codes": True} if job.codes else {}
    config = file.config_for(capability, job.dim, **more)
    config = file.Config(*job.config) if job.config else config
    width = max(16, triton.next_power_of_2(job.dim))
    constants = {"D": job.dim, "WIDTH": width}
    constants |= {"TILE_Q": config.queries, "TILE_K": config.keys}
    strides = ["q_batch", "q_token", "q_head", "k_batch"]
    types = {"q": own, "k_pool": own, "table": "*i32", "tokens": "i32", "scale": "fp32"}
    if file is head_attention:
        constants |= {"TILES": config.tiles, "FORMAT": job.format}
        fn = head_attention._attend
        strides = [*strides, "v_batch", "scales_batch"]
        types |= {"k_pool": job.stored, "v_pool": job.stored, "out": own}
        types |= dict.fromkeys(("k_scales", "v_scales"), "*bf16" if job.codes else own)
    else:
        fn, strides = attention_mass._sum_frame, [*strides, "k_row"]
        types |= {"out": "*fp32", "queries": "i32", "batch": "i32"}
    aligned = {"q", "k_pool", "v_pool", "out", "table"}
    aligned |= set() if job.dim % 16 else set(strides)
    return fn, types | dict.fromkeys(strides, "i32"), aligned, constants, list(config)
