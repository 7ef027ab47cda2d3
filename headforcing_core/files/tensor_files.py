"""Files of named tensors, read one tensor at a time."""

from __future__ import annotations

import stat
from collections.abc import Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, ExitStack, contextmanager, nullcontext
from pathlib import Path
from typing import Any, Protocol

import torch
from safetensors import SafetensorError, safe_open
from torch import Tensor

from .json_text import json_of, named, placed, shown
from .pickled_calls import Claimed, Foreign
from .plain_file import check_file, read_text
from .safetensors_header import check_count, check_header, check_names, check_shape
from .torch_files import load_torch, sentence

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
# bytes of an index, and the files it may name
LARGEST_INDEX, MOST_SHARDS = 1 << 24, 1000
# what trainers call the weights in a torch file
WRAPPERS = ("generator_ema", "generator", "model", "state_dict", "module", "ema")
# one in another
MOST_WRAPPERS = 8
# what headers call dtypes that weights have
DTYPES = {
    "F64": torch.float64,
    "F32": torch.float32,
    "F16": torch.float16,
    "BF16": torch.bfloat16,
    "F8_E4M3": torch.float8_e4m3fn,
    "F8_E5M2": torch.float8_e5m2,
}
# what reading a tensor raises if its file is damaged, or was changed since it was opened
UNREADABLE = (SafetensorError, OSError, RuntimeError, OverflowError, TypeError, AttributeError)


class TensorSource(Protocol):
    """Named tensors whose shapes and dtypes are known before their data is read."""

    @property
    def shapes(self) -> Mapping[str, tuple[int, ...]]: ...

    @property
    def dtypes(self) -> Mapping[str, torch.dtype]:
        """Of those in floating point, by name."""
        ...

    @property
    def metadata(self) -> Mapping[str, str]: ...

    def reading(self, name: str) -> AbstractContextManager[Tensor]:
        """Lend one tensor, as stored; it may lie in the file, so what is kept must be copied."""
        ...

    def kept_open(self) -> AbstractContextManager[None]:
        """Open the file once for all that is read within: for many tensors that are small."""
        ...


class TensorDict:
    """Tensors that are in memory, or mapped, already."""

    def __init__(self, tensors: Mapping[str, Tensor], metadata: Mapping[str, str] | None = None):
        self._tensors = tensors
        self.metadata = dict(metadata or {})
        self.shapes = {name: tuple(x.shape) for name, x in tensors.items()}
        self.dtypes = {name: x.dtype for name, x in tensors.items() if x.is_floating_point()}

    @contextmanager
    def reading(self, name: str) -> Iterator[Tensor]:
        yield self._tensors[name]

    def kept_open(self) -> AbstractContextManager[None]:
        return nullcontext()


class SafetensorsFiles:
    """One safetensors file, or the parts of a sharded one."""

    def __init__(self, paths: Sequence[Path]):
        self.metadata: dict[str, str] = {}
        self.shapes: dict[str, tuple[int, ...]] = {}
        self.dtypes: dict[str, torch.dtype] = {}
        self._path: dict[str, Path] = {}
        self._kept: dict[Path, Any] = {}
        for path in paths:
            check_header(path, path.stat().st_size)
            with _open_safetensors(path) as file:
                self.metadata |= file.metadata() or {}
                for name in file.keys():
                    if name in self.shapes:
                        raise ValueError(f"shards must hold each tensor once, got {name} again")
                    part = file.get_slice(name)
                    self.shapes[name] = tuple(part.get_shape())
                    if part.get_dtype() in DTYPES:
                        self.dtypes[name] = DTYPES[part.get_dtype()]
                    check_shape(path, name, self.shapes[name])
                    self._path[name] = path
            check_count(path, len(self.shapes))

    @contextmanager
    def reading(self, name: str) -> Iterator[Tensor]:
        # the file is mapped for one tensor at a time: pages of a file that stays mapped would
        # count as memory until the last tensor is read, and double the peak
        path = self._path[name]
        with self._kept.get(path) or _open_safetensors(path) as file:
            yield _read(file, name, path)

    @contextmanager
    def kept_open(self) -> Iterator[None]:
        with ExitStack() as files:
            for path in set(self._path.values()):
                self._kept[path] = nullcontext(files.enter_context(_open_safetensors(path)))
            try:
                yield
            finally:
                self._kept.clear()


def open_tensors(path: str | Path, prefer: Sequence[str] = WRAPPERS) -> TensorSource:
    """Open a file of tensors: safetensors (sharded too, or its folder) or a torch file.

    Args:
        path: the file; a folder or an ``.index.json`` stands for a sharded model in it.
        prefer: the state dict to take, best first, when a torch file holds several.

    Raises:
        ValueError: if the file is missing, truncated, of another kind, or holds more than tensors.
    """
    path = Path(path)
    if _is_folder(path):
        path = _model_in(path)
    check_file(path)
    if path.name.endswith(INDEX_SUFFIX):
        return SafetensorsFiles(_shards(path))
    suffix, begins = path.suffix.lower(), _beginning(path)
    # by what it is: people rename files, and hosts download one kind under the name of another
    torch_file = begins[:2] == ZIP or begins[:1] == PICKLE
    if begins[8:9] == b"{" or (suffix in SAFETENSORS_SUFFIXES and not torch_file):
        return SafetensorsFiles([path])
    if torch_file or suffix in TORCH_SUFFIXES:
        tensors = _unwrap(_load_torch(path), path, prefer)
        check_names(path, tensors)
        return TensorDict(tensors)
    if suffix == ".gguf" or begins[:4] == b"GGUF":
        raise ValueError(f"GGUF files are not read, got {named(path)}; use the safetensors version")
    raise ValueError(
        f"the file must be .safetensors or one of {', '.join(TORCH_SUFFIXES)}, got {named(path)}"
    )


def _is_folder(path: Path) -> bool:
    try:
        return stat.S_ISDIR(path.stat().st_mode)
    except (OSError, ValueError):  # the latter of a name with a zero byte
        return False


def _model_in(folder: Path) -> Path:
    """Return the one model of a folder, or of a diffusers repository whose root it is."""
    experts = [part for part in ("transformer", "transformer_2") if (folder / part).is_dir()]
    if len(experts) > 1:
        raise ValueError(
            f"a repository must hold one model, got two in {placed(folder)}: "
            f"{' and '.join(experts)}, the experts of a Wan 2.2 14B model, which cannot be run yet"
        )
    if experts:
        return _model_in(folder / experts[0])
    found = sorted(folder.glob("*" + INDEX_SUFFIX)) or sorted(folder.glob("*.safetensors"))
    if len(found) != 1:
        raise ValueError(
            f"a folder must hold one safetensors model, got {len(found)} in {placed(folder)}; "
            "name the file"
        )
    return found[0]


def _shards(index: Path) -> list[Path]:
    text = read_text(index, LARGEST_INDEX)
    try:
        names = _shard_names(json_of(text))
    except ValueError as error:
        raise ValueError(f"{named(index)} must be a safetensors index: {error}") from None
    shards = [index.parent / name for name in names]
    missing = [shard.name for shard in shards if not shard.is_file()]
    if missing:
        raise ValueError(f"all shards of {named(index)} must be beside it, missing: {missing[:3]}")
    for shard in shards:
        check_file(shard)
    return shards


def _shard_names(told: object) -> list[str]:
    where = told.get("weight_map") if isinstance(told, dict) else None
    if not isinstance(where, dict) or not where:
        raise ValueError(f"it must have a weight_map from tensors to files, got {shown(where)}")
    for name in where.values():
        # a file of its own folder: paths could lead anywhere
        plain = isinstance(name, str) and 0 < len(name) <= 250 and name.isprintable()
        if not plain or name in (".", "..") or set(name) & set("/\\:"):
            raise ValueError(f"it must name files beside it, got {shown(name)}")
    names = sorted(set(where.values()))
    if len(names) > MOST_SHARDS:
        raise ValueError(f"it must name at most {MOST_SHARDS} files, got {len(names)}")
    return names


def _open_safetensors(path: Path) -> Any:
    try:
        return safe_open(path, framework="pt")
    except (SafetensorError, OSError) as error:
        raise _damaged(path, "safetensors") from error


def _read(file: Any, name: str, path: Path) -> Tensor:
    try:
        return file.get_tensor(name)
    except UNREADABLE as error:
        raise _damaged(path, "safetensors") from error


def _load_torch(path: Path) -> object:
    try:
        # by these suffixes newer torches tell another format
        return load_torch(path, by_path=path.suffix.lower() not in SAFETENSORS_SUFFIXES)
    except (Foreign, Claimed) as error:
        raise ValueError(sentence(path, error)) from error
    except ValueError as error:
        raise _damaged(path, "torch") from error


def _beginning(path: Path) -> bytes:
    with path.open("rb") as file:
        return file.read(64)


def _damaged(path: Path, kind: str) -> ValueError:
    begins = _beginning(path).lstrip().lower()
    for mark, what in SEEN.items():
        if begins.startswith(mark):
            return ValueError(f"{named(path)} must be a {kind} file, got {what}")
    return ValueError(
        f"{named(path)} must be a whole {kind} file, got {path.stat().st_size} bytes that are "
        "truncated, damaged or of another kind; download it again"
    )


def _unwrap(
    loaded: object, path: Path, prefer: Sequence[str], within: int = 0
) -> dict[str, Tensor]:
    """Step into {generator_ema: {...}}-like wrappers down to the named tensors."""
    if isinstance(loaded, Tensor):
        return {"tensor": loaded}
    if not isinstance(loaded, Mapping) or within > MOST_WRAPPERS:
        raise ValueError(f"{named(path)} must hold named tensors, got {type(loaded).__name__}")
    tensors = {str(name): x for name, x in loaded.items() if isinstance(x, Tensor)}
    for name in prefer:
        if isinstance(loaded.get(name), Mapping) and loaded[name]:
            # a step or a loss may lie beside; as many as inside are another model
            if len(tensors) > len(loaded[name]) // 2:
                raise ValueError(
                    f"{named(path)} must hold one set of tensors, got {len(tensors)} beside "
                    f"{len(loaded[name])} in {name}; save the one you mean alone"
                )
            return _unwrap(loaded[name], path, prefer, within + 1)
    if any(x.is_meta for x in tensors.values()):
        raise ValueError(f"{named(path)} must hold numbers, got tensors that are shapes alone")
    if not tensors:
        raise ValueError(
            f"{named(path)} must hold named tensors or one of {', '.join(prefer)}, "
            f"got [{', '.join(shown(str(name)) for name in [*loaded][:3])}]"
        )
    return tensors
