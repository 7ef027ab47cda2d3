"""Out of memory in layers and in the decoder: a sentence, nothing lost, nothing held on to."""
# ruff: noqa: I001, T201

import gc
import json
import random
import sys
import tempfile
from contextlib import contextmanager
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent))
from in_host import conditioning, schedule, texts, theirs
from check_decoders import as_vae, wan21
from check_sampling import request

import folder_paths
import torch

from headforcing.headforcing_core.files import VideoStyle
from headforcing.headforcing_core.memory import CacheBank
from headforcing.nodes.host import FilmSettings, HostDecoder, Making, Screen, Video

FRAMES, CHUNKS = 24, 8


@contextmanager
def failing(module, at):
    """Let a module's forward find no memory at its so manieth call."""
    calls = [0]

    def look(*given):
        calls[0] += 1
        if calls[0] == at:
            raise torch.OutOfMemoryError("CUDA out of memory. Tried to allocate 2.00 GiB")

    handle = module.register_forward_pre_hook(look)
    try:
        yield
    finally:
        handle.remove()


def making(model, vae, prefix):
    prompts = schedule((0,), ("p0",))
    video = Video(
        model, request("rolling", FRAMES), prompts, [*conditioning(texts(1)).values()], None
    )
    settings = FilmSettings(f"video/{prefix}", VideoStyle(16), {})
    return Making(video, Screen(HostDecoder.of(vae, 0, 16), settings))


def pictures(path):
    import av

    with av.open(str(path)) as file:
        return [frame.to_ndarray(format="rgb24").tobytes() for frame in file.decode(video=0)]


def main():
    folder = Path(tempfile.mkdtemp())
    folder_paths.set_output_directory(str(folder))
    model, vae, rng = theirs(), as_vae(wan21(4), 16), random.Random(0)
    network = model.model.diffusion_model
    found = {"said": [], "kept": [], "played": [], "caches": [], "whole": []}
    with torch.inference_mode():
        latent, path, _ = making(model, vae, "whole").run()
        whole = pictures(path)
        decoder = vae.first_stage_model.decoder
        for number in range(int(sys.argv[-1]) if sys.argv[-1].isdigit() else 2):
            for left in (folder / "head_forcing_unfinished").glob("*/*"):
                left.unlink()
            late = rng.randrange(2, CHUNKS)
            if number % 2:
                # the decoder is called once per frame, as often as there are chunks times three
                broken, at = decoder.conv1, 3 * late
            else:
                broken = rng.choice([rng.choice(network.blocks).ffn, network.blocks[0].self_attn.q])
                at = 5 * late
            with failing(broken, at):
                try:
                    making(model, vae, f"cut{number}").run()
                except RuntimeError as error:
                    found["said"].append(
                        [type(error).__name__, str(error), bool(error.__context__)]
                    )
            gc.collect()
            found["caches"].append(sum(isinstance(x, CacheBank) for x in gc.get_objects()))
            kept = list((folder / "head_forcing_unfinished").glob("*/latent_*.part"))
            (growing,) = (folder / "video").glob(f"cut{number}*unfinished.mp4")
            found["kept"].append(len(kept) >= late - 1)
            found["played"].append(len(pictures(growing)) >= 12 * (late - 2) + 1)
            again, path, _ = making(model, vae, f"cut{number}").run()
            found["whole"].append(again.equal(latent) and pictures(path) == whole)
    print("FOUND", json.dumps(found))


if __name__ == "__main__":
    main()
