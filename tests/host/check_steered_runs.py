"""Runs that are told a prompt on the way, in one process: each is the run of its schedule."""
# ruff: noqa: I001, T201

import json
import sys
import tempfile
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from inspect import signature
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent))
from check_families import CASES, written
from check_keeping import Died, places
from check_family_runs import loaded

import torch

from headforcing.headforcing_core.files import parts
from headforcing.headforcing_core.models import family_named
from headforcing.headforcing_core.reel import KeptChunks
from headforcing.headforcing_core.video import LivePrompt, Unit
from headforcing.nodes.graph import EncodedPrompts, Written
from headforcing.nodes.host import STEERING, Making, Told
from headforcing.nodes.host.run_on_the_way import RunOnTheWay
from headforcing.nodes.host.steering import Waiting
from headforcing.nodes.host.unfinished import RUN, Unfinished
from headforcing.nodes.host.watched_run import Origin
from headforcing.nodes.sampler import HeadForcingSampler

STEER = RunOnTheWay.steer
SAMPLER, SCHEDULE = "3", "2"


@dataclass
class Hidden:
    prompt: dict
    extra_pnginfo: dict = field(default_factory=dict)


def encoded(text):
    rng = torch.Generator().manual_seed(sum(map(ord, text)))
    return [[torch.randn(1, 12, 4096, generator=rng), {}]]


def told_of(model, request, text, encode=encoded):
    """A video as the sampler has it."""
    nodes = {
        SCHEDULE: {"class_type": "HeadForcingPromptSchedule", "inputs": {"text": text}},
        SAMPLER: {"class_type": "HeadForcingSampler", "inputs": {"prompts": [SCHEDULE, 0]}},
    }
    prompts = EncodedPrompts.of(Written(text, "", Unit.AUTO), encode)
    return Told(model, request, prompts, None, None, Hidden(nodes), SAMPLER)


def made(told, lives=()):
    """Make a video, a chunk of which takes each of some prompts; return it, and their receipts."""
    waiting, at = [], dict(lives)

    def steer(run, chunk):
        if chunk.index in at:
            STEERING._waiting = Waiting(at[chunk.index])
            waiting.append(STEERING._waiting.receipt)
        return STEER(run, chunk)

    RunOnTheWay.steer = steer
    try:
        with torch.inference_mode():
            return Making(told.video, None, told).run()[0], waiting
    finally:
        RunOnTheWay.steer = STEER


def same(model, request, text, lives):
    """Whether a run that is told prompts is the run of the schedule that it then has."""
    places(Path(tempfile.mkdtemp()))
    lives = {chunk: LivePrompt.read(*live) for chunk, live in lives.items()}
    found, receipts = made(told_of(model, request, text), lives)
    ran = receipts[-1].result()["schedule"]
    places(Path(tempfile.mkdtemp()))
    again, _ = made(told_of(model, request, ran))
    return float((found - again).abs().max())


def shots(found):
    """Prompts have other names once there is one more: what a model kept of one is not another's.

    A chunk is told the words of a shot; the next one takes the prompt that now has their name.
    """
    model = loaded(written(family_named("longlive2")), family_named("longlive2"))
    request = CASES["longlive2"].request(family_named("longlive2"))
    edges = [request.family.video.moment(chunk.start) for chunk in request.clock]
    for after in (1, 2):
        text = f"[0] a cat\n[{edges[3]:g}s#] a dog"
        found[f"shots {after}"] = same(model, request, text, {3 + after: ("a fox",)})
    words = "The scene transitions. a fox"
    found["shot words"] = same(model, request, text, {5: (words,), 6: ("a cow",), 7: ("a", True)})


def encoders(found):
    """What an encoder of another pack may do is no end of a run of hours."""
    model = loaded(written(family_named("self_forcing")), family_named("self_forcing"))
    request = CASES["self_forcing"].request(family_named("self_forcing"))
    places(Path(tempfile.mkdtemp()))
    plain, _ = made(told_of(model, request, "a cat"))
    for error in (KeyError("x"), TypeError("t"), RuntimeError(), torch.OutOfMemoryError("no room")):

        def encode(text, error=error):
            if text == "a fox":
                raise error
            return encoded(text)

        places(Path(tempfile.mkdtemp()))
        video, (receipt,) = made(told_of(model, request, "a cat", encode), {3: LivePrompt("a fox")})
        said = str(receipt.exception())
        found[f"encoder {type(error).__name__}"] = [bool(torch.equal(video, plain)), said]


@contextmanager
def failing(at, error):
    """Let the disk fail while chunks are moved: at its n-th change, or at all removals."""
    write, unlink, move = parts.write_part, Path.unlink, RunOnTheWay._move
    count, moves = [0], []

    def tick():
        count[0] += bool(moves)
        if moves and count[0] == at:
            raise error

    def writing(path, part):
        tick()
        return write(path, part)

    def removing(path, missing_ok=False):
        tick()
        if moves and at is None and path.suffix == ".part":
            raise error
        return unlink(path, missing_ok=missing_ok)

    def moving(run, told):
        moves.append(told)
        try:
            return move(run, told)
        finally:
            moves.clear()

    parts.write_part, Path.unlink, RunOnTheWay._move = writing, removing, moving
    try:
        yield
    finally:
        parts.write_part, Path.unlink, RunOnTheWay._move = write, unlink, move


def moves(found):
    """Whatever becomes of a move: the first schedule and the one that ran make what they say."""
    model = loaded(written(family_named("self_forcing")), family_named("self_forcing"))
    request = CASES["self_forcing"].request(family_named("self_forcing"))
    lives = {5: LivePrompt("a fox")}
    places(Path(tempfile.mkdtemp()))
    plain, _ = made(told_of(model, request, "a cat"))
    places(Path(tempfile.mkdtemp()))
    steered, (receipt,) = made(told_of(model, request, "a cat"), lives)
    ran = receipt.result()["schedule"]
    ways = {f"killed at {n}": (n, Died()) for n in (1, 6, 12, 14, 16)}
    ways |= {"full": (4, OSError(28, "full")), "locked": (None, PermissionError(13, "locked"))}
    for name, (at, error) in ways.items():
        places(Path(tempfile.mkdtemp()))
        died = False
        with failing(at, error):
            try:
                made(told_of(model, request, "a cat"), lives)
            except Died:
                died = True
        again = [made(told_of(model, request, text))[0] for text in ("a cat", ran)]
        right = [
            torch.equal(one, other) for one, other in zip(again, (plain, steered), strict=True)
        ]
        found[name] = [died, *right]


class Broken:
    """A reel of which a chunk could not be encoded."""

    def settle(self):
        raise RuntimeError("not encoded")


def reels(found):
    """What is wrong with a video is not a prompt's fault: the run must not go on without it."""
    model = loaded(written(family_named("self_forcing")), family_named("self_forcing"))
    told = told_of(model, CASES["self_forcing"].request(family_named("self_forcing")), "a cat")
    run = RunOnTheWay(told.video, told, None, None, Broken(), None)
    STEERING._waiting = Waiting(LivePrompt("a fox"))
    receipt = STEERING._waiting.receipt
    try:
        run.steer(next(iter(told.request.clock)))
    except RuntimeError as error:
        found["a broken reel"] = [str(error), str(receipt.exception())]


def longer(found):
    """A shorter video of the same beginning is steered: the longer one goes on all the same."""
    model = loaded(written(family_named("self_forcing")), family_named("self_forcing"))
    request = CASES["self_forcing"].request(family_named("self_forcing"))
    long, short = (told_of(model, replace(request, frames=n), "a cat") for n in (36, 18))
    places(Path(tempfile.mkdtemp()))
    whole, _ = made(long)
    left = long.video.name
    place = Unfinished(left)
    for chunk in KeptChunks(place.parts, request.clock).clock:
        if chunk.start in (12, 33):  # one that is missed, and the end
            (file,) = place.parts.paths(f"latent_{chunk.start:07d}")
            file.unlink()
    made(short, {5: LivePrompt("a fox")})
    found["note of the longer"] = len(place.parts.paths(RUN))
    found["longer goes on"] = torch.equal(made(long)[0], whole)


def listed(found):
    """A sampler that is run for each of two seeds: the graph of the second is not the first's."""
    model = loaded(written(family_named("self_forcing")), family_named("self_forcing"))
    request = CASES["self_forcing"].request(family_named("self_forcing"))
    first = told_of(model, request, "a cat")
    second = replace(first, request=replace(request, seed=9))
    places(Path(tempfile.mkdtemp()))
    _, receipts = made(first, {2: LivePrompt("a fox")})
    said = first.hidden.prompt[SCHEDULE]["inputs"]
    steered = said["text"]
    second.begin()
    found["listed"] = [steered == receipts[0].result()["schedule"], said["text"]]


def ends(found):
    """A prompt that no chunk takes hears of it, whatever ends the run."""
    run = Origin("a prompt", SAMPLER, "a page")
    STEERING.begin(run, lambda live: None)
    receipt = STEERING.ask("a prompt", SAMPLER, "a page", LivePrompt("a fox"))
    STEERING.end()
    found["late"] = str(receipt.exception(0))
    found["over"] = STEERING.ask("a prompt", SAMPLER, "a page", LivePrompt("a fox")) is None


def named(found):
    """The host hands all inputs to what it asks for a fingerprint: one more would be refused."""
    own = {one.id for one in HeadForcingSampler.define_schema().inputs}
    asked = set(signature(HeadForcingSampler.fingerprint_inputs).parameters)
    found["inputs without a name"] = sorted(own ^ asked)


def main():
    found = {}
    listed(found)
    ends(found)
    named(found)
    shots(found)
    encoders(found)
    moves(found)
    longer(found)
    reels(found)
    print("FOUND", json.dumps(found))


if __name__ == "__main__":
    main()
