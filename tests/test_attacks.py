"""Whoever writes the manifest or the images attacks the job, end to end: it costs the attacker's own row.

What a single room refuses is tested beside it (tests/storage, tests/manifest, tests/zoo, test_image.py);
here the whole run meets it, and the honest line next to it must be read.
"""

from __future__ import annotations

import io
import os
import random
import subprocess
import sys
from collections import Counter
from collections.abc import Callable
from pathlib import Path

import cv2
import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from PIL import Image
from storage.web import Reply, Web
from test_job import Silent, png_header, rows_of, run
from test_pipeline import Shelf, WidthNetwork, reader
from tiny import line_image, write_manifest, write_model

from hwr_batch.errors import ExitCode, ModelError, Status
from hwr_batch.pipeline import read_rows
from hwr_batch.records import Row
from hwr_batch.results.verify import verify
from hwr_batch.stages import StageClock
from hwr_batch.storage import Store

SECRET = "hunter2-s3cr3t"
MEBIBYTE = 1 << 20


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_model(tmp_path_factory.mktemp("model"))


@pytest.fixture(scope="module")
def usual_peak(model: Path, tmp_path_factory: pytest.TempPathFactory) -> int:
    """Resident bytes of a plan that nobody attacks."""
    manifest = tmp_path_factory.mktemp("usual") / "m.csv"
    manifest.write_text("image\na.png\n")
    return planned(manifest, model)[0]


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """The manifest's folder, with an honest line; beside it a file that is none of its business."""
    (tmp_path / "in").mkdir()
    (tmp_path / "secret").mkdir()
    cv2.imwrite(str(tmp_path / "in" / "good.png"), line_image(1, width=120))
    cv2.imwrite(str(tmp_path / "secret" / "key.png"), line_image(2, width=120))
    return tmp_path / "in"


def statuses(manifest: str | Path, rows: list[str], output: Path, model: Path) -> dict[str, str]:
    """Status by image cell after a run over `rows` with an honest line before, between and after them."""
    outcome = run(manifest, output, model, max_error_rate=1.0)
    assert outcome.code is ExitCode.COMPLETE
    assert verify(str(output), Store()).ok
    found = {row["line_id"]: row for row in rows_of(output)}
    assert len(found) == 2 * len(rows) + 1
    assert all(row["status"] == "ok" for name, row in found.items() if name.startswith("honest"))
    assert not any(SECRET in (row["error"] or "") for row in found.values())
    return {rows[number]: found[f"attack-{number}"]["status"] for number in range(len(rows))}


def beside_honest(attacks: list[str], good: str = "good.png") -> list[dict[str, str]]:
    rows = [{"line_id": "honest", "image": good}]
    for number, attack in enumerate(attacks):
        rows.append({"line_id": f"attack-{number}", "image": attack})
        rows.append({"line_id": f"honest-{number}", "image": good})
    return rows


# ---- whom it lets in


def test_a_local_manifest_reads_its_own_folder_only(folder: Path, model: Path, tmp_path: Path) -> None:
    (folder / "link.png").symlink_to("../secret/key.png")
    (folder / "linked").symlink_to("../secret")
    (folder / "far").symlink_to("/")
    secret = str(tmp_path / "secret" / "key.png")
    attacks = [
        *("../secret/key.png", "x/../../secret/key.png", secret, f"file://{secret}", "link.png"),
        *("linked/key.png", f"far{secret}", "file:///etc/passwd", "/proc/self/environ", "linked/../key.png"),
        *(f"https://user:{SECRET}@127.0.0.1/x.png", f"s3://KEY:{SECRET}@bucket/x.png", "memory://x/y.png"),
        *("http://169.254.169.254/latest/meta-data/", "zip://x.png::file:///x.zip", "file://%2e%2e/x.png"),
    ]
    manifest = write_manifest(folder / "manifest.csv", beside_honest(attacks))
    found = statuses(manifest, attacks, tmp_path / "out", model)
    assert found == dict.fromkeys(attacks, "access_denied")


def test_devices_pipes_and_folders_are_no_images(folder: Path, model: Path, tmp_path: Path) -> None:
    os.mkfifo(folder / "pipe.png")  # opening it to read would wait for ever
    (folder / "folder.png").mkdir()
    attacks = ["pipe.png", "folder.png", ".", "good.png/x"]
    manifest = write_manifest(folder / "manifest.csv", beside_honest(attacks))
    found = statuses(manifest, attacks, tmp_path / "out", model)
    assert set(found.values()) <= {"image_unreadable", "image_missing"}


def test_a_remote_manifest_reaches_its_own_host_only(folder: Path, model: Path, tmp_path: Path) -> None:
    with Web() as web, Web() as internal:
        internal.replies["/admin"] = [Reply((folder / "good.png").read_bytes())]
        attacks = [
            *("file:///etc/passwd", "/etc/passwd", str(folder / "good.png"), f"{internal.url}/admin"),
            *("redirect.png", "metadata.png", "http://169.254.169.254/latest/", "http://[fe80::1]/x.png"),
            *("s3://bucket/x.png", "../../../etc/passwd", f"http://user:{SECRET}@127.0.0.1:{web.port}/x.png"),
        ]
        web.replies["/in/good.png"] = [Reply((folder / "good.png").read_bytes())]
        web.replies["/in/redirect.png"] = [Reply(status=302, headers={"Location": f"{internal.url}/admin"})]
        web.replies["/in/metadata.png"] = [
            Reply(status=307, headers={"Location": "http://169.254.169.254/latest/meta-data/"})
        ]
        manifest = write_manifest(folder / "manifest.csv", beside_honest(attacks))
        web.replies["/in/manifest.csv"] = [Reply(manifest.read_bytes())]
        found = statuses(f"{web.url}/in/manifest.csv", attacks, tmp_path / "out", model)
        assert internal.asked == []
    assert found == dict.fromkeys(attacks, "access_denied")


def test_a_signed_manifest_address_stays_out_of_everything_written(
    folder: Path, model: Path, tmp_path: Path
) -> None:
    shown = Silent()
    with Web() as web:
        manifest = write_manifest(folder / "manifest.csv", [{"image": "good.png"}, {"image": "gone.png"}])
        web.replies["/manifest.csv"] = [Reply(manifest.read_bytes())]
        web.replies["/good.png"] = [Reply((folder / "good.png").read_bytes())]
        signed = f"{web.url}/manifest.csv?X-Amz-Signature={SECRET}"
        outcome = run(signed, tmp_path / "out", model, max_error_rate=1.0)
    written = list((tmp_path / "out").iterdir())
    assert {"_plan.json", "_run.json", "_progress.json"} <= {path.name for path in written}
    assert [path.name for path in written if SECRET.encode() in path.read_bytes()] == []
    assert SECRET not in outcome.next_step + "".join(shown.messages)


def test_a_password_in_an_address_is_refused_unseen(folder: Path, model: Path, tmp_path: Path) -> None:
    for manifest, output in (
        (f"https://me:{SECRET}@host/m.csv", str(tmp_path / "out")),
        (str(folder / "m.csv"), f"s3://KEY:{SECRET}@bucket/out"),
    ):
        done = subprocess.run(
            [*(sys.executable, "-m", "hwr_batch", "recognize", manifest, output), "--model", str(model)],
            capture_output=True,
            text=True,
            check=False,
        )
        assert done.returncode == 2
        assert "carries a credential" in done.stderr
        assert SECRET not in done.stdout + done.stderr


# ---- bombs


def jpeg_of(width: int, height: int) -> bytes:
    """A small JPEG whose frame header says `width` × `height`."""
    data = bytearray(cv2.imencode(".jpg", np.full((8, 8), 128, np.uint8))[1].tobytes())
    at = data.index(b"\xff\xc0") + 5
    data[at : at + 4] = height.to_bytes(2, "big") + width.to_bytes(2, "big")
    return bytes(data)


def tiff_of(width: int, height: int) -> bytes:
    """A TIFF of one packed strip that says `width` × `height`."""
    tags = [(256, 4, width), (257, 4, height), (258, 3, 8), (259, 3, 32773), (262, 3, 1), (273, 4, 8)]
    tags += [(277, 3, 1), (278, 4, height), (279, 4, 2)]
    entries = b"".join(
        tag.to_bytes(2, "little")
        + kind.to_bytes(2, "little")
        + (1).to_bytes(4, "little")
        + value.to_bytes(4, "little")
        for tag, kind, value in tags
    )
    return (
        b"II*\0"
        + (10).to_bytes(4, "little")
        + b"\x81\x80"
        + len(tags).to_bytes(2, "little")
        + entries
        + bytes(4)
    )


def test_pixel_and_byte_bombs_cost_their_own_row(folder: Path, model: Path, tmp_path: Path) -> None:
    (folder / "a.png").write_bytes(png_header(60_000, 60_000))
    (folder / "b.jpg").write_bytes(jpeg_of(65_500, 65_500))
    (folder / "c.tif").write_bytes(tiff_of(2**31 - 1, 2**31 - 1))
    (folder / "d.png").write_bytes(png_header(2**31 - 1, 1))
    with (folder / "e.png").open("wb") as sparse:
        sparse.truncate(10 << 30)
    attacks = ["a.png", "b.jpg", "c.tif", "d.png", "e.png"]
    manifest = write_manifest(folder / "manifest.csv", beside_honest(attacks))
    found = statuses(manifest, attacks, tmp_path / "out", model)
    assert found == dict.fromkeys(attacks, "image_too_large")


def test_images_just_under_the_cap_do_not_add_up(folder: Path, model: Path, tmp_path: Path) -> None:
    """Each is 0.2 MB as a file and 144 MB as pixels: one by one they fit, by sixteen threads at once not."""
    assert cv2.imwrite(str(folder / "large.png"), np.full((12_000, 12_000), 200, np.uint8))
    names = [f"{number}.png" for number in range(5)]
    for name in names:
        os.link(folder / "large.png", folder / name)
    manifest = write_manifest(folder / "manifest.csv", [{"image": name} for name in names])
    plain = write_manifest(folder / "plain.csv", [{"image": "good.png"}])
    run_here = ("--model", str(model), "--actors", "0")
    usual, code, said = measured("recognize", str(plain), str(tmp_path / "usual"), *run_here)
    assert code == ExitCode.COMPLETE, said
    peak, code, said = measured("recognize", str(manifest), str(tmp_path / "out"), *run_here)
    assert code == ExitCode.COMPLETE, said
    assert [row["status"] for row in rows_of(tmp_path / "out")] == ["ok"] * len(names)
    assert peak - usual < 4 * 144_000_000


def test_a_server_that_never_stops_sending_is_left(folder: Path, model: Path, tmp_path: Path) -> None:
    with Web() as web:
        rows = [{"image": "bomb.png"}, {"image": "good.png"}]
        web.replies["/bomb.png"] = [Reply(bytes(200 * MEBIBYTE), declare=False)]
        web.replies["/good.png"] = [Reply((folder / "good.png").read_bytes())]
        manifest = write_manifest(folder / "manifest.csv", rows)
        web.replies["/manifest.csv"] = [Reply(manifest.read_bytes())]
        run(f"{web.url}/manifest.csv", tmp_path / "out", model, max_error_rate=1.0)
        assert web.sent < 100 * MEBIBYTE
    assert [row["status"] for row in rows_of(tmp_path / "out")] == ["image_too_large", "ok"]


BIG = 100_000_000  # characters of a cell


def big_csv(path: Path) -> None:
    with path.open("w") as file:
        file.write(f"image,text\na.png,x\nb.png,{'y' * BIG}\n")


def big_quoted(path: Path) -> None:
    with path.open("w") as file:
        file.write('image,text\na.png,x\nb.png,"' + "y\n" * (BIG // 2))


def big_jsonl(path: Path) -> None:
    with path.open("w") as file:
        file.write('{"image": "a.png"}\n{"image": "b.png", "text": "' + "y" * BIG + '"}\n')


def deep_jsonl(path: Path) -> None:
    path.write_text('{"image": "a.png", "x": ' + "[" * 200_000 + "]" * 200_000 + "}\n")


def big_parquet(path: Path) -> None:
    """Ten kilobytes, compressed."""
    pq.write_table(pa.table({"image": ["a.png", "y" * BIG]}), path, compression="zstd")


@pytest.mark.parametrize(
    ("name", "write"),
    [
        ("m.csv", big_csv),
        ("m.tsv.csv", big_quoted),
        ("m.jsonl", big_jsonl),
        ("m.ndjson", deep_jsonl),
        ("m.parquet", big_parquet),
    ],
)
def test_a_cell_of_any_size_ends_the_plan_and_not_the_machine(
    name: str, write: Callable[[Path], None], usual_peak: int, model: Path, tmp_path: Path
) -> None:
    write(tmp_path / name)
    peak, code, said = planned(tmp_path / name, model)
    assert code == ExitCode.BAD_MANIFEST, said
    assert len(said.splitlines()[-1]) < 600 and "yyyy" not in said
    assert peak - usual_peak < 300 * MEBIBYTE


def planned(manifest: Path, model: Path) -> tuple[int, int, str]:
    """`measured` of a plan."""
    return measured("plan", str(manifest), "--model", str(model), "--sample", "0")


# A process is charged with the memory of the one that forked it, so a small one stands between.
_MEASURE = """
import resource, subprocess, sys
done = subprocess.run(sys.argv[1:], stdout=subprocess.DEVNULL)
print(resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss)
sys.exit(done.returncode)
"""


def measured(*command: str) -> tuple[int, int, str]:
    """Peak resident bytes, exit code and stderr of a command in a process of its own."""
    job = [sys.executable, "-m", "hwr_batch", *command]
    done = subprocess.run([sys.executable, "-c", _MEASURE, *job], capture_output=True, text=True, check=False)
    return int(done.stdout) * 1024, done.returncode, done.stderr


def test_an_entity_bomb_in_a_model_is_refused(model: Path, tmp_path: Path) -> None:
    for line in ('<!ENTITY a "aaaaaaaaaa">', '<!ENTITY x SYSTEM "file:///etc/passwd">'):
        evil = tmp_path / f"evil-{len(line)}"
        evil.mkdir()
        card = (model / "card.toml").read_text().replace("weights.npz", "net.xml")
        (evil / "card.toml").write_text(card)
        (evil / "charset.txt").write_bytes((model / "charset.txt").read_bytes())
        (evil / "net.xml").write_text(f"<!DOCTYPE net [{line}]><net name='&a;'/>")
        (evil / "net.bin").write_bytes(b"")
        with pytest.raises(ModelError, match="document type"):
            run(tmp_path / "none.csv", tmp_path / "out", evil)


# ---- mutated images

MUTANTS = 10_000
ENCODINGS = {
    "jpeg": ("JPEG", {"quality": 80}),
    "jpeg progressive": ("JPEG", {"progressive": True}),
    "png": ("PNG", {}),
    "tiff": ("TIFF", {}),
    "tiff lzw": ("TIFF", {"compression": "tiff_lzw"}),
    "tiff fax": ("TIFF", {"compression": "group4"}),
    "tiff jpeg": ("TIFF", {"compression": "jpeg"}),
    "webp": ("WEBP", {}),
    "webp lossless": ("WEBP", {"lossless": True}),
}


def originals() -> list[bytes]:
    files = []
    for number, (kind, options) in enumerate(ENCODINGS.values()):
        picture = Image.fromarray(line_image(number, width=200))
        buffer = io.BytesIO()
        colour = "1" if options.get("compression") == "group4" else ("L", "RGB")[number % 2]
        picture.convert(colour).save(buffer, kind, **options)
        files.append(buffer.getvalue())
    return files


def mutant(data: bytes, rng: random.Random) -> bytes:
    """Bytes set, doubled, removed or cut; most in the header, which decoders believe."""
    changed = bytearray(data)
    for _ in range(rng.choice((1, 1, 2, 8, 40))):
        at = int(len(changed) * rng.random() ** 3)
        length = rng.choice((1, 1, 2, 4, 64))
        match rng.randrange(5):
            case 0:
                changed[at : at + 1] = bytes([rng.randrange(256)])
            case 1:
                changed[at : at + length] = rng.choice((b"\xff", b"\0", b"\x80")) * length
            case 2:
                del changed[at : at + length]
            case 3:
                changed[at:at] = changed[at : at + length]
            case 4:
                changed = changed[: max(1, at)] if rng.random() < 0.2 else changed
    return bytes(changed)


def answered(count: int, seed: int) -> Counter[str]:
    """Statuses of `count` mutants, each with an honest neighbour, all in one shard of the pipeline."""
    rng = random.Random(seed)
    files = originals()
    good = cv2.imencode(".png", line_image(0, width=100))[1].tobytes()
    rows = [
        Row(
            number,
            str(number),
            "m",
            embedded=good if number % 2 else mutant(files[number // 2 % len(files)], rng),
        )
        for number in range(2 * count)
    ]
    results = read_rows(reader(WidthNetwork(), Shelf()), rows, StageClock()).complete()
    assert [result.line_id for result in results] == [row.line_id for row in rows]
    assert {result.status for result in results[1::2]} == {Status.OK}
    assert all((result.error is None) == (result.status is Status.OK) for result in results)
    return Counter(str(result.status) for result in results[::2])


@pytest.mark.filterwarnings("ignore::UserWarning")  # Pillow warns of damaged EXIF data and reads on
def test_every_mutated_image_is_answered_with_a_row() -> None:
    found = answered(MUTANTS, seed=4)
    assert found.total() == MUTANTS
    assert set(found) <= {"ok", "image_unreadable", "image_too_large", "image_missing", "line_too_wide"}
    assert found["ok"] > MUTANTS // 20 and found["image_unreadable"] > MUTANTS // 20
