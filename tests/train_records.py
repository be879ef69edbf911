"""A small data set to train on: drawn pictures of water and woods, one sensor, both, two dates, and a test side."""

from __future__ import annotations

import io
from dataclasses import replace
from pathlib import Path

import numpy as np
from PIL import Image

from terrascope_nb.cot.atomic import to_json
from terrascope_nb.cot.manifest import Manifest
from terrascope_nb.cot.parquet import row_of
from terrascope_nb.cot.record import ImageRef, MaskRef, Record
from terrascope_nb.cot.shards import write_group
from terrascope_nb.cot.tally import Tally

SIZE = 40
SHOWN = ("optical", "sar", "both", "temporal", "words")


def small_records(folder: Path, count: int = 10, test: int = 2, seed: int = 0) -> list[Record]:
    """Records whose pictures are in `folder`: `count` to learn from, by turns of `SHOWN`, and `test` held out."""
    rng = np.random.default_rng(seed)
    made = [_record(folder, k, SHOWN[k % len(SHOWN)], rng) for k in range(count + test)]
    return [replace(r, split="train" if k < count else "test") for k, r in enumerate(made)]


def small_dataset(folder: Path, count: int = 10, test: int = 2) -> Path:
    """The same as a finished build lays it out: shards a split, pictures, a manifest."""
    (folder / "data").mkdir(parents=True)
    shards = write_group(folder, 0, [row_of(r) for r in small_records(folder, count, test)])
    manifest = Manifest({}, Tally(images=count + test, records=count + test), shards)
    (folder / "manifest.json").write_text(to_json(manifest.to_json()), encoding="utf-8")
    return folder


def _record(folder: Path, k: int, show: str, rng: np.random.Generator) -> Record:
    sensors = {"sar": ("sar",), "both": ("optical", "sar"), "temporal": ("optical", "optical")}.get(show, ("optical",))
    masks = [_mask(rng) for _ in sensors]
    times = ["2023-05-01", "2023-08-01" if show == "temporal" else "2023-05-01"]
    refs = tuple(
        ImageRef(f"images/{k}-{n}.png", sensor, times[n], (SIZE, SIZE)) for n, sensor in enumerate(sensors)
    )  # fmt: skip
    drawn = masks if show == "temporal" else [masks[0]] * len(sensors)
    for ref, mask in zip(refs, drawn, strict=True):
        path = folder / ref.path
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(_png(mask, rng))
    share = f"{100 * masks[0].mean():.0f} %"
    text, told = f"<think> Water [SEG] covers {share}. </think><answer> A </answer>", [(masks[0], 0)]
    if show == "temporal":
        text = "<think> Image: t_1 water [SEG], Image: t_2 water [SEG]. </think><answer> A </answer>"
        told = [(masks[0], 0), (masks[1], 1)]
    elif show == "words":
        text, told = "<think> Rain fills lakes. </think><answer> B </answer>", []
    return Record(
        id=f"drawn-{k}", kind="l1", task="coverage_percentage", images=refs, question="How much water is there?",
        answer_text=text, masks=tuple(MaskRef.of(m, "water", i, times[i]) for m, i in told),
        choices={"A": share, "B": "99 %"}, answer="A", source="drawn", place=f"place-{k}", key=f"key-{k}",
        licence="CC0-1.0", crs="EPSG:32633", transform=(10.0, 0.0, 500_000.0, 0.0, -10.0, 5_100_000.0),
    )  # fmt: skip


def _mask(rng: np.random.Generator) -> np.ndarray:
    mask = np.zeros((SIZE, SIZE), bool)
    row, column = rng.integers(0, SIZE // 2, 2)
    mask[row : row + SIZE // 2, column : column + SIZE // 3] = True
    return mask


def _png(mask: np.ndarray, rng: np.random.Generator) -> bytes:
    pixels = rng.integers(80, 120, (*mask.shape, 3), dtype=np.uint8)
    pixels[mask] = (20, 40, 200)
    out = io.BytesIO()
    Image.fromarray(pixels).save(out, "PNG")
    return out.getvalue()
