"""What the page writes as edits of a head map, read by Python."""

import json
import shutil
import subprocess

import pytest
from imports import ROOT

from headforcing.headforcing_core.heads import edits_in

NODE = shutil.which("node")
WRITE = """
import { editsText, painted } from "%s"
const [kinds, base, strokes] = JSON.parse(process.argv[1])
let edits = []
for (const [heads, kind] of strokes) edits = painted(edits, base, heads, kind)
console.log(JSON.stringify([edits, editsText(edits, kinds)]))
"""


@pytest.mark.skipif(NODE is None, reason="no node")
def test_what_is_painted_is_read_as_it_was_painted():
    kinds = ["hf.local", "hf.anchor", "hf.memory"]
    base = [[(layer + head) % 3 for head in range(12)] for layer in range(30)]
    strokes = [[[[29, head] for head in range(12)], 2], [[[3, 5], [0, 11]], 0], [[[29, 0]], 1]]
    script = WRITE % (ROOT / "web" / "lib" / "head_edits.js").as_uri()
    done = subprocess.run(
        [NODE, "--input-type=module", "-e", script, json.dumps([kinds, base, strokes])],
        capture_output=True, text=True, timeout=60, check=True,
    )  # fmt: skip
    edits, text = json.loads(done.stdout)
    read = {(e.layer, e.head, e.kind) for e in edits_in(text)}
    assert read == {(layer, head, kinds[kind]) for layer, head, kind in edits} and read
    assert all(base[layer][head] != kind for layer, head, kind in edits)
