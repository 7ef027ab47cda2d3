"""Files of named tensors, read one tensor at a time."""

from __future__ import annotations

import json
import os
import struct
import zipfile
from collections.abc import Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path
from pickle import UnpicklingError
from typing import Any, Protocol

import torch
from safetensors import SafetensorError, safe_open
from torch import Tensor

SAFETENSORS_SUFFIXES = (".safetensors", ".sft")
# how files begin
ZIP, PICKLE = b"PK", b"\x80"
SEEN = {
    b"version https://git-lfs": "a pointer of git-lfs, not the file itself: run git lfs pull",
    b"<!doctype": "a web page: download the file itself",
    b"<html": "a web page: download the file itself",
    b"gguf": "a GGUF file: use the safetensors version",
}
TORCH_SUFFIXES = (".pt", ".pth", ".ckpt", ".bin")
INDEX_SUFFIX = ".safetensors.index.json"
# what trainers call the weights in a torch file
WRAPPERS = ("generator_ema", "generator", "model", "state_dict", "module", "ema")
# what torch.load raises on bytes that are no torch file, or half of one
UNREADABLE = (
    RuntimeError,
    OSError,
    EOFError,
    LookupError,
    ValueError,
    TypeError,
    AttributeError,
    AssertionError,
    ArithmeticError,
    MemoryError,
    SafetensorError,
    struct.error,
    zipfile.BadZipFile,
)


class TensorSource(Protocol):
    """Named tensors whose shapes are known before their data is read."""

    @property
    def shapes(self) -> Mapping[str, tuple[int, ...]]: ...

    @property
    def metadata(self) -> Mapping[str, str]: ...

    def reading(self, name: str) -> AbstractContextManager[Tensor]:
        """Lend one tensor, as stored; it may lie in the file, so what is kept must be copied."""
        ...


class TensorDict:
    """Tensors that are in memory, or mapped, already."""

    def __init__(self, tensors: Mapping[str, Tensor], metadata: Mapping[str, str] | None = None):
        self._tensors = tensors
        self.metadata = dict(metadata or {})
        self.shapes = {name: tuple(x.shape) for name, x in tensors.items()}

    @contextmanager
    def reading(self, name: str) -> Iterator[Tensor]:
        yield self._tensors[name]


class SafetensorsFiles:
    """One safetensors file, or the parts of a sharded one."""

    def __init__(self, paths: Sequence[Path]):
        self.metadata: dict[str, str] = {}
        self.shapes: dict[str, tuple[int, ...]] = {}
        self._path: dict[str, Path] = {}
        for path in paths:
            with _open_safetensors(path) as file:
                self.metadata |= file.metadata() or {}
                for name in file.keys():
                    if name in self.shapes:
                        raise ValueError(f"shards must hold each tensor once, got {name} again")
                    self.shapes[name] = tuple(file.get_slice(name).get_shape())
                    self._path[name] = path

    @contextmanager
    def reading(self, name: str) -> Iterator[Tensor]:
        # the file is mapped for one tensor at a time: pages of a file that stays mapped would
        # count as memory until the last tensor is read, and double the peak
        with _open_safetensors(self._path[name]) as file:
            yield file.get_tensor(name)


def open_tensors(path: str | Path, prefer: Sequence[str] = WRAPPERS) -> TensorSource:
    """Open a file of tensors: safetensors (sharded too, or its folder) or a torch file.

    Args:
        path: the file; a folder or an ``.index.json`` stands for a sharded model in it.
        prefer: the state dict to take, best first, when a torch file holds several.

    Raises:
        ValueError: if the file is missing, truncated, of another kind, or holds more than tensors.
    """
    path = Path(path)
    if path.is_dir():
        path = _model_in(path)
    if not path.is_file():
        raise ValueError(f"the file must exist, got {path}")
    if not os.access(path, os.R_OK):
        raise ValueError(f"{path.name} must be readable by this user, got no permission")
    if path.name.endswith(INDEX_SUFFIX):
        return SafetensorsFiles(_shards(path))
    suffix, begins = path.suffix.lower(), _beginning(path)
    # by what it is: people rename files, and hosts download one kind under the name of another
    torch_file = begins[:2] == ZIP or begins[:1] == PICKLE
    if begins[8:9] == b"{" or (suffix in SAFETENSORS_SUFFIXES and not torch_file):
        return SafetensorsFiles([path])
    if torch_file or suffix in TORCH_SUFFIXES:
        return TensorDict(_unwrap(_load_torch(path), path, prefer))
    if suffix == ".gguf" or begins[:4] == b"GGUF":
        raise ValueError(f"GGUF files are not read, got {path.name}; use the safetensors version")
    raise ValueError(
        f"the file must be .safetensors or one of {', '.join(TORCH_SUFFIXES)}, got {path.name}"
    )


def _model_in(folder: Path) -> Path:
    """Return the one model of a folder, or of a diffusers repository whose root it is."""
    experts = [part for part in ("transformer", "transformer_2") if (folder / part).is_dir()]
    if len(experts) > 1:
        raise ValueError(
            f"a repository must hold one model, got two in {folder}: {' and '.join(experts)}, the "
            "experts of a Wan 2.2 14B model, which cannot be run yet"
        )
    if experts:
        return _model_in(folder / experts[0])
    found = sorted(folder.glob("*" + INDEX_SUFFIX)) or sorted(folder.glob("*.safetensors"))
    if len(found) != 1:
        raise ValueError(
            f"a folder must hold one safetensors model, got {len(found)} in {folder}; name the file"
        )
    return found[0]


def _shards(index: Path) -> list[Path]:
    try:
        names = sorted(set(json.loads(index.read_text("utf-8"))["weight_map"].values()))
        shards = [index.parent / Path(name).name for name in names]
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise ValueError(f"{index.name} must be a safetensors index, got {error!r}") from error
    missing = [shard.name for shard in shards if not shard.is_file()]
    if missing:
        raise ValueError(f"all shards of {index.name} must be beside it, missing: {missing[:3]}")
    return shards


def _open_safetensors(path: Path) -> Any:
    try:
        return safe_open(path, framework="pt")
    except (SafetensorError, OSError) as error:
        raise _damaged(path, "safetensors") from error


def _load_torch(path: Path) -> object:
    try:
        # mmap works for the zip container only, which torch has written since 1.6
        if path.suffix.lower() in SAFETENSORS_SUFFIXES:  # by which newer torches go
            with path.open("rb") as file:
                return torch.load(file, map_location="cpu", weights_only=True)
        mmap = zipfile.is_zipfile(path)
        return torch.load(path, map_location="cpu", weights_only=True, mmap=mmap)
    except UnpicklingError as error:
        if "Unsupported global" in str(error) or "allowed global" in str(error):
            raise ValueError(
                f"{path.name} must hold tensors only, but it holds other objects, or is damaged; "
                "loading those could run code, so it is refused: convert it to safetensors"
            ) from error
        raise _damaged(path, "torch") from error
    except UNREADABLE as error:
        raise _damaged(path, "torch") from error


def _beginning(path: Path) -> bytes:
    with path.open("rb") as file:
        return file.read(64)


def _damaged(path: Path, kind: str) -> ValueError:
    begins = _beginning(path).lstrip().lower()
    for mark, what in SEEN.items():
        if begins.startswith(mark):
            return ValueError(f"{path.name} must be a {kind} file, got {what}")
    return ValueError(
        f"{path.name} must be a whole {kind} file, got {path.stat().st_size} bytes that are "
        "truncated, damaged or of another kind; download it again"
    )


def _unwrap(loaded: object, path: Path, prefer: Sequence[str]) -> dict[str, Tensor]:
    """Step into {generator_ema: {...}}-like wrappers down to the named tensors."""
    if isinstance(loaded, Tensor):
        return {"tensor": loaded}
    if not isinstance(loaded, Mapping):
        raise ValueError(f"{path.name} must hold named tensors, got {type(loaded).__name__}")
    tensors = {str(name): x for name, x in loaded.items() if isinstance(x, Tensor)}
    for name in prefer:
        if isinstance(loaded.get(name), Mapping) and loaded[name]:
            # a step or a loss may lie beside; as many as inside are another model
            if len(tensors) > len(loaded[name]) // 2:
                raise ValueError(
                    f"{path.name} must hold one set of tensors, got {len(tensors)} beside "
                    f"{len(loaded[name])} in {name}; save the one you mean alone"
                )
            return _unwrap(loaded[name], path, prefer)
    if any(x.is_meta for x in tensors.values()):
        raise ValueError(f"{path.name} must hold numbers, got tensors that are shapes alone")
    if not tensors:
        raise ValueError(
            f"{path.name} must hold named tensors or one of {', '.join(prefer)}, "
            f"got {[str(name) for name in loaded][:3]}"
        )
    return tensors
