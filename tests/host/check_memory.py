"""Weights that are streamed, what the host is asked to keep free, and what is refused."""
# ruff: noqa: I001, T201

import json
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent))
from in_host import ours, theirs
from check_sampling import by_host, difference, lora_file, request

import comfy.lora
import comfy.model_management
import comfy.samplers
import comfy.sd
import comfy.utils
import torch
from comfy.ldm.wan.model import WanSelfAttention
from comfy.model_patcher import ModelPatcher
from comfy.patcher_extension import WrappersMP

from headforcing.headforcing_core.models.checkpoint import build_wan
from headforcing.headforcing_core.models import fingerprint
from headforcing.headforcing_core.models import Lora
from headforcing.headforcing_core.files.tensor_files import TensorDict
from headforcing.nodes.host.attention import patched
from headforcing.nodes.host.checks import check_model
from headforcing.nodes.host.fingerprint import name_of


# of a prompt; keys of so many are more than a frame asks for
ROWS = 512


class Streaming(ModelPatcher):
    """A model of which nothing fits: every weight is cast, and patched, as it is used."""

    def load(self, device_to=None, lowvram_model_memory=0, *rest, **options):
        return super().load(device_to, 1)


def adapted(model, path):
    weights = comfy.utils.load_torch_file(str(path))
    return comfy.sd.load_lora_for_models(model, None, weights, 0.7, 0.0)[0]


def streaming(found):
    """With a LoRA, in float32 and on fp8 weights, against our module with the LoRA merged."""
    path, late = lora_file(), 0

    def watch(done):
        nonlocal late
        linear = model.get_model_object("diffusion_model.blocks.0.self_attn.q")
        late += len(linear.weight_function)

    for name, dtype in (("float32", torch.float32), ("fp8", torch.float8_e4m3fn)):
        plain = theirs(dtype)
        plain.__class__ = Streaming
        model = adapted(plain, path)
        kept = {n: w.float() for n, w in plain.model.diffusion_model.state_dict().items()}
        merged = build_wan(TensorDict(kept), lora=Lora.open(path, 0.7))
        late = 0
        by_host(model, "rolling", frames=6, watch=watch)
        found[f"patched late {name}"] = late
        found[f"error streaming {name}"] = difference(model, merged)
        found[f"name streaming {name}"] = name_of(model) == fingerprint(merged.state_dict())


def reserved(found):
    """What the host is asked for, for a short and a long video."""
    model, asked = theirs(), []
    load = comfy.model_management.load_models_gpu

    def watched(models, memory_required=0, minimum_memory_required=None, **options):
        asked.append(minimum_memory_required)
        return load(models, memory_required, minimum_memory_required=minimum_memory_required)

    class Enough(Exception):
        pass

    def stop(done):
        raise Enough

    comfy.model_management.load_models_gpu = watched
    try:
        for frames in (60, 240):
            try:
                by_host(model, "head_forcing", watch=stop, rows=ROWS, frames=frames)
            except Enough:
                pass
    finally:
        comfy.model_management.load_models_gpu = load
    size = [1, 16, 3, 6, 8]
    plan = request("head_forcing").plan(ours())
    found["asked"] = asked
    config = ours().config
    text = 2 * config.layers * ROWS * config.dim * torch.float32.itemsize
    found["needed"] = plan.bytes + text + model.memory_required(size)
    found["a frame"] = model.memory_required([*size[:2], 1, *size[3:]])
    found["whole video"] = model.memory_required([*size[:2], 240, *size[3:]])


def newer_call(found):
    """Newer hosts' blocks hand a cache of their own to self-attention, by name."""
    model = patched(theirs())
    model.patch_model()
    module = model.get_model_object("diffusion_model.blocks.0.self_attn")
    x, freqs = torch.randn(1, 4, 256), torch.eye(2).expand(1, 4, 1, 64, 2, 2)
    seen = []

    class Newer(WanSelfAttention):
        def forward(self, x, freqs, kv_cache=None, transformer_options=None):
            seen.append((kv_cache, transformer_options))
            return x

    module.__class__ = Newer
    module.forward(x, freqs, kv_cache="theirs", transformer_options={"a": 1})
    module.forward(x, freqs)
    found["newer call"] = seen == [("theirs", {"a": 1}), (None, {})]
    model.unpatch_model()


def own_attention(found):
    """An attention that the user has chosen for the model is what heads are read by."""
    plain, asked = theirs(), theirs()
    heads = []

    def override(func, q, k, v, *rest, **options):
        if options.get("skip_reshape"):
            heads.append(q.shape[1])
        return func(q, k, v, *rest, **options)

    asked.model_options["transformer_options"]["optimized_attention_override"] = override
    one, other = (by_host(model, "head_forcing", frames=12) for model in (plain, asked))
    found["asked heads"] = sum(heads)
    found["error asked"] = float((one - other).abs().max())


def text_once(found):
    """Keys of a prompt are computed once for all steps, unless others attend to it their way."""
    for name in ("kept", "patched by others"):
        model, calls = theirs(), 0
        module = model.get_model_object("diffusion_model.blocks.0.cross_attn")
        project = type(module.k).forward

        def counted(self, x, project=project, k=module.k):
            nonlocal calls
            calls += self is k
            return project(self, x)

        if name != "kept":
            own = module.forward
            model.add_object_patch(
                "diffusion_model.blocks.0.cross_attn.forward", lambda *a, own=own, **o: own(*a, **o)
            )
        type(module.k).forward = counted
        try:
            by_host(model, "rolling", frames=45)
        finally:
            type(module.k).forward = project
        found[f"text projected, {name}"] = calls


def refused(change):
    model = theirs()
    change(model)
    try:
        check_model(model)
    except ValueError as error:
        return str(error)
    return ""


def refusals(found):
    def cached(model):
        model.add_wrapper_with_key(WrappersMP.PREDICT_NOISE, "easycache", lambda run, *a: run(*a))

    def wrapped(model):
        model.set_model_unet_function_wrapper(lambda run, args: run(args["input"]))

    def replaced(model):
        model.add_object_patch("diffusion_model.forward_orig", lambda *a, **k: None)

    def attending(model):
        model.add_object_patch("diffusion_model.blocks.1.self_attn.forward", lambda *a, **k: None)

    def crossing(model):
        model.add_object_patch("diffusion_model.blocks.1.cross_attn.forward", lambda *a: None)

    def image_to_video(model):
        model.model.diffusion_model.model_type = "i2v"

    def guided(model):
        model.set_model_sampler_post_cfg_function(lambda args: args["denoised"])

    changes = (cached, wrapped, replaced, attending, crossing, image_to_video, guided)
    found["refused"] = {change.__name__: refused(change) for change in changes}


def main():
    found = {}
    streaming(found)
    reserved(found)
    newer_call(found)
    own_attention(found)
    text_once(found)
    refusals(found)
    print("FOUND", json.dumps(found))


if __name__ == "__main__":
    main()
