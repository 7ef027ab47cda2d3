"""A machine as it was found, in values."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

# what a package that is missing, or broken in any way, raises when it is imported or first used
BROKEN = (
    *(ImportError, OSError, RuntimeError, SyntaxError, AssertionError),
    *(AttributeError, TypeError, ValueError, LookupError),
)


@dataclass(frozen=True)
class Package:
    """Something that can be imported, or cannot.

    Args:
        version: None where it is not installed.
        error: what it says when it is imported; None if it can be.
    """

    version: str | None = None
    error: str | None = None

    @property
    def works(self) -> bool:
        return self.version is not None and self.error is None


@dataclass(frozen=True)
class Card:
    """A GPU.

    Args:
        capability: of an NVIDIA card.
        free: bytes, None where that cannot be told.
    """

    name: str
    capability: tuple[int, int] | None
    total: int
    free: int | None


@dataclass(frozen=True)
class Build:
    """What PyTorch was built for, and the cards it sees.

    Args:
        cuda, hip: versions it was built with.
    """

    cuda: str | None = None
    hip: str | None = None
    mps: bool = False
    xpu: bool = False
    cards: tuple[Card, ...] = ()


@dataclass(frozen=True)
class Host:
    """A ComfyUI.

    Args:
        page: version of its page.
        wanted_page: that it asks for.
        python: the one it has of its own.
        packs: folders of this pack in its ``custom_nodes``.
    """

    folder: str
    version: str | None = None
    page: str | None = None
    wanted_page: str | None = None
    python: str | None = None
    packs: tuple[str, ...] = ()


@dataclass(frozen=True)
class Place:
    """A folder that videos go to.

    Args:
        free: bytes on its disk.
        error: why nothing can be written there.
    """

    folder: str
    free: int | None = None
    error: str | None = None


@dataclass(frozen=True)
class Machine:
    """What was found.

    Args:
        nvidia: whether there is an NVIDIA driver, whatever PyTorch sees.
        memory: bytes of it in all.
        packages: by the name they are imported by; torch and triton, too.
        pack: the folder of this pack.
    """

    python: tuple[int, int, int]
    system: str
    nvidia: bool
    memory: int | None
    place: Place
    pack: str
    packages: Mapping[str, Package] = field(default_factory=dict)
    build: Build | None = None
    host: Host | None = None

    def has(self, name: str) -> bool:
        return name in self.packages and self.packages[name].works


@dataclass(frozen=True)
class Use:
    """What will be used here, as the code that uses it says.

    Args:
        attention: what reads the caches; ``why`` it is not Triton's kernel, where it is not.
        free: bytes of the device's memory, None where that cannot be told.
        lacks: why the default minute does not fit, and what does.
        error: what kept this from being known.
    """

    device: str | None = None
    dtype: str | None = None
    attention: str | None = None
    why: str | None = None
    compile: str | None = None
    free: int | None = None
    lacks: str | None = None
    error: str | None = None


@dataclass(frozen=True)
class Finding:
    """One sentence on something that is not as it should be, with the remedy.

    Args:
        must: whether it must be mended; else it could be.
    """

    sentence: str
    must: bool = True
