"""How the pack reaches a ComfyUI model's self-attention, without changing the model.

A clone of the model's patcher gets an object patch for every block's ``self_attn.forward``, and a
wrapper around the whole forward. Both do nothing but what the host does while no run of ours is
in the transformer options, so plain samplers work with a patched model.
"""

from __future__ import annotations

from functools import partial
from typing import Any

import comfy.ldm.common_dit
import torch
from comfy.model_patcher import ModelPatcher
from comfy.patcher_extension import WrappersMP
from torch import Tensor, nn

from ..headforcing_core.backbone import Attend
from .host_checks import check_model

KEY = "head_forcing"
BLOCKS = "diffusion_model.blocks"


class Run:
    """What one sampling run hands to the model's forward: who attends, and at what time.

    It lies in the transformer options, which the host merges and copies; this stays one object.
    """

    def __init__(self) -> None:
        self.attend: Attend | None = None
        self.timestep = 0.0

    def __deepcopy__(self, memo: dict) -> Run:
        return self


def patched(model: ModelPatcher) -> ModelPatcher:
    """Return a clone of a model whose self-attention a run can take over.

    Raises:
        ValueError: if no rollout can be made with it.
    """
    check_model(model)
    clone = model.clone()
    for index in range(len(clone.get_model_object(BLOCKS))):
        name = f"{BLOCKS}.{index}.self_attn"
        module = clone.get_model_object(name)
        # bound to the module, index told: old hosts do not say which block calls
        clone.add_object_patch(f"{name}.forward", partial(_self_attention, module, index=index))
    clone.add_wrapper_with_key(WrappersMP.DIFFUSION_MODEL, KEY, _forward)
    return clone


def _self_attention(
    module: nn.Module,
    x: Tensor,
    freqs: Any,
    transformer_options: dict[str, Any] | None = None,
    *rest: Any,
    index: int,
    **options: Any,
) -> Tensor:
    run = (transformer_options or {}).get(KEY)
    if run is None:
        options["transformer_options"] = transformer_options or {}
        return type(module).forward(module, x, freqs, *rest, **options)
    shape = (*x.shape[:2], module.num_heads, module.head_dim)
    # the children themselves: they cast, stream and add LoRAs
    q, k = module.norm_q(module.q(x)).view(shape), module.norm_k(module.k(x)).view(shape)
    return module.o(run.attend(index, q, k, module.v(x).view(shape)).flatten(2))


def _forward(
    executor: Any, x: Tensor, timestep: Tensor, context: Tensor, *rest, **options
) -> Tensor:
    given = [*rest]
    known = options.get("transformer_options") or (given[2] if len(given) > 2 else {})
    run = known.get(KEY)
    if run is None:
        return executor(x, timestep, context, *rest, **options)
    network, (frames, rows, columns) = executor.class_obj, x.shape[2:]
    padded = comfy.ldm.common_dit.pad_to_patch_size(x, network.patch_size)
    # positions are the run's: what the host would compute here is not looked at
    out = network.forward_orig(
        padded,
        torch.full_like(timestep, run.timestep, dtype=torch.float32),
        context,
        freqs=None,
        transformer_options=known,
    )
    return out[:, :, :frames, :rows, :columns]
