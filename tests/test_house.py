"""The architecture and the habits of CONTRIBUTING.md, executable."""

import ast
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
HOST = {"comfy", "comfy_api", "comfy_extras", "folder_paths", "nodes", "server", "execution"}
MAY_IMPORT = {  # folder -> which of our folders it may import
    "kernels": {"kernels"},
    "headforcing_core": {"headforcing_core", "kernels"},
    "nodes": {"nodes", "headforcing_core"},
}
ANYTHING = None
# what ComfyUI ships, and nothing else, at run time
PACKAGES = {"torch", "numpy", "safetensors", "einops", "PIL", "tqdm", "av"}
# extras, imported where they are used
EXTRAS = {
    "headforcing_core/demo/report.py": {"matplotlib"},
    "headforcing_core/profile_plots.py": {"matplotlib"},
}
ALL_EXTRAS = set().union(*EXTRAS.values())
# imported when a GPU is there to run it, by an operator's api; its numbers are tiles and cards
TRITON_FILE = "/triton_kernel.py"
# what each module of core may import of core: from the loop to the nouns, never back
CORE = {
    "version": set(),
    "drift": set(),
    "video_file": set(),
    "geometry": set(),
    "clock": set(),
    "pages": {"clock"},
    "policy": {"clock", "middles", "pages"},
    "online": set(),
    "method": {"clock", "online", "policy", "positions"},
    "ledger": {"clock", "method", "pages", "slots"},
    "head_map": {"geometry"},
    "head_map_files": {"head_map", "methods"},
    "groups": {"geometry", "head_map", "method", "middles", "online"},
    "arena": {"device", "method", "rope", "rotations", "slots"},
    "layer_cache": {"arena", "clock", "ledger", "rope"},
    "contents": {"arena", "ledger", "pages", "rope"},
    "novelty": set(),
    "decisions": {
        *("clock", "device", "geometry", "layer_cache", "ledger", "middles", "novelty", "online"),
        "pages",
    },
    "fingerprint": set(),
    "head_profile": {"geometry"},
    "profile_settings": {"clock", "families", "method", "methods"},
    "profiling": {
        *("attention", "clock", "families", "fingerprint", "generation", "head_profile"),
        *("profile_settings", "prompts", "wan"),
    },
    "profile_file": {"geometry", "head_profile", "tensor_files"},
    "classification": {"head_profile", "methods", "online"},
    "voting": {"classification", "head_map", "head_profile"},
    "stability": {"classification", "head_map", "head_profile", "voting"},
    "head_map_pictures": {"head_map", "methods", "online"},
    "profile_plots": {"classification", "head_map", "head_map_pictures", "head_profile"},
    "map_report": {"classification", "head_map", "head_profile", "stability", "voting"},
    "profile_page": {"head_map_pictures", "head_profile", "map_report"},
    "profile_report": {
        *("arena", "head_map", "head_map_pictures", "head_profile", "map_report", "methods"),
        *("profile_page", "profile_plots", "profiling", "rope"),
    },
    "budgets": {
        *("arena", "clock", "geometry", "head_map_files", "inspection", "method", "methods"),
        *("online", "pages", "rope"),
    },
    "inspection": {"arena", "clock", "ledger", "method", "pages"},
    "prompts": set(),
    "prompt_text": {"clock", "geometry", "prompts"},
    "schedule": set(),
    "device": set(),
    "tensor_files": set(),
    "weight_names": set(),
    "positions": {"clock", "pages"},
    "noise": {"clock"},
    "rope": {"device", "geometry"},
    "rotations": {"device", "rope"},
    "slots": {"clock", "pages"},
    "backbone": {"schedule"},
    "latent_file": {"tensor_files"},
    "lora": {"tensor_files", "weight_names"},
    "families": {"geometry", "method", "policy", "positions", "schedule", "tensor_files"},
    "cache_plan": {"arena", "geometry", "groups", "method", "online", "rope"},
    "cache": {
        *("arena", "cache_plan", "clock", "contents", "decisions", "device", "layer_cache"),
        *("ledger", "method", "pages", "rope", "rotations"),
    },
    "attention": {"cache", "rope"},
    "wan": {"backbone", "device", "geometry", "schedule"},
    "checkpoint": {"families", "lora", "tensor_files", "wan", "weight_names"},
    "rollout": {
        *("attention", "backbone", "cache", "clock", "device", "method", "noise", "prompts"),
        "schedule",
    },
    "generation": {
        *("attention", "backbone", "cache", "cache_plan", "clock", "families", "groups"),
        *("head_map", "method", "noise", "prompts", "rollout", "rope", "version", "wan"),
    },
    "__init__": ANYTHING,
}
# bookkeeping: integers, no tensors
INTEGERS = {
    *("geometry", "clock", "pages", "policy", "positions", "slots", "prompts", "method", "ledger"),
    *("head_map", "groups", "online"),
}
NO_NAMES = {"utils", "common", "helpers", "misc"}
# numbers of published models; they belong to families.py
MODEL_NUMBERS = {1560, 32760, 21, 30, 12, 128}
# the demo's numbers are those of its own world
HAS_MODEL_NUMBERS = (
    *("headforcing_core/families.py", "headforcing_core/demo/"),
    # the budgets their authors chose for them
    "headforcing_core/methods/",
)
# code that runs inside the loop reads nothing back from the device
LOOP = (
    "kernels/",
    *("headforcing_core/" + m for m in ("rollout.py", "attention.py", "cache.py", "wan.py")),
    *(
        "headforcing_core/" + m
        for m in ("layer_cache.py", "arena.py", "contents.py", "rotations.py")
    ),
)
# functions that the host calls, in one version with more arguments than in another
CALLED_BY_HOST = ("nodes/host_attention.py", "nodes/host_sampling.py", "nodes/demo_model.py")
READS_BACK = {"item", "tolist", "cpu", "numpy", "nonzero"}

SOURCES = [p for folder in MAY_IMPORT for p in sorted((ROOT / folder).rglob("*.py"))]
by_path = pytest.mark.parametrize("path", SOURCES, ids=lambda p: str(p.relative_to(ROOT)))


def relative(path: Path) -> str:
    return path.relative_to(ROOT).as_posix()


def imports(tree: ast.AST, package: tuple[str, ...]) -> tuple[set[tuple[str, ...]], set[str]]:
    """Return (dotted paths of ours, imported relatively; packages imported absolutely)."""
    ours, absolute = set(), set()
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            absolute |= {alias.name.split(".")[0] for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.level:
            parents = package[: len(package) - node.level + 1]
            module = tuple(node.module.split(".")) if node.module else ()
            # `from . import x` names modules, `from .x import y` names what is in one
            ours |= {(*parents, *module)} if module else {(*parents, a.name) for a in node.names}
        elif isinstance(node, ast.ImportFrom):
            absolute.add(node.module.split(".")[0])
    return ours, absolute


def complaints(source: str, path: str) -> list[str]:
    """Say what in one file breaks a rule; ``path`` is relative to the repository."""
    tree, said = ast.parse(source), []
    package = tuple(path.split("/")[:-1])
    folder = package[0]
    ours, absolute = imports(tree, package)
    said += [f"{folder} may not import {o}" for o in ours if o[0] not in MAY_IMPORT[folder]]
    said += [f"import {a} relatively" for a in absolute & set(MAY_IMPORT) - {"nodes"}]
    if folder != "nodes":
        said += [f"only nodes may import {a}" for a in absolute & HOST]
        known = PACKAGES | HOST | set(MAY_IMPORT) | set(sys.stdlib_module_names)
        known |= EXTRAS.get(path, set())
        known |= {"triton"} if path.endswith(TRITON_FILE) else set()
        top = imports(ast.Module([n for n in tree.body if is_import(n)], []), package)[1]
        said += [f"{a} is an extra: import it where it is used" for a in top & ALL_EXTRAS]
        said += [f"{a} is not shipped with ComfyUI" for a in absolute - known]
        early = {node.module for node in tree.body if isinstance(node, ast.ImportFrom)}
        if any(f"/{module}.py".endswith(TRITON_FILE) for module in early):
            said.append("Triton's file is imported where it is chosen, not before")
    said += core_complaints(path, ours, absolute)
    if Path(path).stem in NO_NAMES:
        said.append("a module is named after its noun")
    if source.count("\n") > 300:
        said.append("over 300 lines: two nouns?")
    if not ast.get_docstring(tree):
        said.append("a module says its noun in one line")
    for node in ast.walk(tree):
        if not (path.startswith(CALLED_BY_HOST) and takes_anything(node)):
            said += habits(node)
        if path.startswith(LOOP) and isinstance(node, ast.Attribute) and node.attr in READS_BACK:
            said.append(f"line {node.lineno}: .{node.attr} waits for the device")
        free = path.startswith(HAS_MODEL_NUMBERS) or path.endswith(TRITON_FILE)
        if not free and isinstance(node, ast.Constant):
            if type(node.value) is int and node.value in MODEL_NUMBERS:
                said.append(f"line {node.lineno}: {node.value} belongs to a model family")
    return said


def takes_anything(node: ast.AST) -> bool:
    return isinstance(node, ast.FunctionDef) and node.args.kwarg is not None


def is_import(node: ast.AST) -> bool:
    return isinstance(node, ast.Import | ast.ImportFrom)


def core_complaints(path: str, ours: set, absolute: set[str]) -> list[str]:
    noun = Path(path).stem
    if path != f"headforcing_core/{noun}.py":
        return []
    if noun not in CORE:
        return ["say in CORE what this module may import"]
    said = []
    if CORE[noun] is not ANYTHING:
        imported = {o[1] for o in ours if o[0] == "headforcing_core" and len(o) > 1}
        said += [f"{noun} may not import {other}" for other in imported - CORE[noun]]
    if noun in INTEGERS and "torch" in absolute:
        said.append(f"{noun} decides with integers, not tensors")
    return said


def habits(node: ast.AST) -> list[str]:
    match node:
        case ast.Global() | ast.Nonlocal():
            return [f"line {node.lineno}: global state"]
        case ast.ExceptHandler(type=None):
            return [f"line {node.lineno}: bare except"]
        case ast.ExceptHandler() if {"Exception", "BaseException"} & names_in(node.type):
            return [f"line {node.lineno}: an exception must be named"]
        case ast.Assign(targets=[ast.Attribute(value=ast.Name(id="torch" | "comfy" | "app"))]):
            return [f"line {node.lineno}: nobody else's module is changed"]
        case ast.Call(func=ast.Name(id="print")):
            return [f"line {node.lineno}: print; use logging"]
        case ast.FunctionDef() | ast.AsyncFunctionDef() if node.args.kwarg:
            return [f"line {node.lineno}: **{node.args.kwarg.arg} hides parameters"]
        case ast.FunctionDef() if node.end_lineno - node.lineno > 50:
            return [f"line {node.lineno}: {node.name} is longer than a screen"]
        case ast.Attribute(attr="environ" | "getenv") | ast.alias(name="environ" | "getenv"):
            return [f"line {node.lineno}: settings are values, not environment variables"]
        case ast.Name(id="TYPE_CHECKING"):
            return [f"line {node.lineno}: TYPE_CHECKING hides an import cycle"]
    return []


def names_in(node: ast.AST) -> set[str]:
    return {n.id for n in ast.walk(node) if isinstance(n, ast.Name)}


@by_path
def test_the_house_rules(path):
    assert complaints(path.read_text("utf-8"), relative(path)) == []


VIOLATIONS = {
    "kernels/x.py": [
        "from ..headforcing_core import y",
        "from .. import nodes",
        "import comfy",
        "n = lengths.tolist()",
        "import triton",
        "from .triton_kernel import forward",
        "tile = 128",
    ],
    "headforcing_core/__init__.py": [
        "from ..nodes import y",
        "from .. import nodes",
        "from nodes import y",
        "import comfy.samplers",
        "import kernels",
        "import matplotlib",
        "from headforcing_core.cache import y",
        "try: f()\nexcept: pass",
        "try: f()\nexcept Exception: pass",
        "print('x')",
        "def f():\n    global x",
        "def f(**options): pass",
        "import os\nx = os.environ['x']",
        "from typing import TYPE_CHECKING\nif TYPE_CHECKING: pass",
        "tokens = frame * 1560",
        "heads = 12",
        "\n" * 301,
        "def f():\n" + "    x = 1\n" * 52,
    ],
    "headforcing_core/cli/x.py": [
        "from ...nodes import y",
        "try: f()\nexcept (Exception, OSError): pass",
        "async def f(**options): pass",
        "from os import environ",
        "torch.backends = 1",
    ],
    "headforcing_core/rollout.py": ["from .cli import main", "from .generation import x"],
    "headforcing_core/families.py": ["from .rollout import Rollout"],
    "headforcing_core/policy.py": ["import torch"],
    "headforcing_core/wan.py": ["x = y.sum().item()"],
    "headforcing_core/cache.py": ["from .rollout import Rollout", "from . import rollout"],
    "headforcing_core/demo/report.py": ["import matplotlib", "from matplotlib import figure"],
    "nodes/x.py": ["from ..kernels import y", "import kernels"],
}


@pytest.mark.parametrize(
    ("path", "source"), [(p, s) for p, sources in VIOLATIONS.items() for s in sources]
)
def test_a_planted_violation_is_seen(path, source):
    assert complaints('"""A module."""\n', path) == []
    assert complaints(f'"""A module."""\n{source}\n', path)


def test_a_module_says_what_it_may_import_and_has_a_noun():
    assert complaints('"""A module."""\n', "headforcing_core/new.py")
    assert complaints('"""A module."""\n', "kernels/utils.py")


def test_a_module_without_a_docstring_is_seen():
    assert complaints("x = 1\n", "kernels/x.py") == ["a module says its noun in one line"]


def test_what_is_there_is_imported_late():
    """ComfyUI runs the root under another name, and pytest meets it too: it must load nothing."""
    tree = ast.parse((ROOT / "__init__.py").read_text("utf-8"))
    top = [node for node in tree.body if isinstance(node, ast.Import | ast.ImportFrom)]
    assert top == []
