"""Our plain Wan model against ComfyUI's own, on the same weights."""

import subprocess

import pytest
from comfy_host import HOST, ROOT, host_python, needs_host

pytestmark = needs_host

COMPARE = """
import sys
tests, host, rows, columns = sys.argv[1], sys.argv[2], int(sys.argv[3]), int(sys.argv[4])
sys.argv = ["main.py", "--cpu"]
sys.path[:0] = [host, tests]
import comfy.options
comfy.options.enable_args_parsing()
import comfy.ops, pack, torch
from comfy.ldm.wan.model import WanModel as HostModel
from headforcing.headforcing_core import (CacheBank, Chunk, HeadAttention, PositionRule,
    Rope, WanConfig, HeadPolicy)
from plans import plan_of
from headforcing.headforcing_core.models.checkpoint import build_wan
from random_model import random_weights
from headforcing.headforcing_core.files.tensor_files import TensorDict

sizes = dict(dim=256, ffn_dim=512, freq_dim=256, text_dim=64, in_dim=16, out_dim=16)
config = WanConfig(**sizes, heads=2, layers=3, patch=(1, 2, 2), eps=1e-6)
weights = random_weights(config)
ours = build_wan(TensorDict(weights))
theirs = HostModel(model_type="t2v", **sizes, num_heads=2, num_layers=3, device="cpu",
    dtype=torch.float32, operations=comfy.ops.disable_weight_init)
theirs.load_state_dict(weights)
torch.manual_seed(0)
latent, text, t = torch.randn(2, 16, 3, rows, columns), torch.randn(2, 10, 64), 833.333313
chunk = Chunk(0, 0, 3)
rope = Rope(config.geometry.head_dim, config.grid(rows, columns))
plan = plan_of(config.geometry, rope, HeadPolicy(0, 0), PositionRule.ABSOLUTE, 3, 21, batch=2)
attend = HeadAttention(CacheBank(plan).open(chunk))
with torch.no_grad():
    a = ours(latent, torch.full((2, 3), t), ours.prepare_text(text), attend)
    b = theirs(latent, torch.full((2,), t), text)
print((a - b).abs().max().item(), b.std().item())
"""


@pytest.mark.parametrize(("rows", "columns"), [(8, 6), (7, 5)])
def test_one_chunk_is_what_comfyui_computes(rows, columns):
    """An odd size too: both wrap the picture around to fill the last patches."""
    done = subprocess.run(
        [host_python(), "-c", COMPARE, str(ROOT / "tests"), str(HOST), str(rows), str(columns)],
        cwd=HOST,
        capture_output=True,
        text=True,
        timeout=300,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    error, size = map(float, done.stdout.split()[-2:])
    assert size > 0.5
    assert error < 1e-4
