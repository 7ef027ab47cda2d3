"""What is not as it should be on a machine, each in a sentence with the remedy."""

from __future__ import annotations

import re
from collections.abc import Iterator

from .machine import Finding, Machine, Package, Use
from .packages import NEEDED

OLDEST_PYTHON = (3, 10)
OLDEST_TORCH = (2, 4)
OLDEST_HOST = (0, 8, 0)
# kernels/triton_choice.py decides; a test holds them equal
OLDEST_TRITON = (3, 4)
OLDEST_CARD = (8, 0)
LITTLE_DISK = 1024**3
WHEELS = "https://pytorch.org/get-started/locally"
EXTRAS = {
    "sentencepiece": "turns prompts into tokens outside ComfyUI (--text-encoder)",
    "diffusers": "decodes latents outside ComfyUI (--vae)",
    "matplotlib": "draws the plots of compare, drift and profile",
}


def findings(machine: Machine, use: Use) -> list[Finding]:
    """Return what must be mended, then what could be."""
    found = [
        *_of_python(machine),
        *_of_torch(machine),
        *_of_packages(machine),
        *_of_triton(machine),
        *_of_host(machine),
        *_of_place(machine),
        *_of_use(machine, use),
    ]
    return sorted(found, key=lambda finding: not finding.must)


def _of_python(machine: Machine) -> Iterator[Finding]:
    if machine.python < OLDEST_PYTHON:
        yield Finding(
            f"Python must be {_dotted(OLDEST_PYTHON)} or newer, got {_dotted(machine.python)}; "
            "make a virtual environment with a newer one"
        )


def _of_torch(machine: Machine) -> Iterator[Finding]:
    torch, build = machine.packages.get("torch", Package()), machine.build
    if torch.version is None:
        yield Finding(
            f"PyTorch must be installed, got none; take the build for this machine from {WHEELS}, "
            "or run headforcing with ComfyUI's Python"
        )
    elif torch.error is not None or build is None:
        yield Finding(
            f"PyTorch {torch.version} must be importable, got {torch.error or 'errors'}; "
            f"install it anew from {WHEELS}"
        )
    elif _older(torch.version, OLDEST_TORCH):
        yield Finding(
            f"PyTorch must be {_dotted(OLDEST_TORCH)} or newer, got {torch.version}; update it "
            f"from {WHEELS}"
        )
    if build is None or not machine.nvidia or build.cards:
        return
    if build.cuda is None and build.hip is None:
        yield Finding(
            f"PyTorch must be built for CUDA to use the NVIDIA card of this machine, got "
            f"{torch.version}, which is not; take a CUDA build from {WHEELS}"
        )
    else:
        yield Finding(
            f"the NVIDIA card of this machine must be seen by PyTorch, got none from "
            f"{torch.version}; run nvidia-smi, and update the driver or take a build for its CUDA"
        )


def _of_packages(machine: Machine) -> Iterator[Finding]:
    for name, project in NEEDED.items():
        package = machine.packages.get(name, Package())
        what = "videos are written with it" if name == "av" else "the pack needs it"
        if package.version is None:
            yield Finding(f"{project} must be installed, got none ({what}); pip install {project}")
        elif package.error is not None:
            yield Finding(
                f"{project} {package.version} must be importable, got {package.error} ({what}); "
                f"pip install --force-reinstall {project}"
            )
    for name, what in EXTRAS.items():
        package = machine.packages.get(name, Package())
        if package.version is None:
            yield Finding(f"{name} is not installed, it {what}; pip install {name}", must=False)
        elif package.error is not None:
            yield Finding(
                f"{name} {package.version} cannot be imported ({package.error}), it {what}; "
                f"pip install --force-reinstall {name}",
                must=False,
            )


def _of_triton(machine: Machine) -> Iterator[Finding]:
    cards = () if machine.build is None else machine.build.cards
    fast = [card for card in cards if (card.capability or (0, 0)) >= OLDEST_CARD]
    if not fast:
        return
    triton = machine.packages.get("triton", Package())
    slow = "PyTorch's attention is used instead, which is slower where heads differ"
    oldest = _dotted(OLDEST_TRITON)
    if triton.version is None:
        windows = "triton-windows" if machine.system.startswith("Windows") else "triton"
        yield Finding(f"Triton is not installed: {slow}; pip install {windows}", must=False)
    elif triton.error is not None:
        yield Finding(
            f"Triton {triton.version} cannot be imported ({triton.error}): {slow}; install the one "
            "that this PyTorch asks for",
            must=False,
        )
    elif _older(triton.version, OLDEST_TRITON):
        yield Finding(
            f"Triton {triton.version} is older than {oldest}: {slow}; update PyTorch, which "
            "brings a newer one",
            must=False,
        )


def _of_host(machine: Machine) -> Iterator[Finding]:
    host = machine.host
    if host is None:
        return
    if host.version is not None and _older(host.version, OLDEST_HOST):
        yield Finding(
            f"ComfyUI must be {_dotted(OLDEST_HOST)} or newer, got {host.version} in "
            f"{host.folder}; update it"
        )
    if len(host.packs) > 1:
        yield Finding(
            f"this pack must lie in custom_nodes once, got {', '.join(host.packs)}; move all but "
            "one away"
        )
    if not host.packs:
        yield Finding(
            f"ComfyUI in {host.folder} does not have this pack; move or link {machine.pack} into "
            "its custom_nodes to use the nodes",
            must=False,
        )
    for pack in host.packs:
        if " " in re.split(r"[/\\]", pack)[-1]:
            yield Finding(
                f"the folder {pack} has a space in its name, so ComfyUI does not serve the help "
                "pages of the nodes; rename it to headforcing",
                must=False,
            )
    if host.page and host.wanted_page and _older(host.page, _numbers(host.wanted_page)):
        yield Finding(
            f"ComfyUI's page is {host.page}, this ComfyUI asks for {host.wanted_page}; pip install "
            f"-r {host.folder}/requirements.txt with its Python",
            must=False,
        )


def _of_place(machine: Machine) -> Iterator[Finding]:
    place = machine.place
    if place.error is not None:
        yield Finding(
            f"--out must be a folder that can be written to, got {place.folder} ({place.error}); "
            "choose another"
        )
    elif place.free is not None and place.free < LITTLE_DISK:
        yield Finding(
            f"the disk of {place.folder} has {place.free / 1024**3:.2f} GiB free, latents and a "
            "video of some minutes take more; make room, or write elsewhere",
            must=False,
        )


def _of_use(machine: Machine, use: Use) -> Iterator[Finding]:
    if use.error is not None and machine.build is not None:
        yield Finding(f"the pack must run here, got {use.error}; mend what is said above first")
    if use.lacks is not None:
        yield Finding(
            "a minute of Self-Forcing at 832 x 480 with its own window does not fit now: "
            f"{use.lacks}",
            must=False,
        )


def _older(version: str, than: tuple[int, ...]) -> bool:
    """Say whether a version is known to be older."""
    return bool(_numbers(version)) and _numbers(version) < than


def _numbers(version: str) -> tuple[int, ...]:
    """Return the leading numbers: ``2.13.0+cpu`` is (2, 13, 0); empty where there are none."""
    said = re.match(r"v?(\d+(?:\.\d+)*)", version)
    return tuple(map(int, said[1].split("."))) if said else ()


def _dotted(version: tuple[int, ...]) -> str:
    return ".".join(map(str, version))
