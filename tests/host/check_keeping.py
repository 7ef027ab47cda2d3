"""What is kept of a run whose process dies, whose disk is gone, whose numbers are none."""
# ruff: noqa: I001, T201

import json
import logging
import sys
import tempfile
from dataclasses import replace
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent))
from in_host import conditioning, schedule, texts, theirs
from check_memory import adapted
from check_sampling import lora_file, request

import folder_paths
import torch

from headforcing.headforcing_core.video import Chunk
from headforcing.headforcing_core.rollout import FinishedChunk
from headforcing.nodes.host import (
    progress,
    unfinished,
)
from headforcing.nodes.host.sampling import HostVideo
from headforcing.nodes.host.unfinished import Video


class Died(BaseException):
    """The end of a process, after which nothing of it runs."""


def begun(model, chunks, **changes):
    """Follow a run that dies after some chunks; return its video and what it had."""
    prompts = schedule((0, 33), ("p0", "p1"))
    video = Video(model, request("rolling"), prompts, list(conditioning(texts(2)).values()), None)
    video = replace(video, **changes)
    follow = progress.Progress(video)

    def watch(done):
        follow.finished(done)
        if done.chunk.index + 1 == chunks:
            raise Died

    said = dict(zip(("p0", "p1"), video.conditioning, strict=False))
    run = HostVideo(video.request, video.prompts, said, None, watch, follow.called)
    try:
        run.sample(model)
    except Died:
        pass
    return video, follow


def main():
    found, warned = {}, []
    logging.getLogger("headforcing").addHandler(type("To", (logging.Handler,), {
        "emit": lambda self, record: warned.append(record.getMessage())})())  # fmt: skip
    folder = Path(tempfile.mkdtemp())
    folder_paths.set_output_directory(str(folder))
    progress.SAVE_EVERY = 0.0
    with torch.inference_mode():
        model = theirs()
        video, follow = begun(model, 4)
        path, latent = unfinished.find(video)
        found["kept"] = latent.equal(follow._latent()) and latent.shape[2] == 12
        found["partial files"] = [p.name for p in path.parent.glob("*.partial")]

        same = replace(video, model=theirs())
        found["found again"] = unfinished.find(same) is not None
        longer = replace(video, request=request("rolling", frames=90))
        found["found when longer"] = unfinished.find(longer) is not None
        others = {
            "seed": replace(video, request=request("rolling", seed=4)),
            "method": replace(video, request=request("head_forcing")),
            "prompt": replace(video, conditioning=list(reversed(video.conditioning))),
            "switch": replace(video, prompts=schedule((0, 36), ("p0", "p1"))),
            "lora": replace(video, model=adapted(model, lora_file())),
            "dtype": replace(video, model=theirs(torch.bfloat16)),
            "start": replace(video, start=torch.ones(1, 16, 3, 6, 8)),
        }
        found["mistaken"] = [name for name, other in others.items() if unfinished.find(other)]

        path.write_bytes(path.read_bytes()[:100])
        found["truncated"] = unfinished.find(same) is None and any(
            "cannot be read and is left alone" in said for said in warned
        )
        path.unlink()
        (folder / "latents").rmdir()
        (folder / "latents").write_text("in the way")  # as good as a full disk
        try:
            video, follow = begun(model, 2)
            follow.ended(well=False)
        except OSError as error:
            found["disk gone"] = f"lost: {error}"
        else:
            elsewhere = warned[-1].partition("they are in ")[2].partition(". The same")[0]
            found["disk gone"] = Path(elsewhere).is_file() and "not saved yet" in str(warned)
        try:
            nothing = torch.full((1, 16, 3, 6, 8), float("nan"))
            progress.Progress(video).finished(FinishedChunk(Chunk(0, 0, 3), nothing))
        except RuntimeError as error:
            found["nan"] = str(error)
    print("FOUND", json.dumps(found))


if __name__ == "__main__":
    main()
