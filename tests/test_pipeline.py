"""The pipeline with a network that says how wide a piece is: order, failures, pages, re-reading."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterable, Iterator
from dataclasses import replace

import cv2
import numpy as np
import pytest
from tiny import card, line_image

from hwr_batch import image
from hwr_batch.config import Binarize, ReadingOptions
from hwr_batch.decode_room import DecodeRoom
from hwr_batch.errors import LineError, Status, StorageError
from hwr_batch.image_threads import ImageThreads
from hwr_batch.pipeline import LineReader, read_rows
from hwr_batch.records import Box, Failure, FrameGeometry, Frames, Pixels, Row
from hwr_batch.stages import StageClock
from hwr_batch.zoo.bundle import load
from hwr_batch.zoo.cache import Cache
from hwr_batch.zoo.card_file import parse_card

CARD = parse_card(
    card("widths", "weights.npz", "charset.txt", context="convolutional", height=48, width=400).encode(),
    "card.toml",
)
LETTERS = tuple("abcdefgh")


class WidthNetwork:
    """Reads one letter from each piece: the width in steps of 50 columns. Pulls `ahead` pieces early."""

    def __init__(self, *, path: str = "exact", published_says: str | None = None, ahead: int = 5) -> None:
        self.geometry = FrameGeometry(stride=50, bands=1)
        self.facts: dict[str, str | int | float | bool] = {"path": path}
        self.published_says = published_says
        self.ahead = ahead

    def read(self, pieces: Iterable[Pixels]) -> Iterator[Frames]:
        waiting: list[Pixels] = []
        for piece in pieces:
            waiting.append(piece)
            if len(waiting) > self.ahead:
                yield self._frames(waiting.pop(0).shape[1] // 50)
        yield from (self._frames(piece.shape[1] // 50) for piece in waiting)

    def read_published(self, pieces: Iterable[Pixels]) -> Iterator[Frames]:
        if self.published_says is None:
            return self.read(pieces)
        return (self._frames(LETTERS.index(self.published_says)) for _ in pieces)

    def _frames(self, letter: int) -> Frames:
        classes = np.zeros(8, np.int32)
        classes[0] = letter + 1
        return Frames(classes, np.full(8, -0.1, np.float32))


class Shelf:
    """Images by name; remembers what was fetched."""

    def __init__(self, **images: bytes | Exception) -> None:
        self.images, self.fetched = images, list[str]()
        self.lock = threading.Lock()

    def __call__(self, name: str) -> bytes:
        with self.lock:
            self.fetched.append(name)
        found = self.images.get(name, LineError(Status.IMAGE_MISSING, "no such image"))
        if isinstance(found, Exception):
            raise found
        return found


def png(width: int, height: int = 48) -> bytes:
    data: bytes = cv2.imencode(".png", np.full((height, width), 200, np.uint8))[1].tobytes()
    return data


def reader(network: WidthNetwork, shelf: Shelf) -> LineReader:
    return LineReader(CARD, LETTERS, network, shelf, ReadingOptions(), None, ImageThreads(4))


def texts(network: WidthNetwork, shelf: Shelf, rows: list[Row]) -> list[str]:
    results = read_rows(reader(network, shelf), rows, StageClock()).complete()
    return [r.reading.text if r.reading else str(r.status) for r in results]


def test_results_stand_in_row_order_with_failures_in_their_places() -> None:
    shelf = Shelf(a=png(60), b=png(110), broken=b"no image", c=png(160))
    names = ["a", "gone", "b", "broken", "c", "a"]
    rows = [Row(n, str(n), name) for n, name in enumerate(names)]
    expected = ["b", "image_missing", "c", "image_unreadable", "d", "b"]
    assert texts(WidthNetwork(), shelf, rows) == expected


@pytest.mark.parametrize("ahead", [0, 1, 100])
def test_how_far_the_network_looks_ahead_changes_nothing(ahead: int) -> None:
    shelf = Shelf(**{f"w{w}": png(w) for w in range(60, 360, 50)})
    names = [f"w{60 + 50 * (n * 5 % 6)}" for n in range(300)]
    rows = [Row(n, str(n), name) for n, name in enumerate(names)]
    assert texts(WidthNetwork(ahead=ahead), shelf, rows) == [LETTERS[1 + n * 5 % 6] for n in range(300)]


def test_an_image_is_fetched_once_for_all_its_consecutive_lines() -> None:
    shelf = Shelf(page=png(350, 200))
    rows = [Row(n, str(n), "page", box=Box(0, 40 * n, 60 + 50 * n, 48)) for n in range(4)]
    assert texts(WidthNetwork(), shelf, rows) == ["b", "c", "d", "e"]
    assert shelf.fetched == ["page"]


def test_one_bad_region_costs_only_its_own_line() -> None:
    shelf = Shelf(page=png(350, 100))
    boxes = [Box(0, 0, 110, 48), Box(900, 0, 50, 48), Box(0, 50, 160, 48)]
    rows = [Row(n, str(n), "page", box=box) for n, box in enumerate(boxes)]
    assert texts(WidthNetwork(), shelf, rows) == ["c", "region_invalid", "d"]


def test_a_row_that_is_known_to_be_bad_is_not_fetched() -> None:
    shelf = Shelf(a=png(60))
    rows = [Row(0, "0", "a", problem=Failure(Status.WORKER_CRASHED, "twice")), Row(1, "1", "a")]
    assert texts(WidthNetwork(), shelf, rows) == ["worker_crashed", "b"]
    assert shelf.fetched == ["a"]


def test_a_line_in_pieces_is_one_result() -> None:
    shelf = Shelf(long=png(900), a=png(60))
    rows = [Row(0, "0", "long"), Row(1, "1", "a")]
    found = read_rows(reader(WidthNetwork(), shelf), rows, StageClock()).complete()
    assert found[0].pieces > 1
    assert found[0].reading is not None
    assert len(found[0].reading.text) >= 1
    assert (found[1].pieces, found[1].reading.text if found[1].reading else None) == (1, "b")


def test_a_store_that_is_gone_ends_the_shard() -> None:
    shelf = Shelf(a=png(60), b=StorageError("the store is gone"))
    rows = [Row(n, str(n), name) for n, name in enumerate(["a"] * 200 + ["b"])]
    with pytest.raises(StorageError, match="the store is gone"):
        texts(WidthNetwork(), shelf, rows)


def statuses(fetch: Callable[[str], bytes], names: list[str], **changes: object) -> list[Status]:
    """Of one line per name, read by four threads that give an image a second."""
    threads = ImageThreads(4, seconds=1)
    line_reader = replace(reader(WidthNetwork(), Shelf()), fetch=fetch, threads=threads, **changes)
    rows = [Row(n, str(n), f"{name} {n}") for n, name in enumerate(names)]
    return [result.status for result in read_rows(line_reader, rows, StageClock()).complete()]


@pytest.mark.parametrize("hanging", [1, 3, 4, 9])
def test_images_that_hang_are_timed_out_and_all_others_are_read(hanging: int) -> None:
    """However many threads they hold."""
    release = threading.Event()

    def fetch(name: str) -> bytes:
        if name.startswith("hangs"):
            release.wait(30)
        return png(60)

    try:
        found = statuses(fetch, ["fine", *["hangs"] * hanging, *["fine"] * 20])
    finally:
        release.set()
    assert found == [Status.OK, *[Status.TIMED_OUT] * hanging, *[Status.OK] * 20]


def test_images_wait_for_room_as_long_as_they_must(monkeypatch: pytest.MonkeyPatch) -> None:
    """Decoders that hang keep the room from others for their own time, and it is not taken from theirs."""
    release, decode = threading.Event(), image.open_page

    def open_page(data: bytes, **options: object) -> Pixels:
        page = decode(data, **options)
        if page.shape[1] == 100:
            release.wait(30)
        return page

    monkeypatch.setattr(image, "open_page", open_page)
    room = DecodeRoom(100 * 48, seconds=1)
    names = ["hangs", "hangs", *["fine"] * 6]
    try:
        found = statuses(lambda name: png(100 if name.startswith("hangs") else 60), names, room=room)
    finally:
        release.set()
    assert found == [Status.TIMED_OUT] * 2 + [Status.OK] * 6


def test_a_sample_is_read_again_the_published_way_and_differences_counted() -> None:
    shelf = Shelf(a=png(60))
    rows = [Row(n, f"line {n}", "a") for n in range(3000)]
    agreeing = read_rows(reader(WidthNetwork(), shelf), rows, StageClock())
    differing = read_rows(reader(WidthNetwork(published_says="h"), shelf), rows, StageClock())
    plain = read_rows(reader(WidthNetwork(path="full"), shelf), rows, StageClock())
    assert 1 <= agreeing.reread <= 20
    assert (agreeing.differing, plain.reread) == (0, 0)
    assert differing.differing == differing.reread == agreeing.reread


def test_stage_seconds_are_all_accounted_for() -> None:
    clock = StageClock()
    read_rows(reader(WidthNetwork(), Shelf(a=png(60))), [Row(0, "0", "a")], clock)
    assert set(clock.seconds()) == {"read", "decode", "infer", "text", "write"}
    assert clock.seconds()["decode"] > 0


@pytest.mark.parametrize(("channels", "shape"), [(1, ()), (3, (3,))])
def test_binarised_pages_reach_the_network_in_two_tones(channels: int, shape: tuple[int, ...]) -> None:
    seen: list[Pixels] = []

    class Looking(WidthNetwork):
        def read(self, pieces: Iterable[Pixels]) -> Iterator[Frames]:
            kept = list(pieces)
            seen.extend(kept)
            return super().read(iter(kept))

    page = cv2.imencode(".png", line_image(3, width=300))[1].tobytes()
    options = ReadingOptions(binarize=Binarize.GNHK)
    model = replace(CARD, channels=channels)
    line_reader = LineReader(model, LETTERS, Looking(), Shelf(a=page), options, None, ImageThreads(1))
    read_rows(line_reader, [Row(0, "0", "a")], StageClock())
    assert seen[0].shape[2:] == shape
    assert set(np.unique(seen[0])) == {0, 255}


def test_the_models_cards_ask_for_their_own_binarisation() -> None:
    from hwr_batch.storage import Store

    bundle = load("english-open", precision=ReadingOptions().precision, cache=Cache("unused", Store()))
    assert bundle.card.binarize == "none"
