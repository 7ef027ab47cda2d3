"""The package as pip, the registry and ComfyUI's manager see it."""

import json
import re
from pathlib import Path

import pytest

from headforcing.headforcing_core.version import VERSION

ROOT = Path(__file__).parents[1]
try:
    import tomllib
except ModuleNotFoundError:  # Python 3.10
    tomllib = None

if tomllib:
    SETTINGS = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))
needs_toml = pytest.mark.skipif(tomllib is None, reason="tomllib came with Python 3.11")


@needs_toml
def test_every_package_is_listed():
    code = {
        ".".join(("headforcing", *path.parent.relative_to(ROOT).parts))
        for folder in ("kernels", "headforcing_core", "nodes", "doctor")
        for path in (ROOT / folder).rglob("__init__.py")
    }
    assert set(SETTINGS["tool"]["setuptools"]["packages"]) == {"headforcing", *code}


@needs_toml
def test_nothing_is_installed_into_comfyui():
    assert SETTINGS["project"]["dependencies"] == []
    assert not (ROOT / "requirements.txt").exists()


@needs_toml
def test_the_registry_has_what_it_requires():
    project, comfy = SETTINGS["project"], SETTINGS["tool"]["comfy"]
    assert re.fullmatch(r"[a-z][a-z0-9._-]*", project["name"]) and "comfyui" not in project["name"]
    assert re.fullmatch(r"\d+\.\d+\.\d+", project["version"])
    assert project["urls"]["Repository"] and comfy["PublisherId"] and comfy["DisplayName"]
    assert project["license"] == "Apache-2.0" or project["license"] == {"file": "LICENSE"}
    assert "Apache License" in (ROOT / "LICENSE").read_text("utf-8")


@needs_toml
def test_the_version_is_one():
    assert SETTINGS["project"]["version"] == VERSION


def test_recordings_stay_small_and_out_of_the_registry():
    golden = ROOT / "tests" / "golden"
    assert sum(p.stat().st_size for p in golden.rglob("*") if p.is_file()) <= 11_000_000
    ignored = (ROOT / ".comfyignore").read_text("utf-8").split()
    assert "tests/" in ignored or "tests/golden/" in ignored


def test_no_name_of_one_machine():
    """Files speak of the project, not of where it was written."""
    home = re.compile(r"(?<![\w.])/(work|root|home|Users)/")
    folders = ("kernels", "headforcing_core", "nodes", "doctor", "tests", "workflows")
    files = [*ROOT.glob("*"), *(f for folder in folders for f in (ROOT / folder).rglob("*"))]
    for path in files:
        if path.suffix in (".py", ".md", ".toml", ".json") and path != Path(__file__):
            assert not home.search(path.read_text("utf-8")), path


@needs_toml
def test_the_demo_model_is_installed_and_published():
    folder = ROOT / "headforcing_core" / "demo"
    patterns = SETTINGS["tool"]["setuptools"]["package-data"]["headforcing.headforcing_core.demo"]
    files = {path for path in (folder / "weights").rglob("*") if path.is_file()}
    shipped = {path for pattern in patterns for path in folder.glob(pattern) if path.is_file()}
    assert files == shipped
    names = {path.name for path in files}
    assert {"CARD.md", "headforcing_demo.safetensors", "head_forcing.json"} <= names
    ignored = (ROOT / ".comfyignore").read_text("utf-8").split()
    assert not any("headforcing_core".startswith(name.strip("/")) for name in ignored)


def strings(value):
    if isinstance(value, dict):
        return [text for inner in value.values() for text in strings(inner)]
    return [value]


@pytest.mark.parametrize("path", sorted((ROOT / "locales").rglob("*.json")), ids=str)
def test_locales_hold_nothing_that_the_page_would_read_as_a_command(path):
    """A bare @ in one message keeps ComfyUI's whole page from opening."""
    for text in strings(json.loads(path.read_text("utf-8"))):
        # a name in braces is what a value is put in place of
        plain = re.sub(r"\{'[^']'\}|\{[a-z]+\}", "", text)
        assert not re.search(r"[@{}|$]", plain), text
