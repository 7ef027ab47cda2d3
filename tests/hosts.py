"""The host tests on every ComfyUI that is set up, and on the newest page; prints a table of it.

    python tests/hosts.py [--page FOLDER] [--json FILE] [HOST ...]

HOST is the folder of a ComfyUI, beside or in which its venv lies; without one, those of
COMFYUI_HOSTS, or the one that ``make test`` finds. The page is the folder ``static`` of a
comfyui-frontend-package; the page test is run on it once more, on the last host, in both renderers.
"""

from __future__ import annotations

import argparse
import json
import os
import re
import subprocess
import sys
import tempfile
from collections import Counter
from dataclasses import asdict, dataclass
from pathlib import Path
from xml.etree import ElementTree

from comfy_host import HOST, ROOT

TOO_LONG = 3600
PAGE_TEST = "tests/host/test_page.py"


@dataclass(frozen=True)
class Row:
    """What became of the tests on one host with one page.

    reasons: of what was skipped, and how often.
    """

    comfyui: str
    page: str
    passed: int
    failed: int
    skipped: int
    reasons: dict[str, int]


def tested(host: Path, page: Path | None, *paths: str) -> Row:
    """Run tests on a host, with a page of its own or another one."""
    with tempfile.TemporaryDirectory() as folder:
        report = Path(folder) / "report.xml"
        environment = {**os.environ, "COMFYUI_PATH": str(host), "COMFYUI_RENDERERS": "all"}
        for name in ("COMFYUI_PYTHON", "COMFYUI_PAGE"):
            environment.pop(name, None)
        if page is not None:
            environment["COMFYUI_PAGE"] = str(page)
        command = [sys.executable, "-m", "pytest", "-q", f"--junitxml={report}"]
        command += ["-m", "not long", *paths]
        subprocess.run(command, cwd=ROOT, env=environment, timeout=TOO_LONG, check=False)
        ended = Counter(map(_ending, ElementTree.parse(report).iter("testcase")))
    skipped = {reason: n for (ending, reason), n in ended.items() if ending == "skipped"}
    counts = Counter()
    for (ending, _), number in ended.items():
        counts[ending] += number
    of_page = _version(page.parent) if page else _page_of(host)
    return Row(
        _version_of(host), of_page, counts["passed"], counts["failed"], counts["skipped"], skipped
    )


def _ending(case: ElementTree.Element) -> tuple[str, str]:
    for child in case:
        if child.tag in ("failure", "error"):
            return "failed", ""
        if child.tag == "skipped":
            return "skipped", child.get("message", "")
    return "passed", ""


def _version_of(host: Path) -> str:
    text = (host / "comfyui_version.py").read_text("utf-8")
    return "v" + re.search(r'__version__ = "([^"]+)"', text)[1]


def _page_of(host: Path) -> str:
    places = (*host.glob("venv/lib/*/site-packages"), *host.parent.glob("venv/lib/*/site-packages"))
    found = (info for place in places for info in place.glob("comfyui_frontend_package-*"))
    return next((_named(info) for info in found), "unknown")


def _version(package: Path) -> str:
    infos = package.parent.glob("comfyui_frontend_package-*.dist-info")
    return next(map(_named, infos), "unknown")


def _named(info: Path) -> str:
    return info.name.removeprefix("comfyui_frontend_package-").removesuffix(".dist-info")


def table(rows: list[Row]) -> str:
    """Return the rows as the README shows them."""
    lines = ["| ComfyUI | its page | passed | failed | skipped |", "|---|---|---|---|---|"]
    lines += [
        f"| {row.comfyui} | {row.page} | {row.passed} | {row.failed} | {row.skipped} |"
        for row in rows
    ]
    return "\n".join(lines)


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("hosts", nargs="*", type=Path)
    parser.add_argument("--page", type=Path, help="static folder of a newer page")
    parser.add_argument("--json", type=Path, help="write the table here, too")
    options = parser.parse_args()
    named = os.environ.get("COMFYUI_HOSTS", "").split(os.pathsep)
    hosts = options.hosts or [Path(name) for name in named if name] or ([HOST] if HOST else [])
    absent = [str(host) for host in hosts if not (host / "comfyui_version.py").is_file()]
    if absent or not hosts:
        sys.stderr.write(f"a ComfyUI must lie at {', '.join(absent) or 'COMFYUI_HOSTS'}\n")
        return 2
    rows = [tested(host.resolve(), None, "tests/host") for host in hosts]
    if options.page:
        rows.append(tested(hosts[-1].resolve(), options.page.resolve(), PAGE_TEST))
    sys.stdout.write(table(rows) + "\n")
    for row in rows:
        for reason, number in sorted(row.reasons.items()):
            sys.stdout.write(f"{row.comfyui}, page {row.page}: {number} skipped: {reason}\n")
    if options.json:
        text = json.dumps([asdict(row) for row in rows], indent=1)
        options.json.write_text(text + "\n", encoding="utf-8")
    return int(any(row.failed for row in rows))


if __name__ == "__main__":
    sys.exit(main())
