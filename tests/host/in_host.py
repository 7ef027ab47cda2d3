"""What host tests share; runs in the host's own python, with its modules at hand."""

import sys
from dataclasses import replace

HOST = sys.argv[1]
sys.path[:0] = [HOST, str(__import__("pathlib").Path(__file__).parents[1])]
from comfy_host import CPU  # noqa: E402

sys.argv = ["main.py", *CPU]
import comfy.options  # noqa: E402

comfy.options.enable_args_parsing()
import comfy.sd  # noqa: E402
import pack  # noqa: E402, F401
import torch  # noqa: E402

# what is compared is compared in float32: on a graphics card, too
torch.backends.cudnn.allow_tf32 = False
from random_model import TINY, random_weights  # noqa: E402

from headforcing.headforcing_core import PromptSchedule  # noqa: E402
from headforcing.headforcing_core.files.tensor_files import TensorDict  # noqa: E402
from headforcing.headforcing_core.models import family_named  # noqa: E402
from headforcing.headforcing_core.models.checkpoint import build_wan  # noqa: E402

# what the host's loader takes for granted: 128 channels per head, texts of 4096
CONFIG = replace(TINY, dim=256, ffn_dim=512, freq_dim=256, text_dim=4096, heads=2, layers=3)
WEIGHTS = random_weights(CONFIG)
FAMILY = family_named("self_forcing")
SIZE = (6, 8)


def ours():
    """The random model as our own module."""
    return build_wan(TensorDict(WEIGHTS))


def theirs(dtype=torch.float32, weights=WEIGHTS):
    """The same as the host loads it."""
    options = {"dtype": dtype}
    weights = {name: weight.clone() for name, weight in weights.items()}
    return comfy.sd.load_diffusion_model_state_dict(weights, model_options=options)


def texts(count, rows=12):
    rng = torch.Generator().manual_seed(5)
    return [torch.randn(1, rows, CONFIG.text_dim, generator=rng) for _ in range(count)]


def conditioning(embeddings):
    """Prompts as the host's nodes hand them on."""
    return {f"p{n}": [[text, {}]] for n, text in enumerate(embeddings)}


def schedule(starts, of):
    return PromptSchedule(tuple(starts), tuple(of))
