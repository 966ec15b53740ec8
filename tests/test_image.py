"""Image bytes → pixels → line: every treatment the module names, with files made here."""

from __future__ import annotations

import io
import random
from pathlib import Path

import cv2
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

from hwr_batch.config import Limits
from hwr_batch.errors import LineError, Status
from hwr_batch.image import open_page
from hwr_batch.records import Box, Pixels, Row
from hwr_batch.region import crop

SHARED = Path(__file__).parents[1].parent / "shared"


@pytest.fixture(scope="module")
def picture() -> Pixels:
    """uint8 (60, 200, 3) RGB, smooth, every value used; no symmetry an orientation could hide behind."""
    noise = np.random.default_rng(0).integers(0, 256, (60, 200, 3), np.uint8)
    smooth = cv2.GaussianBlur(noise, (0, 0), 3)
    return np.asarray(cv2.normalize(smooth, smooth.copy(), 0, 255, cv2.NORM_MINMAX), np.uint8)


def encode(pixels: Pixels | Image.Image, format_: str, mode: str = "RGB", **options: object) -> bytes:
    image = pixels if isinstance(pixels, Image.Image) else Image.fromarray(pixels).convert(mode)
    buffer = io.BytesIO()
    image.save(buffer, format_, **options)
    return buffer.getvalue()


def failure(data: bytes, **options: object) -> LineError:
    with pytest.raises(LineError) as caught:
        open_page(data, **options)  # type: ignore[arg-type]
    assert caught.value.sentence.endswith(".")
    return caught.value


FORMATS = {  # every format the module names, and the TIFF variants archives use
    "jpeg": ("JPEG", "RGB", {}),
    "jpeg grey": ("JPEG", "L", {}),
    "jpeg progressive": ("JPEG", "RGB", {"progressive": True}),
    "jpeg cmyk": ("JPEG", "CMYK", {}),
    "png": ("PNG", "RGB", {}),
    "png palette": ("PNG", "P", {}),
    "png 1 bit": ("PNG", "1", {}),
    "tiff": ("TIFF", "RGB", {}),
    "tiff lzw": ("TIFF", "L", {"compression": "tiff_lzw"}),
    "tiff jpeg": ("TIFF", "RGB", {"compression": "jpeg"}),
    "tiff deflate": ("TIFF", "P", {"compression": "tiff_adobe_deflate"}),
    "tiff fax": ("TIFF", "1", {"compression": "group4"}),
    "tiff 1 bit": ("TIFF", "1", {}),
    "tiff cmyk": ("TIFF", "CMYK", {}),
    "tiff lab": ("TIFF", "LAB", {}),
    "jpeg 2000": ("JPEG2000", "RGB", {}),
    "jpeg 2000 codestream": ("JPEG2000", "L", {"no_jp2": True}),
    "webp": ("WEBP", "RGB", {}),
    "webp lossless": ("WEBP", "RGB", {"lossless": True}),
    "bmp": ("BMP", "RGB", {}),
    "bmp palette": ("BMP", "P", {}),
    "gif": ("GIF", "P", {}),
    "pnm": ("PPM", "RGB", {}),
    "pnm 1 bit": ("PPM", "1", {}),
}


@pytest.fixture(params=FORMATS.values(), ids=FORMATS.keys())
def file(request: pytest.FixtureRequest, picture: Pixels) -> bytes:
    format_, mode, options = request.param
    return encode(picture, format_, mode, **options)


def test_every_format_shows_what_pillow_shows(file: bytes) -> None:
    rgb = np.asarray(Image.open(io.BytesIO(file)).convert("RGB"), np.int16)
    grey = np.asarray(Image.open(io.BytesIO(file)).convert("RGB").convert("L"), np.int16)

    # 2: CMYK is converted in another order of roundings; all others differ by 1 at most.
    assert np.abs(open_page(file, channels=1) - grey).max() <= 2
    assert np.abs(open_page(file, channels=3)[..., ::-1] - rgb).max() <= 2


@pytest.mark.parametrize("share", [0.2, 0.5, 0.8, 0.95])
def test_a_file_cut_short_is_unreadable_whatever_its_format(file: bytes, share: float) -> None:
    assert failure(file[: int(len(file) * share)]).status is Status.IMAGE_UNREADABLE


@pytest.mark.parametrize("suffix", [".jpg", ".png"])
@pytest.mark.parametrize("channels", [1, 3])
def test_pixels_are_exactly_opencvs(picture: Pixels, tmp_path: Path, suffix: str, channels: int) -> None:
    """The published demo reads with cv2.imread: the same grey, to the pixel."""
    cv2.imwrite(str(tmp_path / f"line{suffix}"), picture)
    expected = cv2.imread(
        str(tmp_path / f"line{suffix}"), cv2.IMREAD_GRAYSCALE if channels == 1 else cv2.IMREAD_COLOR
    )
    actual = open_page((tmp_path / f"line{suffix}").read_bytes(), channels=channels)
    assert expected is not None
    np.testing.assert_array_equal(actual, expected)


def test_real_lines_are_exactly_opencvs() -> None:
    lines = sorted((SHARED / "data" / "lines").glob("*/*.[jp][pn]g"))[::25]
    if not lines:
        pytest.skip("../shared/data/lines is not here")
    for line in lines:
        expected = cv2.imread(str(line), cv2.IMREAD_GRAYSCALE)
        np.testing.assert_array_equal(open_page(line.read_bytes()), expected)


@pytest.mark.parametrize("orientation", range(1, 9))
@pytest.mark.parametrize(
    ("format_", "options"),
    [
        ("JPEG", {"quality": 100, "subsampling": 0}),
        ("PNG", {}),
        ("WEBP", {"lossless": True}),
        ("TIFF", {}),
        ("TIFF", {"compression": "tiff_lzw"}),
    ],
)
@pytest.mark.parametrize("mode", ["RGB", "RGBA"])
def test_orientation_is_applied(
    picture: Pixels, orientation: int, format_: str, options: dict[str, object], mode: str
) -> None:
    turned = {  # TIFF 6.0, tag 274: where row 0 and column 0 of the stored picture belong
        1: picture,
        2: picture[:, ::-1],
        3: picture[::-1, ::-1],
        4: picture[::-1],
        5: picture.transpose(1, 0, 2),
        6: picture.transpose(1, 0, 2)[:, ::-1],
        7: picture[::-1, ::-1].transpose(1, 0, 2),
        8: picture.transpose(1, 0, 2)[::-1],
    }[orientation]
    exif = Image.Exif()
    exif[274] = orientation
    file = encode(picture, format_, "RGB" if format_ == "JPEG" else mode, exif=exif, **options)

    page = open_page(file, channels=3)[..., ::-1].astype(np.int16)
    assert page.shape == turned.shape
    assert np.abs(page - turned).max() <= (8 if format_ == "JPEG" else 1)


@pytest.mark.parametrize("suffix", [".png", ".tif", ".jp2", ".pgm"])
def test_sixteen_bits_keep_the_high_byte(suffix: str) -> None:
    deep = (np.arange(60 * 200).reshape(60, 200) * 5).astype(np.uint16)
    file = cv2.imencode(suffix, deep)[1].tobytes()

    np.testing.assert_array_equal(open_page(file), deep >> 8)


@pytest.mark.parametrize("mode", ["F", "I"])
def test_thirty_two_bits_are_refused_with_the_way_out(picture: Pixels, mode: str) -> None:
    assert failure(encode(picture, "TIFF", mode)).sentence == (
        "The image has 32 bits a sample: save it with 8 or 16."
    )


@pytest.mark.parametrize("format_", ["PNG", "TIFF", "WEBP", "JPEG2000"])
def test_transparency_is_laid_over_white(format_: str) -> None:
    """Black ink, opaque, half and not at all there: OpenCV alone would show a black page."""
    rgba = np.zeros((8, 30, 4), np.uint8)
    rgba[:, :10, 3], rgba[:, 10:20, 3] = 255, 128
    lossless = {"lossless": True, "exact": True} if format_ == "WEBP" else {}

    page = open_page(encode(Image.fromarray(rgba), format_, **lossless))
    assert page[0].tolist() == [0] * 10 + [127] * 10 + [255] * 10
    assert open_page(encode(Image.fromarray(rgba), format_, **lossless), channels=3).shape == (8, 30, 3)


def test_a_transparent_palette_colour_is_white() -> None:
    image = Image.new("P", (10, 4))
    image.putpalette([0, 0, 0, 90, 90, 90])
    image.paste(1, (0, 0, 5, 4))

    page = open_page(encode(image, "PNG", transparency=0))
    assert page[0].tolist() == [90] * 5 + [255] * 5


@pytest.mark.parametrize("format_", ["GIF", "WEBP", "PNG"])
def test_an_animation_is_its_first_frame_or_the_one_asked_for(format_: str) -> None:
    frames = [Image.new("L", (20, 10), grey).convert("RGB") for grey in (0, 120, 250)]
    options = {"lossless": True} if format_ == "WEBP" else {}
    file = encode(frames[0], format_, save_all=True, append_images=frames[1:], **options)

    assert [int(open_page(file, page=page).mean()) for page in (None, 0, 1, 2)] == [0, 0, 120, 250]
    assert failure(file, page=3).sentence == "There is no page 3: the image holds 3 frames, counted from 0."


@pytest.mark.parametrize("compression", [None, "tiff_lzw", "jpeg"])
def test_pages_of_a_tiff(compression: str | None) -> None:
    frames = [Image.new("L", (40 + page, 16), 60 * page) for page in range(4)]
    file = encode(frames[0], "TIFF", save_all=True, append_images=frames[1:], compression=compression)

    for number in range(4):
        page = open_page(file, page=number)
        assert page.shape == (16, 40 + number)
        assert abs(int(page.mean()) - 60 * number) <= 1
    caught = failure(file, page=4)
    assert caught.status is Status.IMAGE_UNREADABLE
    assert caught.sentence == "There is no page 4: the image holds 4 frames, counted from 0."


def test_page_zero_of_a_single_image_and_no_other(picture: Pixels) -> None:
    file = encode(picture, "JPEG")
    np.testing.assert_array_equal(open_page(file, page=0), open_page(file))
    assert failure(file, page=1).sentence == "There is no page 1: the image holds 1 frame, counted from 0."


def test_the_pixel_cap_is_checked_before_decoding(monkeypatch: pytest.MonkeyPatch, picture: Pixels) -> None:
    file = encode(picture, "PNG")
    assert open_page(file, limits=Limits(image_pixels=12_000)).shape == (60, 200)
    monkeypatch.setattr(cv2, "imdecode", lambda *_: pytest.fail("decoded"))

    caught = failure(file, limits=Limits(image_pixels=11_999))
    assert caught.status is Status.IMAGE_TOO_LARGE
    assert "200 × 60" in caught.sentence
    assert "11999" in caught.sentence


def test_a_bomb_of_a_few_kilobytes_is_refused() -> None:
    """20 000 × 20 000 white pixels deflate to nothing; Pillow's own warning must not come before."""
    file = encode(Image.new("1", (20_000, 20_000), 1), "PNG")
    assert len(file) < 100_000
    assert failure(file).status is Status.IMAGE_TOO_LARGE


def test_the_pixel_cap_holds_for_later_pages() -> None:
    frames = [Image.new("L", (10, 10)), Image.new("L", (100, 100))]
    file = encode(frames[0], "TIFF", save_all=True, append_images=frames[1:])
    limits = Limits(image_pixels=100)

    assert open_page(file, page=0, limits=limits).size == 100
    assert failure(file, page=1, limits=limits).status is Status.IMAGE_TOO_LARGE


def test_a_scan_over_pillows_own_cap_is_read() -> None:
    """15 000 × 12 000 = 180 million pixels, a newspaper at 600 dpi: over Pillow's, under ours."""
    file = encode(Image.new("1", (15_000, 12_000), 1), "TIFF", compression="group4")
    assert open_page(file).shape == (12_000, 15_000)


@pytest.mark.parametrize(
    ("data", "says"),
    [
        (b"", "The file is empty."),
        (
            b"a line of text\n" * 9,
            "The file is not an image that can be read: convert it to one of JPEG, PNG",
        ),
        (b"\x89PN", "The file is not an image"),
        (b"%PDF-1.7\n", "The file is a PDF, which is not read: convert it to one of JPEG, PNG"),
        (b"AT&TFORM\0\0\0\0DJVU", "a DjVu document"),
        (b"\0\0\0\x1cftypheic\0\0", "a HEIC or AVIF image"),
        (b"\0\0\0\x1cftypisom\0\0", "a video"),
        (b"<?xml version='1.0'?><PcGts/>", "an XML document"),
        (b"\x89PNG\r\n\x1a\n", "The file begins like PNG but its header is damaged."),
        (b"\xff\xd8\xff\xd9", "The file begins like JPEG but its header is damaged."),
        (b"II*\0\0\0\0\0", "The file begins like TIFF but its header is damaged."),
        (b"P5 secret words", "The file begins like PPM but its header is damaged."),
    ],
)
def test_what_is_no_image_says_so_and_tells_the_way_out(data: bytes, says: str) -> None:
    caught = failure(data)
    assert caught.status is Status.IMAGE_UNREADABLE
    assert says in caught.sentence
    assert "text\n" not in caught.sentence
    assert "secret" not in caught.sentence


def test_a_jpeg_whose_only_end_marker_is_its_thumbnails_is_cut_short(picture: Pixels) -> None:
    """EXIF thumbnails are JPEG files of their own: their end marker must not count."""
    thumbnail = encode(picture[::4, ::4].copy(), "JPEG")
    segment = b"Exif\0\0" + thumbnail
    whole = encode(picture, "JPEG")
    app1 = b"\xff\xff\xe1" + (len(segment) + 2).to_bytes(2, "big") + segment  # with a fill byte
    file = whole[:2] + app1 + whole[2:]

    assert open_page(file).shape == (60, 200)
    assert open_page(file + b"trailing bytes").shape == (60, 200)
    for lost in (1, 2, 50, 1000):
        assert "cut short" in failure(file[:-lost]).sentence


def test_a_header_that_lies_about_the_size_is_found_out(
    monkeypatch: pytest.MonkeyPatch, picture: Pixels
) -> None:
    monkeypatch.setattr(cv2, "imdecode", lambda *_: np.zeros((61, 200), np.uint8))
    assert "disagree about its size" in failure(encode(picture, "PNG")).sentence


def test_what_opencv_cannot_decode_pillow_does(monkeypatch: pytest.MonkeyPatch, picture: Pixels) -> None:
    def refuse(*_: object) -> None:
        raise cv2.error("no decoder in this wheel")

    expected = np.asarray(Image.fromarray(picture).convert("L"), np.int16)
    monkeypatch.setattr(cv2, "imdecode", refuse)
    assert np.abs(open_page(encode(picture, "BMP")) - expected).max() <= 1


@pytest.mark.filterwarnings("ignore::UserWarning")  # Pillow warns of damaged EXIF data and reads on
def test_mutated_files_end_in_pixels_or_a_line_error(file: bytes, capfd: pytest.CaptureFixture[str]) -> None:
    rng = random.Random(len(file))
    for _ in range(60):
        data = bytearray(file)
        for _ in range(rng.choice((1, 3, 30))):
            data[int(len(data) * rng.random() ** 3)] = rng.randrange(256)  # mostly in the header
        try:
            page = open_page(bytes(data), channels=rng.choice((1, 3)), limits=Limits(image_pixels=10**6))
        except LineError as caught:
            assert caught.status in (Status.IMAGE_UNREADABLE, Status.IMAGE_TOO_LARGE)
        else:
            assert page.dtype == np.uint8
    assert "[ERROR" not in capfd.readouterr().err  # OpenCV's own log is off


# ---- regions


def row(box: tuple[int, int, int, int] | None = None, polygon: object = None) -> Row:
    return Row(0, "id", "page.jpg", Box(*box) if box else None, polygon)  # type: ignore[arg-type]


@pytest.fixture
def page() -> Pixels:
    """uint8 (40, 60), every pixel its own place's value."""
    return (np.arange(40 * 60).reshape(40, 60) % 251).astype(np.uint8)


def test_without_a_region_the_line_is_the_page(page: Pixels) -> None:
    line, x = crop(page, row())
    assert line is page
    assert x == 0


@pytest.mark.parametrize(
    ("box", "expected", "x"),
    [
        ((5, 7, 20, 10), (slice(7, 17), slice(5, 25)), 5),
        ((0, 0, 60, 40), (slice(0, 40), slice(0, 60)), 0),
        ((-5, -7, 20, 10), (slice(0, 3), slice(0, 15)), 0),  # sticks out: clipped
        ((50, 35, 20, 10), (slice(35, 40), slice(50, 60)), 50),
        ((59, 39, 10**9, 10**9), (slice(39, 40), slice(59, 60)), 59),
    ],
)
def test_a_box_is_cut_out_without_a_copy(
    page: Pixels, box: tuple[int, int, int, int], expected: tuple[slice, slice], x: int
) -> None:
    line, left = crop(page, row(box))
    np.testing.assert_array_equal(line, page[expected])
    assert np.shares_memory(line, page)
    assert left == x


@pytest.mark.parametrize(
    "box",
    [(5, 5, 0, 10), (5, 5, 10, -1), (60, 0, 5, 5), (0, 40, 5, 5), (-5, 0, 5, 5), (10**12, 0, 5, 5)],
)
def test_a_box_without_pixels_on_the_page_is_invalid(page: Pixels, box: tuple[int, int, int, int]) -> None:
    with pytest.raises(LineError) as caught:
        crop(page, row(box))
    assert caught.value.status is Status.REGION_INVALID


def test_outside_its_polygon_a_line_is_background() -> None:
    page = np.full((40, 60), 200, np.uint8)
    page[:10], page[30:] = 20, 30  # neighbouring lines
    page[18:22, 20:40] = 50  # this line's ink

    line, x = crop(page, row(polygon=((10, 12), (50, 8), (50, 27), (10, 32))))
    assert (line.shape, x) == ((25, 41), 10)
    expected = np.full((25, 41), 200, np.uint8)
    expected[10:14, 10:30] = 50
    inside_above, inside_below = line[0, 36:].copy(), line[24, :6].copy()
    line[0:3, 20:], line[20:, :21] = 200, 200  # the neighbours' corners that the polygon itself takes in
    np.testing.assert_array_equal(line, expected)
    assert 20 in inside_above
    assert 30 in inside_below
    assert page[0, 0] == 20  # the page itself is not painted


def test_a_polygon_in_colour_and_with_a_box() -> None:
    page = np.zeros((30, 30, 3), np.uint8)
    page[:] = (10, 200, 90)
    page[0, :] = 255

    line, x = crop(page, row((5, 0, 20, 10), ((0, 3), (30, 3), (30, 30), (0, 30))))
    assert (line.shape, x) == ((10, 20, 3), 5)
    assert (line == (10, 200, 90)).all()


def test_a_polygon_over_the_whole_crop_costs_no_copy(page: Pixels) -> None:
    line, _ = crop(page, row((10, 10, 20, 10), ((0, 0), (60, 0), (60, 40), (0, 40))))
    assert np.shares_memory(line, page)
    np.testing.assert_array_equal(line, page[10:20, 10:30])


@pytest.mark.parametrize(
    ("box", "polygon", "says"),
    [
        (None, ((1, 1), (9, 9)), "at least 3 points"),
        (None, (), "at least 3 points"),
        (None, ((1, 1), (5, 5), (9, 9)), "no area"),
        (None, ((1, 1), (1, 1), (1, 1)), "no area"),
        (None, ((1, 1), (9, 1), (float("nan"), 9)), "far outside"),
        (None, ((1, 1), (9, 1), (9, 1e300)), "far outside"),
        (None, ((70, 1), (90, 1), (80, 9)), "outside the image"),
        ((0, 0, 10, 10), ((30, 20), (50, 20), (40, 30)), "outside the crop box"),
    ],
)
def test_a_polygon_without_meaning_is_invalid(page: Pixels, box: object, polygon: object, says: str) -> None:
    with pytest.raises(LineError, match=says) as caught:
        crop(page, row(box, polygon))  # type: ignore[arg-type]
    assert caught.value.status is Status.REGION_INVALID


coordinate = st.floats() | st.floats(-20, 80)


@given(
    box=st.none() | st.tuples(*[st.integers(-100, 100)] * 4),
    polygon=st.none() | st.lists(st.tuples(coordinate, coordinate), max_size=6).map(tuple),
)
@settings(deadline=None)
def test_any_region_gives_a_line_on_the_page_or_a_line_error(box: object, polygon: object) -> None:
    page = (np.arange(40 * 60).reshape(40, 60) % 251).astype(np.uint8)
    try:
        line, x = crop(page, row(box, polygon))  # type: ignore[arg-type]
    except LineError as caught:
        assert caught.status is Status.REGION_INVALID
    else:
        assert 0 < line.shape[0] <= 40
        assert 0 <= x < x + line.shape[1] <= 60
