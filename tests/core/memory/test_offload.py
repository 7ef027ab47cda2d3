"""What lies out of the way comes back as it was, in time, and nothing else does."""

from dataclasses import replace

import pytest
import torch
from every_family import Recoder, model_of, request_of, whole
from fake_host import FakeArrival, FakeBoundary, apart
from plans import bank_for
from random_model import TINY

from headforcing.headforcing_core import PromptSchedule
from headforcing.headforcing_core.inspection import ModelSizes, crossings
from headforcing.headforcing_core.memory import CacheBank, boundary, ferry
from headforcing.headforcing_core.memory.boundary import StreamBoundary
from headforcing.headforcing_core.methods import NAMES, KVDtype, settings_named
from headforcing.headforcing_core.models import FAMILIES
from headforcing.headforcing_core.video import Chunk

# what lies out of the way of each: first frames; frames for ever, and small ones, per query frame;
# running means; single tokens; a cycle; what a window reads; a past that is computed anew
PLAIN, FP8 = KVDtype.MODEL, KVDtype.FP8
RUNS = [
    ("self_forcing", "head_forcing", PLAIN),
    ("self_forcing", "pyramid", FP8),
    ("self_forcing", "memrope", PLAIN),
    ("longlive", "deep", FP8),
    ("longlive", "rolling_sink", FP8),
    ("longlive", "reward_forcing", PLAIN),
    ("rolling_forcing", "rolling_forcing", FP8),
    ("rolling_forcing", "head_forcing:compact", PLAIN),
    ("krea_14b", "sink_window", FP8),
    ("longlive2", "longlive2", PLAIN),
]


OWN = {
    "rolling_forcing": "rolling_forcing",
    "krea": "krea_14b",
    "krea:heads": "krea_14b",
    "longlive2": "longlive2",
}
SIZES = {family.name: family.frames_per_chunk for family in FAMILIES}


def made(request):
    """With a new prompt, and a cut."""
    size = request.family.frames_per_chunk
    texts = torch.randn(3, 1, 4, TINY.text_dim, generator=torch.Generator().manual_seed(2))
    prompts = PromptSchedule((0, 5 * size, 8 * size), tuple(texts), frozenset({8 * size}))
    rollout = request.rollout(model_of(request.family.channels), prompts, recoder=Recoder())
    return whole(list(rollout.run())), rollout.bank


def kept_in(request, kept):
    method = request.method
    return replace(request, method=method.kept_in(dict.fromkeys(method.rules, kept)))


def offloading(request):
    return replace(request, method=request.method.offloading())


def size_of(tensors):
    return sum(x.numel() * x.element_size() for x in tensors)


@pytest.mark.parametrize(("name", "method", "kept"), RUNS)
def test_a_video_is_the_same(name, method, kept, monkeypatch):
    request = kept_in(request_of(name, 9, method), kept)
    plain, _ = made(request)
    apart(monkeypatch)
    video, bank = made(offloading(request))
    assert torch.equal(video, plain)
    assert size_of(bank.tensors) == bank.plan.bytes
    assert size_of(bank.away) == bank.plan.host_bytes
    assert (bank.plan.host_bytes > 0) == (method != "longlive2")
    assert all(x.is_meta for x in bank.away) and not any(x.is_meta for x in bank.tensors)


@pytest.mark.parametrize("name", NAMES)
def test_what_is_allocated_on_both_sides_is_what_was_planned(name, monkeypatch):
    """Of ranks, and of videos side by side; in bfloat16 and in eight bits."""
    apart(monkeypatch)
    family = OWN.get(name, "self_forcing")
    batch = 1 if settings_named(name).build(SIZES[family]).looks else 2
    for kept, ranks in ((KVDtype.MODEL, 1), (KVDtype.INT8, 3)):
        request = offloading(kept_in(request_of(family, 12, name), kept))
        sizes = ModelSizes.plain(TINY, torch.bfloat16)
        for rank in range(ranks):
            plan = request.plan(sizes, batch, ranks, rank)
            bank = CacheBank(plan)
            assert size_of(bank.tensors) == plan.bytes and size_of(bank.away) == plan.host_bytes


def test_where_there_is_no_other_place_nothing_is_anywhere_else():
    request = request_of("self_forcing", 6, "pyramid")
    (plain, one), (video, other) = made(request), made(offloading(request))
    assert torch.equal(video, plain)
    assert other.plan == one.plan and not other.away and other.plan.host_bytes == 0


def test_what_windows_of_several_chunks_move_is_foreseen(monkeypatch):
    request = offloading(request_of("rolling_forcing", 9, "rolling_forcing"))
    ways = apart(monkeypatch)
    prompts = PromptSchedule.constant(torch.zeros(1, 4, TINY.text_dim))
    rollout = request.rollout(model_of(request.family.channels), prompts)
    list(rollout.run())
    fetched, stored = zip(*crossings(rollout.bank.plan, request.clock, 1, 1), strict=True)
    (way,) = ways
    for found, foreseen in ((way.to_device, fetched), (way.to_host, stored)):
        assert sum(found) == sum(each.bytes for each in foreseen) > 0
        assert len(found) == sum(each.copies for each in foreseen)


class Lost(FakeBoundary):
    """A page is not written back."""

    def give(self, target, own):
        pass


class Late(FakeBoundary):
    """Pages are those that were fetched before: of another layer."""

    before = ()

    def fetch(self, pairs):
        wrong, self.before = self.before, [source for _, source in pairs]
        alike = [x.shape for x in wrong] == [x.shape for x in self.before]
        sources = wrong if alike else self.before
        return super().fetch([*zip([target for target, _ in pairs], sources, strict=True)])


class Swift(FakeBoundary):
    """Copies are made as soon as they are asked for."""

    def fetch(self, pairs):
        arrival = super().fetch(pairs)
        self.make(self.asked)
        return arrival


class Hasty(FakeBoundary):
    """Nobody waits."""

    def fetch(self, pairs):
        super().fetch(pairs)
        return type("Never", (FakeArrival,), {"wait": lambda self: None})(self)


@pytest.mark.parametrize("defect", [None, Lost, Late, Hasty, "one place"])
def test_a_defect_is_seen(defect, monkeypatch):
    request = request_of("self_forcing", 6, "pyramid")
    plain, _ = made(request)
    apart(monkeypatch, Swift if defect in (None, "one place") else defect)
    if defect == "one place":  # what is read is overwritten by what is read next
        monkeypatch.setattr(ferry, "PLACES", 1)
    video, _ = made(offloading(request))
    assert torch.equal(video, plain) == (defect is None)


def test_one_read_ahead_is_on_its_way(monkeypatch):
    seen = []

    class Told(FakeBoundary):
        def fetch(self, pairs):
            number = sum(what == "asked" for what, _ in seen)
            seen.append(("asked", number))
            arrival = super().fetch(pairs)

            class Waited(FakeArrival):
                def wait(self):
                    seen.append(("waited", number))
                    arrival.wait()

            return Waited(self)

    apart(monkeypatch, Told)
    bank = bank_for(settings_named("sink_window").build(3).offloading(), 60)
    for index in range(9):
        seen.clear()
        chunk = Chunk(index, 3 * index, 3 * index + 3)
        bank.open(chunk)
        bank.commit(chunk)
    assert seen == [("asked", 0), ("asked", 1), ("waited", 0), ("waited", 1)]


def test_what_is_stored_may_be_overwritten_at_once():
    way = FakeBoundary(torch.device("cpu"))
    (page,), x = way.room(1, (2, 3), torch.float32), torch.ones(3, 2).T
    way.store(page, x)
    x.zero_()
    assert torch.equal(way.brought(page), torch.ones(2, 3))


class Stream:
    """Says what it was told, in the order of all."""

    def __init__(self, name, said):
        self.name, self.said = name, said

    def __enter__(self):
        self.said.append(f"into {self.name}")

    def __exit__(self, *error):
        self.said.append("out of it")

    def wait_stream(self, other):
        self.said.append(f"{self.name} after {other.name}")

    def record_event(self):
        self.said.append(f"event in {self.name}")

    def wait_event(self, event):
        self.said.append(f"{self.name} after the event")


def test_streams_wait_for_each_other(monkeypatch):
    """What the calls are; no GPU has made them here."""
    said = []
    copies, computing = Stream("copies", said), Stream("computing", said)
    monkeypatch.setattr(torch.cuda, "Stream", lambda device: copies)
    monkeypatch.setattr(torch.cuda, "current_stream", lambda device: computing)
    monkeypatch.setattr(torch.cuda, "stream", lambda stream: stream)
    monkeypatch.setattr(torch.Tensor, "record_stream", lambda x, stream: said.append("held"))
    monkeypatch.setattr(boundary, "pinned", lambda size: torch.zeros(size, dtype=torch.uint8))
    way = StreamBoundary(torch.device("cpu"))
    page, kept = torch.zeros(4), torch.ones(4)
    way.store(kept, torch.full((4,), 2.0))
    assert said == ["copies after computing", "into copies", "out of it", "held"]
    said.clear()
    way.fetch([(page, kept)]).wait()
    asked = ["copies after computing", "into copies", "event in copies", "out of it"]
    assert said == [*asked, "computing after the event"]
    assert page.tolist() == [2.0] * 4
    monkeypatch.setattr(boundary, "BLOCK", 128)
    pages = [*way.room(3, (4, 5), torch.float16), *way.room(2, (2, 64), torch.float32)]
    blocks = {x.untyped_storage().data_ptr(): x.untyped_storage().nbytes() for x in pages}
    assert list(blocks.values()) == [128, 128, 512, 512]
    assert [x.storage_offset() for x in pages] == [0, 24, 0, 0, 0]
    assert not any(x.any() for x in pages)
