"""The habits of CONTRIBUTING.md, executable; test_wings.py has its walls."""

import ast
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from imports import FOLDERS, ROOT, SCRIPTS, imported, scripts, sources

HOST = {"comfy", "comfy_api", "comfy_extras", "folder_paths", "nodes", "server", "execution"}
HOST |= {"comfy_execution", "latent_preview", "aiohttp"}
# these import by a name which no test reads
UNREAD = {"runpy", "pkgutil"}
# what ComfyUI ships, and nothing else, at run time
PACKAGES = {"torch", "filelock", "numpy", "safetensors", "einops", "PIL", "tqdm", "av"}
# extras, imported where they are used
EXTRAS = {
    "headforcing_core/demo/comparison/report.py": {"matplotlib"},
    "headforcing_core/heads/profile_plots.py": {"matplotlib"},
    "headforcing_core/words/tokens.py": {"sentencepiece"},
    "headforcing_core/crews/ray_cluster.py": {"ray"},
    "headforcing_core/autoencoders/published_vae.py": {"diffusers"},
}
ALL_EXTRAS = set().union(*EXTRAS.values())
# imported when a GPU is there to run it, by an operator's api; its numbers are tiles and cards
TRITON_FILES = "/triton_kernel.py", "/triton_loops.py", "/triton_codes.py"
# imports the Triton file of whichever operator asks
CHOOSES = "kernels/triton_choice.py"
# bookkeeping: integers, no tensors
INTEGERS = (
    "headforcing_core/methods/",
    *(f"headforcing_core/memory/{noun}.py" for noun in ("groups", "ledger", "slots")),
    *(f"headforcing_core/video/{noun}.py" for noun in ("clock", "geometry", "prompts")),
)
NO_NAMES = {"utils", "common", "helpers", "misc"}
# numbers of published models; they belong to families.py
MODEL_NUMBERS = {1560, 32760, 21, 30, 12, 128}
# the demo's numbers are those of its own world
HAS_MODEL_NUMBERS = (
    *("headforcing_core/models/families.py", "headforcing_core/demo/"),
    # the budgets their authors chose for them
    *(f"headforcing_core/methods/{noun}.py" for noun in ("baselines", "families")),
    *(f"headforcing_core/methods/{noun}.py" for noun in ("registry",)),
)
# code that runs inside the loop reads nothing back from the device
LOOP = (
    *("kernels/", "headforcing_core/rollout.py", "headforcing_core/attention.py"),
    *("headforcing_core/memory/", "headforcing_core/models/wan.py"),
)
# but here, once per chunk
READS_ONCE = "headforcing_core/memory/scores/fetched.py"
# looks at a machine as people have set it up
READS_ENVIRONMENT = "doctor/comfyui.py"
# functions that the host calls, in one version with more arguments than in another
CALLED_BY_HOST = tuple(
    f"nodes/host/{noun}.py" for noun in ("attention", "demo_pictures", "demo_text", "sampling")
)
READS_BACK = {"item", "tolist", "cpu", "numpy", "nonzero"}

FILES = sources() | scripts()


def complaints(source: str, path: str) -> list[str]:
    """Say what in one file breaks a rule; ``path`` is relative to the repository."""
    tree, said = ast.parse(source), []
    ours, absolute = imported(tree, path)
    said += [f"import {a} relatively" for a in absolute & {*FOLDERS, "headforcing"}]
    said += [f"{a} hides an import" for a in absolute & UNREAD]
    known = PACKAGES | HOST | set(FOLDERS) | set(sys.stdlib_module_names)
    known |= EXTRAS.get(path, set())
    known |= {"triton"} if path.endswith(TRITON_FILES) else set()
    if path.startswith(SCRIPTS):
        known = {Path(p).stem for p in FILES if p.startswith(SCRIPTS)} | {*sys.stdlib_module_names}
        said += [f"{one.module} is not beside a script" for one in ours]
    said += [f"{a} is not shipped with ComfyUI" for a in absolute - known]
    if path.startswith(INTEGERS) and absolute & {"torch", "numpy", "einops"}:
        said.append("it decides with integers, not tensors")
    if not path.startswith("nodes/"):
        said += [f"only nodes may import {a}" for a in absolute & HOST]
        early, top = imported(ast.Module([n for n in at_once(tree) if is_import(n)], []), path)
        said += [f"{a} is an extra: import it where it is used" for a in top & ALL_EXTRAS]
        run = {name for one in early for name in (one.module, *map(one.of, one.names))}
        if not path.endswith(TRITON_FILES) and any(
            f"/{name.replace('.', '/')}.py".endswith(TRITON_FILES) for name in run
        ):
            said.append("Triton's file is imported where it is chosen, not before")
    if Path(path).stem in NO_NAMES:
        said.append("a module is named after its noun")
    if source.count("\n") > 300:
        said.append("over 300 lines: two nouns?")
    if not ast.get_docstring(tree):
        said.append("a module says its noun in one line")
    loops = path.startswith(LOOP) and path != READS_ONCE
    for node in ast.walk(tree):
        if not (path.startswith(CALLED_BY_HOST) and takes_anything(node)):
            said += habits(node)
        if loops and isinstance(node, ast.Attribute) and node.attr in READS_BACK:
            said.append(f"line {node.lineno}: .{node.attr} waits for the device")
        if path != READS_ENVIRONMENT and reads_environment(node):
            said.append(f"line {node.lineno}: settings are values, not environment variables")
        if path != CHOOSES and imports_by_name(node):
            said.append("what is imported is said in a statement")
        free = path.startswith(HAS_MODEL_NUMBERS) or path.endswith(TRITON_FILES)
        if not free and isinstance(node, ast.Constant):
            if type(node.value) is int and node.value in MODEL_NUMBERS:
                said.append(f"line {node.lineno}: {node.value} belongs to a model family")
    return said


def takes_anything(node: ast.AST) -> bool:
    return isinstance(node, ast.FunctionDef) and node.args.kwarg is not None


def imports_by_name(node: ast.AST) -> bool:
    return isinstance(node, ast.Name | ast.Attribute | ast.alias) and any(
        getattr(node, part, None) in ("import_module", "__import__")
        for part in ("id", "attr", "name")
    )


def at_once(tree: ast.AST) -> Iterator[ast.AST]:
    """Yield what is run when a module is imported: all that is not inside a function."""
    for node in ast.iter_child_nodes(tree):
        if not isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.Lambda):
            yield node
            yield from at_once(node)


def reads_environment(node: ast.AST) -> bool:
    return isinstance(node, ast.Attribute | ast.alias) and any(
        getattr(node, part, None) in ("environ", "getenv") for part in ("attr", "name")
    )


def is_import(node: ast.AST) -> bool:
    return isinstance(node, ast.Import | ast.ImportFrom)


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
        case ast.Call(func=ast.Name(id="exec" | "eval")):
            return [f"line {node.lineno}: {node.func.id} hides an import"]
        case ast.Attribute(value=ast.Name(id="sys"), attr="modules"):
            return [f"line {node.lineno}: sys.modules hides an import"]
        case ast.Call(func=ast.Name(id="print")):
            return [f"line {node.lineno}: print; use logging"]
        case ast.FunctionDef() | ast.AsyncFunctionDef() if node.args.kwarg:
            return [f"line {node.lineno}: **{node.args.kwarg.arg} hides parameters"]
        case ast.FunctionDef() | ast.AsyncFunctionDef() if node.end_lineno - node.lineno > 50:
            return [f"line {node.lineno}: {node.name} is longer than a screen"]
        case ast.Name(id="TYPE_CHECKING") | ast.Attribute(attr="TYPE_CHECKING"):
            return [f"line {node.lineno}: TYPE_CHECKING hides an import cycle"]
    return []


def names_in(node: ast.AST) -> set[str]:
    return {n.id for n in ast.walk(node) if isinstance(n, ast.Name)}


@pytest.mark.parametrize("path", FILES)
def test_the_house_rules(path):
    assert complaints(FILES[path], path) == []


VIOLATIONS = {
    "kernels/x.py": [
        "import comfy",
        "n = lengths.tolist()",
        "import triton",
        "from .triton_kernel import forward",
        "tile = 128",
    ],
    "headforcing_core/__init__.py": [
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
        "try: f()\nexcept (Exception, OSError): pass",
        "async def f(**options): pass",
        "from os import environ",
        "from headforcing.kernels import y",
        "import headforcing.kernels",
        "import importlib\nx = importlib.import_module('x')",
        "from importlib import import_module",
        "x = __import__('x')",
        "torch.backends = 1",
    ],
    "headforcing_core/methods/middles/x.py": ["import torch", "from torch import Tensor"],
    "headforcing_core/methods/policy.py": ["import torch", "window = 21"],
    "headforcing_core/memory/x.py": ["x = y.sum().item()"],
    "headforcing_core/models/wan.py": ["x = y.cpu()"],
    "headforcing_core/demo/comparison/report.py": [
        "import matplotlib",
        "from matplotlib import figure",
    ],
    "nodes/x.py": ["import kernels"],
    "workflows/api/x.py": ["import requests", "import torch", "from ..nodes import y", "print(1)"],
}


@pytest.mark.parametrize(
    ("path", "source"), [(p, s) for p, sources in VIOLATIONS.items() for s in sources]
)
def test_a_planted_violation_is_seen(path, source):
    assert complaints('"""A module."""\n', path) == []
    assert complaints(f'"""A module."""\n{source}\n', path)


def test_a_module_has_a_noun():
    assert complaints('"""A module."""\n', "kernels/utils.py")


def test_a_module_without_a_docstring_is_seen():
    assert complaints("x = 1\n", "kernels/x.py") == ["a module says its noun in one line"]


def test_what_is_there_is_imported_late():
    """ComfyUI runs the root under another name, and pytest meets it too: it must load nothing."""
    tree = ast.parse((ROOT / "__init__.py").read_text("utf-8"))
    assert [node for node in at_once(tree) if is_import(node)] == []


PATHS = (
    *LOOP,
    *INTEGERS,
    *HAS_MODEL_NUMBERS,
    *CALLED_BY_HOST,
    *EXTRAS,
    READS_ONCE,
    CHOOSES,
    READS_ENVIRONMENT,
)


@pytest.mark.parametrize("start", PATHS)
def test_a_rule_speaks_of_files_that_are_there(start):
    """A file that moved would take its rule off silently."""
    assert start in FILES or (start.endswith("/") and any(p.startswith(start) for p in FILES))


WAIVED = {
    "HAS_MODEL_NUMBERS": "a model family",
    "CALLED_BY_HOST": "hides parameters",
}


@pytest.mark.parametrize(
    ("name", "start"), [(name, start) for name in WAIVED for start in globals()[name]]
)
def test_an_exemption_is_needed(monkeypatch, name, start):
    rest = tuple(other for other in globals()[name] if other != start)
    monkeypatch.setitem(globals(), name, rest)
    said = [c for p, text in FILES.items() if p.startswith(start) for c in complaints(text, p)]
    assert any(WAIVED[name] in c for c in said)
