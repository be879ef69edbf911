"""Pictures and prompts → inputs: tiles by aspect, placeholders counted, refusals with both numbers."""

from __future__ import annotations

import numpy as np
import pytest

pytest.importorskip("torch")
pytest.importorskip("transformers")

import torch
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image

from terrascope_nb.errors import InvalidInput, NotFound
from terrascope_nb.model.config import SPECIAL, TerraScopeConfig
from terrascope_nb.model.processor import Processor, closest_grid, normalise, sam_pixels, tiles_of
from terrascope_nb.model.prompt import INSTRUCTION, write_prompt
from terrascope_nb.model.tiny import tiny_config, tiny_tokenizer
from terrascope_nb.model.writer import Letters


@pytest.fixture(scope="module")
def processor() -> Processor:
    return Processor(tiny_tokenizer(), tiny_config())


def picture(height: int, width: int, seed: int = 0) -> np.ndarray:
    return np.random.default_rng(seed).integers(0, 255, (height, width, 3), dtype=np.uint8)


@given(st.integers(1, 6000), st.integers(1, 6000))
def test_the_grid_of_tiles_is_the_closest_in_aspect(width: int, height: int) -> None:
    columns, rows = closest_grid(width, height)
    every = [(i, j) for i in range(1, 13) for j in range(1, 13) if i * j <= 12]
    off = {g: abs(width / height - g[0] / g[1]) for g in every}
    assert (columns, rows) in every and off[columns, rows] == min(off.values())
    equal = sorted((g for g in every if off[g] == min(off.values())), key=lambda g: g[0] * g[1])
    best = equal[0]
    for g in equal[1:]:
        if width * height > 0.5 * 448 * 448 * g[0] * g[1]:
            best = g
    assert (columns, rows) == best


def test_tiles_put_together_are_the_resized_picture() -> None:
    pixels = picture(200, 300)
    tiles = tiles_of(pixels, rows=2, columns=3, tile=56, thumbnail=True)
    assert len(tiles) == 7 and all(t.shape == (3, 56, 56) for t in tiles)
    whole = torch.cat([torch.cat(tiles[:3], 2), torch.cat(tiles[3:6], 2)], 1)
    resized = np.asarray(Image.fromarray(pixels).resize((168, 112), Image.Resampling.BICUBIC))
    assert torch.equal(whole, normalise(resized, torch.float32))
    small = np.asarray(Image.fromarray(pixels).resize((56, 56), Image.Resampling.BICUBIC))
    assert torch.equal(tiles[6], normalise(small, torch.float32))


def test_the_segmenters_constants_are_rounded_to_bfloat16_and_the_tiles_are_not() -> None:
    grey = np.full((8, 8, 3), 255, np.uint8)
    mean, std = 0.484375, 0.228515625  # 0.485 and 0.229 with eight bits of mantissa
    assert sam_pixels(grey, 8)[0, 0, 0].item() == pytest.approx((1 - mean) / std, abs=1e-6)
    assert normalise(grey, torch.float32)[0, 0, 0].item() == pytest.approx((1 - 0.485) / 0.229, abs=1e-6)


@pytest.mark.parametrize(
    ("size", "tiles"), [((1, 1), 1), ((1, 5000), 13), ((5000, 1), 13), ((50, 70), 13), ((20, 10), 3)]
)
def test_a_single_picture_of_any_shape_fills_its_placeholders(
    processor: Processor, size: tuple[int, int], tiles: int
) -> None:
    inputs = processor.prepare([picture(*size)], "<image>\nWhat?\n")
    assert len(inputs.tiles) == tiles
    assert int((inputs.ids == processor.ids["image"]).sum()) == tiles * 16 == inputs.layouts[0].total
    assert inputs.layouts[0].thumbnail == (tiles > 1)


def test_several_pictures_are_one_tile_each_in_order(processor: Processor) -> None:
    inputs = processor.prepare([picture(10, 90), picture(30, 20), picture(5, 5)], "<image>\nWhat?\n")
    assert [(at.rows, at.columns, at.thumbnail, at.offset) for at in inputs.layouts] == [
        (1, 1, False, k * 16) for k in range(3)
    ]
    text = processor.decode(inputs.ids)
    one = f"{SPECIAL['image_start']}{SPECIAL['image'] * 16}{SPECIAL['image_end']}"
    assert text == f"<|im_start|>user\n{one}\n{one}\n{one}\nWhat?\n<|im_end|>\n<|im_start|>assistant\n"
    assert processor.decode(inputs.ids[inputs.question]) == "\nWhat?\n"
    assert processor.decode(inputs.ids[: inputs.shared]).endswith(SPECIAL["image_end"])


def test_the_prompt_is_the_trained_one() -> None:
    assert (
        write_prompt(" Which? ", {"A": "50 %", "B": "60 %"}) == f"{INSTRUCTION}\n\n<image>\nWhich?\nA. 50 %\nB. 60 %\n"
    )
    assert write_prompt("Wie groß ist der See? 湖").endswith("<image>\nWie groß ist der See? 湖\n")


@pytest.mark.parametrize("token", ["<image>", "<IMG_CONTEXT>", "<|im_end|>", "[SEG]", "<REGION>"])
def test_a_question_cannot_steer_the_model(token: str) -> None:
    with pytest.raises(InvalidInput, match="may not stand in a question"):
        write_prompt(f"Is there {token} water?")
    with pytest.raises(InvalidInput, match="may not stand in a question"):
        write_prompt("Is there water?", ["yes", f"no {token}"])


@pytest.mark.parametrize(
    ("images", "text", "words"),
    [
        ([], "<image>", "at least one picture"),
        ([np.zeros((4, 4, 3), float)], "<image>", r"picture 0 is \(4, 4, 3\) float64"),
        ([np.zeros((4, 4), np.uint8)], "<image>", r"picture 0 is \(4, 4\) uint8"),
        ([np.zeros((4, 4, 3), np.uint8)], "no picture", "has it 0 times"),
        ([np.zeros((4, 4, 3), np.uint8)], "<image> and <image>", "has it 2 times"),
        (
            [np.zeros((4, 4, 3), np.uint8)],
            "<image> <IMG_CONTEXT>",
            "17 image placeholders in 1 images, the pictures need 16 in 1",
        ),
    ],
)
def test_what_cannot_be_prepared_is_refused(processor: Processor, images: list, text: str, words: str) -> None:
    with pytest.raises(InvalidInput, match=words):
        processor.prepare(images, text)


def test_tokenizer_and_configuration_must_belong_together() -> None:
    config = tiny_config()
    wrong = TerraScopeConfig(**{**config.to_dict(), "seg_token_id": config.seg_token_id + 1})
    with pytest.raises(
        InvalidInput, match=rf"\[SEG\] is {config.seg_token_id} there and {config.seg_token_id + 1} here"
    ):
        Processor(tiny_tokenizer(), wrong)


def test_a_folder_without_a_tokenizer_says_what_it_has(tmp_path) -> None:
    (tmp_path / "notes.txt").write_text("x")
    with pytest.raises(NotFound, match="found: notes.txt"):
        Processor.from_pretrained(tmp_path)


@given(st.text(alphabet=st.characters(blacklist_categories=("Cs",)), max_size=40))
def test_letters_come_back_whole_whatever_the_text(text: str) -> None:
    processor = Processor(tiny_tokenizer(), tiny_config())
    letters = Letters(processor)
    ids = processor.encode(text).tolist()
    pieces = [letters.add(i) for i in ids]
    assert "".join(pieces) + letters.rest() == processor.decode(ids)
    assert not any("\ufffd" in p for p in pieces) or "\ufffd" in text


@given(st.lists(st.integers(0, 255), max_size=30))
def test_letters_give_the_same_as_decoding_at_once_for_broken_bytes_too(ids: list[int]) -> None:
    processor = Processor(tiny_tokenizer(), tiny_config())
    letters = Letters(processor)
    assert "".join([letters.add(i) for i in ids]) + letters.rest() == processor.decode(ids)
