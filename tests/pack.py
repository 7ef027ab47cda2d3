"""Load the pack under its own name, as ComfyUI does from a folder of any name."""

import importlib.util
import sys
from pathlib import Path

ROOT = Path(__file__).parents[1]
if "headforcing" not in sys.modules:
    spec = importlib.util.spec_from_file_location("headforcing", ROOT / "__init__.py")
    module = importlib.util.module_from_spec(spec)
    sys.modules["headforcing"] = module
    spec.loader.exec_module(module)
