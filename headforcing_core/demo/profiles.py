"""The heads of a demo model: the maps that ship, or maps made anew."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

from ..heads import CLASSIFIERS, QUICK, HeadForcingTypes, Subject, classify, profiled
from ..methods import HeadMap, read_head_map
from ..models import fingerprint
from .networks import FAMILY, LATENT_SIDE, SHIPPED, DemoModel
from .scores import trial

# what `headforcing profile demo` wrote of the model that ships
MAPS = SHIPPED / "head_maps"
# as the paper types heads: without what they do when something comes back
PAPER_MAP = "head_forcing_paper"


def demo_subject(model: DemoModel, prompts: int) -> Subject:
    """Return a demo model with the first held-out prompts."""
    scenes = [trial(number).scene.text for number in range(prompts)]
    texts = [model.text_encoder.encode([scene]) for scene in scenes]
    about = {"model": "demo", "family": FAMILY.name, "text": "held-out prompts of the demo"}
    return Subject(model.wan, FAMILY, (LATENT_SIDE, LATENT_SIDE), texts, about)


def maps_of(model: DemoModel, folder: Path = MAPS) -> dict[str, HeadMap]:
    """Return a head map of every scheme, and PAPER_MAP: those that ship if they are of this model.

    Another model is measured, quickly.
    """
    shipped = {path.stem: read_head_map(path) for path in sorted(folder.glob("*.json"))}
    name = fingerprint(model.wan.state_dict())
    if shipped and all(m.evidence and m.evidence.fingerprint == name for m in shipped.values()):
        return shipped
    *_, profile = profiled(demo_subject(model, QUICK.prompts), QUICK)
    maps = {rule.scheme: classify(profile, rule) for rule in CLASSIFIERS}
    return {**maps, PAPER_MAP: classify(replace(profile, returns=()), HeadForcingTypes())}
