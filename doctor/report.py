"""What was found, as lines for people and as JSON for machines."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from dataclasses import asdict

from .machine import Build, Card, Finding, Host, Machine, Package, Place, Use
from .packages import OPTIONAL

GIB = 1024**3


def as_json(machine: Machine, use: Use, found: Sequence[Finding]) -> str:
    """Return everything as JSON; sizes in bytes."""
    told = {
        "machine": asdict(machine),
        "use": asdict(use),
        "findings": [asdict(one) for one in found],
        "ok": not any(one.must for one in found),
    }
    return json.dumps(told, indent=1) + "\n"


def as_text(machine: Machine, use: Use, found: Sequence[Finding]) -> str:
    """Return everything as lines."""
    lines = ["what this machine has"]
    lines += [f"  {name:14}{value}" for name, value in _has(machine)]
    lines += ["", "what will be used"]
    lines += [f"  {name:14}{value}" for name, value in _used(use)]
    for title, must in (("what must be mended", True), ("what could be better", False)):
        said = [one.sentence for one in found if one.must is must]
        if said:
            lines += ["", title, *(f"  - {sentence}" for sentence in said)]
    if not any(one.must for one in found):
        lines += ["", "nothing must be mended"]
    return "\n".join(lines) + "\n"


def _has(machine: Machine) -> Iterator[tuple[str, str]]:
    packages = machine.packages
    yield "Python", ".".join(map(str, machine.python))
    yield "system", machine.system
    yield "memory", "not told" if machine.memory is None else _gib(machine.memory)
    yield "PyTorch", _package(packages.get("torch", Package())) + _build(machine.build)
    for card in () if machine.build is None else machine.build.cards:
        yield "card", _card(card)
    yield "Triton", _package(packages.get("triton", Package()))
    for name in ("av", *OPTIONAL):
        yield name, _package(packages.get(name, Package()))
    yield "ComfyUI", "none found" if machine.host is None else _host(machine.host)
    if machine.host is not None:
        yield "its page", machine.host.page or "version not found"
        yield "its Python", machine.host.python or "none of its own found"
        yield "this pack", ", ".join(machine.host.packs) or "not in its custom_nodes"
    yield "writes to", _place(machine.place)


def _used(use: Use) -> Iterator[tuple[str, str]]:
    if use.error is not None:
        yield "not known", use.error
        return
    free = "" if use.free is None else f", {_gib(use.free)} free"
    yield "device", f"{use.device}{free}"
    yield "numbers", str(use.dtype)
    why = "" if use.why is None else f" ({use.why})"
    yield "attention", f"read by {use.attention}{why}"
    yield "compiling", str(use.compile)


def _package(package: Package) -> str:
    if package.version is None:
        return "not installed"
    broken = "" if package.error is None else f", cannot be imported: {package.error}"
    return package.version + broken


def _build(build: Build | None) -> str:
    if build is None:
        return ""
    of = [f"CUDA {build.cuda}" if build.cuda else "", f"ROCm {build.hip}" if build.hip else ""]
    of += ["Apple MPS" if build.mps else "", "Intel XPU" if build.xpu else ""]
    return f" for {', '.join(filter(None, of)) or 'the CPU alone'}"


def _card(card: Card) -> str:
    kind = "" if card.capability is None else f", sm_{card.capability[0]}{card.capability[1]}"
    free = "" if card.free is None else f", {_gib(card.free)} free"
    return f"{card.name}{kind}, {_gib(card.total)}{free}"


def _host(host: Host) -> str:
    return f"{host.version or 'of unknown version'} in {host.folder}"


def _place(place: Place) -> str:
    if place.error is not None:
        return f"{place.folder}, which cannot be written to: {place.error}"
    return place.folder if place.free is None else f"{place.folder}, {_gib(place.free)} free"


def _gib(size: int) -> str:
    return f"{size / GIB:.1f} GiB"
