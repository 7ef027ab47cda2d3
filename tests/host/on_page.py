"""What tests in the host's page share: whether there is one, and what scripts find on it."""

import os
import shutil
import subprocess

import pytest
from comfy_host import HOST, RENDERERS, ROOT, host_python, needs_host
from host_script import found_by

WORKFLOW = ROOT / "workflows" / "demo_without_downloads.json"
BROWSERS = ("chromium", "chromium-browser", "google-chrome")
# all with COMFYUI_RENDERERS=all, which make test-hosts sets: a renderer takes a minute and a half
CHOSEN = RENDERERS if os.environ.get("COMFYUI_RENDERERS") == "all" else RENDERERS[:1]


def _missing():
    if HOST is None:
        return "no ComfyUI"
    if not any(map(shutil.which, BROWSERS)):
        return "no Chromium"
    known = subprocess.run([host_python(), "-c", "import playwright"], capture_output=True)
    return known.returncode and "the host's python has no playwright"


MISSING = _missing()
needs_page = [*needs_host, pytest.mark.skipif(bool(MISSING), reason=f"no page: {MISSING}")]


def seen_by(script, *arguments, after=()):
    """A fixture: what a check script found, once in each of the chosen renderers.

    Args:
        arguments: of the script, behind the host's address; ``after``: behind the renderer.
    """

    @pytest.fixture(scope="module", params=CHOSEN)
    def seen(request, host, tmp_path_factory):
        folder, url = tmp_path_factory.mktemp(request.param), f"http://127.0.0.1:{host.port}"
        found = found_by(script, url, *arguments, folder, request.param, *after)
        return {**found, "folder": folder, "asked": request.param}

    return seen
