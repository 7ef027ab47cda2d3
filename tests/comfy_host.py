"""Where a real ComfyUI is, for the tests that need one."""

import os
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
PLACES = [  # named, around this folder, in its usual place
    os.environ.get("COMFYUI_PATH"),
    ROOT.parents[1] if ROOT.parent.name == "custom_nodes" else None,
    Path.home() / "comfy" / "ComfyUI",
]
HOST = next((Path(p) for p in PLACES if p and (Path(p) / "main.py").is_file()), None)

# another page than the host's own: the folder "static" of a comfyui-frontend-package
PAGE = os.environ.get("COMFYUI_PAGE")
# on a graphics card where COMFYUI_GPU says so; what is compared with the CPU then need not hold
CPU = () if os.environ.get("COMFYUI_GPU") else ("--cpu",)
# how pages draw the graph: on a canvas, or as elements (Nodes 2.0)
RENDERERS = ("canvas", "elements")

needs_host = [
    pytest.mark.host,
    pytest.mark.skipif(HOST is None, reason="no ComfyUI at COMFYUI_PATH or ~/comfy/ComfyUI"),
]


def host_python() -> str:
    named = os.environ.get("COMFYUI_PYTHON")
    beside = [HOST / "venv/bin/python", HOST.parent / "venv/bin/python"]
    return named or next((str(p) for p in beside if p.is_file()), sys.executable)
