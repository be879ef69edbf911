"""The interleaved loop against a plain one that keeps nothing and encodes everything again; batches, caches, limits."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

import numpy as np
import pytest

pytest.importorskip("torch")
pytest.importorskip("transformers")

import torch
from torch.nn import functional as F
from transformers import DynamicLayer

from terrascope_nb.errors import InvalidInput
from terrascope_nb.model.cache import SPARE, GrowingLayer
from terrascope_nb.model.decoding import (
    End,
    Forced,
    Measured,
    Region,
    Request,
    Rules,
    Step,
    Target,
    Token,
    generated_ids,
)
from terrascope_nb.model.driving import decode, drive
from terrascope_nb.model.encoding import Encoded
from terrascope_nb.model.network import TerraScopeModel
from terrascope_nb.model.picking import Picker, repeats
from terrascope_nb.model.processor import Inputs, Processor
from terrascope_nb.model.regions import select
from terrascope_nb.model.samples import IGNORED, Sample, collate
from terrascope_nb.model.tiny import tiny_model
from terrascope_nb.model.written import written_image

PUBLISHED = Rules(compat=True, region_rule="published", max_tokens=40)
OURS = Rules(max_tokens=40, loop=False, region_rule="published")  # a random model's specks fill no token by half
PAPER = replace(OURS, region_rule="paper")


@pytest.fixture(scope="module", autouse=True)
def one_thread() -> Iterator[None]:
    """Networks as small as these are no faster on several, and much slower where others work beside them."""
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(threads)


@pytest.fixture(scope="module")
def tiny() -> tuple[TerraScopeModel, Processor]:
    return tiny_model(3)


def picture(seed: int, size: tuple[int, int] = (60, 50)) -> np.ndarray:
    return np.random.default_rng(seed).integers(0, 255, (*size, 3), dtype=np.uint8)


def request(
    tiny: tuple[TerraScopeModel, Processor],
    rules: Rules = OURS,
    seg_at: tuple[int, ...] = (3, 9),
    end_at: int | None = 30,
    question: str = "What?",
    pictures: tuple[np.ndarray, ...] | None = None,
    targets: tuple[Target, ...] | None = None,
    suppress: tuple[str, ...] = ("[SEG]", "<|im_end|>", "</answer>", "<REGION>", "<IMG_CONTEXT>"),
    **more,
) -> Request:
    model, processor = tiny
    pictures = (picture(0),) if pictures is None else pictures
    inputs = processor.prepare(pictures, f"<image>\n{question}\n")
    with torch.inference_mode():
        encoded = Encoded.of(model, inputs)
    vocabulary = processor.tokenizer.get_vocab()
    forced = Forced(frozenset(seg_at), end_at, tuple(vocabulary[t] for t in suppress))
    return Request(
        inputs, encoded, targets or tuple(Target(k) for k in range(len(pictures))), rules, forced=forced, **more
    )


def run(tiny: tuple[TerraScopeModel, Processor], one: Request, **options) -> list[Step]:
    return list(decode(*tiny, one, **options))


def regions(steps: list[Step]) -> list[Region]:
    return [s for s in steps if isinstance(s, Region)]


# ---- a plain loop ----------------------------------------------------------------------------------------------
def plain(
    model: TerraScopeModel, processor: Processor, inputs: Inputs, forced: Forced, most_masks: int = 20, most: int = 40
) -> tuple:
    """The published loop as it is told: no cache, SAM 2's encoder run again for each image at each [SEG]."""
    seg, region, end = (processor.ids[k] for k in ("seg", "region", "end"))
    visual = model.visual(inputs.tiles)
    sequence = model.embed(inputs.ids, visual)
    ids: list[int] = []
    chosen: list[list[int]] = []
    masks: list[np.ndarray] = []
    sampled = 0
    while sampled < most:
        logits = model.predict(model.read(sequence[None]))[0, -1]
        logits[list(forced.suppressed)] = -torch.inf
        token = seg if len(ids) in forced.seg_at else end if len(ids) == forced.end_at else int(logits.argmax())
        ids.append(token)
        sampled += 1
        sequence = torch.cat([sequence, model.embed(torch.tensor([token]))])
        hidden = model.read(sequence[None])[0, -1]
        if token == end:
            break
        if token != seg:
            continue
        k = len(chosen) % len(inputs.images)
        drawn = []
        for image in inputs.images:
            encoded = model.segmenter.encode(processor.sam_pixels(image)[None])
            sam, prompt = model.sam, model.bridge(hidden)
            sparse, dense = sam.prompt_encoder(torch.zeros(1, 1, 1, 2), torch.full((1, 1, 1), -1), None, None)
            low, iou, _, _ = sam.mask_decoder(
                image_embeddings=encoded.coarse, image_positional_embeddings=sam.get_image_wide_positional_embeddings(),
                sparse_prompt_embeddings=torch.cat([sparse, prompt[None, None, None]], 2),
                dense_prompt_embeddings=dense, multimask_output=True,
                high_resolution_features=[encoded.fine, encoded.middle],
            )  # fmt: skip
            one = low[:, 0, int(iou[0, 0].argmax())][None]
            for size in ((model.config.sam_size,) * 2, inputs.sizes[0]):
                one = F.interpolate(one, size, mode="bilinear", align_corners=False)
            drawn.append(one[0, 0].sigmoid().numpy() > 0.5)
        tokens = select(torch.from_numpy(drawn[k]), inputs.layouts[k], "published").tolist()
        chosen.append(tokens)
        masks.append(np.stack(drawn))
        ids += [region] * len(tokens)
        sequence = torch.cat([sequence, visual[tokens]])
        if len(chosen) == most_masks:
            break
    return ids, chosen, masks


def against_plain(tiny: tuple[TerraScopeModel, Processor], one: Request) -> list[Step]:
    with torch.inference_mode():
        ids, tokens, masks = plain(*tiny, one.inputs, one.forced, one.rules.max_masks, one.rules.max_tokens)
    steps = run(tiny, one)
    assert generated_ids(tiny[1], steps) == ids
    assert [list(r.tokens) for r in regions(steps)] == tokens
    for r, true in zip(regions(steps), masks, strict=True):
        mine = r.mask[None] if r.everywhere is None else r.everywhere
        assert (mine != true).mean() <= 2e-4
    return steps


@pytest.mark.parametrize("seg_at", [(), (0,), (3, 9), (2, 11, 20)])
def test_published_one_picture(tiny, seg_at: tuple[int, ...]) -> None:
    against_plain(tiny, request(tiny, PUBLISHED, seg_at))


def test_published_two_pictures_of_unequal_size_take_turns(tiny) -> None:
    steps = against_plain(tiny, request(tiny, PUBLISHED, (2, 12, 22), 34, pictures=(picture(0), picture(1, (33, 80)))))
    assert [(r.target, r.image_source) for r in regions(steps)] == [(k, "round-robin") for k in (0, 1, 0)]
    assert [r.everywhere.shape for r in regions(steps)] == [(2, 60, 50)] * 3
    assert [r.probability.shape for r in regions(steps)] == [(60, 50), (33, 80), (60, 50)], "each in its own grid"


def paint(model: TerraScopeModel, bias: float) -> None:
    """Make every mask full or empty: the fourth part of the logits that does not depend on the picture."""
    for mlp in model.sam.mask_decoder.output_hypernetworks_mlps:
        mlp.proj_out.weight.data.zero_()
        mlp.proj_out.bias.data.fill_(bias)
    model.sam.mask_decoder.upscale_conv2.weight.data.zero_()
    model.sam.mask_decoder.upscale_conv2.bias.data.fill_(1.0)
    model.sam.mask_decoder.conv_s0.weight.data.zero_()
    model.sam.mask_decoder.conv_s0.bias.data.zero_()


def test_published_empty_mask_reads_the_first_token() -> None:
    other = tiny_model(4)
    paint(other[0], -1.0)
    steps = against_plain(other, request(other, PUBLISHED, (1, 6), 20))
    assert [r.tokens for r in regions(steps)] == [(0,), (0,)] and not regions(steps)[0].mask.any()
    assert "token 0 of the image was read" in regions(steps)[0].note


def test_ours_empty_mask_reads_nothing_and_says_so() -> None:
    other = tiny_model(4)
    paint(other[0], -1.0)
    steps = run(other, request(other, PAPER, (1, 6), 20))
    assert [(r.tokens, r.read) for r in regions(steps)] == [((), 0)] * 2
    assert "empty, nothing was read" in regions(steps)[0].note
    assert generated_ids(other[1], steps).count(other[1].ids["region"]) == 0


def test_ours_full_mask_reads_every_token_but_the_thumbnail() -> None:
    other = tiny_model(4)
    paint(other[0], 1.0)
    steps = run(other, request(other, PAPER, (1,), 200, pictures=(picture(0, (40, 80)),)))
    assert regions(steps)[0].mask.all() and regions(steps)[0].tokens == tuple(range(32)) and not regions(steps)[0].note


def test_published_goes_on_behind_the_answer_and_ours_stops(tiny) -> None:
    """``</answer>`` is the likeliest token of a model whose head says so."""
    model, processor = tiny_model(5)
    closing = processor.tokenizer.convert_tokens_to_ids("</answer>")
    model.vlm.lm_head.weight.data[closing] = 0
    hidden = []
    one = request((model, processor), PUBLISHED, (1,), 25, suppress=("[SEG]", "<|im_end|>"))
    with torch.inference_mode():
        hidden = model.read(model.embed(one.inputs.ids, one.encoded.visual)[None])[0, -1]
    model.vlm.lm_head.weight.data[closing] = 50 * hidden / hidden.norm()
    steps = against_plain((model, processor), one)
    ids = [s.id for s in steps if isinstance(s, Token)]
    assert ids[0] == closing and len(ids) > 2
    ours = run((model, processor), replace(one, rules=OURS))
    assert [s.id for s in ours if isinstance(s, Token)] == [closing] and ours[-1] == End("stop")


def test_published_ends_at_the_last_mask_allowed(tiny) -> None:
    steps = against_plain(tiny, request(tiny, replace(PUBLISHED, max_masks=3, max_tokens=60), tuple(range(200)), None))
    assert len(regions(steps)) == 3 and isinstance(steps[-1], End) and steps[-1].finish == "limit"


# ---- first, last, many -----------------------------------------------------------------------------------------
def test_seg_as_first_and_last_token(tiny) -> None:
    steps = run(tiny, request(tiny, replace(OURS, max_tokens=1), (0,), None))
    assert isinstance(steps[0], Token) and isinstance(steps[1], Region)
    assert steps[-1] == End("limit", "1 tokens were written, the most allowed (max_tokens)")


def test_more_than_twenty_masks(tiny) -> None:
    steps = run(tiny, request(tiny, replace(OURS, max_masks=25, region_mode="none"), tuple(range(100)), None))
    assert len(regions(steps)) == 25 and steps[-1].reason == "25 masks were drawn, the most allowed (max_masks)"
    assert len([s for s in steps if isinstance(s, Token)]) == 25, "the [SEG] that gets no mask is not written"


def test_an_image_is_encoded_once_however_many_masks(tiny) -> None:
    model, _ = tiny
    one = request(tiny, OURS, (1, 2, 3, 30, 31), None, pictures=(picture(0), picture(1)))
    before = model.segmenter.encoder_calls
    steps = run(tiny, one)
    assert model.segmenter.encoder_calls - before == len({r.target for r in regions(steps)}) == 2
    run(tiny, one)
    assert model.segmenter.encoder_calls - before == 2, "a second question about it encodes nothing"
    none = request(tiny, OURS, (), 5)
    run(tiny, none)
    assert model.segmenter.encoder_calls - before == 2, "without [SEG] nothing is encoded"


@pytest.mark.parametrize("size", [(1, 1), (1, 5000), (3000, 2)])
def test_pictures_of_any_shape(tiny, size: tuple[int, int]) -> None:
    steps = run(tiny, request(tiny, replace(OURS, max_tokens=4), (1,), None, pictures=(picture(0, size),)))
    assert regions(steps)[0].mask.shape == size


# ---- caches and batches ----------------------------------------------------------------------------------------
def close(one: list[Step], other: list[Step]) -> None:
    assert [type(s) for s in one] == [type(s) for s in other]
    for a, b in zip(one, other, strict=True):
        if isinstance(a, Region):
            assert (a.tokens, a.target, a.image_source, a.read) == (b.tokens, b.target, b.image_source, b.read)
            np.testing.assert_allclose(a.probability, b.probability, atol=1e-4)
        else:
            assert a == b


def test_a_growing_cache_holds_what_the_one_of_transformers_holds() -> None:
    """Pieces of any length, rows chosen, tokens cut off, more than the room."""
    ours, theirs, rng = GrowingLayer(), DynamicLayer(), np.random.default_rng(0)
    rows = 4
    for k, length in enumerate((5, 1, 3, SPARE, 1, 2 * SPARE + 7, 1, 1, 1)):
        new = torch.from_numpy(rng.standard_normal((2, rows, 2, length, 4), np.float32))
        for mine, its in zip(ours.update(*new), theirs.update(*new), strict=True):
            assert torch.equal(mine, its)
        if k in (2, 6):
            rows = 4 - k // 2
            for one in (ours, theirs):
                one.batch_select_indices(torch.arange(rows - 1, -1, -1))
        if k == 4:
            for one in (ours, theirs):
                one.crop(-3)
        assert ours.get_seq_length() == theirs.get_seq_length() and torch.equal(ours.keys, theirs.keys)
    before = ours.keys.data_ptr()
    ours.update(*new)
    assert ours.keys.data_ptr() == before, "a token more copies nothing"


def test_static_cache_is_the_dynamic_one(tiny) -> None:
    one = request(tiny, OURS, (3, 9, 30), 38)
    close(run(tiny, one), run(tiny, one, cache="static"))


def test_a_batch_is_one_by_one(tiny) -> None:
    """Other pictures, lengths, [SEG] at other steps, ends at other steps."""
    several = [
        request(tiny, OURS, (3, 9), 30),
        request(tiny, OURS, (), 6, question="Is there any water to be seen here?"),
        request(tiny, OURS, (0, 20), 38, pictures=(picture(1, (20, 90)),)),
        request(tiny, OURS, (4, 5), 37, pictures=(picture(2), picture(3))),
        request(tiny, OURS, (2, 20), 39, measure=lambda region: f" ({region.number + 1} %)"),
        request(tiny, replace(OURS, fusion="concat"), (6,), 35, pictures=(picture(4),) * 2, targets=(Target(0, 1),)),
    ]
    together: dict[int, list[Step]] = {k: [] for k in range(len(several))}
    order = []
    for k, step in drive(*tiny, several):
        together[k].append(step)
        order.append(k)
    for k, one in enumerate(several):
        close(together[k], run(tiny, one))
    assert order[:6] == [0, 1, 2, 3, 4, 5], "each goes on in turn"


def test_questions_about_one_scene_share_its_prefix(tiny) -> None:
    model, processor = tiny
    first = request(tiny, OURS, (3,), 20)
    others = [request(tiny, OURS, (2,), 25, question=q) for q in ("Where?", "How much of it is under water now?")]
    alone = [run(tiny, o) for o in others]
    shared = [replace(o, encoded=first.encoded) for o in others]
    run(tiny, first, share=True)
    reads = []
    read = model.read
    model.read = lambda e, *rest: (reads.append(e.shape[1]), read(e, *rest))[1]  # type: ignore[method-assign]
    try:
        for one, true in zip(shared, alone, strict=True):
            close(run(tiny, one, share=True), true)
            assert max(reads) < first.inputs.shared, "the pictures are not read again"
        together: dict[int, list[Step]] = {0: [], 1: []}
        for k, step in drive(model, processor, shared, share=True):
            together[k].append(step)
    finally:
        del model.read
    for k, true in enumerate(alone):
        close(together[k], true)


def test_what_caches_cannot_do_is_refused(tiny) -> None:
    one = request(tiny)
    with pytest.raises(InvalidInput, match="did you mean 'static'"):
        run(tiny, one, cache="statik")
    with pytest.raises(InvalidInput, match="shared prefix needs the dynamic cache"):
        run(tiny, one, cache="static", share=True)
    with pytest.raises(InvalidInput, match="a static cache takes one request"):
        list(drive(*tiny, [one, one], "static"))


# ---- limits, loops, cancelling ---------------------------------------------------------------------------------
def test_a_text_that_goes_round_is_ended_with_the_reason(tiny) -> None:
    model, processor = tiny_model(6)
    model.vlm.lm_head.weight.data.zero_()  # every logit equal: the first token again and again
    end = run((model, processor), request((model, processor), Rules(), (), None))[-1]
    assert isinstance(end, End) and end.finish == "loop"
    assert "(1 tokens) was written 48 times in a row" in end.reason
    published = run((model, processor), request((model, processor), replace(PUBLISHED, max_tokens=70), (), None))
    assert published[-1].finish == "limit"


@pytest.mark.parametrize("length", [1, 2, 7, 64])
def test_repeats_finds_pieces_and_no_others(length: int) -> None:
    rng = np.random.default_rng(0)
    noise, piece = rng.integers(0, 1000, 300).tolist(), list(range(2000, 2000 + length))
    assert repeats(noise) is None
    found = repeats(noise + piece * max(4, 48))
    assert found is not None and found.tokens == tuple(piece)
    assert repeats(noise + piece * 48 + [5]) is None


def test_seconds_are_a_limit(tiny) -> None:
    end = run(tiny, request(tiny, replace(OURS, max_seconds=1e-9), (), None))[-1]
    assert end == End("limit", "1e-09 seconds were over (max_seconds)")


def test_cancelling_in_the_middle_leaves_everything_usable(tiny) -> None:
    one = request(tiny, OURS, (3, 9), 30)
    whole = run(tiny, one)
    steps = decode(*tiny, one, share=True)
    for _ in range(5):
        next(steps)
    steps.close()
    close(run(tiny, one, share=True), whole)


def test_sampling_is_its_seed(tiny) -> None:
    rules = replace(OURS, temperature=1.0, top_p=0.9)
    texts = [
        [s.id for s in run(tiny, request(tiny, rules, (), None, seed=seed)) if isinstance(s, Token)]
        for seed in (0, 0, 1)
    ]
    assert texts[0] == texts[1] != texts[2]


def test_top_p_draws_from_the_likeliest_only() -> None:
    logits = torch.tensor([0.0, 3.0, 2.9, -5.0])
    drawn = {Picker(1.0, 0.6, np.random.default_rng(k)).pick(logits) for k in range(50)}
    assert drawn == {1, 2}
    assert {Picker(1.0, 1e-9, np.random.default_rng(k)).pick(logits) for k in range(20)} == {1}
    assert Picker(0.0, 1.0, np.random.default_rng(0), suppressed=[1]).pick(logits) == 2


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"region_rule": "papr"}, "did you mean 'paper'"), ({"region_mode": "boxx"}, "did you mean 'box'"),
        ({"fusion": "adaptve"}, "did you mean 'adaptive'"), ({"max_masks": 0}, "max_masks is at least 1, got 0"),
        ({"max_seconds": 0.0}, "max_seconds is above 0"), ({"temperature": -1.0}, "temperature is 0 or more"),
        ({"top_p": 0.0}, "top_p in 0…1, got 0.0 and 0.0"),
    ],
)  # fmt: skip
def test_rules_refuse_what_makes_no_sense(change: dict, words: str) -> None:
    with pytest.raises(InvalidInput, match=words):
        Rules(**change)


# ---- images and sensors ----------------------------------------------------------------------------------------
@pytest.mark.parametrize(
    ("text", "image"),
    [("Image: t_1 shows", 1), ("image: t2", 2), ("Image: 3,", 3), ("in image 2 and Image: t_1", 1), ("Image: t_{2}", 2),
     ("the image shows 3 lakes", None), ("image 12.5 %", None), ("", None), ("IMAGE:t_10 is", 10)],
)  # fmt: skip
def test_what_image_a_text_names(text: str, image: int | None) -> None:
    assert written_image(text) == image


def say(text: str) -> tuple:
    """A request whose model can only write `text`, then a [SEG]."""
    model, processor = tiny_model(7)
    ids = processor.encode(text).tolist()
    one = request(
        (model, processor),
        replace(OURS, max_tokens=len(ids) + 1),
        (len(ids),),
        None,
        pictures=(picture(0), picture(1, (30, 44))),
    )
    order = iter(ids)
    model.predict = lambda hidden: F.one_hot(
        torch.tensor([next(order, 0)]), model.config.vlm_config.text_config.vocab_size
    ).float()  # type: ignore[method-assign]
    return (model, processor), one


@pytest.mark.parametrize(
    ("text", "target", "source"),
    [("Image: t_2 has water", 1, "written"), ("Image: t_1 has water", 0, "written"),
     ("Here is water", 0, "round-robin"), ("Image: t_7 has water", 0, "round-robin")],
)  # fmt: skip
def test_a_written_image_is_obeyed(text: str, target: int, source: str) -> None:
    tiny, one = say(text)
    region = regions(run(tiny, one))[0]
    assert (region.target, region.image_source) == (target, source)
    assert region.mask.shape == one.inputs.sizes[target]
    assert ("names image 7, there are 2" in region.note) == ("t_7" in text)


def test_a_written_image_counts_for_nothing_under_compatibility() -> None:
    tiny, one = say("Image: t_2 has water")
    region = regions(run(tiny, replace(one, rules=replace(PUBLISHED, max_tokens=100))))[0]
    assert (region.target, region.image_source) == (0, "round-robin")


def test_two_equal_sensors_read_as_one(tiny) -> None:
    same = picture(0)
    fused = request(tiny, OURS, (3, 9), 30, pictures=(same, same), targets=(Target(0, 1),))
    alone = replace(fused, targets=(Target(0),))
    close(run(tiny, fused), run(tiny, alone))
    assert all(r.sar_share == 0 for r in regions(run(tiny, fused)))


def test_sensors_by_every_mode(tiny) -> None:
    two = request(tiny, OURS, (3,), 38, pictures=(picture(0), picture(1)), targets=(Target(0, 1),))
    found = {}
    for mode in ("optical", "sar", "concat", "adaptive"):
        found[mode] = regions(run(tiny, replace(two, rules=replace(OURS, fusion=mode))))[0]
    assert found["optical"].sar_share == 0 and found["sar"].sar_share == 1 and found["concat"].sar_share == 0.5
    assert found["concat"].read == 2 * len(found["concat"].tokens) and 0 <= found["adaptive"].sar_share <= 1
    assert len({r.tokens for r in found.values()}) == 1, "masks are drawn on the optical image whatever the mode"


@pytest.mark.parametrize("mode", ["mask", "box", "random", "none"])
def test_region_modes(tiny, mode: str) -> None:
    one = request(tiny, replace(OURS, region_mode=mode), (3,), 30)
    region = regions(run(tiny, one))[0]
    assert region.read == len(region.tokens) and (region.read == 0) == (mode == "none")
    assert region.mask.any(), "the mask is drawn whatever is read of it"


def test_measured_text_goes_into_the_sequence(tiny) -> None:
    model, processor = tiny
    one = request(tiny, OURS, (3,), 30)
    told = replace(one, measure=lambda region: " (12 %)")
    steps = run(tiny, told)
    at = [type(s) for s in steps].index(Region)
    assert steps[at + 1] == Measured(" (12 %)")
    assert [s.id for s in steps[at + 2 :] if isinstance(s, Token)] != [
        s.id for s in run(tiny, one)[at + 1 :] if isinstance(s, Token)
    ]
    assert " (12 %)" in processor.decode(generated_ids(processor, steps))


# ---- training and decoding -------------------------------------------------------------------------------------
@pytest.mark.parametrize(
    ("sizes", "targets", "change", "told"),
    [
        ([(60, 50)], (Target(0),), {}, ""),
        ([(30, 90)], (Target(0),), {"region_mode": "box"}, " (12 %)"),
        ([(60, 50), (33, 80)], (Target(0), Target(1)), {}, ""),
        ([(60, 50), (33, 80)], (Target(0), Target(1)), {"region_rule": "paper"}, " (9 ha)"),
        ([(60, 50), (60, 50)], (Target(0, 1),), {"fusion": "adaptive"}, ""),
        ([(60, 50), (60, 50)], (Target(0, 1),), {"fusion": "concat"}, " (1 %)"),
        ([(60, 50), (60, 50)], (Target(0, 1),), {"fusion": "sar"}, ""),
    ],
)
def test_training_computes_what_decoding_computed(sizes, targets, change: dict, told: str) -> None:
    """The masks that decoding drew, given to training as the true ones: every logit of the text is the same."""
    model, processor = tiny_model(3)
    response = "<think> water [SEG] Image: t_1 [SEG] </think><answer> [SEG] </answer>"
    ids = processor.encode(response + "<|im_end|>").tolist()
    one = request(
        (model, processor), replace(OURS, max_tokens=100, **change), (), None, suppress=(), targets=targets,
        pictures=tuple(picture(k, size) for k, size in enumerate(sizes)), measure=lambda region: told,
    )  # fmt: skip
    one = replace(one, forced=Forced())
    seen: list[torch.Tensor] = []
    predict = model.predict

    def write(hidden: torch.Tensor) -> torch.Tensor:
        seen.append(predict(hidden)[0])
        return F.one_hot(torch.tensor([ids[len(seen) - 1]]), len(seen[0])).float()

    model.predict = write  # type: ignore[method-assign]
    drawn = regions([*run((model, processor), one)])
    del model.predict
    written = ids[: len(seen)]  # ends with </answer>
    assert processor.decode(written).endswith("</answer>") and len(drawn) == 3
    sample = Sample(
        one.inputs.images, "<image>\nWhat?\n", response, tuple(r.mask for r in drawn),
        tuple(targets[r.target].image for r in drawn), tuple((t.image, t.sar) for t in targets if t.sar is not None),
        (told,) * 3 if told else None,
    )  # fmt: skip
    batch = collate(
        processor, [sample], one.rules.region_rule, region_mode=one.rules.region_mode, fusion_mode=one.rules.fusion
    )
    with torch.no_grad():
        out = model(**batch)
    learnt = out.logits[0, :-1][batch["labels"][0, 1:] != IGNORED]
    torch.testing.assert_close(learnt[: len(seen)], torch.stack(seen), atol=2e-4, rtol=1e-4)
    for mine, region in zip(out.mask_logits, drawn, strict=True):
        np.testing.assert_allclose(mine.sigmoid().numpy(), region.probability, atol=1e-4)
    if one.rules.fusion == "adaptive" and targets[0].sar is not None:
        assert 0 < sum(r.sar_share for r in drawn) < 3, "a case where both sensors are taken"


def test_a_placeholder_for_pictures_is_never_written(
    tiny: tuple[TerraScopeModel, Processor], monkeypatch: pytest.MonkeyPatch
) -> None:
    model, processor = tiny
    image, predict = processor.ids["image"], model.predict

    def eager(hidden: torch.Tensor) -> torch.Tensor:
        logits = predict(hidden).clone()
        logits[..., image] += 1e4
        return logits

    monkeypatch.setattr(model, "predict", eager)
    steps = run(tiny, request(tiny, seg_at=(), end_at=12, suppress=()))
    assert [s for s in steps if isinstance(s, Token)]
    assert image not in [s.id for s in steps if isinstance(s, Token)]
