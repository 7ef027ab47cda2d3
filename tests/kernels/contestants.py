"""Ways to compute the attention of heads over parts of a pool, for comparison.

Each function makes ready what may be made once, and returns what is to be timed. For those that are
not ours a batch is one video, and heads lie one after the other without gaps.
"""

from collections.abc import Callable, Sequence
from functools import partial
from importlib.util import find_spec

import pack  # noqa: F401  loads the pack from this checkout
import torch
from torch import Tensor
from torch.nn.functional import scaled_dot_product_attention

from headforcing.kernels import Impl, Span, encoded, head_attention, span_table

Attend = Callable[[], Tensor]
CODES = {"int8": torch.int8, "fp8": torch.float8_e4m3fn}


def ragged(
    q: Tensor, k_pool: Tensor, v_pool: Tensor, spans: Sequence[Span]
) -> dict[str, Callable[[], Attend]]:
    """Return everything that can do heads of different lengths."""
    table = span_table(spans, q.device)
    shortest = torch.cat([table[:2], table[2:].flip(1)])
    ours, call = partial(partial, head_attention), (q, k_pool, v_pool, spans)
    return {
        "triton": partial(ours, *call, table=table, impl=Impl.TRITON),
        "triton, shortest head first": partial(ours, *call, table=shortest, impl=Impl.TRITON),
        **{f"triton, {name}": partial(coded, *call, name, Impl.TRITON) for name in CODES},
        "grouped SDPA": partial(ours, *call, table=table, impl=Impl.SDPA),
        **{f"grouped SDPA, {name}": partial(coded, *call, name, Impl.SDPA) for name in CODES},
        "torch varlen": partial(ours, *call, table=table, impl=Impl.VARLEN),
        "flash-attn varlen": partial(flash_attn, *call),
        "FlexAttention": partial(flex, *call),
    }


def coded(
    q: Tensor, k_pool: Tensor, v_pool: Tensor, spans: Sequence[Span], name: str, impl: Impl
) -> Attend:
    """Ours, the pools in eight bits; a cache is encoded as it is written, which is not timed."""
    k, k_scales = encoded(k_pool, CODES[name], turns=True)
    v, v_scales = encoded(v_pool, CODES[name], turns=False)
    how = {"scales": (k_scales, v_scales), "table": span_table(spans, q.device), "impl": impl}
    return partial(head_attention, q, k, v, spans, **how)


def dense(q: Tensor, k_pool: Tensor, v_pool: Tensor) -> Attend:
    """One call of SDPA, all heads of one length: what there is without a method."""
    heads, dim = q.shape[2:]
    k, v = (pool.view(1, heads, -1, dim) for pool in (k_pool, v_pool))
    return lambda: scaled_dot_product_attention(q.transpose(1, 2), k, v).transpose(1, 2)


def flash_attn(q: Tensor, k_pool: Tensor, v_pool: Tensor, spans: Sequence[Span]) -> Attend:
    """The package flash-attn, heads as sequences in the order they lie."""
    if not q.is_cuda or find_spec("flash_attn") is None:
        raise RuntimeError("needs a GPU and the package flash-attn")
    from flash_attn import flash_attn_varlen_func

    _, queries, heads, _ = q.shape
    ends = torch.tensor([0, *(start + n for start, n in spans)], dtype=torch.int32).cuda()
    at = torch.arange(heads + 1, dtype=torch.int32, device="cuda") * queries
    k, v, most = k_pool[0, :, None], v_pool[0, :, None], max(n for _, n in spans)

    def run() -> Tensor:
        folded = q[0].transpose(0, 1).reshape(heads * queries, 1, -1)
        out = flash_attn_varlen_func(folded, k, v, at, ends, queries, most)
        return out.view(1, heads, queries, -1).transpose(1, 2)

    return run


def flex(q: Tensor, k_pool: Tensor, v_pool: Tensor, spans: Sequence[Span]) -> Attend:
    """FlexAttention, compiled: heads one after the other in one sequence, and a mask of blocks."""
    from torch.nn.attention.flex_attention import create_block_mask, flex_attention

    _, queries, heads, _ = q.shape
    every = torch.arange(heads, device=q.device)
    of_key = every.repeat_interleave(torch.tensor([n for _, n in spans], device=q.device))
    of_query = every.repeat_interleave(queries)
    size = (None, None, heads * queries, len(of_key))
    # compiled, or every pair of a query and a key is written down
    make_mask = torch.compile(create_block_mask)
    mask = make_mask(lambda b, h, i, j: of_query[i] == of_key[j], *size, device=q.device)
    attend = torch.compile(flex_attention, dynamic=False)

    def run() -> Tensor:
        folded = q[0].transpose(0, 1).reshape(1, 1, heads * queries, -1)
        out = attend(folded, k_pool[:, None], v_pool[:, None], block_mask=mask)
        return out.view(1, heads, queries, -1).transpose(1, 2)

    return run
