"""The network: sizes that fit, parts that agree with themselves, losses and gradients, files."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest

pytest.importorskip("torch")
pytest.importorskip("transformers")

import torch
from transformers import Qwen2Model

from terrascope_nb.errors import InvalidInput
from terrascope_nb.model.build import HIERA_LARGE, build_config
from terrascope_nb.model.config import TerraScopeConfig
from terrascope_nb.model.network import TerraScopeModel, mask_losses
from terrascope_nb.model.processor import Processor
from terrascope_nb.model.samples import IGNORED, Sample, collate
from terrascope_nb.model.tiny import tiny_config, tiny_model


@pytest.fixture(scope="module", autouse=True)
def one_thread() -> Iterator[None]:
    """Networks as small as these are no faster on several, and much slower where others work beside them."""
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(threads)


@pytest.fixture(scope="module")
def tiny() -> tuple[TerraScopeModel, Processor]:
    return tiny_model(1)


def picture(seed: int = 0, size: tuple[int, int] = (40, 40)) -> np.ndarray:
    return np.random.default_rng(seed).integers(0, 255, (*size, 3), dtype=np.uint8)


def block(size: tuple[int, int] = (40, 40)) -> np.ndarray:
    mask = np.zeros(size, bool)
    mask[: size[0] // 2, : size[1] // 2] = True
    return mask


# ---- configuration ---------------------------------------------------------------------------------------------
def test_a_configuration_survives_its_file(tmp_path: Path) -> None:
    config = tiny_config(region_rule="published", origin={"revision": "abc"})
    config.save_pretrained(tmp_path)
    again = TerraScopeConfig.from_pretrained(tmp_path)
    assert again.to_dict() == config.to_dict()
    assert (again.tile, again.grid, again.sam_size, again.width, again.prompt_width) == (112, 4, 128, 64, 32)


def test_the_published_size_is_what_it_says() -> None:
    config = build_config(
        vision={"hidden_size": 1024, "intermediate_size": 4096, "num_hidden_layers": 24, "num_attention_heads": 16},
        llm={"vocab_size": 151685, "hidden_size": 3584, "intermediate_size": 18944, "num_hidden_layers": 28,
             "num_attention_heads": 28, "num_key_value_heads": 4},
    )  # fmt: skip
    with torch.device("meta"):
        model = TerraScopeModel(config)
    count = {n: sum(p.numel() for p in m.parameters()) for n, m in (("all", model), ("sam", model.sam))}
    assert 8.1e9 < count["all"] < 8.4e9 and 2.1e8 < count["sam"] < 2.25e8  # without its memory parts
    assert (config.tile, config.grid, config.sam_size, config.prompt_width) == (448, 16, 1024, 256)
    assert not config.vlm_config.tie_word_embeddings and config.vlm_config.vision_config.attention_bias
    assert config.vlm_config.text_config.rope_parameters["rope_theta"] == 1e6
    assert model.vlm.lm_head.weight is not model.get_input_embeddings().weight


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"region_rule": "papers"}, "did you mean 'paper'"),
        ({"max_tiles": 0}, "max_tiles is at least 1, got 0"),
        ({"seg_token_id": 10**6}, "outside the vocabulary of"),
    ],
)
def test_contradictions_are_refused(change: dict, words: str) -> None:
    with pytest.raises(InvalidInput, match=words):
        TerraScopeConfig(**{**tiny_config().to_dict(), **change})


def test_a_tile_that_the_patches_do_not_fill_is_refused() -> None:
    with pytest.raises(InvalidInput, match="multiple of 28 pixels, got 100 × 100"):
        tiny_config(tile=100)


LLM = {
    "vocab_size": 600, "hidden_size": 32, "intermediate_size": 64, "num_hidden_layers": 2, "num_attention_heads": 4,
    "num_key_value_heads": 2, "max_position_embeddings": 32,
}  # fmt: skip
VISION = {"hidden_size": 32, "intermediate_size": 64, "num_hidden_layers": 1, "num_attention_heads": 2}


def test_dynamic_scaling_of_positions_is_none_up_to_the_length_trained_with() -> None:
    """What the published configurations state of ``rope_scaling``."""
    states = []
    for scaling in (None, {"type": "dynamic", "rope_type": "dynamic", "factor": 2.0}):
        ids = {"image": 1, "seg": 2, "region": 3}
        rope = build_config(VISION, {**LLM, "rope_scaling": scaling}, tokens=ids).vlm_config.text_config
        torch.manual_seed(0)
        model = Qwen2Model(rope).eval()
        text = torch.randn(1, 48, 32, generator=torch.Generator().manual_seed(1))
        with torch.no_grad():
            states.append([model(inputs_embeds=text[:, :n]).last_hidden_state for n in (31, 48)])
    assert torch.equal(states[0][0], states[1][0]), "within 32 positions it is nothing"
    assert not torch.allclose(states[0][1], states[1][1]), "beyond, it is done"


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"rope_scaling": {"type": "yarn", "factor": 4.0}}, r"rope_scaling {'type': 'yarn', 'factor': 4.0}: known are"),
        ({"rope_scaling": {"rope_type": "dynamic"}}, "dynamic with a factor of at least 1"),
        ({"rope_parameters": {"rope_type": "linear", "factor": 2.0, "rope_theta": 1e6}}, "'linear'"),
        ({"use_sliding_window": True}, "use_sliding_window, which is not built"),
        ({"hidden_act": "gelu"}, "hidden_act is silu, got 'gelu'"),
    ],
)
def test_what_the_language_model_does_not_do_is_refused(change: dict, words: str) -> None:
    with pytest.raises(InvalidInput, match=words):
        build_config(VISION, {**LLM, **change})


def test_the_largest_hiera_is_the_default() -> None:
    assert HIERA_LARGE["embed_dim"] == 144 and HIERA_LARGE["global"] == (23, 33, 43)


# ---- files -----------------------------------------------------------------------------------------------------
def test_saved_in_shards_and_read_again_it_is_the_same(tiny, tmp_path: Path) -> None:
    model, processor = tiny
    model.save_pretrained(tmp_path, max_shard_size="500KB")
    processor.save_pretrained(tmp_path)
    index = json.loads((tmp_path / "model.safetensors.index.json").read_text())
    assert len(set(index["weight_map"].values())) > 1
    assert not list(tmp_path.glob("*.bin"))
    again = TerraScopeModel.from_pretrained(tmp_path).eval()
    for name, tensor in model.state_dict().items():
        assert torch.equal(tensor, again.state_dict()[name]), name
    inputs = Processor.from_pretrained(tmp_path).prepare([picture()], "<image>\nWhat?\n")
    with torch.no_grad():
        one, other = (m.read(m.embed(inputs.ids[None], m.visual(inputs.tiles))) for m in (model, again))
    assert torch.equal(one, other)


# ---- segmenter -------------------------------------------------------------------------------------------------
def test_many_masks_in_one_call_are_those_of_many_calls(tiny) -> None:
    model, processor = tiny
    prompts = torch.randn(5, model.config.prompt_width, generator=torch.Generator().manual_seed(0))
    before = model.segmenter.encoder_calls
    with torch.no_grad():
        encoded = model.segmenter.encode(processor.sam_pixels(picture())[None])
        together = model.segmenter.decode(encoded, prompts)
        alone = [model.segmenter.decode(encoded, p[None]) for p in prompts]
    assert model.segmenter.encoder_calls == before + 1
    assert together.logits.shape == (1, 5, 32, 32) and together.iou.shape == (1, 5)
    torch.testing.assert_close(together.logits, torch.cat([a.logits for a in alone], 1), atol=1e-5, rtol=1e-4)
    torch.testing.assert_close(together.at((7, 91))[0, 3], alone[3].at((7, 91))[0, 0], atol=1e-5, rtol=1e-4)


def test_masks_of_several_images_are_those_of_each(tiny) -> None:
    model, processor = tiny
    prompts = torch.randn(2, 3, model.config.prompt_width, generator=torch.Generator().manual_seed(0))
    pixels = torch.stack([processor.sam_pixels(picture(k)) for k in range(2)])
    with torch.no_grad():
        encoded = model.segmenter.encode(pixels)
        together = model.segmenter.decode(encoded, prompts)
        for k in range(2):
            alone = model.segmenter.decode(encoded.pick(k), prompts[k])
            torch.testing.assert_close(together.logits[k : k + 1], alone.logits, atol=1e-5, rtol=1e-4)


def test_the_segmenter_refuses_what_does_not_fit(tiny) -> None:
    model, processor = tiny
    with pytest.raises(InvalidInput, match=r"\(B, 3, 128, 128\) here, got \(1, 3, 64, 64\)"):
        model.segmenter.encode(torch.zeros(1, 3, 64, 64))
    encoded = model.segmenter.encode(processor.sam_pixels(picture())[None])
    with pytest.raises(InvalidInput, match="1 encoded images and prompts for 2"):
        model.segmenter.decode(encoded, torch.zeros(2, 1, model.config.prompt_width))


def test_placeholders_and_features_are_counted(tiny) -> None:
    model, processor = tiny
    inputs = processor.prepare([picture()], "<image>\nWhat?\n")
    with pytest.raises(InvalidInput, match="has 16 image placeholders, the pictures give 15 visual tokens"):
        model.embed(inputs.ids, model.visual(inputs.tiles)[:15])


# ---- training --------------------------------------------------------------------------------------------------
def sample(response: str = "<think> water [SEG] here </think><answer> A </answer>", count: int = 1, **more) -> Sample:
    return Sample((picture(),), "<image>\nWhat?\n", response, (block(),) * count, **more)


def test_a_sample_is_laid_out_as_decoding_would_write_it(tiny) -> None:
    _, processor = tiny
    batch = collate(processor, [sample(measured=(" (25.0 %)",))])
    text = processor.decode(batch["input_ids"][0])
    assert text.endswith(
        "assistant\n<think> water [SEG]<REGION><REGION><REGION><REGION> (25.0 %) here </think>"
        "<answer> A </answer><|im_end|>"
    )
    learnt = batch["input_ids"][0][batch["labels"][0] != IGNORED]
    assert processor.decode(learnt) == "<think> water [SEG] here </think><answer> A </answer><|im_end|>"
    assert batch["region_tokens"].tolist() == [0, 1, 4, 5]


def test_the_loss_is_text_plus_half_the_masks(tiny) -> None:
    model, processor = tiny
    batch = collate(processor, [sample(), sample("<think> none </think><answer> B </answer>", 0)])
    out = model(**batch)
    torch.testing.assert_close(out.loss, out.text_loss + 0.5 * out.mask_loss)
    assert out.mask_logits[0].shape == (40, 40)
    dice, pixels = mask_losses(out.mask_logits[0], torch.from_numpy(block()))
    torch.testing.assert_close((out.dice_loss, out.pixel_loss, out.mask_loss), (dice, pixels, dice + pixels))


def test_the_mask_loss_is_dice_plus_cross_entropy() -> None:
    true = torch.from_numpy(block())
    sure = torch.where(true, 50.0, -50.0)
    assert sum(mask_losses(sure, true)).item() == pytest.approx(0, abs=1e-3)
    dice, pixels = mask_losses(torch.zeros(40, 40), true)
    assert dice.item() == pytest.approx(1 - (2 * 200 + 1) / (800 + 400 + 1), abs=1e-6)
    assert pixels.item() == pytest.approx(np.log(2), abs=1e-6)
    empty = torch.zeros(4, 4, dtype=torch.bool)
    assert sum(mask_losses(torch.full((4, 4), -50.0), empty)).item() == pytest.approx(0, abs=1e-6)


def test_without_keeping_logits_losses_and_gradients_are_the_same(tiny) -> None:
    model, processor = tiny
    batch = collate(processor, [sample(), sample("<think> none </think><answer> B </answer>", 0)])
    grads = []
    for keep in (True, False):
        model.zero_grad()
        out = model(**batch, keep_logits=keep)
        out.loss.backward()
        grads.append((out.loss, *(p.grad for p in model.parameters() if p.grad is not None)))
        assert (out.logits is None) == (not keep)
    for a, b in zip(*grads, strict=True):
        torch.testing.assert_close(a, b, atol=1e-5, rtol=1e-4)
    model.zero_grad()


def test_gradient_flows_through_bridge_and_decoder_into_both_encoders(tiny) -> None:
    model, processor = tiny
    model.zero_grad()
    model(**collate(processor, [sample()])).mask_loss.backward()
    for name in (
        "bridge.0.weight", "bridge.2.weight", "sam.mask_decoder.upscale_conv1.weight", "sam.no_memory_embedding",
        "sam.vision_encoder.backbone.patch_embed.projection.weight",
        "vlm.model.language_model.layers.0.mlp.up_proj.weight", "vlm.model.multi_modal_projector.linear_1.weight",
        "vlm.model.vision_tower.embeddings.patch_embeddings.projection.weight",
    ):  # fmt: skip
        grad = model.get_parameter(name).grad
        assert grad is not None and float(grad.abs().sum()) > 0, name
    model.zero_grad()


def test_features_of_the_true_mask_are_what_is_injected(tiny) -> None:
    """Another mask of the same text changes what is written after it, and nothing before."""
    model, processor = tiny
    one = collate(processor, [sample()])
    other = {**one, "region_tokens": one["region_tokens"] + 10}
    with torch.no_grad():
        a, b = model(**one).logits[0], model(**other).logits[0]
    first = int((one["input_ids"][0] == processor.ids["region"]).nonzero()[0])
    assert torch.equal(a[:first], b[:first]) and not torch.allclose(a[first:], b[first:])


def test_padding_changes_no_loss(tiny) -> None:
    model, processor = tiny
    short, long = sample(), sample("<think> water [SEG] here, and a good deal more text </think><answer> B </answer>")
    with torch.no_grad():
        alone = [model(**collate(processor, [s])) for s in (short, long)]
        both = model(**collate(processor, [short, long]))
    torch.testing.assert_close(both.mask_loss, (alone[0].mask_loss + alone[1].mask_loss) / 2, atol=1e-5, rtol=1e-4)
    counts = [int((collate(processor, [s])["labels"] != IGNORED).sum()) for s in (short, long)]
    mean = sum(float(o.text_loss) * n for o, n in zip(alone, counts, strict=True)) / sum(counts)
    assert float(both.text_loss) == pytest.approx(mean, rel=1e-4)


def test_two_sensors_that_are_equal_train_as_one(tiny) -> None:
    model, processor = tiny
    same = picture()
    two = Sample((same, same), "<image>\nWhat?\n", "<think> water [SEG] here </think><answer> A </answer>", (block(),))
    fused = Sample(two.images, two.prompt, two.response, two.masks, sar=((0, 1),))
    one, other = collate(processor, [two]), collate(processor, [fused])
    assert len(other["partners"]) == 1 and not one["partners"]
    with torch.no_grad():
        torch.testing.assert_close(model(**one).logits, model(**other).logits)


def test_concat_lays_out_and_reads_both_sensors(tiny) -> None:
    model, processor = tiny
    two = Sample(
        (picture(0), picture(1)), "<image>\nWhat?\n", "<think> water [SEG] here </think><answer> A </answer>",
        (block(),), sar=((0, 1),),
    )  # fmt: skip
    one, both = (collate(processor, [two], fusion_mode=mode) for mode in ("adaptive", "concat"))
    places = [int((b["input_ids"] == processor.ids["region"]).sum()) for b in (one, both)]
    assert places == [4, 8] and both["fusion_mode"] == "concat"
    with torch.no_grad():
        visual = model.visual(both["tiles"])
        features = model._features(visual, both["region_tokens"], both["partners"], "concat", "image")
        assert torch.equal(features, torch.cat([visual[[0, 1, 4, 5]], visual[[16, 17, 20, 21]]]))
        assert torch.isfinite(model(**both).loss)
    with pytest.raises(InvalidInput, match="have 4 <REGION>, 8 features were given"):
        model(**{**one, "fusion_mode": "concat"})


def test_the_released_training_query_is_all_text(tiny) -> None:
    _, processor = tiny
    two = Sample(
        (picture(0), picture(1)), "<image>\nWhat?\n", "<think> [SEG] </think><answer> A </answer>", (block(),),
        sar=((0, 1),),
    )  # fmt: skip
    ours, theirs = (collate(processor, [two], fusion_scope=s)["partners"][0].question for s in ("image", "selected"))
    assert processor.decode(ours) == "\nWhat?\n"
    assert "What?" in processor.decode(theirs) and "<answer> A </answer>" in processor.decode(theirs)
    assert not {processor.ids["image"], processor.ids["region"]} & set(theirs.tolist())
    with pytest.raises(InvalidInput, match="did you mean 'selected'"):
        collate(processor, [two], fusion_scope="select")


def test_checkpointed_gradients_are_the_same(tiny) -> None:
    model, processor = tiny
    batch = collate(processor, [sample()])
    grads = []
    model.train()
    for on in (False, True):
        if on:
            model.gradient_checkpointing_enable()
        model.zero_grad()
        model(**batch).loss.backward()
        grads.append({n: p.grad for n, p in model.named_parameters() if p.grad is not None})
    model.gradient_checkpointing_disable()
    model.zero_grad()
    model.eval()
    assert grads[0].keys() == grads[1].keys()
    for name, grad in grads[0].items():
        torch.testing.assert_close(grads[1][name], grad, msg=name)


def test_an_adapters_copy_of_the_segmenter_is_what_learns() -> None:
    peft = pytest.importorskip("peft")
    model, processor = tiny_model(2)
    wrapped = peft.get_peft_model(model, peft.LoraConfig(r=2, target_modules=["q_proj"], modules_to_save=["sam"]))
    wrapped(**collate(processor, [sample()])).loss.backward()
    grads = {n: p.grad for n, p in wrapped.named_parameters() if "sam.modules_to_save" in n and p.grad is not None}
    assert any("mask_decoder" in n and float(g.abs().sum()) > 0 for n, g in grads.items())


@pytest.mark.parametrize("autocast", [False, True])
def test_half_precision_learns_too(autocast: bool) -> None:
    model, processor = tiny_model(1)
    batch = collate(processor, [sample()])
    exact = float(model(**batch).loss.detach())
    model = model if autocast else model.to(torch.bfloat16)
    with torch.autocast("cpu", dtype=torch.bfloat16, enabled=autocast):
        out = model(**batch)
    out.loss.backward()
    assert float(out.loss.detach()) == pytest.approx(exact, rel=0.02)
    assert out.mask_logits[0].dtype == torch.float32
    assert all(torch.isfinite(p.grad).all() for p in model.parameters() if p.grad is not None)


def test_the_trainer_of_transformers_and_lora_take_it(tiny, tmp_path: Path) -> None:
    """Accumulation, checkpointing, evaluation; and what was learnt is merged into weights that load as any other."""
    peft = pytest.importorskip("peft")
    pytest.importorskip("accelerate")
    from transformers import Trainer, TrainingArguments

    model, processor = tiny_model(2)
    lora = peft.LoraConfig(
        r=2, target_modules=r"vlm\.model\.language_model\..*\.[qv]_proj",
        modules_to_save=["bridge", "multi_modal_projector", "mask_decoder"],
    )  # fmt: skip
    wrapped = peft.get_peft_model(model, lora)
    options = TrainingArguments(
        str(tmp_path), max_steps=2, per_device_train_batch_size=2, gradient_accumulation_steps=2, report_to=[],
        gradient_checkpointing=True, use_cpu=True, remove_unused_columns=False, label_names=["labels"],
        save_strategy="no", logging_strategy="no", disable_tqdm=True, prediction_loss_only=True,
    )  # fmt: skip
    data = [sample(), sample("<think> none </think><answer> B </answer>", 0), sample()]
    trainer = Trainer(wrapped, options, lambda s: {**collate(processor, s), "keep_logits": False}, data, data)
    before = {n: p.detach().clone() for n, p in wrapped.named_parameters()}
    trainer.train()
    assert np.isfinite(trainer.evaluate()["eval_loss"])
    changed = {n for n, p in wrapped.named_parameters() if not torch.equal(p, before[n])}
    assert all(any(n.find(part) > 0 for n in changed) for part in ("lora_B", "bridge", "projector", "mask_decoder"))
    assert not any("original_module" in n or "vision_tower" in n or "vision_encoder" in n for n in changed)
    merged = wrapped.merge_and_unload()
    merged.save_pretrained(tmp_path / "merged")
    again = TerraScopeModel.from_pretrained(tmp_path / "merged").state_dict()
    assert all(torch.equal(tensor, again[name]) for name, tensor in merged.state_dict().items())


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"masks": ()}, r"has 1 \[SEG\], 0 masks were given"),
        ({"mask_images": (3,)}, "mask 0 lies on image 3, the sample has 1"),
        ({"response": "a [SEG]<REGION>"}, "may not stand in a response"),
        ({"sar": ((0, 1),)}, r"sar pairs images \(optical, SAR\) of 1, got \(0, 1\)"),
    ],
)
def test_samples_whose_counts_differ_are_refused(change: dict, words: str) -> None:
    good = {"images": (picture(),), "prompt": "<image>", "response": "a [SEG]", "masks": (block(),)}
    with pytest.raises(InvalidInput, match=words):
        Sample(**{**good, **change})


def test_forward_counts_too(tiny) -> None:
    model, processor = tiny
    batch = collate(processor, [sample()])
    with pytest.raises(InvalidInput, match=r"have 4 <REGION>, 3 features were given"):
        model(**{**batch, "region_tokens": batch["region_tokens"][:3]})
    with pytest.raises(InvalidInput, match=r"have 1 \[SEG\], with them came 1 mask_images and 0 masks"):
        model(**{**batch, "masks": []})
    with pytest.raises(InvalidInput, match="1 masks came without sam_pixels"):
        model(**{**batch, "sam_pixels": None})
    nothing = torch.full_like(batch["labels"], IGNORED)
    with pytest.raises(InvalidInput, match=rf"all {nothing.numel()} labels are -100"):
        model(**{**batch, "labels": nothing})
    silent = torch.where(batch["labels"] == processor.ids["seg"], IGNORED, batch["labels"])
    with pytest.raises(InvalidInput, match=r"have 0 \[SEG\], with them came 1 mask_images and 1 masks"):
        model(**{**batch, "labels": silent})
