"""The settings of a method as widgets, and back."""

from __future__ import annotations

import re
from collections.abc import Mapping
from enum import Enum

from comfy_api.latest import io

from ...headforcing_core.methods import MethodSettings, setting_names, settings_named, with_values
from .ranks import folded

MOST_FRAMES = 4096
# widgets have numbers where settings may have none
BY_ITSELF = -1
# a method of so many settings shows all of them
MOST_IN_VIEW = 6
# of a method with more settings: what people change, by how much is kept of what
IN_VIEW = {
    *("window", "sink", "recent", "on_switch", "local_recent", "memory_sink", "memory_recent"),
    *("episodes.count", "cyclic.count", "stride.count", "blocks.count", "tokens", "shot_sink"),
    *("bands.bands", "types.dummies", "averages.rates", "replay.count", "replay.cycle"),
}


def widget_name(setting: str) -> str:
    """Return the widget's name; dots belong to the host."""
    return setting.replace(".", "_")


def widgets_of(settings: MethodSettings) -> list[io.Input]:
    """Return a widget for everything that can be set; what is seldom changed is folded."""
    every = list(setting_names(settings))
    seldom = {name for name, _ in every} - IN_VIEW if len(every) > MOST_IN_VIEW else set()
    return [_widget(name, value, settings, name in seldom) for name, value in every]


def settings_from(name: str, widgets: Mapping[str, object]) -> MethodSettings:
    """Return the settings that widgets show.

    Args:
        name: of the method, perhaps with a preset.
        widgets: values by widget name; what is missing keeps its default.

    Raises:
        ValueError: if a value does not fit.
    """
    settings = settings_named(name)
    known = {widget_name(setting): (setting, value) for setting, value in setting_names(settings)}
    assignments = []
    for widget, shown in widgets.items():
        if widget not in known or shown is None:  # not there, or not given
            continue
        setting, value = known[widget]
        nothing = value is None and shown == BY_ITSELF
        assignments.append(f"{setting}={'none' if nothing else shown}")
    return with_values(settings, assignments)


def _widget(setting: str, value: object, settings: MethodSettings, seldom: bool) -> io.Input:
    name, tip = widget_name(setting), _tooltip(setting, settings)
    # optional, so that prompts written by programs may leave out what they do not change
    said = {"optional": True, "tooltip": tip}
    # a host knows ranks of all kinds of widgets, or of none
    said |= folded(io.Int.Input) if seldom else {}
    match value:
        case Enum():
            options = [choice.value for choice in type(value)]
            return io.Combo.Input(name, options=options, default=value.value, **said)
        case bool():
            return io.Boolean.Input(name, default=value, **said)
        case int():
            return io.Int.Input(name, default=value, min=0, max=MOST_FRAMES, **said)
        case None:
            said["tooltip"] += f" {BY_ITSELF}: chosen by itself."
            return io.Int.Input(name, default=BY_ITSELF, min=BY_ITSELF, max=MOST_FRAMES, **said)
        case float():
            return io.Float.Input(name, default=value, min=0.0, max=2.0, step=0.01, **said)
    return io.String.Input(name, default=",".join(map(str, value)), **said)


def _tooltip(setting: str, settings: MethodSettings) -> str:
    """Return what the docstrings say of a setting; frames are latent frames."""
    owner: object = settings
    *path, last = setting.split(".")
    for part in path:
        owner = getattr(owner, part)
    said = _documented(owner).get(last) or _documented(settings).get(path[0] if path else last)
    return (
        f"{said or setting} (Frames are latent frames: four pictures, a quarter of a second at 16 "
        "per second.)"
    )


def _documented(owner: object) -> dict[str, str]:
    """Return {argument: text} of the Args of a class and of those it is made from."""
    found: dict[str, str] = {}
    for one in reversed(type(owner).__mro__):
        found |= _arguments(one.__doc__ or "")
    return found


def _arguments(doc: str) -> dict[str, str]:
    _, _, block = doc.partition("Args:\n")
    block = re.split(r"\n\s*\n", block)[0]
    found: dict[str, str] = {}
    names: list[str] = []
    for line in block.splitlines():
        entry = re.match(r"^ {8}(\w[\w, ]*): (.*)", line)
        if entry:
            names = [name.strip() for name in entry[1].split(",")]
            found |= dict.fromkeys(names, entry[2])
        else:
            found |= {name: f"{found[name]} {line.strip()}" for name in names}
    return {name: text[:1].upper() + text[1:] for name, text in found.items()}
