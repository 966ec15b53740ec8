"""Members of tar archives: rows that name bytes, and the reading of them."""

from __future__ import annotations

import io
import tarfile
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hwr_batch.config import AccessOptions, Limits
from hwr_batch.errors import LineError, Status
from hwr_batch.sources.found import FoundLine, Item, Problem, ProblemKind
from hwr_batch.sources.tar import members
from hwr_batch.storage import AccessPolicy, ImageSource, Member, Store, member_of

from .drawn import file_of, page_image

IMAGES = {f"book/line #{i} é.png": file_of(page_image(seed=i)) for i in range(4)}


def tar_of(files: dict[str, bytes], form: int = tarfile.PAX_FORMAT) -> bytes:
    out = io.BytesIO()
    with tarfile.open(fileobj=out, mode="w", format=form) as archive:
        for name, data in files.items():
            info = tarfile.TarInfo(name)
            info.size = len(data)
            archive.addfile(info, io.BytesIO(data))
    return out.getvalue()


def rows(path: Path, store: Store | None = None) -> list[Item]:
    store = store or Store()
    return list(members(str(path), store, ImageSource(store, None, Limits()), lambda uri: "b.tar"))


def source(folder: Path, limits: Limits | None = None) -> ImageSource:
    policy = AccessPolicy.for_manifest(str(folder / "m.parquet"), AccessOptions())
    return ImageSource(Store(), policy, limits or Limits())


@pytest.mark.parametrize("form", [tarfile.USTAR_FORMAT, tarfile.GNU_FORMAT, tarfile.PAX_FORMAT])
def test_each_member_is_a_row_that_reads_its_bytes(tmp_path: Path, form: int) -> None:
    path = tmp_path / "b #1.tar"
    path.write_bytes(tar_of({**IMAGES, "book/labels.txt": b"x", "long/" + "n" * 90 + ".png": b"last"}, form))
    found = rows(path)
    lines = [item for item in found if isinstance(item, FoundLine)]
    assert [line.line_id for line in lines] == [
        f"b.tar/{name}" for name in (*IMAGES, "long/" + "n" * 90 + ".png")
    ]
    fetch = source(tmp_path).fetch
    assert [fetch(line.image.removeprefix(f"{tmp_path}/")) for line in lines] == [*IMAGES.values(), b"last"]
    assert [item.sentence for item in found if isinstance(item, Problem)] == [
        "1 members are no images by their names: passed over"
    ]


def test_reading_a_member_is_one_ranged_read(tmp_path: Path, s3: object) -> None:
    store = Store()
    store.put("s3://bucket/tars/b.tar", tar_of(IMAGES))
    line = list(members("s3://bucket/tars/b.tar", store, ImageSource(store, None, Limits()), str))[2]
    assert isinstance(line, FoundLine)

    class Counting(Store):
        def __init__(self) -> None:
            super().__init__()
            self.reads: list[int] = []

        def read_range(self, uri: str, start: int, stop: int) -> bytes:
            self.reads.append(stop - start)
            return super().read_range(uri, start, stop)

    counting = Counting()
    data = ImageSource(counting, None, Limits()).fetch(line.image)
    assert data == list(IMAGES.values())[2]
    assert counting.reads == [len(data)]


def test_damaged_compressed_missing_and_repeated(tmp_path: Path) -> None:
    path = tmp_path / "b.tar"

    def kinds() -> list[object]:
        return [item.kind if isinstance(item, Problem) else "row" for item in rows(path)]

    assert kinds() == [ProblemKind.SOURCE_MISSING]
    path.write_bytes(b"")
    assert kinds() == [ProblemKind.NOT_TAR]
    path.write_bytes(b"\x1f\x8b\x08" + bytes(600))
    assert kinds() == [ProblemKind.NOT_TAR]
    whole = tar_of({name.replace("é", "e"): data for name, data in IMAGES.items()}, tarfile.USTAR_FORMAT)
    header = whole.index(b"book/line #2")  # the name of the third member
    damaged = bytearray(whole)
    damaged[header : header + 300] = b"\xff" * 300
    path.write_bytes(damaged)
    assert kinds() == ["row", "row", ProblemKind.NOT_TAR]
    path.write_bytes(whole[:header])  # cut where a member ends
    assert kinds() == ["row", "row", ProblemKind.NOT_TAR]
    path.write_bytes(whole[: header + 600])  # and within the next
    assert kinds() == ["row", "row", "row", ProblemKind.NOT_TAR]
    with tarfile.open(path, "w") as archive:
        for name, data in [*IMAGES.items(), *IMAGES.items()]:
            info = tarfile.TarInfo(name)
            info.size = len(data)
            archive.addfile(info, io.BytesIO(data))
    assert kinds() == ["row"] * 4 + [ProblemKind.DUPLICATE_ID] * 4


def test_frames_of_a_tiff_inside_are_rows(tmp_path: Path) -> None:
    out = io.BytesIO()
    page_image().save(out, "TIFF", save_all=True, append_images=[page_image(seed=1)])
    path = tmp_path / "b.tar"
    path.write_bytes(tar_of({"p.tif": out.getvalue()}))
    assert [(item.line_id, item.page) for item in rows(path) if isinstance(item, FoundLine)] == [
        ("b.tar/p.tif#page=0", 0),
        ("b.tar/p.tif#page=1", 1),
    ]


@pytest.mark.parametrize(
    ("image", "status"),
    [
        ("../b.tar#offset=0&size=10", Status.ACCESS_DENIED),
        ("s3://elsewhere/b.tar#offset=0&size=10", Status.ACCESS_DENIED),
        ("none.tar#offset=0&size=10", Status.IMAGE_MISSING),
        ("b.tar#offset=0&size=2000", Status.IMAGE_UNREADABLE),  # the archive ends before
        ("b.tar#offset=99999999999999999&size=10", Status.IMAGE_UNREADABLE),
        ("b.tar#offset=0&size=0", Status.IMAGE_UNREADABLE),
        ("b.tar#offset=0&size=3000", Status.IMAGE_TOO_LARGE),
        ("b.tar#offset=0&size=999999999999999999", Status.IMAGE_TOO_LARGE),
        ("b.tar#offset=-1&size=10", Status.IMAGE_MISSING),  # no member by its form: a file of that name
    ],
)
def test_untrusted_member_names(tmp_path: Path, image: str, status: Status) -> None:
    folder = tmp_path / "m"
    folder.mkdir()
    for where in (tmp_path, folder):
        (where / "b.tar").write_bytes(bytes(1000))
    with pytest.raises(LineError) as caught:
        source(folder, Limits(image_bytes=2500)).fetch(image)
    assert caught.value.status is status


@pytest.mark.parametrize(
    "name", ["a#b.png", "x.tar#1.png", "x.tar", "y.tar#offset=1", "z.tar#offset=1&size=2&x"]
)
def test_other_names_with_a_hash_are_files(tmp_path: Path, name: str) -> None:
    (tmp_path / name).write_bytes(b"it")
    assert source(tmp_path).fetch(name) == b"it"


@given(st.text(min_size=1), st.integers(0, 10**18 - 1), st.integers(0, 10**18 - 1))
def test_a_member_reads_back_from_its_name(folder: str, offset: int, size: int) -> None:
    member = Member(f"{folder}.tar", offset, size)
    assert member_of(str(member)) == member
