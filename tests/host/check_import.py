"""What importing the pack costs a host that has started, and what it pulls in."""
# ruff: noqa: T201

import asyncio
import importlib.util
import json
import sys
import time
from pathlib import Path

HOST, ROOT = sys.argv[1], Path(__file__).parents[2]
sys.argv = ["main.py", "--cpu"]
sys.path.insert(0, HOST)
import comfy.options  # noqa: E402

comfy.options.enable_args_parsing()
# in this order: the host's nodes put another utils in front
for module in ("utils.install_util", "nodes", "server", "comfy_api.latest"):
    importlib.import_module(module)


def load():
    """As the host does it: under the path as its name, then the nodes and their schemas."""
    name = str(ROOT)
    spec = importlib.util.spec_from_file_location(name, ROOT / "__init__.py")
    pack = importlib.util.module_from_spec(spec)
    sys.modules[name] = pack
    spec.loader.exec_module(pack)

    async def listed():
        extension = await pack.comfy_entrypoint()
        return await extension.get_node_list()

    return [node.GET_SCHEMA() for node in asyncio.run(listed())]


before, begin, busy = set(sys.modules), time.perf_counter(), time.process_time()
schemas = load()
found = {
    "nodes": len(schemas),
    "seconds": time.perf_counter() - begin,
    "busy": time.process_time() - busy,
    "brought": sorted(
        {
            module.partition(".")[0]
            for module in set(sys.modules) - before
            if not module.startswith(str(ROOT))
        }
        - set(sys.stdlib_module_names)
    ),
    "demo": [m for m in sys.modules if m.startswith(str(ROOT)) and ".demo" in m],
}
print("FOUND", json.dumps(found))
