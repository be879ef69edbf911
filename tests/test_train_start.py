"""A start from published parts, and the rows of tokens that those have never seen."""

from __future__ import annotations

from pathlib import Path

import pytest

pytest.importorskip("torch")
pytest.importorskip("transformers")
pytest.importorskip("peft")
pytest.importorskip("pyarrow")

import torch
from tokenizers import AddedToken, Tokenizer, decoders, models, pre_tokenizers, trainers
from transformers import PreTrainedTokenizerFast

from terrascope_nb.errors import AlreadyThere, InvalidInput
from terrascope_nb.model.config import ADDED, SPECIAL
from terrascope_nb.model.loading import load
from terrascope_nb.model.tiny import tiny_model
from terrascope_nb.train.parts import begin, end
from terrascope_nb.train.rows import added_ids
from terrascope_nb.train.stage import StageConfig
from terrascope_nb.train.start import assemble


@pytest.fixture
def parts(tmp_path: Path) -> Path:
    """InternVL and SAM 2 as others publish them, tiny; the tokenizer knows nothing of ours."""
    model, _ = tiny_model(5)
    tokenizer = Tokenizer(models.BPE())
    tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    tokenizer.decoder = decoders.ByteLevel()
    alphabet = sorted(pre_tokenizers.ByteLevel.alphabet())
    tokenizer.train_from_iterator(
        ["water"], trainers.BpeTrainer(vocab_size=260, show_progress=False, initial_alphabet=alphabet)
    )
    names = ["<|endoftext|>", *[SPECIAL[k] for k in ("turn", "end", "image_start", "image_end", "image")]]
    tokenizer.add_special_tokens([AddedToken(n, special=True, normalized=False) for n in names])
    fast = PreTrainedTokenizerFast(tokenizer_object=tokenizer, eos_token=SPECIAL["end"], pad_token="<|endoftext|>")
    model.vlm.resize_token_embeddings(len(fast), mean_resizing=False)
    model.vlm.config.image_token_id = fast.convert_tokens_to_ids(SPECIAL["image"])
    model.vlm.save_pretrained(tmp_path / "vlm")
    fast.save_pretrained(tmp_path / "vlm")
    (tmp_path / "vlm" / "LICENSE").write_text("MIT License\n")
    model.sam.save_pretrained(tmp_path / "sam")
    return tmp_path


def test_published_parts_are_put_together(parts: Path) -> None:
    made = assemble(parts / "vlm", parts / "sam", parts / "start", "fp32")
    model, processor = load(made, "cpu")
    first, _ = tiny_model(5)
    assert torch.equal(model.sam.mask_decoder.mask_tokens.weight, first.sam.mask_decoder.mask_tokens.weight)
    old = len(processor.tokenizer) - len(ADDED)
    assert processor.ids["seg"] == old + ADDED.index("[SEG]")
    assert torch.equal(model.vlm.lm_head.weight[:40], first.vlm.lm_head.weight[:40])
    rows = model.vlm.lm_head.weight[old:]
    assert rows.std() > 0 and len({tuple(r.tolist()) for r in rows}) == len(ADDED)
    assert added_ids(model).tolist() == processor.tokenizer.convert_tokens_to_ids(list(ADDED))
    assert "MIT License" in model.checkpoint.licence
    for name, weight in (
        load(assemble(parts / "vlm", parts / "sam", parts / "again", "fp32"), "cpu")[0].state_dict().items()
    ):
        assert torch.equal(weight, model.state_dict()[name]), name
    with pytest.raises(AlreadyThere, match="there already"):
        assemble(parts / "vlm", parts / "sam", parts / "start")


@pytest.mark.parametrize(
    ("vlm", "sam", "words"), [("sam", "sam", "'sam2', wanted is 'internvl'"), ("vlm", "vlm", "wanted is 'sam2'")]
)
def test_other_networks_are_refused(parts: Path, vlm: str, sam: str, words: str) -> None:
    with pytest.raises(InvalidInput, match=words):
        assemble(parts / vlm, parts / sam, parts / "out")
    assert not (parts / "out").exists()


def test_new_rows_alone_are_trained() -> None:
    model, processor = tiny_model()
    stage = StageConfig("words", (), new_tokens=True)
    before = {n: p.detach().clone() for n, p in model.named_parameters()}
    ids = processor.encode("water [SEG] covers <think>")[None]
    said = model.predict(model.read(model.embed(ids)))
    begin(model, stage, 0)
    assert [n for n, p in model.named_parameters() if p.requires_grad] == [
        "vlm.model.language_model.embed_tokens.rows", "vlm.lm_head.rows",
    ]  # fmt: skip
    assert torch.allclose(model.predict(model.read(model.embed(ids))), said, atol=1e-5)
    optimiser = torch.optim.SGD([p for p in model.parameters() if p.requires_grad], lr=0.1)
    loss = torch.nn.functional.cross_entropy(model.predict(model.read(model.embed(ids)))[0, :-1], ids[0, 1:])
    loss.backward()
    optimiser.step()
    after = model.predict(model.read(model.embed(ids)))
    end(model, None, torch.float32)
    assert torch.allclose(model.predict(model.read(model.embed(ids))), after, atol=1e-5)
    mine = added_ids(model)
    others = torch.ones(len(processor.tokenizer), dtype=torch.bool)
    others[mine] = False
    for name, weight in model.named_parameters():
        if name in ("vlm.model.language_model.embed_tokens.weight", "vlm.lm_head.weight"):
            assert torch.equal(weight[others], before[name][others])
            assert not torch.equal(weight[mine], before[name][mine])
        else:
            assert torch.equal(weight, before[name])


def test_tokens_that_lie_apart_are_refused() -> None:
    model, _ = tiny_model()
    model.config.region_token_id += 1
    with pytest.raises(InvalidInput, match="must follow one another"):
        begin(model, StageConfig("words", (), new_tokens=True), 0)
