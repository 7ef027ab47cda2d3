"""What the doctor finds: machines as values, fakes for those that are not here, and this one."""

import json
import os
import re
import subprocess
import sys
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace

import pytest
import torch

from headforcing.doctor import comfyui, looking, main, packages, using
from headforcing.doctor import findings as rules
from headforcing.doctor.findings import findings
from headforcing.doctor.machine import Build, Card, Host, Machine, Package, Place, Use
from headforcing.doctor.report import as_text
from headforcing.headforcing_core.models import family_named
from headforcing.kernels import triton_choice

ROOT = Path(__file__).parents[1]
GIB = 1024**3
INSTALLED = {name: Package("9.0") for name in packages.ALL} | {
    "torch": Package("2.13.0+cu130"),
    "triton": Package("3.6.0"),
}
CARD = Card("Fast Card", (9, 0), 80 * GIB, 70 * GIB)
HOST = Host("a/ComfyUI", "0.33.0", "1.49.6", "1.49.6", None, ("a/custom_nodes/headforcing",))
HEALTHY = Machine(
    python=(3, 12, 1),
    system="Linux 6, x86_64",
    nvidia=True,
    memory=64 * GIB,
    place=Place("out", 100 * GIB),
    pack="a/custom_nodes/headforcing",
    packages=INSTALLED,
    build=Build("13.0", cards=(CARD,)),
    host=HOST,
)
USED = Use("cuda", "bfloat16", "triton", None, "worth it", 70 * GIB)
OLD_CARD = replace(CARD, capability=(7, 5))


def with_package(name, package, machine=HEALTHY):
    return replace(machine, packages={**INSTALLED, name: package})


def with_host(**changes):
    return replace(HEALTHY, host=replace(HOST, **changes))


def test_a_healthy_machine_has_nothing_to_mend():
    assert findings(HEALTHY, USED) == []
    said = as_text(HEALTHY, USED, [])
    assert "Fast Card, sm_90, 80.0 GiB, 70.0 GiB free" in said
    assert "read by triton" in said and said.endswith("nothing must be mended\n")


NO_TORCH = replace(with_package("torch", Package()), build=None)
MUST = {
    "Python must be 3.10 or newer, got 3.9.1": replace(HEALTHY, python=(3, 9, 1)),
    "PyTorch must be installed, got none; take the build": NO_TORCH,
    "PyTorch 2.9.0 must be importable, got OSError: DLL load failed; install": replace(
        with_package("torch", Package("2.9.0", "OSError: DLL load failed")), build=None
    ),
    "PyTorch must be 2.4 or newer, got 2.3.1+cpu": with_package("torch", Package("2.3.1+cpu")),
    "PyTorch must be built for CUDA to use the NVIDIA card": replace(HEALTHY, build=Build()),
    "must be seen by PyTorch, got none": replace(HEALTHY, build=Build("13.0")),
    "av must be installed, got none (videos are written": with_package("av", Package()),
    "pillow 9.0 must be importable, got ImportError: x": with_package(
        "PIL", Package("9.0", "ImportError: x")
    ),
    "ComfyUI must be 0.8.0 or newer, got 0.3.64": with_host(version="0.3.64"),
    "must lie in custom_nodes once, got a, b; move": with_host(packs=("a", "b")),
    "--out must be a folder that can be written to, got x (Read-only": replace(
        HEALTHY, place=Place("x", error="Read-only file system")
    ),
}
COULD = {
    "sentencepiece is not installed, it turns prompts": with_package("sentencepiece", Package()),
    "diffusers 9.0 cannot be imported (ImportError: y)": with_package(
        "diffusers", Package("9.0", "ImportError: y")
    ),
    "Triton is not installed: PyTorch's attention": with_package("triton", Package()),
    "; pip install triton-windows": replace(
        with_package("triton", Package()), system="Windows 11, AMD64"
    ),
    "Triton 3.3.1 is older than 3.4": with_package("triton", Package("3.3.1")),
    "Triton 3.6.0 cannot be imported (AttributeError: z)": with_package(
        "triton", Package("3.6.0", "AttributeError: z")
    ),
    "ComfyUI in a/ComfyUI does not have this pack; move or link a/": with_host(packs=()),
    "has a space in its name": with_host(packs=("a/custom_nodes/Head Forcing",)),
    "ComfyUI's page is 1.35.9, this ComfyUI asks for 1.49.6": with_host(page="1.35.9"),
    "has 0.50 GiB free": replace(HEALTHY, place=Place("x", GIB // 2)),
}
CASES = [*((s, m, True) for s, m in MUST.items()), *((s, m, False) for s, m in COULD.items())]


@pytest.mark.parametrize(("said", "machine", "must"), CASES, ids=[case[0] for case in CASES])
def test_what_is_wrong_is_said_in_one_sentence(said, machine, must):
    (found,) = findings(machine, USED)
    assert said in found.sentence and found.must is must
    assert "\n" not in found.sentence and re.search(r"[;:] ", found.sentence)


@pytest.mark.parametrize(
    "machine",
    [
        replace(with_package("triton", Package()), build=Build("13.0", cards=(OLD_CARD,))),
        replace(with_package("triton", Package()), build=Build(), nvidia=False),
        with_package("torch", Package("of unknown version")),
        with_package("triton", Package("of unknown version")),
        with_host(version=None, page=None),
        with_host(version="v0.33.0-4-gabc"),
        replace(HEALTHY, host=None),
    ],
)
def test_what_is_not_known_or_does_no_harm_is_not_found(machine):
    assert findings(machine, USED) == []


def test_what_must_be_mended_comes_first():
    machine = replace(with_package("sentencepiece", Package()), place=Place("x", error="full"))
    assert [one.must for one in findings(machine, USED)] == [True, False]


def test_what_cannot_run_or_does_not_fit_is_said():
    (found,) = findings(HEALTHY, Use(error="OSError: libx"))
    assert "the pack must run here, got OSError: libx" in found.sentence and found.must
    (found,) = findings(HEALTHY, replace(USED, lacks="caches need 8 GiB; it fits with memrope"))
    assert found.sentence.endswith("it fits with memrope") and not found.must
    assert "not known     OSError: libx" in as_text(HEALTHY, Use(error="OSError: libx"), [])


def test_limits_are_those_that_the_code_and_the_package_have():
    assert rules.OLDEST_TRITON == triton_choice.OLDEST_TRITON
    assert rules.OLDEST_CARD == triton_choice.OLDEST_CARD
    settings = (ROOT / "pyproject.toml").read_text("utf-8")
    dotted = [".".join(map(str, v)) for v in (rules.OLDEST_HOST, rules.OLDEST_PYTHON)]
    assert f'requires-comfyui = ">={dotted[0]}"' in settings
    assert f'requires-python = ">={dotted[1]}"' in settings
    assert f'"torch>={rules.OLDEST_TORCH[0]}.{rules.OLDEST_TORCH[1]}"' in settings


def a_torch(cards=1, hip=None):
    def free(number):
        raise RuntimeError("driver error")

    about = SimpleNamespace(name="A Card", major=8, minor=9, total_memory=24 * GIB)
    return SimpleNamespace(
        version=SimpleNamespace(cuda=None if hip else "12.8", hip=hip),
        cuda=SimpleNamespace(
            is_available=lambda: cards > 0,
            device_count=lambda: cards,
            get_device_properties=lambda _: about,
            mem_get_info=free,
        ),
        backends=SimpleNamespace(mps=SimpleNamespace(is_available=lambda: False)),
        xpu=SimpleNamespace(is_available=lambda: False),
    )


def test_cards_are_those_that_torch_sees():
    card = Card("A Card", (8, 9), 24 * GIB, None)
    assert looking.build_of(a_torch(2)) == Build("12.8", cards=(card, card))
    amd = looking.build_of(a_torch(1, "6.4"))
    assert amd.hip == "6.4" and amd.cards[0].capability is None
    assert looking.build_of(a_torch(0)) == Build("12.8")


def test_why_it_is_not_triton_is_said(monkeypatch):
    cuda, cpu = torch.device("cuda", 0), torch.device("cpu")
    monkeypatch.setattr(torch.cuda, "get_device_capability", lambda _: (7, 5))
    monkeypatch.setattr(torch.cuda, "get_device_name", lambda _: "Old Card")
    assert using.reason(cpu, "3.6.0", ["told in the log"]) == "told in the log"
    assert "this is cpu" in using.reason(cpu, "3.6.0", [])
    assert using.reason(cuda, None, []) == "Triton is not installed"
    assert "Old Card, got triton; it needs sm_80" in using.reason(cuda, "3.6.0", [])
    assert "triton before 3.4, got triton 3.3.1" in using.reason(cuda, "3.3.1", [])
    monkeypatch.setattr(torch.version, "hip", "6.4")
    assert "on AMD" in using.reason(cuda, "3.6.0", [])


def test_what_fits_instead_is_said(monkeypatch):
    family, cpu = family_named("self_forcing"), torch.device("cpu")
    monkeypatch.setattr(using, "free_in", lambda _: {"cpu": 7 * GIB})
    assert "it fits with" in using.lacks(family, torch.bfloat16, cpu)
    monkeypatch.setattr(using, "free_in", lambda _: {"cpu": 24 * GIB})
    assert using.lacks(family, torch.bfloat16, cpu) is None


def a_host(folder, version="0.33.0", packs=()):
    (folder / "custom_nodes").mkdir(parents=True)
    (folder / "main.py").touch()
    (folder / "comfyui_version.py").write_text(f'__version__ = "{version}"\n')
    (folder / "requirements.txt").write_text("comfyui-frontend-package==1.49.6\ntorch\n")
    for name in packs:
        (folder / "custom_nodes" / name).mkdir()
        (folder / "custom_nodes" / name / "pyproject.toml").write_text('name = "headforcing"\n')
    return folder


def test_a_host_is_found_and_read(tmp_path, monkeypatch):
    folder = a_host(tmp_path / "ComfyUI", packs=("headforcing", "two words", "x.disabled"))
    page = tmp_path / "venv/lib/python3.12/site-packages/comfyui_frontend_package-1.35.9.dist-info"
    page.mkdir(parents=True)
    python = tmp_path / "venv/bin/python"
    python.parent.mkdir()
    python.touch()
    found = comfyui.find_host(str(folder), tmp_path)
    packs = tuple(str(folder / "custom_nodes" / name) for name in ("headforcing", "two words"))
    assert found == Host(str(folder), "0.33.0", "1.35.9", "1.49.6", str(python), packs)
    # two folders up, and where the environment says
    assert comfyui.find_host(None, folder / "custom_nodes" / "headforcing") == found
    monkeypatch.setenv("COMFYUI_PATH", str(a_host(tmp_path / "other", "0.8.0")))
    assert comfyui.find_host(None, folder / "custom_nodes" / "headforcing").version == "0.8.0"


def test_a_named_host_must_be_one(tmp_path, capsys):
    assert main(["--comfyui", str(tmp_path)]) == 2
    assert "--comfyui must be a folder of ComfyUI" in capsys.readouterr().err


def test_a_place_that_cannot_be_written_to_is_told(tmp_path):
    (tmp_path / "file").touch()
    assert looking.place_of(tmp_path / "file" / "x").error
    made_later = looking.place_of(tmp_path / "a" / "b")
    assert made_later.free and made_later.error is None and not (tmp_path / "a").exists()


def test_a_package_that_takes_its_process_with_it_is_told(tmp_path, monkeypatch):
    (tmp_path / "dies.py").write_text("import os\nos.abort()\n")
    (tmp_path / "raises.py").write_text("raise AttributeError('no such symbol')\n")
    monkeypatch.setenv("PYTHONPATH", str(tmp_path))
    found = packages.found({"dies": "dies", "raises": "raises", "absent": "absent"})
    assert "SIGABRT" in found["dies"].error or "status" in found["dies"].error
    assert found["raises"].error == "AttributeError: no such symbol"
    assert found["absent"] == Package()


def a_machine(folder, code):
    """Run the command line where something is as ``code`` makes it, before anything is imported."""
    (folder / "headforcing").symlink_to(ROOT)
    (folder / "sitecustomize.py").write_text(code)
    environment = {**os.environ, "PYTHONPATH": str(folder)}

    def run(*arguments):
        command = [sys.executable, "-m", "headforcing", *arguments]
        return subprocess.run(
            command, capture_output=True, text=True, cwd=folder, env=environment, timeout=300
        )

    return run


BLOCKED = """
import sys
class Blocked:
    def find_spec(self, name, path=None, target=None):
        if name.partition(".")[0] in {names}:
            raise ModuleNotFoundError(f"No module named {{name!r}}", name=name)
sys.meta_path.insert(0, Blocked())
"""


def test_it_runs_where_torch_is_not(tmp_path):
    run = a_machine(tmp_path, BLOCKED.format(names={"torch", "numpy", "triton"}))
    done = run("doctor", "--json")
    told = json.loads(done.stdout)
    assert done.returncode == 1 and done.stderr == "" and told["ok"] is False
    must = [one["sentence"] for one in told["findings"] if one["must"]]
    assert any("PyTorch must be installed, got none" in sentence for sentence in must)
    assert any("numpy must be installed" in sentence for sentence in must)
    assert told["use"]["error"] and told["machine"]["build"] is None
    done = run("plan")
    assert done.returncode == 2 and done.stderr.count("\n") == 1
    assert "got ModuleNotFoundError" in done.stderr and "headforcing doctor says" in done.stderr


def test_it_runs_where_torch_is_broken(tmp_path):
    (tmp_path / "torch").mkdir()
    (tmp_path / "torch" / "__init__.py").write_text("raise OSError('libcudart.so.12: cannot open')")
    run = a_machine(tmp_path, "")
    done = run("doctor")
    assert done.returncode == 1 and done.stderr == ""
    assert "must be importable, got OSError: libcudart.so.12: cannot open" in done.stdout
    assert "headforcing doctor says what to mend" in run("demo").stderr


def test_it_says_what_this_machine_has(tmp_path, capsys):
    code = main(["--json", "--out", str(tmp_path)])
    told = json.loads(capsys.readouterr().out)
    assert code == (0 if told["ok"] else 1)
    assert told["machine"]["packages"]["torch"]["version"] == torch.__version__
    assert told["use"]["error"] is None
    assert told["use"]["attention"] == ("sdpa" if not torch.cuda.is_available() else "triton")
