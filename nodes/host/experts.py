"""The second model of a file that holds two: it makes what is remembered."""

from __future__ import annotations

from collections.abc import Callable

from comfy.model_patcher import ModelPatcher

_SECOND = "head_forcing_second"


def note_second(model: ModelPatcher, second: ModelPatcher) -> None:
    """Note on a model of one's own the one that makes its calls on clean latents.

    It is no additional model of the host's: a plain sampler, which never calls it, would load it.
    """
    model.set_attachments(_SECOND, second)


def second_of(model: ModelPatcher) -> ModelPatcher | None:
    """Return the second model that a model brings; what is put on the first does not reach it."""
    return model.attachments.get(_SECOND)


def with_second(
    model: ModelPatcher, change: Callable[[ModelPatcher], ModelPatcher]
) -> ModelPatcher:
    """Change the second model of a model of one's own, if it has one."""
    second = second_of(model)
    if second is not None:
        note_second(model, change(second))
    return model


def model_bytes(model: ModelPatcher) -> int:
    """Return the bytes of a model's weights, and of its second's."""
    second = second_of(model)
    return model.model_size() + (0 if second is None else second.model_size())
