"""Widgets of two ranks: those in view, and those that a page folds until they are asked for."""

from __future__ import annotations

from inspect import signature

from comfy_api.latest import io


def folded(kind: type[io.Input]) -> dict[str, bool]:
    """Return what an input of a kind takes to be folded; nothing where the host cannot be told."""
    return {"advanced": True} if "advanced" in signature(kind).parameters else {}
