"""``headforcing profile``: what every head of a model does, as head maps and pictures."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Iterable
from dataclasses import fields, replace
from pathlib import Path

from ..bounds import check_within
from ..demo.networks import FAMILY
from ..files import save_all, shown
from ..heads import (
    CLASSIFIERS,
    DOUBT,
    PAGE,
    PRESETS,
    Aggregate,
    Classifier,
    ProfileSettings,
    as_text,
    possible_returns,
    preset_named,
    read_profile,
    report_files,
    report_names,
    report_on,
    videos_to_make,
)
from ..methods import map_text, read_head_map, with_values
from ..stopping import to_the_end
from .crew_options import add_crew_options, check_crew_options
from .loading import add_loading_options
from .profile_room import check_room
from .profile_run import measured_profile
from .profile_subject import DEMO, Told, family_of, subject_of
from .result_folder import result_folder

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
    add_crew_options(parser)
    add("--anyway", action="store_true", help="run even if memory is not expected to suffice")
    parser.set_defaults(run=run)
    return parser


def run(options: argparse.Namespace) -> int:
    check_crew_options(options)
    classifiers, others = _classifiers(options), [read_head_map(p) for p in options.against or ()]
    how = None if options.aggregate is None else Aggregate(options.aggregate)
    check_within("--doubt", options.doubt, 0, 1)
    settings, out = _settings(options), Path(options.report)
    schemes = [classifier.scheme for classifier in classifiers]
    names = (PROFILE, *map(_map_name, schemes), *report_names(schemes))
    with result_folder("--report", out, names, lambda: (out / PROFILE).is_file()):
        _check_maps(out / _map_name(scheme) for scheme in schemes)
        # before the model is read, by files; after it by what the texts are
        if options.model != DEMO and options.returns is None:
            told = Told.by(options, settings)
            settings = replace(settings, returns=possible_returns(settings.returns, told))
        if _makes_videos_here(options, settings, out / PROFILE):
            check_room(options, settings)
        subject = subject_of(options, settings)
        if options.returns is None:
            settings = replace(settings, returns=possible_returns(settings.returns, subject))
        profile = measured_profile(options, subject, settings, out / PROFILE)
        reports = [report_on(profile, c, how, options.doubt, others) for c in classifiers]
        sys.stdout.write("".join(map(as_text, reports)))
        sys.stdout.flush()
        maps = {_map_name(r.head_map.scheme): map_text(r.head_map).encode() for r in reports}
        to_the_end(lambda: save_all(out, maps | report_files(subject, profile, reports)))
    sys.stdout.write(f"wrote {out / PAGE}, head maps and pictures beside it\n")
    return 0


def _makes_videos_here(options: argparse.Namespace, settings: ProfileSettings, file: Path) -> bool:
    """Whether videos of a checkpoint are to be made; a cluster has memory of its own."""
    if options.model == DEMO or options.ray is not None:
        return False
    known = read_profile(file) if file.exists() else None
    return bool(videos_to_make(settings, known))


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
    family = FAMILY if options.model == DEMO else family_of(options)
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
