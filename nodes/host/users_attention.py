"""Which attention a user has asked the host for, and how it is called."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import comfy.ldm.wan.model as host_wan
from comfy.cli_args import args
from comfy.ldm.modules import attention as host_attention
from torch import Tensor, nn

from ...headforcing_core.attention import Dense

# how a user tells the host to attend in a way of its own, instead of as it would by itself
ASKED = (
    *("use_sage_attention", "use_flash_attention", "use_ck_attention"),
    *("use_split_cross_attention", "use_quad_cross_attention"),
)
OVERRIDE = "optimized_attention_override"
# what the host takes by itself; anything else in its place was put there by somebody
BY_ITSELF = ("basic", "split", "sub_quad", "xformers", "pytorch")


def chosen_attention(network: nn.Module, transformer_options: dict[str, Any]) -> Dense | None:
    """Return the host's attention if the user has asked for one, None if any will do.

    Asking is a flag on the command line, a node that overrides attention for this model, a pack
    that has replaced the function, or a checkpoint that brings a way of its own.
    """
    wished = next((w for b in network.blocks if (w := preference(b.self_attn))), {})
    flagged = any(getattr(args, name, False) for name in ASKED)
    if not (flagged or wished or OVERRIDE in transformer_options or _replaced()):
        return None

    def attend(q: Tensor, k: Tensor, v: Tensor) -> Tensor:
        read = host_wan.optimized_attention(
            *(q, k, v),
            heads=q.shape[1],
            skip_reshape=True,
            transformer_options=transformer_options,
            **wished,
        )
        return read.unflatten(2, (q.shape[1], -1))

    return attend


def preference(module: nn.Module) -> Mapping[str, Any]:
    """Return what newer hosts' attention is told of the way that a checkpoint brings for a module.

    They keep it beside the weights as ``comfy_attention``, whose ``function`` is None if there is
    no such way.
    """
    brought = getattr(module, "comfy_attention", None)
    known = getattr(brought, "function", None) is not None
    return {"preferred_attention": brought} if known else {}


def _replaced() -> bool:
    own = (getattr(host_attention, f"attention_{name}", None) for name in BY_ITSELF)
    return all(host_wan.optimized_attention is not function for function in own)
