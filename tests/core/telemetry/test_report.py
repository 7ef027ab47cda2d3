"""Reports of video files: read in pieces, told in words, numbers and a picture."""

import json
from io import BytesIO

import av
import numpy as np
import pytest
from faulty_videos import FPS, flickering, frozen, nature, rolled_back, save, skipped, world

from headforcing.headforcing_core.telemetry import (
    BANDS,
    Measured,
    as_json,
    as_table,
    draw_reports,
    left,
    measure_file,
    report_of,
)

COUNT = 117


@pytest.fixture(scope="module")
def files(tmp_path_factory):
    """Videos by their fault, encoded as people have them."""
    folder, calm = tmp_path_factory.mktemp("videos"), nature(0, COUNT)
    made = {
        "calm": calm,
        "flicker": flickering(calm, 0.05),
        "freeze": frozen(calm),
        "loop": rolled_back(calm, 45),
        "seam": skipped(calm, 40),
    }
    for name, video in made.items():
        save(folder / f"{name}.mp4", video)
    return {name: str(folder / f"{name}.mp4") for name in made}


@pytest.fixture(scope="module")
def reports(files):
    return {name: measure_file(path, name) for name, path in files.items()}


@pytest.mark.parametrize("name", ["calm", "flicker", "freeze", "loop", "seam"])
def test_a_fault_in_a_file_is_told_alone(reports, name):
    gone = {each for chunk in reports[name].chunks for each in chunk.out}
    assert gone == {name} - {"calm"}
    assert {each for each in BANDS if reports[name].went(each) is not None} == gone


def test_json_says_units_bands_values_and_when(reports):
    found = json.loads(as_json([reports["calm"], reports["flicker"]]))
    assert set(found["measures"]) == set(BANDS) and found["first_seconds"] == 3.0
    assert found["measures"]["flicker"]["unit"] == "of 100"
    calm, flicker = found["videos"]
    assert calm["left"] == {} and calm["seconds"] == pytest.approx(COUNT / FPS)
    (when,) = flicker["left"].values()
    assert COUNT / FPS / 2 - 1 <= when <= COUNT / FPS / 2
    told = [said for chunk in flicker["chunks"] for said in chunk["told"]]
    assert len(told) == 1 and told[0].startswith("flicker")
    assert [c["from"] for c in calm["chunks"][1:]] == [c["to"] for c in calm["chunks"][:-1]]


def test_a_table_has_a_row_per_measure_and_a_column_per_video(reports):
    lines = as_table([reports["calm"], reports["freeze"]]).splitlines()
    assert len(lines) == 1 + len(BANDS) and {line.count("|") for line in lines} == {3}
    (row,) = [line for line in lines if line.startswith("freeze")]
    assert "out from 3.8 s" in row.split("|")[3]


def test_a_plot_shows_bands_lines_and_where_they_leave_them(reports):
    plain = np.asarray(draw_reports([reports["calm"]]))
    both = np.asarray(draw_reports([reports["calm"], reports["flicker"]]))
    orange, shade = np.array([0xD5, 0x5E, 0x00]), np.array([0xE3, 0xEF, 0xD9])

    def count(picture, colour):
        return int((np.abs(picture.astype(int) - colour).max(-1) < 40).sum())

    assert count(plain, shade) > 50_000 and count(plain, orange) == 0
    assert count(both, orange) > 500
    assert both.shape[1] == plain.shape[1] <= 1000


def test_a_file_is_measured_as_its_pictures_are_told(files):
    seen = []
    with open(files["calm"], "rb") as file:
        source = BytesIO(file.read())
    measure_file(source, "x", progress=lambda done, expected: seen.append((done, expected)))
    assert seen[-1] == (COUNT, COUNT) and len(seen) == 10


def test_a_cut_that_is_told_begins_anew(tmp_path):
    pictures = world(2, COUNT, cuts=(15,))
    save(tmp_path / "cut.mp4", pictures)
    at = 57 / FPS
    told = measure_file(str(tmp_path / "cut.mp4"), "x", cuts=[at])
    assert [c.first for c in told.chunks if c.cut] == [0, 57]
    assert not [said for c in told.chunks for said in left(c)]


def test_part_of_a_file_is_measured(files):
    part = measure_file(files["calm"], "x", window=(1.0, 2.0))
    assert part.seconds == 2.0


def encoded(path, codec, count, size, rate, form="yuv420p"):
    rng = np.random.default_rng(0)
    wide = np.kron(rng.integers(0, 255, (30, 60, 3)), np.ones((8, 8, 1))).astype(np.uint8)
    with av.open(str(path), "w") as file:
        stream = file.add_stream(codec, rate=rate)
        stream.width, stream.height, stream.pix_fmt = *size, form
        for at in range(count):
            picture = np.ascontiguousarray(wide[: size[1], at : at + size[0]])
            file.mux(stream.encode(av.VideoFrame.from_ndarray(picture, format="rgb24")))
        file.mux(stream.encode(None))


@pytest.mark.parametrize(
    ("name", "codec", "size", "rate", "form"),
    [
        ("v.mp4", "libx264", (64, 48), 24, "yuv420p"),
        ("v.webm", "libvpx-vp9", (100, 60), 30, "yuv420p"),
        ("v.mkv", "ffv1", (33, 47), 12, "bgr0"),
        ("v.gif", "gif", (48, 48), 10, "rgb8"),
    ],
)
def test_files_of_many_kinds_are_read(tmp_path, name, codec, size, rate, form):
    encoded(tmp_path / name, codec, 60, size, rate, form)
    found = measure_file(str(tmp_path / name), name)
    assert found.fps == pytest.approx(rate) and found.seconds == pytest.approx(60 / rate)


def sound_alone(path):
    with av.open(str(path), "w", format="mp4") as file:
        stream = file.add_stream("aac", rate=44100)
        stream.layout = "mono"
        frame = av.AudioFrame.from_ndarray(np.zeros((1, 1024), np.float32), "fltp", "mono")
        frame.rate, frame.pts = 44100, 0
        file.mux(stream.encode(frame))
        file.mux(stream.encode(None))


BROKEN = {
    "words": (lambda p: p.write_text("no video"), "must be a video that can be read"),
    "empty": (lambda p: p.write_bytes(b""), "must be a video that can be read"),
    "a folder": (lambda p: p.mkdir(), "must be a video that can be read"),
    "missing": (lambda p: None, "must be a video that can be read"),
    "sound": (sound_alone, "must be a video with pictures, got one without any"),
    "one picture": (
        lambda p: encoded(p, "libx264", 1, (64, 64), 16),
        "must have at least two pictures, got 1",
    ),
}


@pytest.mark.parametrize("kind", BROKEN)
def test_what_is_no_video_is_one_sentence(tmp_path, kind):
    make, said = BROKEN[kind]
    make(tmp_path / "v.mp4")
    with pytest.raises(ValueError, match=f"^v {said}") as error:
        measure_file(str(tmp_path / "v.mp4"), "v")
    assert "\n" not in str(error.value)


def test_nothing_measured_is_no_report():
    with pytest.raises(ValueError, match="x must have at least one chunk"):
        report_of("x", 16.0, [])
    assert Measured.__dataclass_params__.frozen
