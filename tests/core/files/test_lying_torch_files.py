"""Torch files that claim more than they hold: refused before any of it is made."""

import io
import pickle
import struct
import subprocess
import sys
import tarfile
import zipfile
from pathlib import Path
from time import monotonic

import pytest
import torch

from headforcing.headforcing_core.files import open_tensors, read_latents, read_text_embedding

MIB = 1 << 20
MAGIC, PROTOCOL = 0x1950A86A20F9469CFC6C, 1001
BEGIN = b"\x80\x02"
WHOLE, STORES = "must be a whole torch file", "must store all numbers of its tensors"
FOREIGN = "must hold tensors only"
ROOT = Path(__file__).parents[3]


def zipped(path, pickled, compression=zipfile.ZIP_STORED, stored=None):
    with zipfile.ZipFile(path, "w", compression) as archive:
        archive.writestr("x/data.pkl", pickled)
        archive.writestr("x/version", "3\n")
        for name, data in (stored or {}).items():
            archive.writestr(f"x/data/{name}", data)


def old(path, pickled, after=b""):
    head = b"".join(pickle.dumps(part, 2) for part in (MAGIC, PROTOCOL, {"little_endian": True}))
    path.write_bytes(head + pickled + pickle.dumps(["0"], 2) + after)


def text(value):
    return b"X" + struct.pack("<I", len(value)) + value


def whole(value):
    return b"\x8a\x08" + struct.pack("<q", value)


def tuple_of(values):
    return b"(" + b"".join(map(whole, values)) + b"t"


def storage(numbers, is_old=False):
    known = text(b"storage") + b"ctorch\nFloatStorage\n" + text(b"0") + text(b"cpu")
    return b"(" + known + whole(numbers) + (b"N" if is_old else b"") + b"tQ"


def tensor(numbers, size, stride, is_old=False, function=b"_rebuild_tensor_v2"):
    rest = b"K\x00" + tuple_of(size) + tuple_of(stride) + b"\x89ccollections\nOrderedDict\n)R"
    return b"ctorch._utils\n" + function + b"\n(" + storage(numbers, is_old) + rest + b"tR"


def held(value, name=b"latents"):
    return BEGIN + b"}" + text(name) + value + b"s."


FOUR = {"0": bytes(4)}
LIES = {
    "a view of one number": ([10**12], [0], 1, STORES),
    "a view of one number, square": ([10**6, 10**6], [0, 0], 1, STORES),
    "a tensor beyond its storage": ([10**10], [1], 1, STORES),
    "a storage a little beyond": ([1000], [1], 1000, None),
    "a step beyond": ([2], [10**15], 1, STORES),
    "a storage beyond the file": ([10**10], [1], 10**10, None),
    "a negative size": ([-1], [1], 1, WHOLE),
    "a hundred dimensions": ([1] * 100, [1] * 100, 1, WHOLE),
}


@pytest.mark.parametrize("is_old", [False, True], ids=["zip", "old"])
@pytest.mark.parametrize("lie", LIES)
def test_tensors_that_are_not_there_are_refused(tmp_path, lie, is_old):
    size, stride, numbers, said = LIES[lie]
    path = tmp_path / "x.pt"
    pickled = held(tensor(numbers, size, stride, is_old))
    if is_old:
        old(path, pickled, struct.pack("<q", 1) + bytes(4))
    else:
        zipped(path, pickled, stored=FOUR)
    said = said or (WHOLE if is_old else STORES)
    with pytest.raises(ValueError, match=said) as error:
        open_tensors(path)
    # told before torch is asked, which may read on behind the end of a storage
    assert type(error.value.__cause__.__cause__) in (type(None), ValueError)


def flood(count, value):
    return BEGIN + b"](" + value * count + b"e."


def doubling(times):
    return b")" + b"q\x00h\x00\x86" * times


CALLS = {
    "an empty tensor": b"ctorch\nTensor\n",
    "a tensor of old": b"ctorch\nFloatTensor\n",
    "a storage": b"ctorch.storage\nUntypedStorage\n",
    "a tensor by a longer way": b"ctorch\nstorage.UntypedStorage\n",
    "bytes": b"cbuiltins\nbytearray\n",
    "bytes of old": b"c__builtin__\nbytearray\n",
}
PICKLES = {
    **{name: BEGIN + call + b"(" + whole(10**11) + b"tR." for name, call in CALLS.items()},
    "marks": BEGIN + b"(" * MIB + b".",
    "too many steps": flood(2 * MIB, b"K\x01"),
    "a key that doubles": BEGIN + b"}" + doubling(60) + b"Ns.",
    "keys that are all alike": BEGIN
    + b"}("
    + b"".join(
        b"\x8a\x0a" + ((n + 1) * (2**61 - 1)).to_bytes(10, "little") + b"N" for n in range(30_000)
    )
    + b"u.",
    "bytes again and again": BEGIN
    + text(b"x" * 10**6)
    + b"q\x00]("
    + (b"c_codecs\nencode\nh\x00" + text(b"latin1") + b"\x86R") * 20_000
    + b"e.",
    "a set of numbers again and again": BEGIN
    + b"]("
    + b"".join(map(whole, range(20_000)))
    + b"eq\x00]("
    + b"c__builtin__\nset\nh\x00\x85R" * 2000
    + b"e.",
    "a wrapper of itself": BEGIN + b"}q\x00" + text(b"model") + b"h\x00s.",
    "wrappers without end": BEGIN + b"}" + (text(b"model") + b"}") * 50_000 + b"s" * 50_000 + b".",
    "a text of two gigabytes": BEGIN + b"X\xff\xff\xff\x7fabc.",
    "a place far away": BEGIN + b"}r\xff\xff\xff\x7f.",
    "nothing": b".",
    "nothing to call": BEGIN + b")R.",
    "a name of nobody": BEGIN + b"cos\nsystem\n" + text(b"true") + b"\x85R.",
}


# before torch is asked, which would refuse some of them as well, after it made them
CAUSES = {
    "marks": "nest at most 64 deep",
    "too many steps": "at most 1048576 steps",
    "a key that doubles": "at most 4096 parts",
    "keys that are all alike": "must have names",
    "bytes again and again": "again and again",
    "a set of numbers again and again": "again and again",
    "an empty tensor": "without a call of torch.Tensor",
    "a tensor of old": "must do without torch.FloatTensor",
    "a storage": "without a call of torch.storage.UntypedStorage",
    "a tensor by a longer way": "without a call of torch.storage.UntypedStorage",
    "bytes": "bytes must be written as text",
    "bytes of old": "bytes must be written as text",
    "a name of nobody": "must do without os.system",
}


@pytest.mark.parametrize("is_old", [False, True], ids=["zip", "old"])
@pytest.mark.parametrize("name", PICKLES)
def test_pickles_that_would_take_long_are_refused(tmp_path, name, is_old):
    path = tmp_path / "x.pt"
    (old if is_old else zipped)(path, PICKLES[name])
    began = monotonic()
    with pytest.raises(ValueError, match=f"{WHOLE}|{FOREIGN}|must hold named tensors") as error:
        open_tensors(path)
    assert monotonic() - began < 10
    assert CAUSES.get(name, "") in str(error.value.__cause__)


def test_memory_stays_in_proportion_to_the_file(tmp_path):
    """Each in a process that may take a gigabyte beyond what it has when it begins."""
    zipped(tmp_path / "marks.pt", BEGIN + b"(" * (64 * MIB) + b".", zipfile.ZIP_DEFLATED)
    zipped(tmp_path / "view.pt", held(tensor(1, [1, 4, 10**12, 2, 3], [0] * 5)), stored=FOUR)
    old(
        tmp_path / "storage.pt",
        held(tensor(10**12, [1], [1], True)),
        struct.pack("<q", 1) + bytes(4),
    )
    zipped(tmp_path / "tensor.pt", PICKLES["an empty tensor"])
    torch.save(torch.ones(1).expand(10**12), tmp_path / "text.pt")
    code = f"""
import resource, sys
sys.path.insert(0, {str(ROOT / "tests")!r})
import pack
from pathlib import Path
from headforcing.headforcing_core.files import open_tensors, read_latents, read_text_embedding
taken = int(Path("/proc/self/statm").read_text().split()[0]) * resource.getpagesize()
resource.setrlimit(resource.RLIMIT_AS, (taken + (1 << 30),) * 2)
for path in sorted(Path({str(tmp_path)!r}).iterdir()):
    for read in (
        open_tensors,
        lambda path: read_latents(path, (1, 4, 2, 3)),
        lambda path: read_text_embedding(path, 8, 6),
    ):
        try:
            read(path)
        except ValueError as error:
            assert " must " in str(error)
        else:
            raise AssertionError(path)
print("refused")
"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=120)
    assert done.stdout.startswith("refused"), done.stderr[-2000:]


def test_entries_must_be_as_torch_writes_them(tmp_path):
    path = tmp_path / "x.pt"
    torch.save({"x": torch.ones(100)}, path)
    data = path.read_bytes()

    def refused(changed, why):
        path.write_bytes(changed)
        with pytest.raises(ValueError, match=WHOLE) as error:
            open_tensors(path)
        assert why in str(error.value.__cause__)

    refused(data + b"\0", "must end with the end of its table")
    refused(data[:-2] + b"\1\0x", "must end with the end of its table")
    # a table that says it is of many gigabytes
    length = data.rindex(b"PK\6\6") + 40
    refused(data[:length] + struct.pack("<Q", 1 << 40) + data[length + 8 :], "list its entries in")
    with zipfile.ZipFile(io.BytesIO(data)) as archive:
        parts = {entry.filename: archive.read(entry) for entry in archive.infolist()}
    for packed in ("data.pkl", "data/0"):
        with zipfile.ZipFile(path, "w") as archive:
            for name, held_in_it in parts.items():
                how = zipfile.ZIP_DEFLATED if name.endswith(packed) else zipfile.ZIP_STORED
                archive.writestr(name, held_in_it, how)
        refused(path.read_bytes(), "must be stored as they are")
    with pytest.warns(UserWarning, match="Duplicate name"), zipfile.ZipFile(path, "w") as archive:
        for name, held_in_it in [*parts.items(), ("x/data.pkl", parts["x/data.pkl"])]:
            archive.writestr(name, held_in_it)
    refused(path.read_bytes(), "must have one name")
    with zipfile.ZipFile(path, "w") as archive:
        for name, held_in_it in [*parts.items(), ("x/DATA.pkl", parts["x/data.pkl"])]:
            archive.writestr(name, held_in_it)
    refused(path.read_bytes(), "must have names of their own")


def test_entries_must_not_lie_in_each_other(tmp_path):
    """One pickle that is listed under two names, the second of which begins in the first."""
    path = tmp_path / "x.pt"
    inner = io.BytesIO()
    with zipfile.ZipFile(inner, "w") as archive:
        archive.writestr("x/data/0", bytes(4))
    held_in_it = inner.getvalue()[: inner.getvalue().index(b"PK\1\2")]
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("x/data.pkl", held(tensor(1, [1], [1])))
        archive.writestr("x/version", "3\n")
        archive.writestr("x/more", held_in_it)
        (entry,) = [each for each in archive.infolist() if each.filename == "x/more"]
        listed = zipfile.ZipInfo("x/data/0")
        listed.header_offset = entry.header_offset + 30 + len("x/more")
        listed.file_size, listed.compress_size, listed.CRC = 4, 4, 0
        archive.filelist.append(listed)
    with pytest.raises(ValueError, match=WHOLE) as error:
        open_tensors(path)
    assert "must follow each other" in str(error.value.__cause__)
    zipped(path, held(tensor(1, [1], [1])), stored=FOUR)
    open_tensors(path)
    path.write_bytes(b"PK\3\4" + path.read_bytes())
    with pytest.raises(ValueError, match=WHOLE) as error:
        open_tensors(path)
    assert "must follow each other" in str(error.value.__cause__)


def test_other_containers_that_torch_knows_are_refused(tmp_path):
    path = tmp_path / "x.pt"
    with tarfile.open(path, "w") as archive:
        archive.addfile(tarfile.TarInfo("storages"))
    with pytest.raises(ValueError, match=WHOLE):
        open_tensors(path)
    name = "\udc80\2"
    header = tarfile.TarInfo(name).tobuf(tarfile.GNU_FORMAT, "utf-8", "surrogateescape")
    path.write_bytes(header + bytes(2048))
    assert path.read_bytes()[:2] == BEGIN and tarfile.is_tarfile(path)
    with pytest.raises(ValueError, match=WHOLE) as error:
        open_tensors(path)
    assert "must be no tar" in str(error.value.__cause__)


@pytest.mark.parametrize("is_old", [False, True], ids=["zip", "old"])
def test_one_tensor_of_many_names_is_refused(tmp_path, is_old):
    """Each name would become a tensor of its own when it is read."""
    weight = torch.zeros(5_000_000)
    many = {f"w{n}": weight for n in range(100)}
    torch.save(many, tmp_path / "x.pt", _use_new_zipfile_serialization=not is_old)
    with pytest.raises(ValueError, match=STORES):
        open_tensors(tmp_path / "x.pt")


def test_small_things_that_stand_for_many_may(tmp_path):
    """An expanded bias is a thing people save; a terabyte of it is not."""
    torch.save(torch.ones(1, 1).expand(4, 8), tmp_path / "x.pt")
    assert torch.equal(read_text_embedding(tmp_path / "x.pt", 8, 6)[0, :4], torch.ones(4, 8))
    torch.save({"latents": torch.ones(1).expand(1, 4, 10**12, 2, 3)}, tmp_path / "y.pt")
    with pytest.raises(ValueError, match=STORES):
        read_latents(tmp_path / "y.pt", (1, 4, 2, 3))
