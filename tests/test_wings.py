"""The walls of the house: who may import whom. CONTRIBUTING.md draws them."""

import ast
from graphlib import CycleError, TopologicalSorter
from itertools import combinations, permutations

import pytest
from imports import ROOT, Import, graph, imported, module_of, scripts, sources

# houses and their rooms, from the roof down: a room imports what lies below it, never what lies
# above or beside it
FLOORS = {
    "": (("nodes", "doctor"), ("headforcing_core",), ("kernels",)),
    "headforcing_core": (
        *(
            ("cli",),
            ("demo",),
            ("heads", "inspection", "reel", "words", "autoencoders"),
            ("generation",),
        ),
        *(("joint_rollout", "leading"), ("rollout",), ("contexts",), ("attention",)),
        *(("memory", "models", "decoding"), ("methods",), ("telemetry", "video", "crews")),
        *(("bounds",), ("ranks",), ("files",)),
        ("device", "errors", "stopping", "streams", "version"),
    ),
    "headforcing_core.demo": (
        *(
            ("evaluate", "oracle", "recall", "train"),
            ("absence", "command", "course"),
            ("comparison",),
        ),
        *(("profiles",), ("scores",), ("training",), ("networks",), ("world",)),
    ),
    "nodes": (
        (
            *("load_ar_model", "load_ar_lora", "load_demo", "profile_heads", "load_head_map"),
            *("edit_head_map", "cache_method", "prompt_schedule", "sampler", "measure_drift"),
            *("video_to_file", "continue_video", "drift_report"),
        ),
        ("page",),
        ("host",),
        ("graph",),
    ),
    "kernels": (
        ("attention_mass",),
        ("head_attention", "reencode", "write_rotated"),
        ("triton_choice",),
        ("triton_codes",),
        ("rotation",),
        ("config", "eight_bits"),
    ),
}
# walls that stand besides
CLOSED = {("nodes", "kernels")}
# what is not behind its room's door, because it is imported where it is used
LATE = {"nodes.host.demo_model"}
# a wing inside a wing that has a door of its own for all
OPEN = {"headforcing_core.methods.middles"}
FILES = sources()
PACKAGES = {module_of(path) for path in FILES if path.endswith("/__init__.py")}
# those that are entered by their door alone: what their __init__ lists
ROOMS = PACKAGES - set(FLOORS)


def complaints(source: str, path: str) -> list[str]:
    """Say which imports of a file go through a wall; ``path`` is relative to the root."""
    ours, _ = imported(ast.parse(source), path)
    own = module_of(path)
    others = {
        # of a house one imports its rooms, of a room what it lists
        other: None
        for one in ours
        for other in ([one.module] if one.module not in FLOORS else map(one.of, one.names))
    }
    said = [f"{own} may not import {other}: {why}" for other in others for why in walls(own, other)]
    rooms = {n: one.of(n) for one in ours for n in one.names if one.of(n) in ROOMS}
    said += [
        f"{own} may not read {ast.unparse(node)}: {rooms[node.value.id]} does not list it"
        for node in ast.walk(ast.parse(source))
        if isinstance(node, ast.Attribute)
        and isinstance(node.value, ast.Name)
        and node.attr not in OFFERED.get(rooms.get(node.value.id), {node.attr})
    ]
    return said + [
        f"{own} may not import {name}: {one.module} does not list it"
        for one in ours
        for name in one.names
        if one.module in OFFERED and not open_to(own, one, name)
    ]


def open_to(own: str, one: Import, name: str) -> bool:
    """Whether a module may take a name from another: it is defined or listed there.

    What lies in a wing knows its insides; the rooms of a house are names of it.
    """
    insider = one.module in ROOMS and inside(own, wing_of(one.module))
    is_module = one.of(name) in OFFERED and (insider or one.module in FLOORS)
    return not name.startswith("_") and (name in OFFERED[one.module] or is_module)


def offered(path: str, source: str) -> set[str]:
    """Return the names that a module lists; if it is no room, also those it defines."""
    names = set()
    for node in ast.parse(source).body:
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef):
            names.add(node.name)
        elif isinstance(node, ast.Assign | ast.AnnAssign):
            targets = node.targets if isinstance(node, ast.Assign) else [node.target]
            found = {
                n.id for target in targets for n in ast.walk(target) if isinstance(n, ast.Name)
            }
            names |= set(ast.literal_eval(node.value)) if found == {"__all__"} else found
    return names


def walls(own: str, other: str) -> list[str]:
    """Return what stands between two modules."""
    why = []
    for house, floors in FLOORS.items():
        mine, its = room_of(own, house), room_of(other, house)
        if mine is None or its is None or mine in ("", its):
            continue
        storey = {room: n for n, rooms in enumerate(floors) for room in rooms}
        if mine not in storey:
            why.append(f"say in FLOORS where it is in {house or 'the repository'}")
        elif its not in storey:
            why.append(f"{its} is no room of {house}, whose front is for those outside")
        elif storey[mine] >= storey[its] or (mine, its) in CLOSED:
            why.append(f"{its} is not below {mine}")
    room = other.rpartition(".")[0]
    if room in ROOMS and other not in OPEN | LATE and not inside(own, wing_of(room)):
        why.append(f"{room} is entered by its door")
    return why


def room_of(module: str, house: str) -> str | None:
    """Return the room of a house that a module is in; "" for its front, None if it is outside."""
    if not inside(module, house):
        return None
    return module.removeprefix(house).lstrip(".").partition(".")[0]


def wing_of(room: str) -> str:
    """Return the whole wing of a room: what lies in it knows its insides."""
    parent = room.rpartition(".")[0]
    return wing_of(parent) if parent in ROOMS else room


def inside(module: str, package: str) -> bool:
    return not package or module == package or module.startswith(package + ".")


def circle(files: dict[str, str]) -> list[str]:
    """Return modules that import each other in a circle."""
    try:
        TopologicalSorter(graph(files)).prepare()
    except CycleError as error:
        return error.args[1]
    return []


OFFERED = {module_of(path): offered(path, text) for path, text in FILES.items()}


@pytest.mark.parametrize("path", FILES)
def test_imports_go_down(path):
    assert complaints(FILES[path], path) == []


def test_there_is_no_circle():
    assert circle(FILES) == []


def test_every_room_is_on_a_floor():
    for house, floors in FLOORS.items():
        folder = ROOT / house.replace(".", "/")
        found = {p.parent.name for p in folder.glob("*/__init__.py")}
        found |= {p.stem for p in folder.glob("*.py")} - {"__init__", "__main__"}
        assert found == {room for rooms in floors for room in rooms}, house


@pytest.mark.parametrize("room", sorted(ROOMS))
def test_a_room_says_what_it_is_and_what_is_public(room):
    tree = ast.parse(FILES[room.replace(".", "/") + "/__init__.py"])
    assert ast.get_docstring(tree)
    (listed,) = [
        ast.literal_eval(node.value)
        for node in tree.body
        if isinstance(node, ast.Assign) and ast.unparse(node.targets[0]) == "__all__"
    ] or [None]
    ours, _ = imported(tree, room.replace(".", "/") + "/__init__.py")
    if room != "headforcing_core.cli":  # a program: it has no users in the house
        assert set(listed) == {name for one in ours for name in one.names}


def file_in(house: str, room: str) -> str:
    """Return the path of a module of a room, or of the room if it is one."""
    name = f"{house}.{room}".lstrip(".")
    return name.replace(".", "/") + ("/x.py" if name in PACKAGES else ".py")


def way(path: str, module: str) -> str:
    """Return ``module`` as ``path`` imports it."""
    return "." * path.count("/") + "." + module


UPWARDS = [
    (house, low, high)
    for house, floors in FLOORS.items()
    for high, low in [
        *((a, b) for x, y in combinations(floors, 2) for a in x for b in y),
        *(pair for rooms in floors for pair in permutations(rooms, 2)),
    ]
]


@pytest.mark.parametrize(("house", "low", "high"), UPWARDS)
def test_a_planted_import_upwards_is_seen(house, low, high):
    path, name = file_in(house, low), f"{house}.{high}".lstrip(".")
    assert complaints("", path) == []
    assert complaints(f"from {way(path, name)} import y", path)
    parent, _, last = name.rpartition(".")
    assert complaints(f"from {way(path, parent)} import {last}", path)
    assert complaints(f"def f():\n    from {way(path, name)} import y", path)


DOWNWARDS = [
    (house, high, low)
    for house, floors in FLOORS.items()
    for x, y in combinations(floors, 2)
    for high in x
    for low in y
    if (high, low) not in CLOSED
]


@pytest.mark.parametrize(("house", "high", "low"), DOWNWARDS)
def test_an_import_downwards_is_none(house, high, low):
    path, name = file_in(house, high), f"{house}.{low}".lstrip(".")
    (listed, *_) = sorted(OFFERED[name]) or [""]
    assert not listed or complaints(f"from {way(path, name)} import {listed}", path) == []


@pytest.mark.parametrize(
    ("path", "source"),
    [
        ("headforcing_core/rollout.py", "from .memory.cache import CacheBank"),
        ("headforcing_core/rollout.py", "from . import Rope"),
        ("headforcing_core/heads/x.py", "from ..memory.cache import CacheBank"),
        ("headforcing_core/memory/x.py", "from ..methods.middles.bands import Bands"),
        ("headforcing_core/memory/x.py", "from .. import Rope"),
        ("headforcing_core/cli/x.py", "from ..demo.world.scene import Scene"),
        ("headforcing_core/demo/scores/x.py", "from ..world.scene import Scene"),
        ("headforcing_core/heads/x.py", "from ...kernels.reencode.api import reencode"),
        ("nodes/sampler.py", "from .host.sampling import HostVideo"),
        ("nodes/host/x.py", "from ...headforcing_core.memory.cache import CacheBank"),
        ("headforcing_core/rollout.py", "from .memory import cache"),
        ("headforcing_core/rollout.py", "from .memory import *"),
        ("headforcing_core/heads/x.py", "from ..memory import Arena"),
        ("headforcing_core/generation.py", "from . import memory\nx = memory.cache.CacheBank"),
        ("headforcing_core/rollout.py", "from .memory.scores import BandScores"),
        ("headforcing_core/heads/x.py", "from ..methods import registry"),
        ("headforcing_core/memory/x.py", "from .cache import Chunk"),
        ("headforcing_core/rollout.py", "from .attention import CacheBank"),
        ("nodes/sampler.py", "from ..headforcing_core.rollout import Dense"),
        ("nodes/x.py", "from ..kernels import y"),
        ("nodes/x.py", "from .. import kernels"),
        ("headforcing_core/new.py", "from .video import Chunk"),
    ],
)
def test_other_planted_imports_are_seen(path, source):
    assert complaints(source, path)


@pytest.mark.parametrize(
    ("path", "source"),
    [
        ("headforcing_core/memory/x.py", "from ..methods.middles import Bands"),
        ("headforcing_core/memory/x.py", "from ..methods import online"),
        ("headforcing_core/memory/x.py", "from .cache import CacheBank"),
        ("headforcing_core/methods/middles/x.py", "from ..pages import Page"),
        ("headforcing_core/methods/x.py", "from .middles import Bands"),
        ("nodes/host/progress.py", "from . import unfinished"),
        ("nodes/load_demo.py", "from .host.demo_model import load_demo"),
        ("nodes/sampler.py", "from ..headforcing_core.rollout import FinishedChunk"),
        ("nodes/sampler.py", "from ..headforcing_core import generation"),
    ],
)
def test_ways_that_are_open(path, source):
    assert complaints(source, path) == []


def test_a_planted_circle_is_seen():
    files = {
        "nodes/x.py": "from .y import a",
        "nodes/y.py": "def f():\n    from . import z",
        "nodes/z.py": "from .x import b",
    }
    through_a_door = {
        "nodes/x.py": "from .room.a import f",
        "nodes/room/__init__.py": "from .b import g",
        "nodes/room/a.py": "",
        "nodes/room/b.py": "from ..x import h",
    }
    assert set(circle(through_a_door)) == {"nodes.x", "nodes.room", "nodes.room.b"}
    assert set(circle(files)) == {"nodes.x", "nodes.y", "nodes.z"}
    assert circle(files | {"nodes/z.py": ""}) == []


def test_every_folder_of_modules_has_a_door():
    """Without one it is in no wing: nothing above sees it."""
    assert all(f"{path.rpartition('/')[0]}/__init__.py" in FILES for path in FILES)


@pytest.mark.parametrize(
    ("path", "enters"),
    [("__init__.py", {"nodes"}), ("__main__.py", {"headforcing_core.cli", "doctor"})],
)
def test_the_pack_itself_enters_by_the_front(path, enters):
    ours, _ = imported(ast.parse((ROOT / path).read_text("utf-8")), path)
    assert {one.module for one in ours} == enters


def test_a_room_of_nodes_is_a_node_in_the_menu():
    ours, _ = imported(ast.parse(FILES["nodes/__init__.py"]), "nodes/__init__.py")
    nodes = {f"nodes.{room}" for room in FLOORS["nodes"][0]}
    assert {one.module for one in ours} == nodes | {"nodes.page"}  # which serves it


# from the roof down, as FLOORS
SCRIPTS = (("send",), ("sharing",), ("far_host", "out_folder"), ("graph_jobs",))


def script_complaints(files: dict[str, str]) -> list[str]:
    """Say which scripts, by name, import one that is not below them."""
    storey = {name: n for n, names in enumerate(SCRIPTS) for name in names}
    return [
        f"{own} may not import {other}"
        for own, text in files.items()
        for other in imported(ast.parse(text), own)[1] & set(storey)
        if storey[own] >= storey[other]
    ]


def test_scripts_import_downwards():
    files = {module_of(path).rpartition(".")[2]: text for path, text in scripts().items()}
    assert set(files) == {name for names in SCRIPTS for name in names}
    assert script_complaints(files) == []
    for low, high in (("graph_jobs", "out_folder"), ("far_host", "out_folder")):
        assert script_complaints({low: f"def f():\n    from {high} import y"})


def test_ways_to_compute_do_not_import_each_other():
    ways = {
        module_of(path)
        for path, text in FILES.items()
        if path.startswith("kernels/")
        and "forward" in {getattr(n, "name", None) for n in ast.parse(text).body}
    }
    edges = graph(FILES)
    assert ways and not {(way, other) for way in ways for other in edges[way] & ways}


def test_tests_lie_as_what_they_test():
    tops = {p.relative_to(ROOT / "tests").parts[0] for p in (ROOT / "tests").rglob("*/test_*.py")}
    assert tops == {"core", "kernels", "host", "web"}
    assert not list((ROOT / "tests").glob("kernels/*/test_*.py"))
    tests, core = ROOT / "tests" / "core", ROOT / "headforcing_core"
    folders = {p.parent.relative_to(tests) for p in tests.rglob("test_*.py")}
    assert all((core / folder / "__init__.py").is_file() for folder in folders)
