"""Videos written while they are made, in a ComfyUI that is interrupted, stopped and killed."""

import json
import random
import re
import shutil
import time
from hashlib import sha256
from itertools import pairwise

import av
import pytest
from comfy_host import needs_host
from live_host import LiveHost, errors_of
from prompts import RED, demo, node, only

pytestmark = needs_host
UNFINISHED = "head_forcing_unfinished"


@pytest.fixture(scope="module")
def host(tmp_path_factory):
    """A server of its own: it is killed."""
    with LiveHost(tmp_path_factory.mktemp("videos")) as running:
        yield running


def video(prefix, seconds=3.0, seed=0, **sampler):
    """A prompt whose sampler decodes, and whose video is saved once more."""
    prompt = demo(seed, seconds, prefix=f"latents/{prefix}", vae=["1", 2], **sampler)
    prompt["3"]["inputs"]["filename_prefix"] = f"video/{prefix}"
    prompt["6"] = node(
        "SaveVideo", video=["3", 2], filename_prefix=f"saved/{prefix}", format="auto", codec="auto"
    )
    return prompt


def pictures(path):
    """Return the pictures of a file as they are decoded, and check their times."""
    with av.open(str(path)) as file:
        stream = file.streams.video[0]
        frames = list(file.decode(stream))
    moments = [float(frame.pts * frame.time_base) for frame in frames]
    assert moments[0] == 0
    assert all(abs(b - a - 1 / 16) < 0.002 for a, b in pairwise(moments))
    return [sha256(frame.to_ndarray(format="rgb24").tobytes()).hexdigest() for frame in frames]


def files(host, pattern):
    return sorted((host.base / "output").glob(pattern))


def until(host, texts, before, seconds=60):
    texts = [texts] if isinstance(texts, str) else texts
    deadline = time.monotonic() + seconds
    while not any(text in host.said()[before:] for text in texts):
        assert time.monotonic() < deadline, host.said()[-2000:]
        time.sleep(0.02)


def test_the_sampler_writes_a_video_that_other_nodes_take(host):
    done = host.run(video("plain"))
    (path,) = files(host, "video/plain*_.mp4")
    assert path.name == "plain_00001_.mp4"
    assert len(pictures(path)) == 45
    shown = done["outputs"]["3"]
    assert shown["images"] == [{"filename": path.name, "subfolder": "video", "type": "output"}]
    (saved,) = files(host, "saved/plain*")
    assert pictures(saved) == pictures(path)
    with av.open(str(path)) as file:
        said = json.loads(file.metadata["prompt"])
    assert said["3"]["class_type"] == "HeadForcingSampler"
    # everything has ended well: the next run clears away what was kept
    assert len(files(host, f"{UNFINISHED}/*")) == 1
    host.run(video("plain", seed=1))
    assert len(files(host, f"{UNFINISHED}/*")) == 1
    assert files(host, "video/plain*_.mp4")[1].name == "plain_00002_.mp4"


@pytest.mark.parametrize("container", ["mkv", "webm"])
def test_video_to_file_writes_what_the_sampler_writes(host, container):
    prompt = video(f"two{container}", container=container)
    inputs = {"samples": ["3", 0], "vae": ["1", 2], "container": container}
    prompt["7"] = node("HeadForcingVideoToFile", **inputs, filename_prefix=f"video/of_{container}")
    host.run(prompt)
    (one,) = files(host, f"video/two*_.{container}")
    (two,) = files(host, f"video/of_*_.{container}")
    assert len(pictures(one)) == len(pictures(two)) == 45


def test_pictures_are_those_of_vae_decode(host):
    """At the best quality: encoded, they stay within a few of 255 of what VAE Decode gives."""
    prompt = video("near", quality=0)
    prompt["7"] = node("VAEDecode", samples=["3", 0], vae=["1", 2])
    prompt["8"] = node("SaveImage", images=["7", 0], filename_prefix="near/p")
    host.run(prompt)
    import numpy as np
    from PIL import Image

    whole = np.stack([np.asarray(Image.open(p).convert("RGB")) for p in files(host, "near/p*")])
    with av.open(str(files(host, "video/near*_.mp4")[0])) as file:
        seen = np.stack([f.to_ndarray(format="rgb24") for f in file.decode(video=0)])
    assert seen.shape == whole.shape
    # chroma is kept at half of the size
    assert np.abs(seen.astype(int) - whole).mean() < 3


def killed_again_and_again(host, times, seconds, seed):
    """Kill a run so often, at random; what was cut must play, the end be that of one run."""
    name, chunks = f"seed{seed}x", int(seconds / 0.75)
    host.run(video(f"whole{name}", seconds=seconds, seed=seed))
    (whole,) = files(host, f"video/whole{name}*_.mp4")
    shutil.rmtree(host.base / "output" / UNFINISHED)
    host.forget()
    rng = random.Random(seed)
    played = []
    for chunk in sorted(rng.sample(range(1, chunks), times)):
        before = len(host.said())
        host.queue(video(f"killed{name}", seconds=seconds, seed=seed))
        # what was finished before is not said again
        until(host, (f"chunk {chunk} of {chunks}", f"chunk {chunk + 1} of {chunks}"), before)
        time.sleep(rng.uniform(0, 0.3))
        host.kill()
        growing = files(host, f"video/killed{name}*unfinished.mp4")
        growing = growing or files(host, f"video/killed{name}*_.mp4")  # it was quicker
        played.append(len(pictures(growing[0])) if growing else 0)
        host.start()
        # of the chunk that was just told, the pictures may not be there yet
        assert played[-1] >= 12 * (chunk - 1) - 3
    assert played == sorted(played)
    before = len(host.said())
    host.run(video(f"killed{name}", seconds=seconds, seed=seed))
    assert re.search(r"going on after \d+ chunks", host.said()[before:])
    (path,) = files(host, f"video/killed{name}*_.mp4")
    assert pictures(path) == pictures(whole)
    assert only(host, f"killed{name}*.latent").equal(only(host, f"whole{name}*.latent"))


def test_what_is_killed_at_any_moment_goes_on(host):
    killed_again_and_again(host, 2, 9.0, 7)


@pytest.mark.long
@pytest.mark.parametrize("seed", range(100, 105))
def test_what_is_killed_often_goes_on(host, seed):
    """Twenty kills in all."""
    killed_again_and_again(host, 4, 24.0, seed)


def test_a_run_killed_before_its_video_is_saved_is_not_lost(host):
    """What comes after the sampler may fail or die: the chunks stay until it has ended well."""
    prompt = video("after", seed=11)
    prompt["4"]["inputs"]["filename_prefix"] = "../outside"  # Save Latent fails
    done = host.wait(host.queue(prompt))
    assert errors_of(done)
    host.kill()
    host.start()
    before = len(host.said())
    host.run(video("after", seed=11))
    assert "going on after 4 chunks" in host.said()[before:]


def test_stop_here_ends_well_with_what_is_finished(host):
    before = len(host.said())
    prompt_id = host.queue(video("stopped", seconds=60.0, seed=3))
    until(host, "chunk 3 of 80", before)
    assert host.post("/head_forcing/stop", {"node": "99"})["error"].startswith("node must run")
    assert host.post("/head_forcing/stop", {"node": 3}) == {"stopping": "3"}
    done = host.wait(prompt_id)
    assert done["status"]["status_str"] == "success", errors_of(done)
    (path,) = files(host, "video/stopped*_.mp4")
    latent = only(host, "stopped*.latent")
    assert 9 <= latent.shape[2] < 240
    assert len(pictures(path)) == 4 * (latent.shape[2] - 1) + 1
    assert "stopped as asked after" in host.said()[before:]
    assert "error" in host.post("/head_forcing/stop", {"node": 3})
    # it is kept, and goes on
    host.forget()
    before = len(host.said())
    host.run(video("stopped", seconds=latent.shape[2] / 4 + 1.5, seed=3))
    assert f"going on after {latent.shape[2] // 3} chunks" in host.said()[before:]


def test_an_interrupted_run_says_where_its_work_is(host):
    before = len(host.said())
    prompt_id = host.queue(video("cut", seconds=60.0, seed=5))
    until(host, "chunk 4 of 80", before)
    host.post("/interrupt", {})
    done = host.wait(prompt_id)
    assert any(kind == "execution_interrupted" for kind, _ in done["status"]["messages"])
    told = re.search(r"stopped after (\d+) of 80 chunks; they are kept in (\S+),", host.said())
    (growing,) = files(host, "video/cut*unfinished.mp4")
    assert len(pictures(growing)) == 12 * int(told[1]) - 3
    assert len(list((host.base / "output").glob(f"{UNFINISHED}/*/latent_*"))) >= int(told[1])


def test_without_a_vae_what_wants_the_video_is_passed_over(host):
    prompt = video("none")
    del prompt["3"]["inputs"]["vae"]
    host.run(prompt)
    assert only(host, "none*.latent").shape[2] == 12
    assert not files(host, "video/none*_.mp4") and not files(host, "saved/none*")


def test_sound_is_in_the_file(host):
    prompt = video("loud", audio=["8", 0])
    prompt["8"] = node("EmptyAudio", duration=10.0, sample_rate=44100, channels=2)
    host.run(prompt)
    (path,) = files(host, "video/loud*_.mp4")
    with av.open(str(path)) as file:
        (audio,) = file.streams.audio
        assert abs(float(audio.duration * audio.time_base) - 45 / 16) < 0.1
    assert len(pictures(path)) == 45


def test_a_finished_video_goes_on_and_is_redone(host):
    """What came before stays bit by bit; the rest follows other prompts, or another seed."""
    prompt = video("first", seconds=6.0, seed=21)
    prompt["2"] = node("HeadForcingPromptSchedule", clip=["1", 1], prefix="", units="auto")
    prompt["2"]["inputs"]["text"] = f"[0:3] {RED}\n[3:6] {RED.replace('red', 'yellow')}"
    host.run(prompt)
    (whole,) = files(host, "video/first*_.mp4")
    first = only(host, "first*.latent")
    assert len(list(whole.with_suffix(".latents").iterdir())) == 8

    def more(prefix, seconds, **continuing):
        again = video(prefix, seconds, seed=["7", 2], start=["7", 0])
        again["7"] = node("HeadForcingContinueVideo", model=["1", 0], **continuing)
        again["2"] = node(
            "HeadForcingPromptSchedule", clip=["1", 1], prefix="", units="auto", text=["7", 1]
        )
        again["8"] = node("PreviewAny", source=["7", 1])
        return again

    name = f"video/{whole.name}"
    blue = RED.replace("red", "blue")
    done = host.run(more("on", 9.0, video=name, from_second=0.0, then=blue))
    assert only(host, "on*.latent")[:, :, :24].equal(first)
    (longer,) = files(host, "video/on*_.mp4")
    assert pictures(longer)[:93] == pictures(whole) and len(pictures(longer)) == 141
    said = json.loads(done["outputs"]["8"]["text"][0])
    assert [(p["start_seconds"], p["text"]) for p in said][-1] == (6.0, blue)

    host.run(more("redo", 6.0, video=name, from_second=4.0, then=blue))
    redone = only(host, "redo*.latent")
    assert redone[:, :, :15].equal(first[:, :, :15]) and redone.shape == first.shape
    assert not redone[:, :, 15:18].equal(first[:, :, 15:18])
    # the same seed and prompts make what one run makes
    host.run(more("same", 6.0, video=name, from_second=4.0, then=""))
    assert (only(host, "same*.latent") - first).abs().max() < 1e-3
    prompt = more("lost", 9.0, video="video/none.mp4", from_second=0.0, then="")
    answer = host.post("/prompt", {"prompt": prompt})
    assert "Value not in list" in str(answer)


def test_another_name_after_a_kill_is_another_file(host):
    """What grew under the first name is all in the second, and goes away with it."""
    before = len(host.said())
    host.queue(video("named", seconds=9.0, seed=31))
    until(host, "chunk 4 of 12", before)
    host.kill()
    host.start()
    assert files(host, "video/named*")
    host.run(video("renamed", seconds=9.0, seed=31, container="mkv"))
    (path,) = files(host, "video/renamed*_.mkv")
    assert len(pictures(path)) == 141
    assert not files(host, "video/named*") and not files(host, "video/.*")


def test_a_shorter_video_leaves_a_longer_one_its_file(host):
    """Both under one prefix: what has grown of the longer one plays on, and goes on."""
    before = len(host.said())
    prompt_id = host.queue(video("lengths", seconds=30.0, seed=41))
    until(host, "chunk 5 of 40", before)
    host.post("/interrupt", {})
    host.wait(prompt_id)
    (growing,) = files(host, "video/lengths*unfinished.mp4")
    grown = pictures(growing)
    host.run(video("lengths", seconds=1.5, seed=41))
    assert pictures(growing) == grown
    host.forget()
    before = len(host.said())
    host.run(video("lengths", seconds=6.0, seed=41))
    assert f"going on after {min(8, len(grown) // 12 + 1)} chunks" in host.said()[before:]


def test_words_that_nobody_knows_are_not_made_up(host):
    """Plain CONDITIONING has no text: a video that goes on is not told that of a stand-in."""
    host.run(video("wordless", seconds=1.5, seed=51))
    (path,) = files(host, "video/wordless*_.mp4")
    again = video("on_wordless", seconds=3.0, seed=["7", 2], start=["7", 0])
    inputs = {"video": f"video/{path.name}", "from_second": 0.0, "then": ""}
    again["7"] = node("HeadForcingContinueVideo", model=["1", 0], **inputs)
    again["8"] = node("PreviewAny", source=["7", 1])
    done = host.run(again)
    assert done["outputs"]["8"]["text"] == [""]
    again["7"]["inputs"]["then"] = "a blue ball"
    assert "must say what it shows" in errors_of(host.wait(host.queue(again)))[0]
