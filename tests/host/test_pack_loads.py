"""The pack in a real ComfyUI."""

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
PLACES = [  # where a host may be: named, around this folder, in its usual place
    os.environ.get("COMFYUI_PATH"),
    ROOT.parents[1] if ROOT.parent.name == "custom_nodes" else None,
    Path.home() / "comfy" / "ComfyUI",
]
HOST = next((Path(p) for p in PLACES if p and (Path(p) / "main.py").is_file()), None)

pytestmark = [
    pytest.mark.host,
    pytest.mark.skipif(HOST is None, reason="no ComfyUI at COMFYUI_PATH or ~/comfy/ComfyUI"),
]


def host_python() -> str:
    named = os.environ.get("COMFYUI_PYTHON")
    beside = [HOST / "venv/bin/python", HOST.parent / "venv/bin/python"]
    return named or next((str(p) for p in beside if p.is_file()), sys.executable)


@pytest.fixture
def base(tmp_path):
    """A ComfyUI base folder whose only custom node is a copy of this pack."""
    pack = tmp_path / "custom_nodes" / "a pack of any name"
    skip = shutil.ignore_patterns(".*", "__pycache__", "*.egg-info", "golden", "demo_out")
    shutil.copytree(ROOT, pack, ignore=skip)
    return tmp_path


def start(base: Path) -> str:
    done = subprocess.run(
        [
            *(host_python(), "main.py", "--cpu", "--quick-test-for-ci", "--disable-api-nodes"),
            *("--base-directory", base, "--database-url", "sqlite:///:memory:"),
        ],
        cwd=HOST,
        capture_output=True,
        text=True,
        timeout=300,
        env={**os.environ, "OMP_NUM_THREADS": "1", "HF_HUB_OFFLINE": "1"},
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return done.stdout + done.stderr


def test_comfyui_loads_the_folder(base):
    log = start(base)
    assert "a pack of any name" in log  # it is in the list of import times
    assert "IMPORT FAILED" not in log
    assert "Error while calling comfy_entrypoint" not in log


def test_a_pack_that_fails_is_seen(base):
    (base / "custom_nodes" / "a pack of any name" / "nodes" / "__init__.py").write_text("1 / 0")
    assert "Error while calling comfy_entrypoint" in start(base)
