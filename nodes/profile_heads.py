"""Profile Heads: measure where a model's heads look, type them, and show it."""

from __future__ import annotations

from dataclasses import replace
from math import ceil
from pathlib import Path

import comfy.utils
import torch
from comfy.model_patcher import ModelPatcher
from comfy_api.latest import io

from ..headforcing_core.heads import (
    CLASSIFIERS,
    DOUBT,
    PRESETS,
    EditedMap,
    HeadForcingTypes,
    HeadProfile,
    MapReport,
    ProfileSettings,
    as_text,
    draw_types,
    frames_to_make,
    possible_returns,
    preset_named,
    profiled,
    read_profile,
    report_on,
    with_edits,
)
from ..headforcing_core.methods import HeadMap, settings_named
from ..headforcing_core.models import Family
from .graph import (
    CATEGORY,
    EncodedPrompts,
    HeadMapSocket,
    ScheduleSocket,
    aliases,
    as_image,
    edits_widget,
    encoded,
    family_of,
    family_widget,
    folded,
    shown_map,
    size_widgets,
    with_maps,
)
from .host import (
    HostSubject,
    check_family,
    check_model,
    check_profile_fits,
    check_prompts,
    check_shift,
    core_start,
    digest_of,
    keep_map,
    keep_profile,
    profile_file,
)

TAU_RETURN = HeadForcingTypes().tau_return
# what a map's scheme is here, in the sentence on an edit
CHOSEN = "the chosen scheme"


class HeadForcingProfileHeads(io.ComfyNode):
    @classmethod
    def define_schema(cls) -> io.Schema:
        return io.Schema(
            node_id="HeadForcingProfileHeads",
            display_name="Profile Heads",
            category=CATEGORY,
            description="Make a few videos, measure the attention of each head on the past and the "
            "present, and tell heads apart by the rules of four papers. Done once per model (LoRAs "
            "count) and kept in the user folder.",
            inputs=[*_what(), *_rules(), edits_widget(), _returns()],
            outputs=[
                io.Model.Output(tooltip="The model, its head maps attached."),
                HeadMapSocket.Output(
                    "head_map", display_name="head_map", tooltip="Of the chosen scheme."
                ),
                io.Image.Output(tooltip="Which head is of which type."),
                io.String.Output(
                    "report", display_name="report", tooltip="Counts, and how sure they are."
                ),
            ],
            hidden=[io.Hidden.unique_id, io.Hidden.prompt],
            **aliases("attention heads", "head types", "analyze model"),
        )

    @classmethod
    def execute(
        cls,
        model: ModelPatcher,
        prompts: EncodedPrompts | list,
        preset: str,
        scheme: str,
        width: int,
        height: int,
        family: str,
        tau_anchor: float,
        tau_local: float,
        doubt: float,
        force: bool,
        edits: str = "",
        tau_return: float = TAU_RETURN,
    ) -> io.NodeOutput:
        check_model(model)
        chosen = family_of(model, family).without_pictures()
        check_family(model, chosen)
        said = encoded(prompts).told(chosen)
        size = chosen.video.latent_size(width, height)
        check_shift(model, chosen.shift)
        check_prompts(said.conditioning, model.get_model_object("diffusion_model").text_dim)
        if core_start(model) is not None:
            raise ValueError(
                "heads must be measured on videos of the model's own, got an image from ARVideoI2V "
                "on the model; put Profile Heads before it"
            )
        about = about_run(chosen, width, height, said)
        subject = HostSubject(model, chosen, size, said.conditioning, about)
        settings = _shared_out(preset_named(preset, chosen.video), len(said.prompts))
        returns = 0 if tau_return >= 1 else possible_returns(settings.returns, subject)
        settings = replace(settings, returns=returns)
        _check_edits(edits, scheme, subject.empty_profile(settings))
        profile = _measured(subject, settings, force)
        rule = HeadForcingTypes(tau_anchor=tau_anchor, tau_local=tau_local, tau_return=tau_return)
        reports = {
            classifier.scheme: report_on(profile, classifier, None, doubt)
            for classifier in (rule, *CLASSIFIERS[1:])
        }
        maps = {name: r.head_map for name, r in reports.items()}
        edited = EditedMap(maps[scheme], edits=edits, whose=CHOSEN)
        brings = with_maps(model, {**maps, scheme: edited.outgoing})
        keep_map(cls.hidden, edited)
        return io.NodeOutput(brings, *_shown(reports[scheme], edited), ui=shown_map(edited))


def about_run(family: Family, width: int, height: int, said: EncodedPrompts) -> dict[str, object]:
    """Return what a profile is kept under beside its model: another of these is another profile."""
    return {
        "model": "of ComfyUI",
        "family": family.name,
        "size": [width, height],
        "text": [prompt.text for prompt in said.prompts],
        "encoded": digest_of([entry[0] for each in said.conditioning for entry in each]),
    }


def _what() -> list[io.Input]:
    return [
        io.Model.Input("model", tooltip="From Load AR Model, LoRAs and all."),
        io.MultiType.Input(
            "prompts",
            types=[ScheduleSocket, io.Conditioning],
            tooltip="Prompts to measure with: each of a Prompt Schedule makes its own "
            "videos. More, and more different ones, make a surer map.",
        ),
        io.Combo.Input(
            "preset",
            options=list(PRESETS),
            default="quick",
            tooltip="quick: 4 videos of 10 s. full: 20 of 30 s, as the paper's protocol.",
        ),
        io.Combo.Input(
            "scheme",
            options=[classifier.scheme for classifier in CLASSIFIERS],
            default=CLASSIFIERS[0].scheme,
            tooltip="Whose types the head map and the picture show. The model brings all.",
        ),
        *size_widgets(),
        family_widget(),
    ]


def _rules() -> list[io.Input]:
    return [
        io.Float.Input(
            "tau_anchor",
            default=0.25,
            min=0.0,
            max=1.0,
            step=0.01,
            **folded(io.Float.Input),
            tooltip="Head Forcing: share of heads that become anchors.",
        ),
        io.Float.Input(
            "tau_local",
            default=0.2,
            min=0.0,
            max=1.0,
            step=0.01,
            **folded(io.Float.Input),
            tooltip="Head Forcing: share of the other heads that become local.",
        ),
        io.Float.Input(
            "doubt",
            default=DOUBT,
            min=0.0,
            max=1.0,
            step=0.05,
            **folded(io.Float.Input),
            tooltip="A head whose samples agree less often than that is treated as one "
            "that remembers.",
        ),
        io.Boolean.Input(
            "force", default=False, tooltip="Measure anew, even if the model is known."
        ),
    ]


def _returns() -> io.Input:
    """Return the widget that came last: saved workflows hold values by their places."""
    return io.Float.Input(
        "tau_return",
        default=TAU_RETURN,
        min=0.0,
        max=1.0,
        step=0.01,
        optional=True,
        **folded(io.Float.Input),
        tooltip="Head Forcing: least attention that a head turns to a scene when it comes back, to "
        "be one that recalls. Measured with 4 prompts or more. 1: none is, as in the paper.",
    )


def _shown(report: MapReport, edited: EditedMap) -> tuple[HeadMap, torch.Tensor, str]:
    """Return map, picture and report; the report is of what was measured, and says what is not."""
    head_map = edited.outgoing
    by_hand = [f"changed by hand: {note}" for note in head_map.edits]
    text = "\n  ".join([as_text(report).strip(), *by_hand])
    return head_map, as_image(draw_types(head_map)), text


def _check_edits(edits: str, scheme: str, wanted: HeadProfile) -> None:
    """Refuse edits that cannot be made before anything is measured."""
    kind = next(iter(settings_named(scheme).build().rules))
    size = wanted.geometry
    with_edits(HeadMap(scheme, ((kind,) * size.heads,) * size.layers), edits, CHOSEN)


def _shared_out(preset: ProfileSettings, prompts: int) -> ProfileSettings:
    """Make as many videos as the preset has, of the prompts there are."""
    used = min(prompts, preset.prompts)
    seeds, returns = ceil(preset.prompts / used), min(preset.returns, used)
    return replace(preset, prompts=used, seeds=seeds, returns=returns)


def _kept(file: Path, wanted: HeadProfile) -> HeadProfile:
    try:
        known = read_profile(file)
    except ValueError as error:
        raise ValueError(
            f"the profile kept in {file} must be whole, got one that cannot be read ({error}); "
            "delete it, or set force"
        ) from error
    for what in ("geometry", "fingerprint", "parameters"):
        if getattr(known, what) != getattr(wanted, what):
            raise ValueError(
                f"the profile kept in {file} must be of this model measured like this, got one "
                f"with another {what}; delete it, or set force"
            )
    return known


def _measured(subject: HostSubject, settings: ProfileSettings, force: bool) -> HeadProfile:
    """Measure what is not known of this model; every finished video is kept at once."""
    profile = subject.empty_profile(settings)
    file = profile_file(profile)
    if file.exists() and not force:
        profile = _kept(file, profile)
    work = frames_to_make(subject, settings, profile)
    if work:
        check_profile_fits(subject, settings)
    bar = comfy.utils.ProgressBar(max(1, work))
    for grown in profiled(subject, settings, profile, bar.update):
        profile = grown
        keep_profile(file, profile)
    return profile
