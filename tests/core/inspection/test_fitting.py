"""What does not fit is refused in a sentence that names what does."""

import re
from dataclasses import replace
from math import ceil

import pytest
import torch
from plans import map_for
from published_files import published_files
from random_model import TINY, random_weights

from headforcing.headforcing_core.files.tensor_files import TensorDict
from headforcing.headforcing_core.generation import VideoRequest
from headforcing.headforcing_core.inspection import (
    Forecast,
    ModelSizes,
    check_fits,
    free_in,
    nearby,
)
from headforcing.headforcing_core.inspection.search import Search
from headforcing.headforcing_core.methods import KVDtype, settings_named, with_values
from headforcing.headforcing_core.models import (
    FAMILY_NAMES,
    WAN_1_3B_MODEL,
    WeightDtype,
    family_named,
    read_published,
)

FAMILY = family_named("self_forcing")
GIB = 1024**3


def foreseen(name="full", frames=240, rows=32, columns=48, device="cuda", **more):
    method = settings_named(name).build(FAMILY.frames_per_chunk)
    head_map = map_for(method, TINY.heads, TINY.layers)
    first = more.pop("first_chunk", None)
    request = VideoRequest(FAMILY, frames, rows, columns, 0, first, method, head_map)
    return Forecast(request, replace(large(), narrower=()), 16, device, **more)


def large():
    """A hundred times as much of everything, so that hundredths of a GiB say something."""
    return ModelSizes.plain(replace(TINY, dim=9600, ffn_dim=19200, heads=TINY.heads), torch.half)


def published(name):
    """A minute of the published small model."""
    config, method = WAN_1_3B_MODEL, settings_named(name).build(FAMILY.frames_per_chunk)
    head_map = map_for(method, config.heads, config.layers)
    request = VideoRequest(FAMILY, 240, 60, 104, 0, method=method, head_map=head_map)
    return Forecast(request, ModelSizes.plain(config, torch.bfloat16), 512, "cuda")


def refusal(forecast, free, **more):
    with pytest.raises(RuntimeError) as caught:
        check_fits(forecast, {"cuda": free}, **more)
    said = str(caught.value)
    assert "\n" not in said and not said.endswith(".")
    return said


def test_what_fits_exactly_runs_and_a_byte_less_does_not():
    forecast = foreseen()
    check_fits(forecast, {"cuda": forecast.peak("cuda"), "cpu": forecast.peak("cpu")})
    said = refusal(forecast, forecast.peak("cuda") - 1)
    need, there = re.findall(r"need (\S+) GiB, cuda has (\S+) GiB free", said)[0]
    assert float(need) > float(there)
    assert said.startswith("caches, text, weights and activations need")


@pytest.mark.parametrize("device", ["cuda", "cpu"])
def test_what_is_not_known_refuses_nothing(device):
    forecast = foreseen(device=device)
    check_fits(forecast, {"cuda": None, "cpu": None})
    check_fits(forecast, {})


def test_what_is_offered_fits_and_a_little_more_does_not():
    """The largest length, the largest size, the method that remembers most."""
    asked = foreseen()
    free = asked.peak("cuda") // 2
    said = refusal(asked, free)
    method, width, height, seconds = re.search(
        r"it fits with method (\S+) \(.* GiB\), "
        r"or at (\d+) x (\d+) \(.*\), or for (\S+) s \(",
        said,
    ).groups()
    stride = 16
    assert int(width) % stride == int(height) % stride == 0
    frames, long, short = 4 * float(seconds), int(width) // 8, int(height) // 8

    def peak(**changed):
        return foreseen(**changed).peak("cuda")

    assert peak(frames=int(frames)) <= free < peak(frames=int(frames) + 3)
    assert peak(rows=short, columns=long) <= free
    assert free < peak(rows=round((long + 2) * 2 / 3 / 2) * 2, columns=long + 2)
    # about as wide for its height
    assert long / short == pytest.approx(1.5, rel=0.1)
    assert peak(name=method) <= free
    assert refusal(asked, peak(name=method) - 1).find(f"method {method} ") < 0


@pytest.mark.parametrize("name", ["head_forcing", "pyramid", "rolling", "dummy"])
def test_eight_bits_are_offered_for_as_few_heads_as_fit(name):
    asked = published(name)
    method, caches = asked.request.method, asked.caches
    types = sorted(caches, key=caches.__getitem__, reverse=True)
    each = [types] if name in ("rolling", "dummy") else [types[: n + 1] for n in range(len(types))]
    before = asked.peak("cuda")
    for some in each:
        kept = method.kept_in(dict.fromkeys(some, KVDtype.INT8))
        less = replace(asked, request=replace(asked.request, method=kept)).peak("cuda")
        said = refusal(asked, less)
        if name in ("rolling", "dummy"):
            assert "it fits with keys and values in int8 by kv_dtype (" in said
        else:
            short = [type_.rpartition(".")[2] for type_ in some]
            names = " and ".join([", ".join(short[:-1]), short[-1]][len(short) == 1 :])
            by = names.replace(",", "_kv_dtype,").replace(" and", "_kv_dtype and")
            assert f"it fits with {names} heads in int8 by {by}_kv_dtype (" in said
            # as it is said it can be set
            settings = settings_named(name)
            told = [f"{one}=int8" for one in re.findall(r"\w+_kv_dtype", said.split(" (")[0])]
            typed = with_values(settings, told).build(FAMILY.frames_per_chunk)
            assert replace(asked, request=replace(asked.request, method=typed)).peak("cuda") == less
        assert less < before
        before = less
    assert " in int8 " not in refusal(asked, before - 1)


def test_what_is_read_once_per_chunk_is_offered_to_the_host():
    asked = published("rolling_sink")
    away = asked.request.method.offloading()

    def peak(method):
        return replace(asked, request=replace(asked.request, method=method)).peak("cuda")

    assert "it fits with keys and values in int8 by kv_dtype (" in refusal(
        asked, asked.peak("cuda") - 1
    )
    assert ", or with offload (" in refusal(asked, peak(away))
    assert "with offload (" not in refusal(asked, peak(away) - 1)
    both = away.kept_in({"all": KVDtype.INT8})
    # where neither is enough, nor a shorter video: one chunk takes less than both
    search = Search(asked, lambda one: one.plan.bytes <= peak_plan(asked, both))
    assert any(
        offer.how == "with keys and values in int8 by kv_dtype and offload"
        for offer in search._together()
    )


@pytest.mark.parametrize("name", ["head_forcing", "pyramid"])
def test_offload_is_offered_by_the_settings_that_move_something(name):
    asked = published(name)
    away = replace(asked, request=replace(asked.request, method=asked.request.method.offloading()))
    said = refusal(asked, away.peak("cuda"))
    (by,) = re.findall(r"with ((?:\w+_offload(?:, | and )?)+) \(", said)
    told = [f"{one}=true" for one in re.findall(r"\w+_offload", by)]
    typed = with_values(settings_named(name), told).build(FAMILY.frames_per_chunk)
    same = replace(asked, request=replace(asked.request, method=typed))
    assert same.peak("cuda") == away.peak("cuda") < asked.peak("cuda")
    fewer = with_values(settings_named(name), told[1:]).build(FAMILY.frames_per_chunk)
    assert replace(asked, request=replace(asked.request, method=fewer)).peak("cuda") > away.peak(
        "cuda"
    )


def test_a_family_that_denoises_chunks_together_is_offered_no_shorter_video_than_it_makes():
    family = family_named("rolling_forcing")
    sizes = replace(large(), narrower=())
    asked = Forecast(VideoRequest(family, 240, 32, 48, 0), sizes, 16, "cuda")
    fewest = replace(asked, request=replace(asked.request, frames=5 * family.frames_per_chunk))
    assert f" for {family.video.moment(15):g} s (" in refusal(asked, fewest.peak("cuda"))
    assert " for " not in refusal(asked, fewest.peak("cuda") - 1)
    assert "nothing fits there" in refusal(asked, 0)


def peak_plan(asked, method):
    return replace(asked, request=replace(asked.request, method=method)).plan.bytes


def test_what_is_in_eight_bits_is_not_offered_again():
    asked = published("head_forcing:int8")
    assert "heads in int8" not in refusal(asked, asked.peak("cuda") - 1)


def test_weights_in_fewer_bytes_are_offered():
    asked = replace(foreseen(), sizes=large())
    ((kept, sizes),) = asked.sizes.narrower
    assert kept is WeightDtype.FP8
    narrow = replace(asked, sizes=sizes).peak("cuda")
    assert asked.sizes.weights_bytes - sizes.weights_bytes > GIB
    assert "it fits with weight dtype fp8 (" in refusal(asked, narrow)
    assert "with weight dtype fp8 (" not in refusal(asked, narrow - 1)
    assert "with weight dtype" not in refusal(foreseen(), narrow)
    # what is kept so already is not offered again
    assert "weight dtype" not in refusal(replace(asked, sizes=sizes), narrow - 1)


def test_with_weights_in_fewer_bytes_one_thing_more_is_offered():
    lean = replace(foreseen("infinity_rope", 240), sizes=large().narrower[0].sizes)
    asked = replace(foreseen(frames=240), sizes=large())
    said = refusal(asked, lean.peak("cuda"), start_frames=237)  # of that size and length
    assert "it fits with weight dtype fp8 and method infinity_rope (" in said
    # nothing of that alone; the picture is as large as can be
    smaller = replace(lean, request=replace(lean.request, rows=24, columns=36))
    said = refusal(asked, smaller.peak("cuda"))
    assert re.search(r"it fits with method infinity_rope and weight dtype fp8 at \d\d+ x", said)
    assert "for 59" not in said


def test_the_least_that_can_be_made_has_weights_in_the_fewest_bytes():
    asked = replace(foreseen(), sizes=large())
    sizes = large().narrower[0].sizes
    said = refusal(asked, sizes.weights_bytes - 1)
    smallest = replace(foreseen("full", 3, 2, 2), sizes=sizes).peak("cuda")
    assert said.endswith(f"needs {ceil(smallest / GIB * 100) / 100:.2f} GiB")


def test_a_device_without_fp8_is_offered_none(monkeypatch):
    asked = replace(foreseen(device="mps"), sizes=large())
    narrow = replace(asked, sizes=large().narrower[0].sizes).peak("mps")
    with pytest.raises(RuntimeError) as caught:
        check_fits(asked, {"mps": narrow})
    assert "weight dtype" not in str(caught.value)
    monkeypatch.setattr(nearby, "has_dtype", lambda device, dtype: True)
    with pytest.raises(RuntimeError, match="it fits with weight dtype fp8"):
        check_fits(asked, {"mps": narrow})


@pytest.mark.parametrize("family", [name for name in FAMILY_NAMES if name != "demo"])
def test_a_length_that_is_offered_is_that_of_its_chunks(family):
    """Said to the hundredth, and not a frame more: of 24 pictures a second a third is no number."""
    family = family_named(family).without_pictures()
    sizes = ModelSizes.plain(TINY, torch.half)
    asked = Forecast(VideoRequest(family, 240, 4, 6, 0), sizes, 16, "cuda")
    near = nearby.Nearby(asked, lambda one: True)
    for chunks in range(asked.request.fewest_chunks, asked.chunks):
        how, offered = near.of_chunks(nearby.Offer("", asked), chunks)
        (seconds,) = re.fullmatch(r"for (\S+) s", how).groups()
        typed = replace(asked.request, frames=family.video.latent_frames(float(seconds)))
        assert typed.clock.total_frames == offered.frames


def test_a_method_that_needs_no_map_is_offered_without_that_of_another():
    asked = foreseen("head_forcing", rows=64, columns=96)
    dummy = replace(asked.request, method=settings_named("dummy").build(3), head_map=None)
    free = replace(asked, request=dummy).peak("cuda")
    ways = {offer.how for offer in Search(asked, lambda one: True)._methods()}
    assert "with method dummy and no map" in ways and "with method rolling" in ways
    assert free < asked.peak("cuda")


def test_a_measurement_is_offered_other_sizes_and_narrower_weights_alone():
    asked = replace(foreseen("infinity_rope"), sizes=large())
    narrow = replace(asked, sizes=large().narrower[0].sizes)

    def refused(free):
        with pytest.raises(RuntimeError) as caught:
            check_fits(asked, {"cuda": free}, measuring=True)
        return str(caught.value).partition("free; ")[2]

    said = refused(asked.peak("cuda") - 1)
    assert re.fullmatch(
        r"it fits with weight dtype fp8 \(\S+ GiB\), or at \d+ x \d+ \(\S+ GiB\)", said
    )
    smaller = replace(narrow, request=replace(narrow.request, rows=24, columns=36)).peak("cuda")
    assert smaller < asked.sizes.weights_bytes
    assert re.fullmatch(r"it fits with weight dtype fp8 at \d+ x \d+ \(\S+ GiB\)", refused(smaller))
    least = replace(narrow, request=replace(narrow.request, rows=2, columns=2)).peak("cuda")
    said = refused(least - 1)
    assert said == (
        "nothing fits there: the least that can be made needs "
        f"{ceil(least / GIB * 100) / 100:.2f} GiB"
    )


@pytest.mark.parametrize("name", ["plain", "fp8_header"])
def test_files_are_offered_what_they_can_be_kept_in(name):
    file = published_files(random_weights(TINY))[name]
    published = read_published(TensorDict(file.tensors, file.header), TINY.heads)

    def kept(weight_dtype):
        sizes = ModelSizes.of_file(published, torch.bfloat16, weight_dtype)
        return [one.kept for one in sizes.narrower]

    if name == "plain":
        assert (kept(WeightDtype.SAME), kept(WeightDtype.FP8)) == ([WeightDtype.FP8], [])
    else:  # all matrices of its blocks are in fp8 as they are stored
        assert kept(WeightDtype.SAME) == [WeightDtype.STORED, WeightDtype.FP8]
        assert kept(WeightDtype.STORED) == kept(WeightDtype.FP8) == []


def test_methods_that_need_a_map_are_offered_where_there_is_one():
    asked = foreseen(rows=64, columns=96)
    every = {
        name: foreseen(name, rows=64, columns=96)
        for name in ("head_forcing:compact", "infinity_rope", "dummy", "forcing_kv")
    }
    free = every["head_forcing:compact"].peak("cuda")
    assert "head_forcing" not in refusal(asked, free)
    head_map = every["head_forcing:compact"].request.head_map
    assert "with method head_forcing:compact (" in refusal(asked, free, head_maps=[head_map])


def test_two_changes_are_offered_where_one_is_not_enough():
    asked = foreseen(frames=240, rows=64, columns=96, images=True)
    free = {"cuda": foreseen("infinity_rope", 240, 4, 6).peak("cuda"), "cpu": None}
    with pytest.raises(RuntimeError, match=r"it fits with method \S+ at 48 x 32 \(\S+ GiB\)"):
        check_fits(replace(asked, request=replace(asked.request, first_chunk=3)), free)


def test_where_nothing_fits_that_is_said():
    asked = foreseen()
    said = refusal(asked, asked.sizes.weights_bytes - 1)
    least = re.search(r"nothing fits there: the least that can be made needs (\S+) GiB$", said)
    smallest = foreseen("full", 3, 2, 2).peak("cuda")
    assert 0 <= float(least[1]) - smallest / GIB < 0.011


def test_a_start_keeps_its_size_and_its_length():
    asked = foreseen()
    longest = foreseen(frames=120)
    said = refusal(asked, longest.peak("cuda"), start_frames=60)
    assert " at " not in said and "for 30 s" in said
    assert "for " not in refusal(asked, longest.peak("cuda"), start_frames=120)


def test_a_first_chunk_of_one_frame_keeps_its_length():
    asked = foreseen(frames=241, first_chunk=1)
    assert "for 30.25 s (" in refusal(asked, foreseen(frames=121, first_chunk=1).peak("cuda"))


def test_videos_side_by_side_are_not_offered_methods_that_look():
    asked = foreseen(batch=2)
    free = foreseen("infinity_rope", batch=2).peak("cuda")
    head_map = foreseen("head_forcing").request.head_map
    said = refusal(asked, free, head_maps=[head_map])
    assert "with method infinity_rope" in said


def test_a_family_of_one_size_is_offered_no_other():
    family = family_named("demo")
    method = settings_named("full").build(family.frames_per_chunk)
    request = VideoRequest(family, 240, 8, 8, 0, method=method)
    asked = Forecast(request, ModelSizes.plain(TINY, torch.half), 16, "cuda")
    said = refusal(asked, asked.peak("cuda") - 1)
    assert " at " not in said and "for 59.25 s" in said


@pytest.mark.parametrize("size", [(1, 700), (700, 1), (3, 5), (1, 1)])
def test_the_least_of_odd_sizes_is_one_patch(size):
    """Sides that are no whole patches, and more sizes than are tried."""
    asked = foreseen("rolling", 60, *size)
    least = foreseen("rolling", 3, *((2, 2) if size != (1, 1) else size))
    said = refusal(asked, 0)
    found = re.search(r"nothing fits there: the least that can be made needs (\S+) GiB$", said)
    assert float(found[1]) == pytest.approx(least.peak("cuda") / GIB, abs=0.011)


def found(asked, fits):
    return [(offer.how, offer.forecast) for offer in Search(asked, fits).offers()]


def test_the_longest_is_found_to_the_chunk():
    asked = foreseen("rolling", 42, 4, 6)
    for most in range(1, asked.chunks):
        ((how, longest),) = found(asked, lambda one, most=most: one.chunks <= most)
        assert (how, longest.chunks) == (f"for {0.75 * most:g} s", most)


def test_the_least_size_is_tried_where_not_all_are():
    asked = foreseen("rolling", 30, 2, 1400)
    ((how, least),) = found(asked, lambda one: one.request.columns == 2)
    assert (how, least.size) == ("at 16 x 16", (16, 16))


def test_three_changes_are_offered_where_two_are_not_enough():
    asked = foreseen("full", 60, 4, 6)
    ((how, _),) = found(asked, lambda one: max(one.size) <= 16 and one.chunks <= 5)
    assert how.startswith("with method ") and how.endswith(" at 16 x 16 for 3.75 s")


def test_the_host_is_a_place_of_its_own():
    asked = foreseen("rolling", images=True)
    with pytest.raises(RuntimeError) as caught:
        check_fits(asked, {"cuda": None, "cpu": asked.peak("cpu") - 1})
    said = str(caught.value)
    assert said.startswith("latents and pictures need") and "cpu has" in said
    assert "for 59.25 s (" in said and "without all pictures at once (" in said
    assert "method" not in said


def test_on_the_cpu_everything_is_in_one_place():
    asked = foreseen(device="cpu")
    with pytest.raises(RuntimeError, match="activations and latents need"):
        check_fits(asked, {"cpu": asked.peak("cpu") - 1})
    free = free_in(asked)
    assert set(free) == {"cpu"} and (free["cpu"] is None or free["cpu"] > 0)


def test_what_is_offered_is_counted_as_the_family_does():
    """A frame of it is a sixth of a second and 16 pixels for each of a latent."""
    family = family_named("longlive2")
    config = replace(TINY, dim=9600, ffn_dim=19200, in_dim=48, out_dim=48)
    sizes = ModelSizes.plain(config, torch.half)
    full = settings_named("full").build(family.frames_per_chunk)

    def of(frames, rows=32, columns=48):
        return Forecast(
            VideoRequest(family, frames, rows, columns, 0, method=full), sizes, 16, "cuda"
        )

    asked = of(240)
    assert (asked.seconds, asked.pictures, asked.size) == (957 / 24, 957, (768, 512))
    said = refusal(asked, of(120).peak("cuda"))
    assert "or for 20 s (" in said
    width, height = map(int, re.search(r"at (\d+) x (\d+) \(", said).groups())
    free, smaller = of(120).peak("cuda"), of(240, height // 16, width // 16)
    assert width % 32 == height % 32 == 0 and free / 2 < smaller.peak("cuda") <= free
