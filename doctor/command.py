"""``headforcing doctor``."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence

from .findings import findings
from .looking import look, use_on
from .report import as_json, as_text

FAILED = 2


def main(arguments: Sequence[str]) -> int:
    """Look, say it, and return 0 if nothing must be mended, 1 if something must, 2 if refused."""
    options = _parser().parse_args(arguments)
    try:
        machine = look(options.out, options.comfyui)
    except ValueError as error:
        sys.stderr.write(f"headforcing doctor: {error}\n")
        return FAILED
    use = use_on(machine)
    found = findings(machine, use)
    sys.stdout.write((as_json if options.json else as_text)(machine, use, found))
    sys.stdout.flush()
    return int(any(one.must for one in found))


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="headforcing doctor",
        description="Say what this machine has, what will be used, and what to mend. Nothing is "
        "changed. The exit code is 1 where something must be mended.",
    )
    add = parser.add_argument
    add("--out", default=".", metavar="FOLDER", help="where videos go (default: here)")
    add(
        "--comfyui",
        metavar="FOLDER",
        help="a ComfyUI (default: $COMFYUI_PATH, around this pack, around here, ~/comfy/ComfyUI)",
    )
    add("--json", action="store_true", help="print JSON, sizes in bytes")
    return parser
