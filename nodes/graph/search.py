"""Words under which a node is found."""

from __future__ import annotations

from dataclasses import fields

from comfy_api.latest import io


def aliases(*words: str) -> dict[str, list[str]]:
    """Return what a schema takes for other names of its node; nothing before ComfyUI 0.11."""
    known = {field.name for field in fields(io.Schema)}
    return {"search_aliases": list(words)} if "search_aliases" in known else {}
