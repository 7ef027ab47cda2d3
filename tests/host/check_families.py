"""Every family in a ComfyUI: equal to our own module, on tiny weights of its layout."""
# ruff: noqa: I001, T201

import json
import sys
import tempfile
from dataclasses import dataclass, replace
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent))
from check_decoders import as_vae, wan21
from in_host import CONFIG, conditioning, texts

import torch
from random_model import random_weights
from safetensors.torch import save_file

from headforcing.headforcing_core import Begun, PromptSchedule, VideoRequest
from headforcing.headforcing_core.methods import KreaRealtime
from headforcing.headforcing_core.models import FAMILIES, load_checkpoint
from headforcing.headforcing_core.models.weight_names import memory_name
from headforcing.nodes.host import HostDecoder
from headforcing.nodes.host.calls import calls_of
from headforcing.nodes.host.loading import load_model
from headforcing.nodes.host.sampling import HostVideo

CHUNKS, SIZE, BEGINS, CUT = 12, (4, 6), 4, 8
FOLDER = Path(tempfile.mkdtemp())


@dataclass
class Case:
    """A video of a family.

    given: latent frames of a start. begun: chunks that an earlier run has made. prompts: the second
    begins on the way, the third with a cut.
    """

    family: str
    given: int = 0
    begun: int = 0
    method: object = None
    pictures: bool = False
    prompts: int = 3

    def request(self, family):
        size, first = family.frames_per_chunk, family.first_chunk(self.given)
        frames = CHUNKS * size + (first or 0)
        return VideoRequest(family, frames, *SIZE, 3, first, self.method)

    def schedule(self, request, said):
        chunks = list(request.clock)
        starts = (0, chunks[BEGINS].start, chunks[CUT].start)[: self.prompts]
        names = tuple(said[n % 2] for n in range(self.prompts))
        return PromptSchedule(starts, names, frozenset(starts[2:]))


CASES = {
    **{f.name: Case(f.name) for f in FAMILIES if f.name not in ("demo", "krea_14b")},
    "krea_14b with pictures": Case("krea_14b", pictures=True),
    "krea_14b with its first frame": Case("krea_14b", method=KreaRealtime(keep_first=True).build()),
    "krea_14b begun": Case("krea_14b", begun=3, pictures=True, prompts=2),
    "krea_14b from frames": Case("krea_14b", given=3, pictures=True, prompts=2),
    "longlive2 from an image": Case("longlive2", given=1),
    "longlive2 from an image, begun": Case("longlive2", given=1, begun=2),
    "rolling_forcing begun": Case("rolling_forcing", begun=6, prompts=1),
    "rolling_forcing begun after a prompt": Case("rolling_forcing", begun=6),
    "rolling_forcing from frames": Case("rolling_forcing", given=3, prompts=2),
    "causal_forcing_pp_2step from an image": Case("causal_forcing_pp_2step", given=1),
    "causal_forcing_pp_1step begun": Case("causal_forcing_pp_1step", begun=2),
    "sgf_chunkwise begun": Case("sgf_chunkwise", begun=2),
}


class Whole:
    """Pictures encoded again as the host's nodes would: the whole video is decoded each time."""

    def __init__(self, vae, model):
        self.vae, self.model, self.latents = vae, model, []

    def add(self, latent):
        self.latents.append(self.model.process_latent_out(latent))

    def frame(self, back):
        pictures = self.vae.decode(torch.cat(self.latents, 2))[0]
        at = len(pictures) - 1 - 4 * back
        return self.model.process_latent_in(self.vae.encode(pictures[at : at + 1]).float())


class Counted:
    """A backbone that counts its calls."""

    def __init__(self, model):
        self.model, self.calls = model, 0

    def predict_clean(self, *given):
        self.calls += 1
        return self.model.predict_clean(*given)


def written(family):
    """Write weights of a family's layout under a name that tells it; return the file."""
    config = replace(CONFIG, in_dim=family.channels, out_dim=family.channels)
    weights = random_weights(config)
    if family.two_experts:
        second = random_weights(config, 1)
        weights |= {memory_name(name): weight for name, weight in second.items()}
    path = FOLDER / f"{family.name}.safetensors"
    save_file({f"model.{name}": weight for name, weight in weights.items()}, path)
    return path


def by_us(case, request, own, given, vae, model):
    """Return the chunks of our own module, and how often it was called."""
    prompts = case.schedule(request, texts(2))
    recoder = Whole(vae, model.model) if case.pictures else None
    counted = Counted(own)
    with torch.no_grad():
        rollout = request.rollout(own, prompts, recoder=recoder).through(counted)
        return list(rollout.run(given)), counted.calls


def by_host(case, request, model, begun, vae):
    """Return the chunks of the host's, the latent it hands on, and how often it was called."""
    calls, done, given = [], [], None
    if case.given:
        given = model.model.process_latent_out(begun.frames[:, :, : case.given])
    video = HostVideo(
        request,
        case.schedule(request, ("p0", "p1")),
        conditioning(texts(2)),
        given,
        begun if case.begun else None,
        lambda chunk: done.append(chunk._replace(latent=chunk.latent.clone())),
        lambda clean: calls.append(clean.shape[2]),
        decoder=HostDecoder.of(vae, 0, request.family.channels) if case.pictures else None,
    )
    with torch.inference_mode():
        return done, video.sample(model), len(calls)


def begun_of(case, known, request, given):
    """Return what an earlier run would have left."""
    if not case.begun:
        return None if given is None else Begun(given)
    made = known[: case.begun + (case.given >= request.family.frames_per_chunk)]
    frames = torch.cat([done.latent for done in made], 2)
    return Begun(frames, frames.shape[2] - case.given, made[-1].ahead)


def compared(case, model, own, family):
    request, vae = case.request(family), as_vae(wan21(), 16) if case.pictures else None
    rng, given = torch.Generator().manual_seed(4), None
    if case.given:
        given = torch.randn(1, family.channels, case.given, *SIZE, generator=rng)
    known, calls = by_us(case, request, own, given, vae, model)
    begun = begun_of(case, known, request, given)
    done, latent, its = by_host(case, request, model, begun, vae)
    mine, theirs = (torch.cat([d.latent for d in run], 2) for run in (known, done))
    handed = model.model.process_latent_in(latent)
    cuts = case.schedule(request, (0, 1)).cuts
    return {
        "error": float(torch.stack([(mine - x).abs().max() for x in (theirs, handed)]).max()),
        "size": float(mine.std()),
        "frames": mine.shape[2],
        "calls": [its, calls_of(request, cuts, begun)],
        "as many calls": begun is not None or its == calls,
        "given as it came": given is None or latent[:, :, : case.given].equal(
            model.model.process_latent_out(given)
        ),
    }  # fmt: skip


def main():
    cases = {}
    for family in FAMILIES:
        own_cases = {name: case for name, case in CASES.items() if case.family == family.name}
        if not own_cases:
            continue
        path = written(family)
        model = load_model(str(path), family, torch.float32)
        own = load_checkpoint(path, family=family.name).model
        cases |= {name: compared(case, model, own, family) for name, case in own_cases.items()}
    print("FOUND", json.dumps({"cases": cases}))


if __name__ == "__main__":
    main()
