"""A tiny random LLaVA, made here, as the reasoner `hf-vlm`: streaming, letters, limits, cancelling, refusals."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import terrascope_nb as ts
from terrascope_nb.errors import InvalidInput, MissingPackage, NotFound, TooLarge
from terrascope_nb.reason.answers import Choices
from terrascope_nb.reason.events import Answer, Mask, Progress, Text
from terrascope_nb.scene.scene import Scene
from terrascope_nb.scene.synthetic import synthetic_scene

torch = pytest.importorskip("torch")
pytest.importorskip("transformers")

from terrascope_nb.model import baseline_vlm  # noqa: E402
from terrascope_nb.model.baseline_vlm import HFVLMReasoner  # noqa: E402

TEMPLATE = (
    "{% for m in messages %}<|im_start|>{{ m['role'] }}\n{% for c in m['content'] %}"
    "{% if c['type'] == 'image' %}<image>\n{% else %}{{ c['text'] }}{% endif %}{% endfor %}<|im_end|>\n{% endfor %}"
    "{% if add_generation_prompt %}<|im_start|>assistant\n{% endif %}"
)


def tiny_llava(folder: Path) -> None:
    """Write a random LLaVA of about 50,000 weights with its processor, which needs Pillow alone."""
    from tokenizers import AddedToken, Tokenizer
    from transformers import (
        CLIPVisionConfig,
        LlamaConfig,
        LlavaConfig,
        LlavaForConditionalGeneration,
        LlavaProcessor,
        PreTrainedTokenizerFast,
    )
    from transformers.models.clip.image_processing_pil_clip import CLIPImageProcessorPil

    from terrascope_nb.model.tiny import tiny_tokenizer

    spelling = Tokenizer.from_str(tiny_tokenizer().backend_tokenizer.to_str())
    spelling.add_special_tokens([AddedToken("<image>", special=True, normalized=False)])
    tokenizer = PreTrainedTokenizerFast(tokenizer_object=spelling, eos_token="<|im_end|>", pad_token="<|endoftext|>")
    vision = CLIPVisionConfig(
        hidden_size=16, intermediate_size=32, num_hidden_layers=2, num_attention_heads=2, image_size=28, patch_size=14
    )
    text = LlamaConfig(
        vocab_size=len(tokenizer), hidden_size=32, intermediate_size=64, num_hidden_layers=2, num_attention_heads=2,
        num_key_value_heads=2, max_position_embeddings=8192, bos_token_id=None,
        eos_token_id=tokenizer.eos_token_id, pad_token_id=tokenizer.pad_token_id,
    )  # fmt: skip
    place = tokenizer.convert_tokens_to_ids("<image>")
    config = LlavaConfig(vision_config=vision, text_config=text, image_token_index=place, vision_feature_layer=-2)
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(3)
        LlavaForConditionalGeneration(config).save_pretrained(folder)
    pixels = CLIPImageProcessorPil(size={"shortest_edge": 28}, crop_size={"height": 28, "width": 28})
    LlavaProcessor(
        pixels, tokenizer, patch_size=14, vision_feature_select_strategy="default", num_additional_image_tokens=1,
        chat_template=TEMPLATE,
    ).save_pretrained(folder)  # fmt: skip


@pytest.fixture(scope="module")
def saved(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("llava")
    tiny_llava(folder)
    return folder


@pytest.fixture
def copy(saved: Path, tmp_path: Path) -> Path:
    return Path(shutil.copytree(saved, tmp_path / "copy"))


@pytest.fixture(scope="module")
def scene() -> Scene:
    return synthetic_scene(np.random.default_rng(0), size=48).scene


@pytest.fixture(scope="module")
def opened(saved: Path) -> HFVLMReasoner:
    return HFVLMReasoner(saved, device="cpu", max_tokens=12)


def says(reasoner: HFVLMReasoner, monkeypatch: pytest.MonkeyPatch, text: str, end: bool = True) -> list[int]:
    """Let the model «write» a text, as generate would; gives the list that the ids it got to are put into."""
    tokenizer = reasoner._processor.tokenizer
    ids = tokenizer.encode(text) + ([tokenizer.eos_token_id] if end else [])
    got: list[int] = []

    def generate(input_ids: Any, streamer: Any, stopping_criteria: Any, max_new_tokens: int, **_: Any) -> None:
        streamer.put(input_ids)
        for k in ids[:max_new_tokens]:
            got.append(k)
            streamer.put(torch.tensor([k]))
            if bool(stopping_criteria(torch.tensor([got]), None).all()):
                break
        streamer.end()

    monkeypatch.setattr(reasoner._model, "generate", generate)
    return got


# ---- the real, random model ---------------------------------------------------------------------------------------


def test_the_stream_is_what_generate_gives(opened: HFVLMReasoner, scene: Scene) -> None:
    events = list(opened.stream(scene, "What is there?"))
    inputs = opened._inputs(scene, "What is there?", None)
    ids = opened._model.generate(**inputs, max_new_tokens=12, do_sample=False)[0, inputs["input_ids"].shape[1] :]
    said = [int(k) for k in ids if int(k) not in opened._unsaid]
    want = opened._processor.tokenizer.decode(said, skip_special_tokens=False)
    assert "".join(e.text for e in events if isinstance(e, Text)) == want
    assert len([e for e in events if isinstance(e, Text | Progress)]) >= len(ids) > 0, "at least one event a token"
    assert isinstance(events[-1], Answer) and not any(isinstance(e, Mask) for e in events)
    assert events[-1].finish == "limit" and "12 tokens" in events[-1].reason


def test_a_trace_comes_of_it(opened: HFVLMReasoner, scene: Scene) -> None:
    trace = ts.ask(scene, "Is there water?", ["yes", "no"], reasoner=opened)
    again = ts.ask(scene, "Is there water?", ["yes", "no"], reasoner=opened)
    assert trace.steps == () and trace.reasoner == "hf-vlm" and trace.text == again.text
    assert trace.provenance["options"]["architecture"] == "llava"
    assert trace.provenance["options"]["weights"].startswith("model.safetensors:")
    assert "Is there water?" in trace._repr_mimebundle_()["text/html"]


def test_the_images_reach_the_model(opened: HFVLMReasoner, scene: Scene) -> None:
    one, both = (opened._inputs(s, "?", None) for s in (scene.select(modalities="optical"), scene))
    assert one["pixel_values"].shape == (1, 3, 28, 28) and both["pixel_values"].shape == (2, 3, 28, 28)
    blank = opened._inputs(scene.select(modalities="optical").blank("optical"), "?", None)
    assert not torch.equal(one["pixel_values"], blank["pixel_values"])
    image = opened._model.config.image_token_id
    assert (both["input_ids"] == image).sum() == 2 * (one["input_ids"] == image).sum() == 8


def test_number_types(saved: Path, scene: Scene) -> None:
    half = HFVLMReasoner(saved, device="cpu", dtype="bf16", max_tokens=3)
    assert half._model.dtype == torch.bfloat16 and half.options["dtype"] == "bf16"
    assert isinstance(list(half.stream(scene, "?"))[-1], Answer)


# ---- what is made of a text ---------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("text", "answer", "choice", "value", "unit"),
    [
        ("B", "B", "B", 20.0, "%"),
        ("<think> A lake. </think><answer> (C) </answer>", "(C)", "C", 30.0, "%"),
        ("It looks wet.</think>\nA. 10 %", "A. 10 %", "A", 10.0, "%"),
        ("Cropland, I think", "Cropland, I think", None, None, ""),
        ("", "", None, None, ""),
    ],
)
def test_letters(
    saved: Path, scene: Scene, monkeypatch: Any, text: str, answer: str, choice: Any, value: Any, unit: str
) -> None:
    reasoner = HFVLMReasoner(saved, device="cpu")
    says(reasoner, monkeypatch, text)
    got = list(reasoner.stream(scene, "How much water?", ["10 %", "20 %", "30 %"]))[-1]
    assert (got.text, got.choice, got.value, got.unit, got.finish) == (answer, choice, value, unit, "stop")


def test_published_letter_rules(saved: Path, scene: Scene, monkeypatch: pytest.MonkeyPatch) -> None:
    reasoner = HFVLMReasoner(saved, device="cpu", letter_rule="terrascope-bench")
    says(reasoner, monkeypatch, "Cropland")
    assert list(reasoner.stream(scene, "Which?", ["10 %", "20 %", "30 %"]))[-1].choice == "C"


def test_an_open_question_may_have_a_number(saved: Path, scene: Scene, monkeypatch: pytest.MonkeyPatch) -> None:
    reasoner = HFVLMReasoner(saved, device="cpu")
    says(reasoner, monkeypatch, "<answer>17.5 %</answer>")
    got = list(reasoner.stream(scene, "How much water?"))[-1]
    assert (got.text, got.value, got.unit) == ("17.5 %", 17.5, "%")


def test_letters_of_several_bytes_come_whole(saved: Path, scene: Scene, monkeypatch: pytest.MonkeyPatch) -> None:
    text = "Größe 3 km² – 水 🛰, that is all"
    reasoner = HFVLMReasoner(saved, device="cpu")
    ids = says(reasoner, monkeypatch, text)
    events = list(reasoner.stream(scene, "?"))
    pieces = [e.text for e in events if isinstance(e, Text)]
    assert "".join(pieces) == text and not any("\ufffd" in p for p in pieces)
    assert len(events) >= len(ids), "a token without text is a Progress"


def test_half_a_letter_at_the_end_is_not_lost(saved: Path, scene: Scene, monkeypatch: pytest.MonkeyPatch) -> None:
    reasoner = HFVLMReasoner(saved, device="cpu", max_tokens=3)
    says(reasoner, monkeypatch, "ab🛰", end=False)
    events = list(reasoner.stream(scene, "?"))
    assert "".join(e.text for e in events if isinstance(e, Text)) == "ab\ufffd" and events[-1].finish == "limit"


def test_exactly_as_many_tokens_as_allowed(saved: Path, scene: Scene, monkeypatch: pytest.MonkeyPatch) -> None:
    reasoner = HFVLMReasoner(saved, device="cpu", max_tokens=2)
    says(reasoner, monkeypatch, "B")
    assert list(reasoner.stream(scene, "?", ["x", "y"]))[-1].finish == "stop"


# ---- the prompt ---------------------------------------------------------------------------------------------------


def asked(reasoner: HFVLMReasoner, scene: Scene, question: str, choices: Any = None) -> str:
    inputs = reasoner._inputs(scene, question, Choices.of(choices))
    text = reasoner._processor.tokenizer.decode(inputs["input_ids"][0])
    return str(text).replace("<image>", "")


def test_the_prompt(opened: HFVLMReasoner, scene: Scene) -> None:
    text = asked(opened, scene, " Is there {water}? ", ["yes", "no"])
    assert text.startswith("<|im_start|>user\n") and text.endswith("<|im_start|>assistant\n")
    assert "Image 1: optical, 2023-06-15.\nImage 2: sar, 2023-06-1" in text
    assert "Is there {water}?\nA. yes\nB. no\nAnswer with the letter" in text
    assert "Image 1" not in asked(opened, scene.select(modalities="optical"), "Is there water?")


def test_a_prompt_of_ones_own(saved: Path, scene: Scene) -> None:
    own = HFVLMReasoner(saved, device="cpu", prompt="Look closely {{}}. {question} Options:\n{options}")
    text = asked(own, scene, "Wet?", ["yes", "no"])
    assert "Look closely {}. Wet? Options:\nA. yes" in text and own.options["prompt"].startswith("Look")
    for prompt, words in (
        ("no field", "lacks {question}"),
        ("{question} {opts}", "did you mean 'options'"),
        ("{question", "written twice"),
        ("{} {question}", "unknown field of prompt"),
        ("{question.__class__}", "unknown field of prompt"),
    ):
        with pytest.raises(InvalidInput, match=words):
            HFVLMReasoner(saved, device="cpu", prompt=prompt)


def test_without_a_chat_template(copy: Path, scene: Scene) -> None:
    (copy / "chat_template.jinja").unlink()
    plain = HFVLMReasoner(copy, device="cpu", max_tokens=2)
    assert asked(plain, scene, "Wet?").startswith("\nImage 1: optical")
    assert isinstance(list(plain.stream(scene, "Wet?"))[-1], Answer)


# ---- cancelling and errors on the way -----------------------------------------------------------------------------


def test_closing_stops_the_model(saved: Path, scene: Scene) -> None:
    import threading

    reasoner = HFVLMReasoner(saved, device="cpu", max_tokens=8000)
    made: list[int] = []
    reasoner._model.register_forward_pre_hook(lambda *_: made.append(1))
    reasoner._model.generation_config.eos_token_id = None
    events: Iterator[Any] = reasoner.stream(scene, "?")
    for _ in range(3):
        next(events)
    events.close()
    at_close = len(made)
    assert at_close < 200, "far from the 8,000 that were allowed"
    assert not [t for t in threading.enumerate() if t.name.startswith("hf-vlm")]
    assert len(made) == at_close


def test_an_error_inside_the_model_comes_out(saved: Path, scene: Scene, monkeypatch: pytest.MonkeyPatch) -> None:
    reasoner = HFVLMReasoner(saved, device="cpu")

    def fails(**_: Any) -> None:
        raise RuntimeError("shapes differ")

    monkeypatch.setattr(reasoner._model, "generate", fails)
    with pytest.raises(RuntimeError, match="shapes differ"):
        list(reasoner.stream(scene, "?"))

    def full(**_: Any) -> None:
        raise torch.OutOfMemoryError("CUDA out of memory. Tried to allocate 2 GiB")

    monkeypatch.setattr(reasoner._model, "generate", full)
    with pytest.raises(TooLarge, match=r"answering with .* needs .* GB on cpu; free there is"):
        list(reasoner.stream(scene, "?"))


def test_a_processor_that_refuses(opened: HFVLMReasoner, scene: Scene, monkeypatch: pytest.MonkeyPatch) -> None:
    class Fussy:
        chat_template = None
        image_token = "<image>"

        def __call__(self, **_: Any) -> None:
            raise ValueError("one image at most")

    monkeypatch.setattr(opened, "_processor", Fussy())
    with pytest.raises(InvalidInput, match="refuses 2 images .* one image at most.*scene.select"):
        opened._inputs(scene, "?", None)
    monkeypatch.setattr(Fussy, "image_token", None)
    with pytest.raises(InvalidInput, match="neither a chat template nor an image token"):
        opened._inputs(scene, "?", None)


# ---- folders that will not do -------------------------------------------------------------------------------------


def edit(folder: Path, name: str, **changes: Any) -> None:
    path = folder / name
    path.write_text(json.dumps(json.loads(path.read_text("utf-8")) | changes), "utf-8")


def needs_code(folder: Path) -> None:
    (folder / "own.py").write_text("raise SystemExit('code from the folder was run')", "utf-8")
    theirs = {"AutoConfig": "own.C", "AutoModelForImageTextToText": "own.M"}
    edit(folder, "config.json", model_type="own", auto_map=theirs)


def needs_code_for_pixels(folder: Path) -> None:
    (folder / "own.py").write_text("raise SystemExit('code from the folder was run')", "utf-8")
    edit(folder, "processor_config.json", processor_class="OwnProcessor", auto_map={"AutoProcessor": "own.P"})


def pickled(folder: Path) -> None:
    (folder / "model.safetensors").rename(folder / "pytorch_model.bin")


@pytest.mark.parametrize(
    ("spoil", "kind", "words"),
    [
        (needs_code, InvalidInput, "code of its own, which is never run"),
        (needs_code_for_pixels, InvalidInput, "code of its own, which is never run"),
        (pickled, NotFound, "pickles only"),
        (lambda f: (f / "config.json").write_text('{"model_type": "bert"}', "utf-8"), InvalidInput, "'bert': no image"),
        (lambda f: (f / "config.json").unlink(), InvalidInput, "cannot be opened"),
        (lambda f: (f / "processor_config.json").unlink(), InvalidInput, "cannot be opened|does not take text"),
    ],
)
def test_what_cannot_be_opened(copy: Path, spoil: Callable[[Path], None], kind: type, words: str) -> None:
    spoil(copy)
    with pytest.raises(kind, match=words):
        HFVLMReasoner(copy, device="cpu")


def test_a_missing_package_is_named(saved: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def wants(*_: Any, **__: Any) -> None:
        raise ImportError("\nInternVLProcessor requires the Torchvision library but it was not found.")

    monkeypatch.setattr(baseline_vlm.AutoProcessor, "from_pretrained", wants)
    with pytest.raises(MissingPackage, match="needs torchvision, which is not installed: pip install torchvision"):
        HFVLMReasoner(saved, device="cpu")


def test_a_real_processor_that_needs_torchvision(copy: Path) -> None:
    """InternVL's processor has a video half, which transformers builds on torchvision alone."""
    import importlib.util

    if importlib.util.find_spec("torchvision") is not None:
        pytest.skip("torchvision is installed here")
    video = {"video_processor_type": "InternVLVideoProcessor"}
    edit(copy, "processor_config.json", processor_class="InternVLProcessor", video_processor=video)
    with pytest.raises(MissingPackage, match="pip install torchvision"):
        HFVLMReasoner(copy, device="cpu")


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"max_tokens": 0}, "at least 1"),
        ({"letter_rule": "stric"}, "did you mean 'strict'"),
        ({"device": "gpu"}, "unknown device"),
        ({"dtype": "int8"}, "unknown dtype"),
    ],
)
def test_options_are_checked(saved: Path, options: dict[str, Any], words: str) -> None:
    with pytest.raises(InvalidInput, match=words):
        HFVLMReasoner(saved, **{"device": "cpu", **options})
