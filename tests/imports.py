"""Which module of ours imports which, read off the source."""

import ast
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import NamedTuple

ROOT = Path(__file__).parents[1]
FOLDERS = ("kernels", "headforcing_core", "nodes", "doctor")
# what people run by itself, with Python alone: its files import each other absolutely
SCRIPTS = "workflows/api/"


class Import(NamedTuple):
    """One ``from x import y, z`` of ours.

    Args:
        module: dotted, from the repository's root: ``headforcing_core.memory``.
        names: what is imported of it; modules, too.
    """

    module: str
    names: tuple[str, ...]

    def of(self, name: str) -> str:
        """Return the dotted name of what is imported, were it a module."""
        return f"{self.module}.{name}".lstrip(".")


def sources() -> dict[str, str]:
    """Return every module of ours: path from the root -> text."""
    return _read(path for folder in FOLDERS for path in sorted((ROOT / folder).rglob("*.py")))


def scripts() -> dict[str, str]:
    """Return every script of ours: path from the root -> text."""
    return _read(sorted((ROOT / SCRIPTS).rglob("*.py")))


def _read(paths: Iterable[Path]) -> dict[str, str]:
    return {path.relative_to(ROOT).as_posix(): path.read_text("utf-8") for path in paths}


def module_of(path: str) -> str:
    """Return the dotted name of a file: ``nodes/host/__init__.py`` is ``nodes.host``."""
    return path.removesuffix(".py").removesuffix("/__init__").replace("/", ".")


def imported(tree: ast.AST, path: str) -> tuple[list[Import], set[str]]:
    """Return (imports of ours, which are relative; packages imported absolutely)."""
    package = path.split("/")[:-1]
    ours, absolute = [], set()
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            absolute |= {alias.name.split(".")[0] for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.level:
            parents = package[: len(package) - node.level + 1]
            module = ".".join([*parents, *([node.module] if node.module else [])])
            ours.append(Import(module, tuple(alias.name for alias in node.names)))
        elif isinstance(node, ast.ImportFrom):
            absolute.add(node.module.split(".")[0])
    return ours, absolute


def targets(one: Import, modules: set[str], own: str) -> Iterator[str]:
    """Yield the modules that an import runs: those it names, the one it takes names from, and the
    doors on the way that ``own`` is not behind itself.
    """
    named = set(map(one.of, one.names))
    found = named & modules | ({one.module} if not named <= modules else set())
    yield from found
    for module in found:
        parts = module.split(".")
        doors = {".".join(parts[:n]) for n in range(1, len(parts))}
        yield from {door for door in doors if not f"{own}.".startswith(f"{door}.")} & modules


def graph(files: Mapping[str, str]) -> dict[str, set[str]]:
    """Return module -> modules that it imports.

    Args:
        files: path from the root -> text.
    """
    modules = {module_of(path) for path in files}
    edges: dict[str, set[str]] = {}
    for path, text in files.items():
        ours, _ = imported(ast.parse(text), path)
        found = {target for one in ours for target in targets(one, modules, module_of(path))}
        edges[module_of(path)] = found - {module_of(path)}
    return edges
