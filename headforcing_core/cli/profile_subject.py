"""The model that ``headforcing profile`` measures, as its options name it."""

from __future__ import annotations

import argparse
import logging
from dataclasses import dataclass
from pathlib import Path

from ..demo.networks import SHIPPED, DemoModel
from ..demo.profiles import demo_subject
from ..device import choose_device
from ..files import check_file, read_text_embedding
from ..heads import ProfileSettings, Subject
from ..models import WAN_TEXT_TOKENS, Family, choose_family
from .job_inputs import digest_of
from .loading import check_lora, load_model
from .random_texts import RandomTexts
from .saying import refuse_said

log = logging.getLogger("headforcing")
DEMO = "demo"


def family_of(options: argparse.Namespace) -> Family:
    """Return how a checkpoint is run."""
    if not Path(options.model).exists():
        raise ValueError(f"MODEL must be {DEMO} or a file that exists, got {options.model!r}")
    return choose_family(options.model, options.family).without_pictures()


@dataclass(frozen=True)
class Told:
    """A checkpoint with its prompts, before any of them is read.

    Args:
        texts: names that are alike for texts that are.
    """

    family: Family
    texts: tuple[str, ...]

    @classmethod
    def by(cls, options: argparse.Namespace, settings: ProfileSettings) -> Told:
        """Return what options name."""
        files = options.text_embedding
        for file in files or ():
            check_file(Path(file))
        drawn = tuple(map(str, range(settings.prompts)))
        return cls(family_of(options), drawn if not files else tuple(map(digest_of, files)))

    @property
    def prompts(self) -> int:
        return len(self.texts)

    def key(self, prompt: int) -> str:
        return self.texts[prompt]


def subject_of(options: argparse.Namespace, settings: ProfileSettings) -> Subject:
    """Load the model, and return it with its prompts."""
    return (_demo if options.model == DEMO else _checkpoint)(options, settings)


def _demo(options: argparse.Namespace, settings: ProfileSettings) -> Subject:
    of_file = ("family", "text_embedding", "lora", "heads", "weight_dtype")
    refuse_said(options, of_file, "must come with a checkpoint, got demo")
    model = DemoModel.load(SHIPPED, choose_device(options.device))
    return demo_subject(model, settings.prompts)


def _checkpoint(options: argparse.Namespace, settings: ProfileSettings) -> Subject:
    check_lora(options)
    family = family_of(options)
    size = family.video.latent_size(options.width, options.height)
    device = choose_device(options.device)
    model = load_model(options, family, device)
    if options.text_embedding:
        width, files = model.config.text_dim, options.text_embedding
        texts = [read_text_embedding(file, width, WAN_TEXT_TOKENS) for file in files]
        said = ", ".join(Path(file).name for file in files)
    else:
        rows, width = WAN_TEXT_TOKENS, model.config.text_dim
        texts = RandomTexts(settings.seed, settings.prompts, rows, width)
        said = "random embeddings"
        log.warning(
            "no --text-embedding was given: prompts are random embeddings, which show little of "
            "what heads do with real ones"
        )
    about = {
        "model": Path(options.model).name,
        "lora": options.lora and Path(options.lora).name,
        "lora_strength": options.lora_strength,
        "family": family.name,
        "size": [options.width, options.height],
        "text": said,
    }
    return Subject(model, family, size, texts, about)
