"""``headforcing drift``: files in, a table, JSON and a plot out."""

import json

import pytest
from faulty_videos import flickering, save, world
from PIL import Image

from headforcing.headforcing_core.cli import main


@pytest.fixture
def videos(tmp_path):
    calm = world(1, 81)
    for name, video in (("calm", calm), ("flicker", flickering(calm, 0.05))):
        save(tmp_path / f"{name}.mp4", video)
    return [str(tmp_path / f"{name}.mp4") for name in ("calm", "flicker")]


def test_videos_are_reported_on(videos, tmp_path, capsys):
    out = tmp_path / "report"
    for _ in range(2):  # its own results may be replaced
        assert main(["drift", *videos, "--out", str(out)]) == 0
    said = capsys.readouterr().out
    assert "calm.mp4" in said and "flicker +" in said and "out from" in said
    found = json.loads((out / "drift.json").read_text())
    assert [video["name"] for video in found["videos"]] == ["calm.mp4", "flicker.mp4"]
    assert [list(video["left"]) for video in found["videos"]] == [[], ["flicker"]]
    with Image.open(out / "drift.png") as plot:
        assert plot.format == "PNG" and plot.width > 500


def test_what_is_somebody_elses_stays(videos, tmp_path, capsys):
    (tmp_path / "drift.json").write_text("{}")
    assert main(["drift", videos[0], "--out", str(tmp_path)]) == 2
    assert "--out must not hold a drift.json of something else" in capsys.readouterr().err
    assert (tmp_path / "drift.json").read_text() == "{}"


def test_what_cannot_be_read_is_one_sentence(videos, tmp_path, capsys):
    (tmp_path / "words.mp4").write_text("none")
    out = tmp_path / "report"
    assert main(["drift", videos[0], str(tmp_path / "words.mp4"), "--out", str(out)]) == 2
    said = capsys.readouterr().err.splitlines()[-1]
    assert said.startswith("headforcing drift: words.mp4 must be a video that can be read")
    assert not out.exists()
    assert main(["drift", *[videos[0]] * 5, "--out", str(out)]) == 2
    assert "videos must be at most 4, got 5" in capsys.readouterr().err
