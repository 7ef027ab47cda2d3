"""``headforcing profile``: what every head of a model does, as head maps and pictures."""

from __future__ import annotations

import argparse
import logging
import sys
from collections.abc import Iterable
from dataclasses import fields, replace
from pathlib import Path

from tqdm import tqdm

from ..bounds import check_within
from ..demo.networks import FAMILY, SHIPPED, DemoModel
from ..demo.profiles import demo_subject
from ..device import choose_device
from ..files import read_text_embedding, save_all, save_or_rescue, shown
from ..heads import (
    CLASSIFIERS,
    DOUBT,
    PAGE,
    PRESETS,
    Aggregate,
    Classifier,
    HeadProfile,
    ProfileSettings,
    Subject,
    as_text,
    frames_to_make,
    possible_returns,
    preset_named,
    profiled,
    read_profile,
    report_files,
    report_names,
    report_on,
    write_profile,
)
from ..methods import map_text, read_head_map, with_values
from ..models import WAN_TEXT_TOKENS, Family, choose_family
from ..stopping import stop_if_asked, to_the_end
from .loading import add_loading_options, check_lora, load_model
from .random_texts import RandomTexts
from .result_folder import result_folder

log = logging.getLogger("headforcing")
DEMO = "demo"
PROFILE = "profile.safetensors"
EPILOG = (
    "--set changes a rule: head_forcing.tau_anchor=0.15, head_forcing.absolute=true,\n"
    "pyramid.longest_wave=8, forcing_kv.threshold=0.9. Rules: "
    + ", ".join(classifier.scheme for classifier in CLASSIFIERS)
)


def add_parser(commands: argparse._SubParsersAction) -> argparse.ArgumentParser:
    parser = commands.add_parser(
        "profile",
        help="measure where each head of a model looks, and type them",
        description="Make videos with a model, measure the attention of each head on the past and\n"
        "the present, and write head maps by the rules of four papers: JSON, pictures, and a page\n"
        "that says how sure they are. A stopped run goes on where it was.",
        epilog=EPILOG,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    add = parser.add_argument
    add("model", metavar="MODEL", help=f"{DEMO}: the small one that ships; or a checkpoint file")
    add("--report", required=True, metavar="FOLDER", help="where to write")
    add("--preset", choices=PRESETS, default="full", help="full: 20 videos of 30 s; quick: 4 of 10")
    add("--prompts", type=int, metavar="N", help="videos of different prompts")
    add("--seeds", type=int, metavar="N", help="videos of each prompt (default 1)")
    add("--seconds", type=float, metavar="N", help="length that chunks are drawn from")
    add("--chunks", type=int, metavar="N", help="chunks looked at in each (default 3)")
    add("--first-chunk", type=int, metavar="N", help="first that may be drawn (default 3)")
    add("--last-chunk", type=int, metavar="N", help="last that may be drawn (default the video's)")
    add("--clean", action="store_true", default=None, help="look at clean calls, too")
    add("--rows", type=int, metavar="N", help="query rows per call; 0: all (default 256)")
    add("--keep-first", type=int, metavar="N", help="first frames that stay in the window")
    add("--seed", type=int, metavar="N", help="of everything drawn (default 0)")
    more = "pasts after which something comes back; 0: as in the paper (full 8, quick 4)"
    add("--returns", type=int, metavar="N", help=more)
    add("--set", action="append", metavar="NAME=VALUE", help="a threshold of a rule, see below")
    add("--aggregate", choices=[how.value for how in Aggregate], help="default: as each paper does")
    add("--doubt", type=float, default=DOUBT, metavar="N", help=f"least vote (default {DOUBT})")
    add("--against", action="append", metavar="MAP", help="a head map to compare with")
    add(
        "--text-embedding",
        nargs="+",
        metavar="FILE",
        help="umT5 embeddings, one per prompt; random ones if none is given",
    )
    add("--width", type=int, default=832, metavar="N", help="of a checkpoint's videos")
    add("--height", type=int, default=480, metavar="N", help="of a checkpoint's videos")
    add_loading_options(parser)
    parser.set_defaults(run=run)
    return parser


def run(options: argparse.Namespace) -> int:
    classifiers, others = _classifiers(options), [read_head_map(p) for p in options.against or ()]
    how = None if options.aggregate is None else Aggregate(options.aggregate)
    check_within("--doubt", options.doubt, 0, 1)
    settings, out = _settings(options), Path(options.report)
    schemes = [classifier.scheme for classifier in classifiers]
    names = (PROFILE, *map(_map_name, schemes), *report_names(schemes))
    with result_folder("--report", out, names, lambda: (out / PROFILE).is_file()):
        _check_maps(out / _map_name(scheme) for scheme in schemes)
        make = _demo if options.model == DEMO else _checkpoint
        subject = make(options, settings)
        if options.returns is None:
            settings = replace(settings, returns=possible_returns(settings.returns, subject))
        profile = _measured(subject, settings, out / PROFILE)
        reports = [report_on(profile, c, how, options.doubt, others) for c in classifiers]
        sys.stdout.write("".join(map(as_text, reports)))
        sys.stdout.flush()
        maps = {_map_name(r.head_map.scheme): map_text(r.head_map).encode() for r in reports}
        to_the_end(lambda: save_all(out, maps | report_files(subject, profile, reports)))
    sys.stdout.write(f"wrote {out / PAGE}, head maps and pictures beside it\n")
    return 0


def _map_name(scheme: str) -> str:
    return f"{scheme}.json"


def _check_maps(files: Iterable[Path]) -> None:
    """Refuse to write over work that somebody did by hand."""
    for file in files:
        if file.exists() and read_head_map(file).edits:
            raise ValueError(
                f"--report must not hold a head map that was edited, got {file}; move it, or "
                "choose another folder"
            )


def _classifiers(options: argparse.Namespace) -> list[Classifier]:
    """Return the rules with the user's thresholds."""
    changes: dict[str, list[str]] = {}
    schemes = [classifier.scheme for classifier in CLASSIFIERS]
    for assignment in options.set or ():
        scheme, dot, rest = assignment.partition(".")
        if not dot or scheme not in schemes:
            raise ValueError(
                f"--set must begin with a rule ({', '.join(schemes)}) and a dot, got "
                f"{shown(assignment)}"
            )
        changes.setdefault(scheme, []).append(rest)
    return [with_values(c, changes.get(c.scheme, [])) for c in CLASSIFIERS]


def _settings(options: argparse.Namespace) -> ProfileSettings:
    family = FAMILY if options.model == DEMO else _family(options)
    chosen = {
        field.name: value
        for field in fields(ProfileSettings)
        if (value := getattr(options, field.name, None)) is not None
    }
    if options.seconds is not None:
        chosen["frames"] = family.video.latent_frames(options.seconds)
    if options.text_embedding is not None:
        given = len(options.text_embedding)
        if options.prompts not in (None, given):
            raise ValueError(
                f"--prompts must be the number of text embeddings, {given}, got "
                f"{shown(options.prompts)}"
            )
        chosen["prompts"] = given
    preset = preset_named(options.preset, family.video)
    chosen.setdefault("returns", min(preset.returns, chosen.get("prompts", preset.prompts)))
    return replace(preset, **chosen)


def _family(options: argparse.Namespace) -> Family:
    if not Path(options.model).exists():
        raise ValueError(f"MODEL must be {DEMO} or a file that exists, got {options.model!r}")
    return choose_family(options.model, options.family).without_pictures()


def _demo(options: argparse.Namespace, settings: ProfileSettings) -> Subject:
    for name in ("family", "text_embedding", "lora", "heads"):
        if getattr(options, name) is not None:
            raise ValueError(f"--{name.replace('_', '-')} must come with a checkpoint, got demo")
    model = DemoModel.load(SHIPPED, choose_device(options.device))
    return demo_subject(model, settings.prompts)


def _checkpoint(options: argparse.Namespace, settings: ProfileSettings) -> Subject:
    check_lora(options)
    family = _family(options)
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


def _measured(subject: Subject, settings: ProfileSettings, file: Path) -> HeadProfile:
    """Measure what is not in the file yet; every finished video goes there at once."""
    profile = subject.empty_profile(settings)
    if file.exists():
        profile = _going_on(read_profile(file), profile, file)
    work, waits = frames_to_make(subject, settings, profile), None
    with tqdm(total=work, unit="frame", desc="profiling") as bar:

        def watch(frames: int) -> None:
            bar.update(frames)
            stop_if_asked()

        try:
            for grown in profiled(subject, settings, profile, watch):
                profile = grown
                waits = _refusal(file, profile)
        finally:
            if waits is not None:
                to_the_end(lambda: _rescue(file, profile))
    wanted, back = set(settings.videos), set(settings.returning)
    part = profile.where(lambda sample: (sample.prompt, sample.seed) in wanted)
    returns = tuple(each for each in part.returns if (each.prompt, each.seed) in back)
    return replace(part, returns=returns)


def _refusal(file: Path, profile: HeadProfile) -> OSError | None:
    """Save what is measured, if it can be; a full disk is no reason to stop, it may be mended."""
    try:
        to_the_end(lambda: write_profile(file, profile))
    except OSError as error:
        log.warning("not saved yet: %s", error)
        return error
    return None


def _rescue(file: Path, profile: HeadProfile) -> None:
    try:
        save_or_rescue(lambda path: write_profile(path, profile), file, "what was measured")
    except OSError as error:
        log.warning("%s", error)  # the tables can be made all the same


def _going_on(known: HeadProfile, wanted: HeadProfile, file: Path) -> HeadProfile:
    for name in ("geometry", "fingerprint", "parameters"):
        if getattr(known, name) != getattr(wanted, name):
            raise ValueError(
                "--report must be a new folder, or that of the same model measured alike, got "
                f"{file.parent}, whose profile has another {name}"
            )
    return known
