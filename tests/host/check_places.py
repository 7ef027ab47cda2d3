"""Folders of a host that cannot be written to, and files in them that are damaged."""
# ruff: noqa: I001, T201

import json
import logging
import sys
import tempfile
from dataclasses import replace
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent))
from in_host import conditioning, ours, texts, theirs

import comfy.utils
import folder_paths
import torch

from headforcing.headforcing_core.heads import (
    ProfileSettings,
    Subject,
    possible_returns,
    profiled,
    read_profile,
    write_profile,
)
from headforcing.headforcing_core.models import family_named
from headforcing.nodes import host, load_head_map, profile_heads
from headforcing.nodes.host import HostSubject, foresight, profile_file
from headforcing.nodes.host.map_files import SHIPPED

SETTINGS = ProfileSettings(prompts=2, frames=12, chunks=1, first_chunk=1, rows=8)


class Stopped(BaseException):
    """As a user stops a queue."""


def told(call, *arguments):
    """Return the sentence of the error that a call ends in."""
    try:
        call(*arguments)
    except (ValueError, OSError, RuntimeError) as error:
        return str(error)
    return "nothing was refused"


def profiles(found, warned, user):
    model = theirs()
    said = list(conditioning(texts(2)).values())
    subject = HostSubject(model, family_named("self_forcing"), (6, 8), said, {"model": "tiny"})
    measured = lambda force=False: profile_heads._measured(subject, SETTINGS, force)  # noqa: E731
    (user / "head_forcing").write_text("in the way")  # as good as a folder nobody may write to
    whole = measured()
    found["unwritable"] = len(whole.videos) == 2 and "the profile is not kept" in str(warned)
    (user / "head_forcing").unlink()

    file = profile_file(whole)

    def stop(self, *_):
        if file.exists():  # in the second video
            raise Stopped

    real, comfy.utils.ProgressBar.update = comfy.utils.ProgressBar.update, stop
    try:
        measured()
    except Stopped:
        comfy.utils.ProgressBar.update = real
    found["interrupted"] = len(read_profile(file).videos)
    (file.parent / f".{file.name}.abcd1234.partial").write_text("half")
    again = measured()
    found["went on"] = all(
        a.mass.equal(b.mass) for a, b in zip(again.samples, whole.samples, strict=True)
    )
    found["beside it"] = [path.name for path in file.parent.iterdir() if path != file]

    good = file.read_bytes()
    damages = {
        "half": good[: len(good) // 2],
        "empty": b"",
        "flipped": good.replace(b'"prompt', b'"promqt', 1).replace(b'\\"prompt', b'\\"promqt', 1),
    }
    for name, content in damages.items():
        file.write_bytes(content)
        found[f"{name} profile"] = told(measured)
    write_profile(file, replace(whole, fingerprint="another"))
    found["another model's"] = told(measured)
    found["forced"] = len(measured(force=True).videos) == 2 and file.read_bytes() == good

    room, foresight._free_on = foresight._free_on, lambda model: 1 << 20
    found["known"] = told(measured)
    found["no room"] = told(measured, True)
    foresight._free_on = room


def returns(found):
    """What heads turn to when it comes back, of prompts of which one is said twice."""
    one, *others = texts(5)
    said, settings = [one, one, *others], replace(SETTINGS, returns=2)
    family, size = family_named("self_forcing"), (6, 8)
    told_it = list(conditioning(said).values())
    theirs_ = HostSubject(theirs(), family, size, told_it, {"model": "tiny"})
    own = Subject(ours(), family, size, said, {"model": "tiny"})
    here, there = ([*profiled(subject, settings)][-1].returns for subject in (theirs_, own))
    pairs = zip(here, there, strict=True)
    found["returns"] = len(here)
    found["returns apart"] = max(float((a.shifts - b.shifts).abs().max()) for a, b in pairs)
    found["returns shift"] = max(float(a.shifts.abs().max()) for a in here)
    few = HostSubject(theirs(), family, size, told_it[:4], {"model": "tiny"})
    found["few returns"] = told(lambda: [*profiled(few, settings)])
    found["possible"] = [possible_returns(4, subject) for subject in (theirs_, few)]


def maps(found, inputs):
    (inputs / "bomb.json").write_text("[" * 100_000)
    (inputs / "big.json").write_text('{"num_heads": 1000000000, "layers": []}')
    (inputs / "nothing.CSV").write_text("")
    found["choices"] = [name for name in host.map_choices() if "published" not in name]
    for name in found["choices"]:
        found[name] = told(load_head_map.HeadForcingLoadHeadMap.execute, name)
    folder_paths.set_input_directory(str(inputs / "nowhere"))
    found["without a folder"] = all(n.startswith(SHIPPED) for n in host.map_choices())


def main():
    found, warned = {}, []
    logging.getLogger("headforcing").addHandler(type("To", (logging.Handler,), {
        "emit": lambda self, record: warned.append(record.getMessage())})())  # fmt: skip
    user, inputs = (Path(tempfile.mkdtemp()) for _ in range(2))
    folder_paths.set_user_directory(str(user))
    folder_paths.set_input_directory(str(inputs))
    with torch.inference_mode():
        profiles(found, warned, user)
        returns(found)
        maps(found, inputs)
    print("FOUND", json.dumps(found))


main()
