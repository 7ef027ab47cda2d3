"""Scripts that run in the host's own python and print what they found."""

import json
import os
import subprocess

from comfy_host import HOST, ROOT, host_python


def found_by(name, *arguments, **environment):
    """Run tests/host/``name`` in the host's python; return what it printed behind FOUND."""
    script = ROOT / "tests" / "host" / name
    kept = {key: value for key, value in os.environ.items() if key != "PYTHONDONTWRITEBYTECODE"}
    done = subprocess.run(
        [host_python(), script, HOST, *arguments], cwd=HOST, capture_output=True, text=True,
        timeout=900, env={**kept, **environment}, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    (line,) = (line for line in done.stdout.splitlines() if line.startswith("FOUND "))
    return json.loads(line.removeprefix("FOUND "))
