"""Mask → visual tokens, against a plain reference that was written from the words of both rules."""

from __future__ import annotations

import math
from fractions import Fraction

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

from terrascope_nb.errors import InvalidInput

torch = pytest.importorskip("torch")

from terrascope_nb.model.regions import (  # noqa: E402
    CAPS,
    TokenLayout,
    coverage,
    select,
    select_many,
    token_grid,
)

# ---- the reference: loops and fractions ---------------------------------------------------------------------------


def plain_coverage(mask: list[list[bool]], layout: TokenLayout, row: int, column: int) -> Fraction:
    """Share of one token's footprint that is covered."""
    (h, w), (down, across) = (len(mask), len(mask[0])), layout.grid
    top, bottom = Fraction(row * h, down), Fraction((row + 1) * h, down)
    left, right = Fraction(column * w, across), Fraction((column + 1) * w, across)
    area = Fraction(0)
    for y in range(math.floor(top), math.ceil(bottom)):
        for x in range(math.floor(left), math.ceil(right)):
            if mask[y][x]:
                area += (min(bottom, y + 1) - max(top, y)) * (min(right, x + 1) - max(left, x))
    return area / ((bottom - top) * (right - left))


def plain_tokens(mask: np.ndarray, layout: TokenLayout, rule: str) -> list[tuple[int, int, int]]:
    """(row, column, index) of the tokens that the mask holds, tile by tile, in each row by row."""
    tile, side = layout.tile, layout.side
    big = Image.fromarray(mask.astype(np.uint8) * 255).resize(
        (layout.columns * tile, layout.rows * tile), Image.Resampling.NEAREST
    )
    pixels = mask.tolist()
    out, index = [], layout.offset
    for i in range(layout.rows):
        for j in range(layout.columns):
            part = big.crop((j * tile, i * tile, (j + 1) * tile, (i + 1) * tile))
            small = np.asarray(part.resize((side, side), Image.Resampling.NEAREST))
            for y in range(side):
                for x in range(side):
                    row, column = i * side + y, j * side + x
                    if rule == "published":
                        held = small[y, x] > 0
                    else:
                        held = plain_coverage(pixels, layout, row, column) > Fraction(1, 2)
                    if held:
                        out.append((row, column, index))
                    index += 1
    return out


def plain_select(mask: np.ndarray, layout: TokenLayout, rule: str, cap: int) -> list[int]:
    tokens = plain_tokens(mask, layout, rule)
    if not tokens:
        return [layout.offset] if rule == "published" else []
    if len(tokens) <= cap:
        return [t[2] for t in tokens]
    n = math.ceil(math.sqrt(cap))
    top, left = min(t[0] for t in tokens), min(t[1] for t in tokens)
    h, w = max(t[0] for t in tokens) + 1 - top, max(t[1] for t in tokens) + 1 - left
    middle = Fraction(1, 2) if rule == "paper" else Fraction(0)  # where in its own square a token is taken to be
    picked = []
    for i in range(n):
        for j in range(n):
            y0, y1, x0, x1 = (Fraction(a, n) for a in (i * h, (i + 1) * h, j * w, (j + 1) * w))
            best = None
            for row, column, index in tokens:
                y, x = row - top + middle, column - left + middle
                if y0 <= y < y1 and x0 <= x < x1:
                    far = (y - (y0 + y1) / 2) ** 2 + (x - (x0 + x1) / 2) ** 2
                    if best is None or far < best[0]:
                        best = far, index
            if best is not None:
                picked.append(best[1])
    if rule == "published":
        return picked[:cap]
    if len(picked) > cap:
        picked = [picked[k * len(picked) // cap] for k in range(cap)]
    return sorted(picked)


# ---- masks and layouts --------------------------------------------------------------------------------------------


def blobs(shape: tuple[int, int], seed: int, density: float) -> np.ndarray:
    """Blocky noise: a coarse random field, blown up, so that tokens are held, missed and cut."""
    rng = np.random.default_rng(seed)
    coarse = rng.random((rng.integers(1, 9), rng.integers(1, 9)))
    picture = Image.fromarray(coarse.astype(np.float32)).resize(shape[::-1], Image.Resampling.BILINEAR)
    return np.asarray(picture) < density


masks = st.builds(
    blobs,
    st.tuples(st.integers(1, 60), st.integers(1, 60)) | st.sampled_from([(1, 1), (1, 400), (400, 1), (448, 3)]),
    st.integers(0, 10_000),
    st.sampled_from([0.0, 0.2, 0.5, 0.8, 1.1]),
)
layouts = st.builds(
    lambda rows, columns, side, thumbnail, offset: TokenLayout(rows, columns, side, side * 28, thumbnail, offset),
    st.integers(1, 3), st.integers(1, 3), st.sampled_from([1, 3, 4, 8]), st.booleans(), st.integers(0, 999),
)  # fmt: skip


@settings(max_examples=50)
@given(masks, layouts, st.sampled_from(["paper", "published"]), st.none() | st.integers(1, 40))
def test_equal_to_the_plain_reference(mask: np.ndarray, layout: TokenLayout, rule: str, cap: int | None) -> None:
    got = select(torch.from_numpy(mask), layout, rule, cap)
    assert got.dtype == torch.int64
    assert got.tolist() == plain_select(mask, layout, rule, cap or CAPS[rule])
    assert len(set(got.tolist())) == len(got) <= (cap or CAPS[rule])
    assert all(layout.offset <= k < layout.offset + layout.count for k in got.tolist()), "never the thumbnail"


@pytest.mark.parametrize("rule", ["paper", "published"])
@pytest.mark.parametrize(
    ("shape", "rows", "columns"),
    [((1, 1), 1, 1), ((1, 5000), 1, 12), ((5000, 1), 5, 1), ((60, 91), 2, 3), ((448, 448), 1, 1)],
)
def test_real_tiles_of_odd_images(shape: tuple[int, int], rows: int, columns: int, rule: str) -> None:
    layout = TokenLayout(rows, columns, thumbnail=True)
    mask = blobs(shape, 0, 0.6)
    assert select(torch.from_numpy(mask), layout, rule).tolist() == plain_select(mask, layout, rule, CAPS[rule])


# ---- what the rules say, seen by hand -----------------------------------------------------------------------------


def test_exactly_half_is_not_more_than_half() -> None:
    mask = torch.zeros(32, 32, dtype=torch.bool)  # a token is 2 × 2 pixels
    mask[0, :2] = True
    assert select(mask, TokenLayout()).tolist() == []
    mask[1, 0] = True
    assert select(mask, TokenLayout()).tolist() == [0]
    assert coverage(mask, TokenLayout())[0, :2].tolist() == [0.75, 0.0]


def test_area_is_not_a_nearest_pixel() -> None:
    """A comb that every sampled pixel misses covers most of each token."""
    mask = torch.ones(448, 448, dtype=torch.bool)
    mask[:, 14::28] = False
    assert token_grid(mask, TokenLayout(), "published").sum() == 0
    assert token_grid(mask, TokenLayout(), "paper").all()


@pytest.mark.parametrize("rule", ["paper", "published"])
def test_empty_and_full(rule: str) -> None:
    layout = TokenLayout(2, 2, thumbnail=True, offset=256)
    empty = select(torch.zeros(50, 70, dtype=torch.bool), layout, rule)
    assert empty.dtype == torch.int64 and empty.tolist() == ([] if rule == "paper" else [256])
    full = select(torch.ones(50, 70, dtype=torch.bool), layout, rule)
    assert len(full) == CAPS[rule]


def test_a_capped_region_is_spread_evenly() -> None:
    """128 of 1,024 tokens: every quarter of the image gets a quarter of them, within one row of cells."""
    layout = TokenLayout(2, 2)
    chosen = select(torch.ones(64, 64, dtype=torch.bool), layout)
    quarters = torch.bincount(chosen // 256, minlength=4)
    assert quarters.sum() == 128 and quarters.min() >= 26


def test_tokens_are_counted_tile_by_tile() -> None:
    layout = TokenLayout(2, 3, offset=7)
    mask = torch.zeros(32, 48, dtype=torch.bool)
    mask[16, 32] = True  # first token of the last tile: one pixel a token
    assert select(mask, layout).tolist() == select(mask, layout, "published").tolist() == [7 + 5 * 256]
    rows, columns = torch.meshgrid(torch.arange(32), torch.arange(48), indexing="ij")
    assert layout.index(rows, columns).flatten().sort().values.tolist() == list(range(7, 7 + layout.count))
    assert (layout.count, layout.total, TokenLayout(thumbnail=True).total) == (1536, 1536, 512)


# ---- modes for ablations ------------------------------------------------------------------------------------------


@given(masks, layouts, st.sampled_from(["paper", "published"]))
@settings(max_examples=40)
def test_modes(mask: np.ndarray, layout: TokenLayout, rule: str) -> None:
    m = torch.from_numpy(mask)
    plain = select(m, layout, rule)
    boxed = mask.copy()
    if mask.any():
        ys, xs = np.nonzero(mask)
        boxed[ys.min() : ys.max() + 1, xs.min() : xs.max() + 1] = True
    assert select(m, layout, rule, mode="box").tolist() == select(torch.from_numpy(boxed), layout, rule).tolist()
    drawn = select(m, layout, rule, mode="random", generator=np.random.default_rng(5))
    assert drawn.tolist() == select(m, layout, rule, mode="random", generator=np.random.default_rng(5)).tolist()
    assert len(set(drawn.tolist())) == len(drawn) == len(plain)
    assert all(layout.offset <= k < layout.offset + layout.count for k in drawn.tolist())
    none = select(m, layout, rule, mode="none")
    assert none.dtype == torch.int64 and none.shape == (0,)


@pytest.mark.parametrize("mode", ["mask", "box", "random", "none"])
def test_many_are_one_by_one(mode: str) -> None:
    layout, other = TokenLayout(1, 2), TokenLayout(2, 1, offset=512)
    many = torch.from_numpy(np.stack([blobs((40, 30), seed, 0.5) for seed in range(4)]))
    for layouts_ in (layout, [layout, other, other, layout]):
        one, all_ = np.random.default_rng(1), np.random.default_rng(1)
        each = [layouts_] * 4 if isinstance(layouts_, TokenLayout) else layouts_
        single = [select(m, k, mode=mode, generator=one).tolist() for m, k in zip(many, each, strict=True)]
        assert [t.tolist() for t in select_many(many, layouts_, mode=mode, generator=all_)] == single


def test_random_is_not_the_mask() -> None:
    mask = torch.zeros(64, 64, dtype=torch.bool)
    mask[:32, :32] = True
    drawn = select(mask, TokenLayout(), mode="random", generator=np.random.default_rng(0))
    assert len(drawn) == 64 and drawn.max() > 200


# ---- golden: what the published code chose ------------------------------------------------------------------------


def test_indices_that_the_published_code_gave(shared_data) -> None:  # noqa: ANN001
    import json

    folder = shared_data("../golden")
    expected = json.loads((folder / "expected.json").read_text("utf-8"))["cases"]
    shapes = json.loads((folder / "mask_shapes.json").read_text("utf-8"))
    seen = 0
    with np.load(folder / "masks.npz") as packed:
        for name, case in expected.items():
            for k, indices in enumerate(case["region_token_indices"]):
                shape = shapes[f"{name}_{k}"]
                mask = np.unpackbits(packed[f"{name}_{k}"], axis=-1)[..., : shape[-1]].astype(bool).reshape(shape)
                image = k % len(case["images"])
                if mask.ndim == 3:
                    mask = mask[image]
                tiled = name.startswith("tiled")
                layout = TokenLayout(2, 3, thumbnail=True) if tiled else TokenLayout(offset=256 * image)
                assert select(torch.from_numpy(mask), layout, "published").tolist() == indices, f"{name} {k}"
                seen += 1
    assert seen == 10


# ---- refusals -----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("call", "says"),
    [
        (lambda m: select(m.float(), TokenLayout()), r"probability > 0\.5"),
        (lambda m: select(m[None], TokenLayout()), "select_many"),
        (lambda m: select(m[:0], TokenLayout()), "pixels a side"),
        (lambda m: select(m, TokenLayout(), "papers"), "did you mean 'paper'"),
        (lambda m: select(m, TokenLayout(), mode="boxes"), "did you mean 'box'"),
        (lambda m: select(m, TokenLayout(), mode="random"), "default_rng"),
        (lambda m: select(m, TokenLayout(), cap=0), "at least 1"),
        (lambda m: select(m, TokenLayout(), cap=True), "whole number"),
        (lambda m: select_many(m[None], [TokenLayout()] * 2), "1 masks and 2 layouts"),
        (lambda m: TokenLayout(0), "rows of a token layout"),
        (lambda m: TokenLayout(offset=-1), "not negative"),
        (lambda m: TokenLayout(side=15), "evenly"),
    ],
)
def test_refusals_say_what_to_do(call, says: str) -> None:  # noqa: ANN001
    with pytest.raises(InvalidInput, match=says):
        call(torch.ones(4, 4, dtype=torch.bool))
