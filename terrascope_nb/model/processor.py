"""Pictures and text → what the network takes: tiles, placeholders counted, token ids. Pillow and torch only."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any

import numpy as np
import torch
from PIL import Image
from transformers import PreTrainedTokenizerBase, PreTrainedTokenizerFast

from terrascope_nb.errors import InvalidInput, NotFound
from terrascope_nb.model.config import SPECIAL, TerraScopeConfig
from terrascope_nb.model.prompt import IMAGE, turns
from terrascope_nb.model.regions import TokenLayout

MEAN, STD = (0.485, 0.456, 0.406), (0.229, 0.224, 0.225)


@dataclass(frozen=True, eq=False)
class Inputs:
    """A request as the network takes it.

    Attributes
    ----------
    ids : torch.Tensor
        (L,) int64, image placeholders included.
    tiles : torch.Tensor
        (T, 3, tile, tile) float32, normalised: the tiles of all images in order, thumbnails included.
    images : tuple of numpy.ndarray
        The pictures as they came, (H, W, 3) uint8 each; SAM 2's input is made of them when a mask is first wanted.
    layouts : tuple of TokenLayout
        Where each image's visual tokens lie.
    shared : int
        How many leading `ids` do not depend on the question: up to the end of the last image.
    question : slice
        Which `ids` are the question's: what follows the images in the user's turn.
    """

    ids: torch.Tensor
    tiles: torch.Tensor
    images: tuple[np.ndarray, ...]
    layouts: tuple[TokenLayout, ...]
    shared: int
    question: slice

    @property
    def sizes(self) -> tuple[tuple[int, int], ...]:
        """(rows, columns) of each picture."""
        return tuple(i.shape[:2] for i in self.images)  # type: ignore[misc]


class Processor:
    """Turns pictures and a prompt into `Inputs`, and token ids back into text.

    Parameters
    ----------
    tokenizer : PreTrainedTokenizerBase
        With every token of `config.SPECIAL`, under the ids that `config` names.
    config : TerraScopeConfig

    Raises
    ------
    InvalidInput
        When the tokenizer lacks a token, gives it another id than the configuration, or is larger than the network.
    """

    def __init__(self, tokenizer: PreTrainedTokenizerBase, config: TerraScopeConfig) -> None:
        self.tokenizer, self.config = tokenizer, config
        self.ids = {name: _id(tokenizer, token) for name, token in SPECIAL.items()}
        told = {"image": config.vlm_config.image_token_id, "seg": config.seg_token_id, "region": config.region_token_id}
        wrong = [f"{SPECIAL[k]} is {self.ids[k]} there and {v} here" for k, v in told.items() if self.ids[k] != v]
        if wrong:
            raise InvalidInput(f"the tokenizer and the configuration do not belong together: {'; '.join(wrong)}")
        vocabulary = config.vlm_config.text_config.vocab_size
        if len(tokenizer) > vocabulary:
            raise InvalidInput(f"the tokenizer has {len(tokenizer)} tokens, the network's vocabulary {vocabulary}")

    # ---- in ---------------------------------------------------------------------------------------------------
    def prepare(self, images: Sequence[np.ndarray], text: str) -> Inputs:
        """Prepare a prompt with its pictures.

        Parameters
        ----------
        images : sequence of numpy.ndarray
            (H, W, 3) uint8 each. A single one is cut into tiles by its aspect; several are squashed to one tile each.
        text : str
            The user's turn, with ``<image>`` once, where the pictures go.

        Raises
        ------
        InvalidInput
            For no picture, a picture of another kind, and a text with ``<image>`` not exactly once.
        """
        pictures = [_picture(image, k) for k, image in enumerate(images)]
        if not pictures:
            raise InvalidInput("a request needs at least one picture")
        if text.count(IMAGE) != 1:
            raise InvalidInput(
                f"the prompt holds {IMAGE} once, where all pictures go; this one has it {text.count(IMAGE)} times"
            )
        layouts, tiles = self._cut(pictures)
        before, after = text.split(IMAGE)
        spans = "\n".join(
            SPECIAL["image_start"] + SPECIAL["image"] * layout.total + SPECIAL["image_end"] for layout in layouts
        )
        whole = turns(f"{before}{spans}{after}")
        ids = self.encode(whole)
        ends = (ids == self.ids["image_end"]).nonzero()[:, 0]
        turn_ends = (ids == self.ids["end"]).nonzero()[:, 0]
        placeholders, wanted = int((ids == self.ids["image"]).sum()), sum(layout.total for layout in layouts)
        if placeholders != wanted or len(ends) != len(layouts):
            raise InvalidInput(
                f"the prompt has {placeholders} image placeholders in {len(ends)} images, the pictures need {wanted} "
                f"in {len(layouts)}: no image token may stand in the text"
            )
        shared = int(ends[-1]) + 1
        return Inputs(
            ids, tiles, tuple(pictures), layouts, shared, slice(shared, int(turn_ends[turn_ends >= shared][0]))
        )

    def encode(self, text: str) -> torch.Tensor:
        """Token ids of a text, (L,) int64; special tokens in it are read as such, none are added."""
        return torch.tensor(self.tokenizer.encode(text, add_special_tokens=False), dtype=torch.int64)

    def decode(self, ids: Sequence[int] | torch.Tensor) -> str:
        """Text of token ids, special tokens included, no space cleaned away."""
        return str(
            self.tokenizer.decode(list(map(int, ids)), skip_special_tokens=False, clean_up_tokenization_spaces=False)
        )

    def _cut(self, pictures: list[np.ndarray]) -> tuple[tuple[TokenLayout, ...], torch.Tensor]:
        tile, side = self.config.tile, self.config.grid
        layouts: list[TokenLayout] = []
        pieces: list[torch.Tensor] = []
        for picture in pictures:
            columns, rows = (
                closest_grid(picture.shape[1], picture.shape[0], self.config.max_tiles, tile)
                if len(pictures) == 1
                else (1, 1)
            )
            thumbnail = rows * columns > 1
            offset = layouts[-1].offset + layouts[-1].total if layouts else 0
            layouts.append(TokenLayout(rows, columns, side, tile, thumbnail, offset))
            pieces += tiles_of(picture, rows, columns, tile, thumbnail)
        return tuple(layouts), torch.stack(pieces)

    def sam_pixels(self, picture: np.ndarray) -> torch.Tensor:
        """SAM 2's view of a picture: (3, S, S) float32, squashed to the square; see `sam_pixels`."""
        return sam_pixels(picture, self.config.sam_size)

    # ---- files ------------------------------------------------------------------------------------------------
    def save_pretrained(self, folder: str | Path) -> None:
        """Write the tokenizer beside the weights."""
        self.tokenizer.save_pretrained(str(folder))

    @classmethod
    def from_pretrained(cls, folder: str | Path, config: TerraScopeConfig | None = None) -> Processor:
        """Read a processor that `save_pretrained`, or `convert`, wrote.

        Raises
        ------
        NotFound
            When there is no ``tokenizer.json``; the message lists what is there.
        """
        folder = Path(folder)
        if not (folder / "tokenizer.json").is_file():
            there = ", ".join(sorted(p.name for p in folder.iterdir())[:20]) if folder.is_dir() else "no such folder"
            raise NotFound(f"no tokenizer.json in {folder}, found: {there or 'nothing'}")
        config = TerraScopeConfig.from_pretrained(str(folder)) if config is None else config
        return cls(PreTrainedTokenizerFast.from_pretrained(str(folder), local_files_only=True), config)


def closest_grid(width: int, height: int, most: int = 12, tile: int = 448) -> tuple[int, int]:
    """Columns and rows of tiles whose aspect is closest to the picture's, at most `most` tiles.

    Of equally close ones the larger is taken where the picture has more than half its pixels.

    Examples
    --------
    >>> closest_grid(300, 200), closest_grid(1, 1), closest_grid(5000, 1), closest_grid(1000, 1000)
    ((3, 2), (1, 1), (12, 1), (3, 3))
    """
    aspect, area = width / height, width * height
    best, least = (1, 1), float("inf")
    for columns, rows in _grids(most):
        off = abs(aspect - columns / rows)
        if off < least or (off == least and area > 0.5 * tile * tile * columns * rows):
            best, least = (columns, rows), off
    return best


@lru_cache(maxsize=8)
def _grids(most: int) -> tuple[tuple[int, int], ...]:
    grids = [(i, j) for i in range(1, most + 1) for j in range(1, most + 1) if i * j <= most]
    return tuple(sorted(grids, key=lambda g: g[0] * g[1]))


def tiles_of(picture: np.ndarray, rows: int, columns: int, tile: int, thumbnail: bool) -> list[torch.Tensor]:
    """Tiles of a picture in row order, the thumbnail last: (3, tile, tile) float32 each, normalised."""
    image = Image.fromarray(picture)
    whole = np.asarray(image.resize((columns * tile, rows * tile), Image.Resampling.BICUBIC))
    cut = [whole[r * tile : (r + 1) * tile, c * tile : (c + 1) * tile] for r in range(rows) for c in range(columns)]
    if thumbnail:
        cut.append(np.asarray(image.resize((tile, tile), Image.Resampling.BICUBIC)))
    return [normalise(piece, torch.float32) for piece in cut]


def sam_pixels(picture: np.ndarray, size: int) -> torch.Tensor:
    """(H, W, 3) uint8 → (3, size, size) float32 as SAM 2 was trained here: see `normalise`."""
    squashed = Image.fromarray(picture).resize((size, size), Image.Resampling.BICUBIC)
    return normalise(np.asarray(squashed), torch.bfloat16)


def normalise(pixels: np.ndarray, rounding: torch.dtype) -> torch.Tensor:
    """(H, W, 3) uint8 → (3, H, W) float32: less ImageNet's mean, over its deviation, both of type `rounding`."""
    mean, std = (torch.tensor(c, dtype=rounding).float()[:, None, None] for c in (MEAN, STD))
    return (torch.from_numpy(np.array(pixels)).permute(2, 0, 1).float() / 255 - mean) / std


def _picture(image: Any, k: int) -> np.ndarray:
    pixels = np.asarray(image)
    if pixels.ndim != 3 or pixels.shape[2] != 3 or pixels.dtype != np.uint8 or 0 in pixels.shape:
        raise InvalidInput(f"a picture is (H, W, 3) uint8; picture {k} is {pixels.shape} {pixels.dtype}")
    return np.ascontiguousarray(pixels)


def _id(tokenizer: PreTrainedTokenizerBase, token: str) -> int:
    found = tokenizer.get_vocab().get(token)
    if found is None:
        raise InvalidInput(f"the tokenizer has no token {token!r}: it does not belong to these weights")
    return int(found)
