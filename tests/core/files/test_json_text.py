"""JSON that people bring, and what is said of it."""

import os
import socket
from pathlib import Path
from time import monotonic

import pytest

from headforcing.headforcing_core.files import json_of, named, placed, read_text, shown

# by number: some are too long for names of tests
BROKEN = [
    ("{", "its JSON must be whole, got one that ends or breaks in line 1"),
    ("[1,\n2,\n", "in line 3"),
    ("", "must be whole"),
    ("NaN", "its numbers must be finite, got NaN"),
    ("[1, -Infinity]", "must be finite, got -Infinity"),
    ("1e999", "must be finite, got 1e999"),
    ("9" * 5000, "must have at most 100 digits, got one of 5000"),
    ("0." + "3" * 400, "must have at most 100 digits"),
    ('{"a": 1, "b": 2, "a": 3}', "must name a key once, got 'a' twice"),
    ("[" * 100_000, "its JSON must nest at most 300 deep|must be whole"),
    ('{"a":' * 100_000 + "1" + "}" * 100_000, "must nest at most 300 deep"),
    ("[" * 301 + "]" * 301, "must nest at most 300 deep"),
    ("[" + "0," * 5_000_000 + "0]", "must hold at most 4000000 values"),
]
SHOWN = [
    ("x" * 5000, "'" + "x" * 60 + "'..."),
    ("a\nb\ud800", r"'a\nb\ud800'"),
    (10**5000, "a number of many digits"),
    (True, "True"),
    (None, "None"),
    ([1, 2], "[1, 2]"),
    (["x"], "a list"),
    ({"a": 1}, "a dict"),
    (1.5, "1.5"),
]


@pytest.mark.parametrize(
    "text", ['{"a": [1, -2.5, "b", null, true]}', "3", '"\\u00e9"', "[" * 200 + "]" * 200, "1e300"]
)
def test_plain_json_is_read(text):
    assert json_of(text) is not ...


@pytest.mark.parametrize(("text", "said"), BROKEN, ids=range(len(BROKEN)))
def test_other_json_is_one_sentence(text, said):
    began = monotonic()
    with pytest.raises(ValueError, match=said) as error:
        json_of(text)
    assert len(str(error.value)) < 200 and "\n" not in str(error.value)
    assert monotonic() - began < 5


def test_a_repeated_key_is_shown_in_short():
    key = "k" * 5000
    with pytest.raises(ValueError, match="once") as error:
        json_of(f'{{"{key}": 1, "{key}": 2}}')
    assert len(str(error.value)) < 200


@pytest.mark.parametrize(("value", "said"), SHOWN, ids=range(len(SHOWN)))
def test_what_is_shown_is_one_short_line(value, said):
    assert shown(value) == said


def test_names_of_files_are_one_line():
    assert named("folder/a.json") == "a.json" and named("folder/a\nb") == r"'a\nb'"
    assert placed("a/b") == "a/b" and len(placed("x" * 5000)) == 300
    assert placed(Path("a\nb")) == r"'a\nb'"


@pytest.mark.parametrize("mark", [b"", b"\xef\xbb\xbf"], ids=["plain", "marked"])
def test_a_text_is_read_whatever_editor_wrote_it(tmp_path, mark):
    (tmp_path / "x.json").write_bytes(mark + "é".encode())
    assert read_text(tmp_path / "x.json", 100) == "é"


def test_what_is_no_text_is_one_sentence(tmp_path):
    def refused(said, name="x"):
        with pytest.raises(ValueError, match=said) as error:
            read_text(tmp_path / name, 1000)
        assert "\n" not in str(error.value)

    refused("must exist, got")
    refused("must exist, got", "x\0y")
    refused("must exist, got", "x" * 5000)
    refused("must be a plain file, got a folder", ".")
    (tmp_path / "x").write_bytes(b"")
    refused("must be a text of 1 to 1000 bytes, got 0")
    (tmp_path / "x").write_bytes(b"a" * 1001)
    refused("must be a text of 1 to 1000 bytes, got 1001")
    (tmp_path / "x").write_text("[1]", "utf-16")
    refused("must be text in UTF-8, got UTF-16; save it as UTF-8")
    (tmp_path / "x").write_bytes(b"ab\xff")
    refused("must be text in UTF-8, got another byte at 2")
    (tmp_path / "a\nb").write_bytes(b"\xff")
    refused("must be text in UTF-8", "a\nb")


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="pipes with names are POSIX")
def test_what_never_ends_is_not_read(tmp_path):
    os.mkfifo(tmp_path / "pipe")
    server = socket.socket(socket.AF_UNIX)
    server.bind(str(tmp_path / "s"))
    (tmp_path / "zero").symlink_to("/dev/zero")
    for name in ("pipe", "s", "zero"):
        with pytest.raises(ValueError, match="got a pipe, a socket or a device"):
            read_text(tmp_path / name, 1000)
    (tmp_path / "again").symlink_to(tmp_path / "again")
    with pytest.raises(ValueError, match="must exist"):
        read_text(tmp_path / "again", 1000)
    if Path("/proc/self/status").exists():  # a file that says it has no bytes
        with pytest.raises(ValueError, match="got 0"):
            read_text(Path("/proc/self/status"), 1000)


@pytest.mark.skipif(
    not hasattr(os, "geteuid") or os.geteuid() == 0, reason="root may read everything"
)
def test_what_may_not_be_read_says_so(tmp_path):
    (tmp_path / "x").write_text("[]")
    (tmp_path / "x").chmod(0)
    with pytest.raises(ValueError, match="must be readable by this user, got no permission"):
        read_text(tmp_path / "x", 100)
