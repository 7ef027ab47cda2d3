"""In a real page no node of a workflow lies on another one or leaves its group; check_layout.py."""

from itertools import combinations

import pytest
from comfy_host import RENDERERS, ROOT
from host_script import found_by
from on_page import needs_page
from test_nodes import WORKFLOWS, seldom

pytestmark = [*needs_page, pytest.mark.whole]
NAMES = [path.stem for path in WORKFLOWS]
# of a pixel, by rounding; an element's border
CLOSE = 1.5
every_workflow = pytest.mark.parametrize("name", NAMES)
WHEN = pytest.mark.parametrize("when", ["opened", "run"])


@pytest.fixture(scope="module", params=RENDERERS)
def found(request, host, tmp_path_factory):
    if not seldom(host.info["HeadForcingSampler"]["input"]):
        pytest.skip("this host folds no widgets, so that nodes are taller")
    folder = tmp_path_factory.mktemp(request.param)
    url = f"http://127.0.0.1:{host.port}"
    seen = found_by("check_layout.py", url, ROOT / "workflows", folder, request.param)
    return {"asked": request.param, **seen}


def apart(one, other):
    """Whether two boxes share no more than an edge."""
    return any(
        first[n + 2] - CLOSE <= second[n]
        for n in (0, 1)
        for first, second in ((one, other), (other, one))
    )


def within(box, group):
    return all(group[n] <= box[n] and box[n + 2] <= group[n + 2] for n in (0, 1))


def faults(seen):
    """Sentences about what does not stand as it should."""
    said = []
    for kind in ("nodes", "groups"):
        pairs = combinations(seen[kind].items(), 2)
        said += [f"{a} lies on {b}" for (a, one), (b, other) in pairs if not apart(one, other)]
    for title, box in seen["nodes"].items():
        holding = [name for name, group in seen["groups"].items() if within(box, group)]
        if len(holding) != 1:
            said.append(f"{title} {box} is in {holding}")
    return said


@every_workflow
@WHEN
def test_nothing_overlaps_and_every_node_is_in_its_group(found, name, when):
    assert faults(found[name][when]) == []
    assert (found[name][when]["drawn"] > 0) == (found["asked"] == "elements")


@every_workflow
def test_it_was_run_and_showed_its_video(found, name):
    assert found[name]["ended"] == ["execution_success", ""] and found[name]["errors"] == []
    assert found[name]["run"]["videos"] == (name != "profile_and_inspect")


def test_faults_are_found():
    nodes = {"a": [0, 0, 9, 9], "b": [20, 0, 29, 9]}
    groups = {"first": [-1, -1, 10, 10], "second": [19, -1, 30, 10]}
    assert faults({"nodes": nodes, "groups": groups}) == []
    nodes["a"] = [0, 0, 9, 12]
    (said,) = faults({"nodes": nodes, "groups": groups})
    assert said.startswith("a [0, 0, 9, 12] is in")
    nodes["a"] = [15, 0, 24, 9]
    assert "a lies on b" in faults({"nodes": nodes, "groups": groups})
