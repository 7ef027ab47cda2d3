"""What becomes of runs of the sampler in a ComfyUI that runs."""

import shutil
import time

import pytest
from comfy_host import needs_host
from live_host import errors_of
from prompts import NOW, RED, demo, latents, node, only

pytestmark = needs_host


def test_a_longer_video_begins_the_same_and_another_seed_does_not(host):
    host.run(demo(prefix="same/a"))
    host.run(demo(seed=5, prefix="same/b"))
    host.run(demo(seconds=3.75, prefix="same/c"))
    a, b, c = (only(host, f"{name}_*.latent") for name in "abc")
    assert a.shape[2] == 12 and c.shape[2] == 15
    assert (a - c[:, :, :12]).abs().max() < 1e-4 < (a - b).abs().max()


def interrupted(host, prompt, after):
    """Interrupt a prompt once the log says ``after``."""
    before, prompt_id = len(host.said()), host.queue(prompt)
    deadline = time.monotonic() + 60
    while after not in host.said()[before:]:
        assert time.monotonic() < deadline
        time.sleep(0.05)
    host.post("/interrupt", {})
    done = host.wait(prompt_id)
    assert any(kind == "execution_interrupted" for kind, _ in done["status"]["messages"])


def kept(host):
    """The folders of runs that are not done, with the chunks in each."""
    folders = (host.base / "output" / "head_forcing_unfinished").glob("*")
    return {folder: len(list(folder.glob("latent_*.part"))) for folder in folders}


def test_an_interrupted_run_goes_on_where_it_was(host):
    """Queued again by itself; or by hand, in parts. All give what one run gives."""
    before = kept(host)
    interrupted(host, demo(seconds=120.0, seed=9, prefix="never/x"), "chunk 6 of 160")
    ((path, chunks),) = kept(host).items() - before.items()
    assert 6 <= chunks < 160 and f"{chunks} of 160 chunks; they are kept in {path}, " in host.said()

    said = len(host.said())
    host.run(demo(seconds=1.5, seed=10, prefix="on/other"))  # another video leaves it alone
    assert kept(host)[path] == chunks and "going on" not in host.said()[said:]

    # what there is of it at once, with fewer seconds: no chunk is made for it
    seconds, said = 0.75 * chunks, len(host.said())
    host.run(demo(seconds=seconds, seed=9, prefix="on/part"))
    assert f"going on after {chunks} chunks from {path}" in host.said()[said:]
    assert f"chunk {chunks} of" not in host.said()[said:]
    part = only(host, "on/part_*.latent")
    assert part.shape[2] == 3 * chunks
    (host.base / "input").mkdir(exist_ok=True)
    (saved,) = (host.base / "output" / "on").glob("part_*.latent")
    shutil.copy(saved, host.base / "input" / "begun.latent")

    said = len(host.said())
    host.run(demo(seconds=seconds + 1.5, seed=9, prefix="on/gone"))
    assert f"going on after {chunks} chunks from {path}" in host.said()[said:]
    assert f"chunk {chunks + 1} of {chunks + 2}" in host.said()[said:]
    # all has ended well: the next run clears it away
    by_hand = demo(seconds=seconds + 1.5, seed=9, prefix="on/hand", start=["6", 0])
    by_hand["6"] = node("LoadLatent", latent="begun.latent")
    host.run(by_hand)
    assert path not in kept(host)
    host.forget()
    said = len(host.said())
    host.run(demo(seconds=seconds + 1.5, seed=9, prefix="on/whole"))
    assert "going on" not in host.said()[said:]
    gone, hand, whole = (only(host, f"on/{name}_*.latent") for name in ("gone", "hand", "whole"))
    assert whole.shape[2] == part.shape[2] + 6
    assert gone.equal(whole) and part.equal(whole[:, :, : part.shape[2]])
    assert (hand - whole).abs().max() < 1e-3


def test_samplers_of_one_graph_do_not_mix(host):
    """Two of ours and a plain one on the same model, together and each by itself."""

    def graph(prefix, which):
        prompt = demo(seed=3, prefix=f"{prefix}/a", method="rolling")
        prompt["5b"] = node("HeadForcingCacheMethod", method="head_forcing:compact")
        inputs = prompt["3"]["inputs"] | {"method": ["5b", 0], "seed": 3}
        prompt["3b"] = node("HeadForcingSampler", **inputs)
        prompt["4b"] = node("SaveLatent", samples=["3b", 0], filename_prefix=f"{prefix}/b")
        prompt["6"] = node("EmptyHunyuanLatentVideo", width=64, height=64, length=9, batch_size=1)
        prompt["3c"] = node(
            "KSampler",
            **{"model": ["1", 0], "positive": ["2", 0], "negative": ["2", 0], "seed": 3},
            **{"latent_image": ["6", 0], "steps": 4, "cfg": 1.0, "denoise": 1.0},
            **{"sampler_name": "euler", "scheduler": "simple"},
        )
        prompt["4c"] = node("SaveLatent", samples=["3c", 0], filename_prefix=f"{prefix}/c")
        keep = {"1", "2", "5", "5b", "6", *(number + which for number in ("3", "4"))}
        return {name: part for name, part in prompt.items() if name in keep}

    together = graph("together", "") | graph("together", "b") | graph("together", "c")
    host.run(together)
    for which in ("", "b", "c"):
        host.forget()
        for folder in kept(host):
            shutil.rmtree(folder)
        host.run(graph(f"alone{which}", which))
    for name, which in (("a", ""), ("b", "b"), ("c", "c")):
        one = only(host, f"together/{name}_*.latent")
        other = only(host, f"alone{which}/{name}_*.latent")
        assert one.std() > 0.1 and one.equal(other), name
    a, b = (only(host, f"together/{name}_*.latent") for name in "ab")
    assert not a.equal(b)


def test_a_lora_loader_works_before_the_sampler(host):
    def prompt(prefix, strength):
        sized = demo(prefix=prefix, model=["8", 0], width=64, height=48, seconds=1.5)
        sized["7"] = node(
            "HeadForcingLoadARModel",
            **{"model_name": "self_forcing_dmd.pt", "weight_dtype": "fp32", "family": "auto"},
        )
        sized["8"] = node(
            "LoraLoaderModelOnly",
            **{"model": ["7", 0], "lora_name": "tiny_lora.safetensors"},
            strength_model=strength,
        )
        sized["1"] = node("StubClip", clip_name="x")
        sized["2"]["inputs"]["clip"] = ["1", 0]
        return sized

    for name, strength in (("off", 0.0), ("on", 1.0), ("again", 0.0)):
        host.run(prompt(f"lora/{name}", strength))
    off, on, again = (only(host, f"lora/{name}_*.latent") for name in ("off", "on", "again"))
    assert off.equal(again) and (on - off).abs().max() > 0.1


def test_a_latent_gives_the_size_and_a_scheduler_the_steps(host):
    size = node("EmptyHunyuanLatentVideo", width=64, height=64, length=33, batch_size=1)
    own = demo(prefix="as/own", seconds=2.25)
    linked = demo(prefix="as/linked", width=832, height=480, size=["6", 0], sigmas=["7", 0])
    linked["6"] = size
    linked["7"] = node("BasicScheduler", model=["1", 0], scheduler="simple", steps=4, denoise=1.0)
    host.run(own)
    host.run(linked)
    one, other = (only(host, f"as/{name}_*.latent") for name in ("own", "linked"))
    assert one.shape == other.shape and one.shape[2] == 9
    # the host's table of sigmas is not the original's to the last digit
    assert (one - other).abs().max() < 0.02 * one.std()


EMPTY = {"width": 64, "height": 64, "length": 9, "batch_size": 1}
REFUSED = {
    "size": ({"width": 72}, {}, "width and height must be 64 and 64 for the demo model"),
    "no number": ({"steps": "a few"}, {}, "steps must be whole numbers"),
    "noisier": ({"family": "longlive", "steps": "1000,1200"}, {}, "steps must descend"),
    "empty start": (
        {"start": ["6", 0]},
        {"6": node("EmptyHunyuanLatentVideo", **EMPTY)},
        "start must be the latent of pictures",
    ),
    "a picture as size": (
        {"size": ["6", 0]},
        {"6": node("HeadForcingSampler", model=["1", 0], prompts=["2", 0], seed=0,
                   seconds=0.75, width=64, height=64, **NOW)},
        "size must be empty, got one with a picture",
    ),
    "another kind of latent": (
        {"start": ["6", 0]},
        {"6": node("EmptyLatentImage", width=64, height=64, batch_size=1)},
        "start must be the latent of one video of this model",
    ),
    "half the way": (
        {"sigmas": ["6", 0]},
        {"6": node("BasicScheduler", model=["1", 0], scheduler="simple", steps=4, denoise=0.5)},
        "sigmas must descend from 1",
    ),
    "half of the levels": (
        {"sigmas": ["7", 0]},
        {"6": node("BasicScheduler", model=["1", 0], scheduler="simple", steps=4, denoise=1.0),
         "7": node("SplitSigmas", sigmas=["6", 0], step=2)},
        "sigmas must descend from 1 to 0, got [1.0, 0.9375, 0.8333]; a part",
    ),
    "another model's size": (
        {"size": ["6", 0]},
        {"6": node("EmptyLTXVLatentVideo", width=64, height=64, length=9, batch_size=1)},
        "size must be the empty latent of one video of this model, [1, 16, F, Y, X], got [1, 128, ",
    ),
    "another model's size without a time": (
        {"size": ["6", 0]},
        {"6": node("EmptyLatentImage", width=64, height=64, batch_size=1)},
        "size must be the empty latent of one video of this model, [1, 16, F, Y, X], got [1, ",
    ),
    "a start that is longer": (
        {"start": ["6", 0]},
        {"6": node("HeadForcingSampler", model=["1", 0], prompts=["2", 0], seed=0,
                   seconds=6.0, width=64, height=64, **NOW)},
        "must be longer than its start, which is part of it, got 3 s (12 latent frames) for a ",
    ),
    "a map and no method": (
        {"head_map": ["6", 0]},
        {"6": node("HeadForcingLoadHeadMap", file="published: pyramid_self_forcing.csv")},
        "head_map must come with a method that tells heads apart, got none",
    ),
    "another text encoder": (
        {"prompts": ["6", 0]},
        {"6": node("CLIPTextEncode", clip=["7", 0], text=RED),
         "7": node("StubClip", clip_name="x")},
        "a prompt must come from the model's own text encoder",
    ),
    "two prompts at once": (
        {"prompts": ["6", 0]},
        {"6": node("ConditioningCombine", conditioning_1=["2", 0], conditioning_2=["2", 0])},
        "a prompt must be one conditioning, got 2 combined",
    ),
    "an area": (
        {"prompts": ["6", 0]},
        {"6": node("ConditioningSetAreaPercentage", conditioning=["2", 0], width=0.5, height=0.5,
                   x=0.0, y=0.0, strength=1.0)},
        "a prompt must be words alone, got an area",
    ),
    "guidance": (
        {"model": ["6", 0]},
        {"6": node("RescaleCFG", model=["1", 0], multiplier=0.7)},
        "model must be sampled without guidance (CFG 1), got sampler_cfg_function",
    ),
    "a cache": (
        {"model": ["6", 0]},
        {"6": node("EasyCache", model=["1", 0], reuse_threshold=0.2, start_percent=0.15,
                   end_percent=0.95, verbose=False)},
        "model must run every step, got easycache",
    ),
    "other positions": (
        {"model": ["6", 0]},
        {"6": node("ScaleROPE", model=["1", 0], scale_x=1.0, shift_x=0.0, scale_y=1.0, shift_y=0.0,
                   scale_t=2.0, shift_t=0.0)},
        "model must have its own positions",
    ),
}  # fmt: skip


@pytest.mark.parametrize("case", REFUSED)
def test_what_cannot_be_sampled_is_one_sentence(host, case):
    changes, nodes, message = REFUSED[case]
    if any(n["class_type"] not in host.info for n in nodes.values()):
        pytest.skip("this host has no such node")
    prompt = demo(prefix="bad/x", **changes) | nodes
    done = host.wait(host.queue(prompt))
    (said,) = errors_of(done)
    assert message in said and said.strip().count("\n") == 0
    assert latents(host, "bad/*.latent") == []


@pytest.mark.parametrize("way", ["latent", "pictures"])
def test_a_short_video_leaves_what_a_longer_one_has_begun(host, way):
    """Also where the chunks of the short one go with its file."""
    more = {"vae": ["1", 2]} if way == "pictures" else {}

    def short(prefix, seconds=1.5, seed=77):
        return demo(seconds=seconds, seed=seed, prefix=f"{way}/{prefix}", **more)

    before = kept(host)
    interrupted(host, short("never", 120.0), "chunk 6 of 160")
    ((path, chunks),) = kept(host).items() - before.items()
    host.run(short("of"))
    assert only(host, f"{way}/of_*.latent").shape[2] == 6
    host.run(short("other", seed=78))  # which clears what has ended well
    assert kept(host)[path] == chunks
    said = len(host.said())
    interrupted(host, short("never", 120.0), f"chunk {chunks + 1} of 160")
    assert f"going on after {chunks} chunks" in host.said()[said:]
    said = len(host.said())
    host.run(short("on", 0.75 * (chunks + 1)))
    assert f"chunk {chunks + 1} of" not in host.said()[said:]
    shutil.rmtree(path)


def test_a_model_without_a_map_is_refused_where_one_is_needed(host):
    prompt = demo(prefix="bad/y", model=["7", 0], method="head_forcing")
    prompt["7"] = node(
        "HeadForcingLoadARModel",
        **{"model_name": "self_forcing_dmd.pt", "weight_dtype": "fp32", "family": "auto"},
    )
    done = host.wait(host.queue(prompt))
    (said,) = errors_of(done)
    assert "must have a head map of this model" in said
