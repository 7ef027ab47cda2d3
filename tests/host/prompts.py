"""Prompts of the demo model in the host's API form, and what became of them."""

from safetensors.torch import load_file

RED = "a red ball and a blue square moving slowly on striped olive"
NOW = {"family": "auto", "steps": "", "shift": 0.0}


def node(kind, **inputs):
    return {"class_type": kind, "inputs": inputs}


def demo(seed=0, seconds=3.0, method=None, prefix="latents/x", **sampler):
    """A prompt that samples the demo model and saves the latent."""
    inputs = {"model": ["1", 0], "prompts": ["2", 0], "seed": seed, "seconds": seconds}
    inputs |= {"width": 64, "height": 64, **NOW}
    prompt = {
        "1": node("HeadForcingLoadDemo"),
        "2": node("CLIPTextEncode", clip=["1", 1], text=RED),
        "3": node("HeadForcingSampler", **(inputs | sampler)),
        "4": node("SaveLatent", samples=["3", 0], filename_prefix=prefix),
    }
    if method:
        prompt["5"] = node("HeadForcingCacheMethod", method=method)
        prompt["3"]["inputs"]["method"] = ["5", 0]
    return prompt


def latents(host, pattern):
    files = sorted((host.base / "output").rglob(pattern))
    return [load_file(path)["latent_tensor"] for path in files]


def only(host, pattern):
    (latent,) = latents(host, pattern)
    return latent


def with_defaults(host, kind, **given):
    """A node whose widgets are as the page would set them."""
    filled = {}
    for name, spec in host.info[kind]["input"].get("required", {}).items():
        about = spec[1] if len(spec) > 1 else {}
        options = spec[0] if isinstance(spec[0], list) else about.get("options")
        if "default" in about:
            filled[name] = about["default"]
        elif options:
            filled[name] = options[0]
    return node(kind, **(filled | given))
