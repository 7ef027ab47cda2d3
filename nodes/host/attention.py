"""How the pack reaches a ComfyUI model's attention, without changing the model.

A clone of the model's patcher gets an object patch for the attention of every block, and a wrapper
around the whole forward. They do nothing but what the host does while no run of ours is in the
transformer options, so plain samplers work with a patched model.
"""

from __future__ import annotations

import logging
from collections.abc import Sequence
from contextlib import nullcontext
from functools import partial
from typing import Any

import comfy.ldm.common_dit
import comfy.ldm.wan.model as host_wan
import torch
from comfy.model_patcher import ModelPatcher
from comfy.patcher_extension import WrappersMP
from torch import Tensor, nn

from ...headforcing_core.device import send
from ...headforcing_core.models import Attend
from .checks import check_model, has_own_forward
from .experts import with_second
from .users_attention import preference

try:
    from comfy.model_prefetch import pause_malloc_graph as outside_blocks
except ImportError:
    outside_blocks = nullcontext

log = logging.getLogger("headforcing")
KEY = "head_forcing"
BLOCKS = "diffusion_model.blocks"


class Run:
    """What one sampling run hands to the model's forward: who attends, at what time, to what text.

    It lies in the transformer options, which the host merges and copies; this stays one object.
    ``text`` holds keys and values of the prompt by attention, which no step of a video changes.
    """

    def __init__(self) -> None:
        self.attend: Attend | None = None
        self.timesteps: Sequence[float] = ()
        self.prompt: str | None = None
        self.text: dict[nn.Module, tuple[Tensor, Tensor]] = {}

    def call(self, attend: Attend, timesteps: Sequence[float], prompt: str) -> None:
        """Say what the next call of the model does.

        Args:
            timesteps: one for all frames, or one for each.
        """
        if prompt != self.prompt:
            self.text.clear()
        self.attend, self.timesteps, self.prompt = attend, timesteps, prompt

    @torch.compiler.disable  # it would be a graph of its own
    def told(self, timestep: Tensor) -> Tensor:
        """Return what the model is told in place of the host's ``[B]``: ``[B]`` or ``[B, F]``."""
        if len(self.timesteps) == 1:
            return torch.full_like(timestep, self.timesteps[0], dtype=torch.float32)
        told = send(torch.tensor(self.timesteps, dtype=torch.float32), timestep.device)
        return told.expand(len(timestep), -1)

    def forget_text(self) -> None:
        """Names of prompts mean others from now on."""
        self.prompt = None
        self.text.clear()

    def end(self) -> None:
        self.attend = None
        self.text.clear()

    def __deepcopy__(self, memo: dict) -> Run:
        return self


def patched(model: ModelPatcher) -> ModelPatcher:
    """Return a clone of a model whose self-attention a run can take over, and of its second one.

    Raises:
        ValueError: if no rollout can be made with it.
    """
    return with_second(_patched(model), _patched)


def _patched(model: ModelPatcher) -> ModelPatcher:
    check_model(model)
    clone = model.clone()
    _on_one_gpu(clone)
    # A compiler, if the user put one on the model, does the rest of it. In here it would make a
    # version for every layer and chunk, and believe that transformer options never change.
    attend, cross = (torch.compiler.disable(f) for f in (_self_attention, _cross_attention))
    for index in range(len(clone.get_model_object(BLOCKS))):
        name = f"{BLOCKS}.{index}.self_attn"
        module = clone.get_model_object(name)
        # bound to the module, index told: old hosts do not say which block calls
        clone.add_object_patch(f"{name}.forward", partial(attend, module, index=index))
        name = f"{BLOCKS}.{index}.cross_attn"
        module = clone.get_model_object(name)
        # what others have put there stays, and computes keys of the text in every step
        taken = f"{name}.forward" in clone.object_patches or not has_own_forward(module)
        if type(module) is host_wan.WanT2VCrossAttention and not taken:
            clone.add_object_patch(f"{name}.forward", partial(cross, module))
    forward = torch.compiler.disable(_forward, recursive=False)
    clone.add_wrapper_with_key(WrappersMP.DIFFUSION_MODEL, KEY, forward)
    return clone


def check_patched(clone: ModelPatcher) -> None:
    """Refuse a model that was loaded without what ``patched`` has put on it.

    Raises:
        RuntimeError: if so; its calls would remember nothing.
    """
    name = f"{BLOCKS}.0.self_attn"
    module = clone.model.get_submodule(name)
    if module.forward is not clone.object_patches[f"{name}.forward"]:
        raise RuntimeError(
            "the host must load a model with its patches, got one without them after a prompt was "
            "encoded; what is finished is kept: queue it again"
        )


def _on_one_gpu(clone: ModelPatcher) -> None:
    """Take away the copies that the host would share the guided half of a batch with: none is."""
    if clone.additional_models.pop("multigpu", None):
        log.info("Head Forcing: one GPU is used, a rollout has no guided half for others")
    for name in ("multigpu_clones", "multigpu_options"):
        clone.model_options.pop(name, None)


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
    v = module.v(x).view(shape)
    # newest hosts record what a block allocates and give it all away at its end; pasts stay
    with outside_blocks():
        read = run.attend(index, q, k, v)
    return module.o(read.flatten(2))


def _cross_attention(
    module: nn.Module,
    x: Tensor,
    context: Tensor,
    transformer_options: dict[str, Any] | None = None,
    **options: Any,
) -> Tensor:
    known = transformer_options or {}
    run = known.get(KEY)
    if run is None:
        return type(module).forward(module, x, context, transformer_options=known, **options)
    if module not in run.text:
        with outside_blocks():  # they outlive the block, too
            run.text[module] = (module.norm_k(module.k(context)), module.v(context))
    q, (k, v) = module.norm_q(module.q(x)), run.text[module]
    read = host_wan.optimized_attention(
        *(q, k, v), heads=module.num_heads, transformer_options=known, **preference(module)
    )
    return module.o(read)


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
        run.told(timestep),
        context,
        freqs=None,
        transformer_options=known,
    )
    return out[:, :, :frames, :rows, :columns]
