"""What is kept of a run whose process dies, whose disk is full, whose numbers are none."""
# ruff: noqa: I001, T201

import json
import logging
import os
import subprocess
import sys
import tempfile
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent))
from in_host import HOST, conditioning, schedule, texts, theirs
from check_memory import adapted
from check_sampling import lora_file, request

import folder_paths
import torch

from headforcing.headforcing_core.files import Part
from headforcing.headforcing_core.reel import KeptChunks
from headforcing.headforcing_core.rollout import FinishedChunk
from headforcing.headforcing_core.video import Chunk
from headforcing.nodes.host import Making, Progress, Video, unfinished
from headforcing.nodes.host.sampling import HostVideo
from headforcing.nodes.host.unfinished import Unfinished, roots

SHAPE = (1, 16, 6, 8)
LATENT = "latent"
# a chunk is three pages of four KiB
SMALL_DISK = 64 * 1024
NO_MOUNT = "this machine lets nobody mount a small disk"


class Died(BaseException):
    """The end of a process, after which nothing of it runs."""


def die():
    raise Died


def places(folder):
    """Make all places in which runs are kept lie in a folder."""
    folder_paths.set_output_directory(str(folder / "output"))
    tempfile.tempdir = str(folder / "temporary")
    os.environ["HOME"] = str(folder / "home")
    for name in ("output", "temporary", "home"):
        (folder / name).mkdir(exist_ok=True)


def a_video(model, **changes):
    prompts = schedule((0, 33), ("p0", "p1"))
    video = Video(model, request("rolling"), prompts, list(conditioning(texts(2)).values()), None)
    return replace(video, **changes)


def kept_of(video):
    return KeptChunks(Unfinished(video.name).parts, video.request.clock)


def begun(video, chunks, die=die):
    """Follow a run that dies after some chunks; return what it had made and what followed it."""
    follow, made = Progress(video, None, kept_of(video)), []

    def watch(done):
        follow.finished(done)
        made.append(done.latent.cpu())
        if done.chunk.index + 1 == chunks:
            die()

    said = dict(zip(("p0", "p1"), video.conditioning, strict=False))
    run = HostVideo(video.request, video.prompts, said, None, None, watch, follow.called)
    try:
        run.sample(video.model)
    except Died:
        pass
    return torch.cat(made, 2), follow


def read(video):
    """Return what a run of a video would go on from; None: it would begin."""
    found = kept_of(video).read(SHAPE)
    return torch.cat(found, 2) if found else None


def part_of(video, frame):
    (path,) = Unfinished(video.name).parts.paths(f"latent_{frame:07d}")
    return path


def not_a_number(path, parts):
    latent = parts.read(path.stem).tensors[LATENT].clone()
    latent[0, 3, 1, 2, 3] = float("nan")
    parts.write(path.stem, Part({LATENT: latent}, {}))


def flipped(path, _):
    content = bytearray(path.read_bytes())
    content[-100] ^= 16
    path.write_bytes(content)


def truncated(path, _):
    path.write_bytes(path.read_bytes()[:1000])


@contextmanager
def small_disk(folder):
    """Put a disk of few pages in a folder's place; yield whether that was let."""
    size = f"size={SMALL_DISK}"
    let = subprocess.run(
        ["mount", "-t", "tmpfs", "-o", size, "tmpfs", folder], capture_output=True, check=False
    )
    try:
        yield let.returncode == 0
    finally:
        if let.returncode == 0:
            subprocess.run(["umount", folder], check=True)


def again(found, folder):
    """A run that died in another process is found, by its own video alone."""
    script = [sys.executable, __file__, HOST, str(folder)]
    died = subprocess.run(script, check=False, capture_output=True, text=True)
    video = a_video(theirs())
    found["died"] = [died.returncode, sorted(p.suffix for p in part_of(video, 0).parent.iterdir())]
    found["kept"] = torch.equal(read(video), whole(video)[:, :, :12])
    lengths = {"longer": 90, "shorter": 6}
    other = {name: replace(video, request=request("rolling", n)) for name, n in lengths.items()}
    found["lengths"] = [read(other[name]).shape[2] for name in lengths]
    others = {
        "seed": replace(video, request=request("rolling", seed=4)),
        "method": replace(video, request=request("head_forcing")),
        "prompt": replace(video, conditioning=list(reversed(video.conditioning))),
        "switch": replace(video, prompts=schedule((0, 36), ("p0", "p1"))),
        "lora": replace(video, model=adapted(video.model, lora_file())),
        "dtype": replace(video, model=theirs(torch.bfloat16)),
        "start": replace(video, start=torch.ones(1, 16, 3, 6, 8)),
    }
    found["mistaken"] = [name for name, other in others.items() if read(other) is not None]


def whole(video, so_far={}):  # noqa: B006
    """Return the latent of a run that is not interrupted, as the model sees it."""
    if not so_far:
        so_far["latent"], _ = begun(replace(video, model=theirs()), len(video.request.clock))
        parts = Unfinished(video.name).parts
        for frame in range(12, 60, 3):  # what was there before stays
            parts.remove(f"latent_{frame:07d}")
    return so_far["latent"]


def gone_on(video):
    """Make a video as the node does; return how it differs from one that was not interrupted."""
    latent, *_ = Making(video).run()
    expected = video.model.model.process_latent_out(whole(video))
    return "nothing" if latent.equal(expected) else str((latent - expected).abs().max())


def damaged(found, warned):
    """Of four chunks the third is damaged: two are gone on from, the others made again."""
    video = a_video(theirs())
    parts = Unfinished(video.name).parts
    for damage in (truncated, flipped, not_a_number):
        for frame in range(12, 60, 3):
            parts.remove(f"latent_{frame:07d}")
        damage(part_of(video, 6), parts)
        warned.clear()
        left = read(video)
        told = [said for said in warned if "frames from 6 on are made again" in said]
        found[damage.__name__] = [left.shape[2], len(told), gone_on(video)]


def full(found, warned, folder):
    """The disk of the output fills up on the way; what does not go there is found all the same."""
    places(folder)
    with small_disk(folder / "output") as let:
        if not let:
            found["full"] = NO_MOUNT
            return
        video = a_video(theirs())
        warned.clear()
        made, _ = begun(video, 8)
        told = [said for said in warned if "chunks are kept in" in said]
        counts = [len(list(root.rglob("latent_*.part"))) for root in roots()]
        elsewhere = str(roots()[1] / video.name[:24])
        found["full"] = {
            "told": [len(told), told[0].endswith(f"chunks are kept in {elsewhere} instead")],
            "in two places": [0 < counts[0] < 8, sum(counts), counts[2]],
            "read": read(video).equal(made),
            "difference": gone_on(video),
            "half written": [str(p) for root in roots() for p in root.rglob("*.partial")],
            "kept until it is old": cleared() > 0,
        }
        unfinished.KEPT_FOR = -1
        found["full"]["left over"] = cleared()


def cleared():
    """Return how many parts of runs are left by a run that begins."""
    unfinished.clear(Unfinished("another"))
    return sum(len(list(root.rglob("*.part"))) for root in roots())


def nowhere(found, warned, folder):
    """No place can be written to: the run ends well; an interrupted one says what is lost."""
    places(folder)
    for root in roots():
        root.write_text("in the way")
    warned.clear()
    video = a_video(theirs())
    found["nowhere"] = gone_on(video)
    found["told once"] = sum("not saved yet" in said for said in warned)
    _, follow = begun(video, 2)
    warned.clear()
    follow.interrupted()
    found["lost"] = warned[-1]
    roots()[0].unlink()
    follow.interrupted()
    found["room again"] = [warned[-1], read(video).shape[2]]


def main():
    found, warned = {}, []
    log = logging.getLogger("headforcing")
    log.setLevel(logging.INFO)
    log.addHandler(type("To", (logging.Handler,), {
        "emit": lambda self, record: warned.append(record.getMessage())})())  # fmt: skip
    folders = [Path(tempfile.mkdtemp()) for _ in range(3)]
    with torch.inference_mode():
        places(folders[0])
        again(found, folders[0])
        damaged(found, warned)
        full(found, warned, folders[1])
        nowhere(found, warned, folders[2])
        nothing = torch.full((1, 16, 3, 6, 8), float("nan"))
        try:
            Progress(a_video(theirs())).finished(FinishedChunk(Chunk(0, 0, 3), nothing))
        except RuntimeError as error:
            found["nan"] = str(error)
    print("FOUND", json.dumps(found))


if __name__ == "__main__":
    if len(sys.orig_argv) > 3:  # to die in this folder
        places(Path(sys.orig_argv[3]))
        with torch.inference_mode():
            begun(a_video(theirs()), 4, lambda: os._exit(9))
    main()
