"""Regions: which of an image's visual tokens lie under a mask, and which of those are fed back to the language model.

Two rules. ``"paper"``: a token counts when the mask covers more than half of its footprint, areas taken exactly; at
most 128, spread over the region. ``"published"``: the released code's nearest-neighbour lookup, at most 8. Everything
is computed in whole numbers on the CPU, so a mask gives the same tokens on every machine.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache

import numpy as np
import torch

from terrascope_nb._suggest import unknown
from terrascope_nb.errors import InvalidInput

RULES = ("paper", "published")
MODES = ("mask", "box", "random", "none")
#: Most tokens of one region: λ of the paper, and the cap of the released code.
CAPS = {"paper": 128, "published": 8}
_BLOCK = 1 << 24  # pixels turned into float32 at a time, 64 MiB
_LONGEST = 1 << 24  # pixels a side; above, float32 sums are no longer exact


@dataclass(frozen=True)
class TokenLayout:
    """Where an image's visual tokens lie.

    Attributes
    ----------
    rows, columns : int
        Tiles down and across; the image is stretched to fill them exactly.
    side : int
        Tokens a tile side (16: 448 pixels of 14-pixel patches, joined two by two).
    tile : int
        Pixels a tile side (448).
    thumbnail : bool
        Whether the whole image follows as one more tile. Its tokens belong to no region.
    offset : int
        Index of the image's first token among the visual tokens of the request: 0 for the first image.
    """

    rows: int = 1
    columns: int = 1
    side: int = 16
    tile: int = 448
    thumbnail: bool = False
    offset: int = 0

    def __post_init__(self) -> None:
        for name in ("rows", "columns", "side", "tile"):
            if getattr(self, name) < 1:
                raise InvalidInput(f"{name} of a token layout is at least 1, got {getattr(self, name)}")
        if self.tile % self.side:
            raise InvalidInput(f"a tile of {self.tile} pixels does not hold {self.side} tokens a side evenly")
        if self.offset < 0:
            raise InvalidInput(f"offset of a token layout is not negative, got {self.offset}")

    @property
    def grid(self) -> tuple[int, int]:
        """Tokens down and across the whole image, thumbnail apart."""
        return self.rows * self.side, self.columns * self.side

    @property
    def count(self) -> int:
        """Tokens that a region may choose from, thumbnail apart."""
        return self.rows * self.columns * self.side**2

    @property
    def total(self) -> int:
        """Tokens of the image in the sequence, thumbnail included."""
        return self.count + (self.side**2 if self.thumbnail else 0)

    def index(self, row: torch.Tensor, column: torch.Tensor) -> torch.Tensor:
        """Index in the sequence of the token at a row and column of `grid`: tile by tile, in each row by row."""
        tile = row // self.side * self.columns + column // self.side
        return self.offset + (tile * self.side + row % self.side) * self.side + column % self.side


def select(
    mask: torch.Tensor,
    layout: TokenLayout,
    rule: str = "paper",
    cap: int | None = None,
    mode: str = "mask",
    generator: np.random.Generator | None = None,
) -> torch.Tensor:
    """Choose the visual tokens of a mask.

    Parameters
    ----------
    mask : torch.Tensor
        (H, W) bool on the image's own pixels, whatever their number.
    layout : TokenLayout
        How that image was cut into tokens.
    rule : "paper" or "published"
        - paper: tokens covered by more than 50 %; more than `cap`: ⌈√cap⌉ × ⌈√cap⌉ cells over the tokens' bounding box,
          of each cell the token nearest its centre; more cells than `cap` hold tokens: every so-manieth of them. In the
          order of the sequence. An empty mask gives no token.
        - published: the mask at pixel centres of a nearest-neighbour resize to the tiled pixels and from there to the
          tokens (Pillow's rule); more than `cap`: the same cells, in row order, the first `cap`. An empty mask gives
          the image's first token.
    cap : int, optional
        Most tokens; `CAPS` by default (128, 8).
    mode : "mask", "box", "random" or "none"
        For ablations. box: the filled bounding box of the mask instead of it; random: as many tokens, drawn from all of
        the image's; none: no token at all.
    generator : numpy.random.Generator, optional
        Needed by ``mode="random"``.

    Returns
    -------
    torch.Tensor
        (K,) int64 on the mask's device, each token once, never of the thumbnail.

    Raises
    ------
    InvalidInput
        For a mask that is not (H, W) bool, and for an unknown rule or mode.

    Examples
    --------
    >>> mask = torch.zeros(32, 32, dtype=torch.bool)
    >>> mask[:4, :6] = True
    >>> select(mask, TokenLayout()).tolist()
    [0, 1, 2, 16, 17, 18]
    >>> select(mask[4:], TokenLayout()).tolist(), select(mask[4:], TokenLayout(), "published").tolist()
    ([], [0])
    """
    if mask.ndim != 2:
        raise InvalidInput(f"a mask is (H, W), got {tuple(mask.shape)}; several at once: select_many")
    return select_many(mask[None], layout, rule, cap, mode, generator)[0]


def select_many(
    masks: torch.Tensor,
    layout: TokenLayout | Sequence[TokenLayout],
    rule: str = "paper",
    cap: int | None = None,
    mode: str = "mask",
    generator: np.random.Generator | None = None,
) -> list[torch.Tensor]:
    """Choose the tokens of several masks of one size: (N, H, W) bool → N tensors; the rest as `select`.

    With a sequence of layouts, one a mask; random tokens are drawn mask by mask in order.
    """
    cap = _checked(masks, rule, cap, mode, generator)
    layouts = [layout] * len(masks) if isinstance(layout, TokenLayout) else list(layout)
    if len(layouts) != len(masks):
        raise InvalidInput(f"{len(masks)} masks and {len(layouts)} layouts do not pair up")
    if mode == "none":
        return [torch.empty(0, dtype=torch.int64, device=masks.device) for _ in layouts]
    here = masks.detach().cpu()
    if mode == "box":
        here = _boxes(here)
    out = []
    for mask, one in zip(here, layouts, strict=True):
        chosen = _chosen(token_grid(mask, one, rule), one, rule, cap)
        if mode == "random" and generator is not None:
            drawn = generator.choice(one.count, size=len(chosen), replace=False)
            chosen = torch.from_numpy(np.sort(drawn).astype(np.int64)) + one.offset
        out.append(chosen.to(masks.device))
    return out


def token_grid(mask: torch.Tensor, layout: TokenLayout, rule: str = "paper") -> torch.Tensor:
    """The tokens that a mask holds before any cap: (H, W) bool → `TokenLayout.grid` bool, on the CPU."""
    _checked(mask[None], rule, None, "mask", None)
    if rule == "paper":
        # Token footprints tile the image, so each has H·W of the units in which `_covered` counts.
        return 2 * _covered(mask.cpu(), layout) > mask.shape[0] * mask.shape[1]
    rows, columns = (
        torch.from_numpy(_nearest(size, tiles * layout.tile, tokens))
        for size, tiles, tokens in zip(mask.shape, (layout.rows, layout.columns), layout.grid, strict=True)
    )
    return mask.cpu()[rows[:, None], columns[None, :]]


def coverage(mask: torch.Tensor, layout: TokenLayout) -> torch.Tensor:
    """Share of each token's footprint that the mask covers, by exact areas: (H, W) bool → `TokenLayout.grid` float64.

    Examples
    --------
    >>> coverage(torch.tensor([[True, False, False]]), TokenLayout(side=2)).tolist()
    [[0.6666666666666666, 0.0], [0.6666666666666666, 0.0]]
    """
    _checked(mask[None], "paper", None, "mask", None)
    return _covered(mask.cpu(), layout) / (mask.shape[0] * mask.shape[1])


def _checked(masks: torch.Tensor, rule: str, cap: int | None, mode: str, generator: object) -> int:
    if masks.ndim != 3 or masks.dtype != torch.bool:
        raise InvalidInput(
            f"masks are (N, H, W) bool, got {tuple(masks.shape)} {masks.dtype}: say what counts as in, "
            "e.g. probability > 0.5"
        )
    if not 0 < min(masks.shape[1:]) <= max(masks.shape[1:]) <= _LONGEST:
        raise InvalidInput(f"a mask has 1 to {_LONGEST:,} pixels a side, got {tuple(masks.shape[1:])}")
    if rule not in RULES:
        raise InvalidInput(unknown("region rule", rule, RULES))
    if mode not in MODES:
        raise InvalidInput(unknown("region mode", mode, MODES))
    if mode == "random" and not isinstance(generator, np.random.Generator):
        raise InvalidInput('mode="random" needs generator=numpy.random.default_rng(seed)')
    if cap is not None and (isinstance(cap, bool) or not isinstance(cap, int) or cap < 1):
        raise InvalidInput(f"cap is a whole number of tokens, at least 1, or None; got {cap!r}")
    return CAPS[rule] if cap is None else cap


def _boxes(masks: torch.Tensor) -> torch.Tensor:
    """Each mask's bounding box, filled; an empty mask stays empty."""

    def between(any_: torch.Tensor) -> torch.Tensor:  # (N, L) → True from the first True to the last
        return (any_.cumsum(1) > 0) & (any_.flip(1).cumsum(1).flip(1) > 0)

    return between(masks.any(2))[:, :, None] & between(masks.any(1))[:, None, :]


def _covered(mask: torch.Tensor, layout: TokenLayout) -> torch.Tensor:
    """Covered area of each token, float64 whole numbers, in pixels divided by the number of tokens (so exact)."""
    rows, columns = (_overlap(size, tokens) for size, tokens in zip(mask.shape, layout.grid, strict=True))
    inner = torch.zeros(len(rows), mask.shape[1])
    step = max(1, _BLOCK // mask.shape[1])
    for start in range(0, mask.shape[0], step):
        inner += rows[:, start : start + step] @ mask[start : start + step].float()
    return inner.double() @ columns.double().T


def _overlap(pixels: int, tokens: int) -> torch.Tensor:
    """(tokens, pixels) float32: length that token and pixel share, a pixel being `tokens` long and a token `pixels`."""
    t = torch.arange(tokens)[:, None] * pixels
    p = torch.arange(pixels)[None, :] * tokens
    return (torch.minimum(t + pixels, p + tokens) - torch.maximum(t, p)).clamp_(min=0).float()


@lru_cache(maxsize=256)
def _nearest(size: int, tiled: int, tokens: int) -> np.ndarray:
    """(tokens,) int64: the pixel that each token along one side looks at after two of Pillow's nearest resizes."""
    from PIL import Image

    ramp = Image.fromarray(np.arange(size, dtype=np.int32)[None])
    for length in (tiled, tokens):
        ramp = ramp.resize((length, 1), Image.Resampling.NEAREST)
    return np.asarray(ramp)[0].astype(np.int64)


def _chosen(grid: torch.Tensor, layout: TokenLayout, rule: str, cap: int) -> torch.Tensor:
    """The tokens of a grid of those held, at most `cap`."""
    row, column = torch.nonzero(grid, as_tuple=True)
    index, order = layout.index(row, column).sort()
    if len(index) == 0 and rule == "published":
        return torch.tensor([layout.offset])
    if len(index) <= cap:
        return index
    picked = _one_a_cell(row[order], column[order], cap, centred=rule == "paper")
    if rule == "published":
        return index[picked[:cap]]
    if len(picked) > cap:
        picked = picked[torch.arange(cap) * len(picked) // cap]
    return index[picked].sort().values


def _one_a_cell(row: torch.Tensor, column: torch.Tensor, cap: int, *, centred: bool) -> torch.Tensor:
    """Of each cell that holds tokens, in row order, the token nearest the cell's centre, the first on ties.

    Lengths are whole numbers, in 1/(2n) of a token. `centred` takes a token at its middle; the released code takes it
    at its upper left corner, while the cells span the tokens' full extent.
    """
    n = int(np.ceil(np.sqrt(cap)))
    cells, distance = torch.zeros_like(row), torch.zeros_like(row)
    for place in (row, column):
        extent = 2 * int(place.max() - place.min() + 1)
        at = (2 * (place - place.min()) + int(centred)) * n
        cell = at // extent
        cells = cells * n + cell
        distance += (at - (2 * cell + 1) * extent // 2) ** 2
    by_distance = distance.argsort(stable=True)
    order = by_distance[cells[by_distance].argsort(stable=True)]
    sorted_cells = cells[order]
    first = torch.ones_like(sorted_cells, dtype=torch.bool)
    first[1:] = sorted_cells[1:] != sorted_cells[:-1]
    return order[first]
