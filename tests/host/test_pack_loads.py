"""The pack in a real ComfyUI."""

import os
import shutil
import subprocess
from pathlib import Path

import pytest
from comfy_host import HOST, ROOT, host_python, needs_host

pytestmark = needs_host


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
