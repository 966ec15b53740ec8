"""Large images wait for each other, small ones do not."""

from __future__ import annotations

import threading
from concurrent.futures import ThreadPoolExecutor

import pytest

from hwr_batch.decode_room import DecodeRoom


@pytest.mark.parametrize(
    ("sizes", "together"),
    [
        ([10, 10, 10], 3),
        ([60, 60, 60], 1),
        ([50, 50, 50], 2),
        ([1000, 1000], 1),  # larger than the room: alone, not never
        ([100, 0, 0], 3),  # what has no pixels needs no room
    ],
)
def test_as_many_as_fit_are_inside_at_once(sizes: list[int], together: int) -> None:
    room, lock = DecodeRoom(100), threading.Lock()
    inside, most = 0, 0
    full = threading.Event()  # set once as many are inside as may be

    def decode(pixels: int) -> None:
        nonlocal inside, most
        with room.hold(pixels):
            with lock:
                inside += 1
                most = max(most, inside)
                if inside == together:
                    full.set()
            assert full.wait(20)
            with lock:
                inside -= 1

    with ThreadPoolExecutor(len(sizes)) as threads:
        list(threads.map(decode, sizes))
    assert most == together


def test_room_is_given_back_by_a_decoder_that_fails() -> None:
    room = DecodeRoom(100)
    for _ in range(3):
        with pytest.raises(ValueError, match="damaged"), room.hold(100):
            raise ValueError("damaged")
