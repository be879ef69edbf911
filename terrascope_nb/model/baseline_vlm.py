"""`hf-vlm`: any Hugging Face image-text model as a reasoner, a baseline: writes text and letters, draws no mask."""

from __future__ import annotations

import string
from collections.abc import Iterator, Mapping
from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path
from queue import SimpleQueue
from threading import Event as Flag
from typing import Any

import torch
from transformers import (
    MODEL_FOR_IMAGE_TEXT_TO_TEXT_MAPPING,
    AutoConfig,
    AutoModelForImageTextToText,
    AutoProcessor,
    StoppingCriteria,
    StoppingCriteriaList,
)
from transformers.generation.streamers import BaseStreamer

from terrascope_nb._suggest import unknown
from terrascope_nb.errors import InvalidInput, MissingPackage
from terrascope_nb.model.convert import PATTERNS, weight_files
from terrascope_nb.model.devices import check_room, choose_device, choose_dtype, explain_out_of_memory, torch_dtype
from terrascope_nb.model.loading import hash_of, located
from terrascope_nb.reason.answers import LETTER_RULES, Choices
from terrascope_nb.reason.events import Event, Progress, Text
from terrascope_nb.reason.said import written_answer
from terrascope_nb.scene.scene import Scene

#: What is asked, unless `prompt` says otherwise. Fields: ``{images}``, ``{question}``, ``{options}``.
PROMPT = "{images}{question}\n{options}"
_WITH_OPTIONS = "Answer with the letter of the right option alone."
_WITHOUT = "Answer in one short sentence."
_TAGS = ("<think>", "</think>", "<answer>", "</answer>")
_MORE_FILES = (*PATTERNS, "*.jinja", "vocab.txt")


class HFVLMReasoner:
    """Answers by an image-text model; greedy, token by token.

    Parameters
    ----------
    model : str or Path
        A folder, or a name on the Hugging Face Hub (``HF_HUB_OFFLINE=1`` takes what is in the cache). Its own code is
        never run and its pickles never read: transformers must know the architecture.
    revision : str, optional
        Branch, tag or commit on the hub; the commit that it meant is recorded.
    device, dtype : str
        See `devices.choose_device` and `devices.choose_dtype`.
    max_tokens : int
        Most tokens written; an answer that they cut off has ``finish="limit"``.
    prompt : str, optional
        What is asked, `PROMPT` by default, with the fields ``{question}`` (needed), ``{options}`` (one a line, and how
        to answer) and ``{images}`` (for several images, which is which).
    letter_rule : str
        How the letter is read; see `read_letter`.

    Raises
    ------
    NotFound
        Without such a folder or repository, or without safetensors in it.
    InvalidInput
        For a model that is no image-text model, or needs code of its own.
    MissingPackage
        When its processor needs torchvision, or another package that is not installed.

    Notes
    -----
    The model sees each image of the scene as its 8-bit view. Text is passed on as it is written, tags and all; the
    answer is what stands in ``<answer>``, else behind ``</think>``, else the whole.
    """

    name = "hf-vlm"

    def __init__(
        self,
        model: str | Path,
        revision: str | None = None,
        device: str = "auto",
        dtype: str = "auto",
        max_tokens: int = 512,
        prompt: str | None = None,
        letter_rule: str = "strict",
    ) -> None:
        if max_tokens < 1:
            raise InvalidInput(f"max_tokens is at least 1, got {max_tokens}")
        if letter_rule not in LETTER_RULES:
            raise InvalidInput(unknown("letter rule", letter_rule, LETTER_RULES))
        self._prompt = PROMPT if prompt is None else _checked_prompt(prompt)
        self._max, self._rule = max_tokens, letter_rule
        where = choose_device(device)
        kind = choose_dtype(dtype, where)
        folder, commit = located(model, revision, _MORE_FILES)
        self._model, self._processor = _open(folder, str(model), where, kind)
        self._ends = _ends(self._model, self._processor)
        self._unsaid = self._ends | _control(self._processor.tokenizer)
        hashes = {f.name: hash_of(f) for f in weight_files(folder)}
        self.options: Mapping[str, Any] = {
            "model": str(model), "revision": commit or None, "architecture": self._model.config.model_type,
            "weights": " ".join(f"{n}:{h[:16]}" for n, h in hashes.items()), "device": str(where), "dtype": kind,
            "max_tokens": max_tokens, "prompt": self._prompt, "letter_rule": letter_rule,
        }  # fmt: skip

    def stream(self, scene: Scene, question: str, choices: Any = None) -> Iterator[Event]:
        """Write the answer; yields `Text` or `Progress` for each token, last an `Answer`. Closing cancels.

        Raises
        ------
        InvalidInput
            When the model's processor refuses the images (several of them, for some models).
        TooLarge
            When the device's memory is too small.
        """
        options = Choices.of(choices)
        inputs = self._inputs(scene, question, options)
        text, count, last = "", 0, None
        letters = _Letters(self._processor.tokenizer)
        for token in self._tokens(inputs):
            count, last = count + 1, token
            piece = "" if token in self._unsaid else letters.add(token)
            text += piece
            yield Text(piece) if piece else Progress(count, self._max, "writing")
        rest = letters.rest()
        if rest:
            text += rest
            yield Text(rest)
        cut = last not in self._ends and count >= self._max
        why = f"{self._max} tokens were written (max_tokens)" if cut else ""
        yield written_answer(text, options, self._rule, "limit" if cut else "stop", why)

    # ---- in ---------------------------------------------------------------------------------------------------
    def _inputs(self, scene: Scene, question: str, choices: Choices | None) -> Mapping[str, torch.Tensor]:
        from PIL import Image

        pictures = [Image.fromarray(image.view.pixels) for image in scene.images]
        prompt = self._written(_asked(self._prompt, scene, question, choices), len(pictures))
        try:
            inputs = self._processor(text=prompt, images=pictures, return_tensors="pt")
        except (ValueError, TypeError, IndexError) as e:
            raise InvalidInput(
                f"the processor of {self.options['model']} refuses {len(pictures)} images with this prompt: {e}. For "
                "fewer images: scene.select(modalities=…, times=…)"
            ) from e
        return inputs.to(self._model.device, dtype=self._model.dtype)

    def _written(self, asked: str, images: int) -> str:
        """The prompt as the model was trained to see it: its chat template, else its image tokens before the text."""
        if getattr(self._processor, "chat_template", None):
            content = [{"type": "image"}] * images + [{"type": "text", "text": asked}]
            turns = [{"role": "user", "content": content}]
            return str(self._processor.apply_chat_template(turns, add_generation_prompt=True, tokenize=False))
        token = getattr(self._processor, "image_token", None)
        if not isinstance(token, str):
            raise InvalidInput(f"{self.options['model']} has neither a chat template nor an image token for a prompt")
        return f"{token * images}\n{asked}"

    # ---- out --------------------------------------------------------------------------------------------------
    def _tokens(self, inputs: Mapping[str, torch.Tensor]) -> Iterator[int]:
        """Ids as they are chosen. Generation runs in a thread of its own, which ends when this iterator is closed."""
        queue: SimpleQueue[int | None] = SimpleQueue()
        stop = Flag()
        needed = int(self._model.get_memory_footprint())
        worker = ThreadPoolExecutor(1, thread_name_prefix="hf-vlm")
        done: Future[Any] = worker.submit(
            self._model.generate, **inputs, max_new_tokens=self._max, do_sample=False, num_beams=1, temperature=None,
            top_p=None, top_k=None, streamer=_Queue(queue), stopping_criteria=StoppingCriteriaList([_Stop(stop)]),
        )  # fmt: skip
        done.add_done_callback(lambda _: queue.put(None))
        try:
            while (token := queue.get()) is not None:
                yield token
            with explain_out_of_memory(f"answering with {self.options['model']}", needed, self._model.device):
                done.result()
        finally:
            stop.set()
            worker.shutdown(wait=True)


def _checked_prompt(prompt: str) -> str:
    try:
        fields = {name for _, name, _, _ in string.Formatter().parse(prompt) if name is not None}
    except ValueError as e:
        raise InvalidInput(f"prompt is a template, in which a brace of its own is written twice ({{{{): {e}") from e
    for name in fields:
        if name not in ("images", "question", "options"):
            raise InvalidInput(unknown("field of prompt:", name, ("images", "question", "options")))
    if "question" not in fields:
        raise InvalidInput("prompt lacks {question}, the place where the question goes")
    return prompt


def _asked(prompt: str, scene: Scene, question: str, choices: Choices | None) -> str:
    """The text of the user's turn."""
    images = ""
    if len(scene.images) > 1:
        images = "".join(f"Image {k}: {i.modality}, {i.day}.\n" for k, i in enumerate(scene.images, 1))
    options = _WITHOUT
    if choices is not None:
        options = "\n".join([*(f"{letter}. {text}" for letter, text in choices), _WITH_OPTIONS])
    return prompt.format(images=images, question=question.strip(), options=options)


def _open(folder: Path, source: str, device: torch.device, kind: str) -> tuple[Any, Any]:
    files = weight_files(folder)
    needed = sum(f.stat().st_size for f in files)
    what = f"loading {source}"
    told = {"local_files_only": True, "trust_remote_code": False}
    try:
        config = AutoConfig.from_pretrained(str(folder), **told)
        if type(config) not in MODEL_FOR_IMAGE_TEXT_TO_TEXT_MAPPING:
            raise InvalidInput(f"{source} is of type {config.model_type!r}: no image-text model of transformers")
        processor = AutoProcessor.from_pretrained(str(folder), **told)
    except ImportError as e:
        raise MissingPackage(_lacking(source, e), name=e.name or "torchvision") from e
    except InvalidInput:
        raise
    except (ValueError, OSError, KeyError) as e:
        custom = "trust_remote_code" in str(e)
        why = "it needs code of its own, which is never run here" if custom else str(e).splitlines()[0][:300]
        raise InvalidInput(f"{source} cannot be opened as an image-text model: {why}") from e
    if not hasattr(processor, "image_processor") or not hasattr(processor, "tokenizer"):
        raise InvalidInput(f"{source} has a {type(processor).__name__}, which does not take text and images together")
    check_room(what, needed, device)
    with explain_out_of_memory(what, needed, device):
        model = AutoModelForImageTextToText.from_pretrained(
            str(folder), dtype=torch_dtype(kind), use_safetensors=True, **told
        ).to(device)
    return model.eval(), processor


def _lacking(source: str, error: ImportError) -> str:
    words = str(error)
    for package in ("torchvision", "timm", "sentencepiece", "av", "decord", "num2words"):
        if package in words.lower():
            return f"the processor of {source} needs {package}, which is not installed: pip install {package}"
    return f"{source} needs a package that is not installed: {words.strip().splitlines()[0][:300]}"


def _ends(model: Any, processor: Any) -> frozenset[int]:
    """Ids that end an answer."""
    told = [model.generation_config.eos_token_id, getattr(processor.tokenizer, "eos_token_id", None)]
    return frozenset(k for one in told for k in (one if isinstance(one, list) else [one]) if k is not None)


def _control(tokenizer: Any) -> frozenset[int]:
    """Ids of special tokens that are no text; the tags that a chain of thought is written with are."""
    return frozenset(k for k in tokenizer.all_special_ids if tokenizer.decode([k]).strip() not in _TAGS)


class _Queue(BaseStreamer):
    """Passes ids on as they are chosen; the prompt, which comes first, is left out."""

    def __init__(self, queue: SimpleQueue[int | None]) -> None:
        self._queue, self._prompt = queue, True

    def put(self, value: torch.Tensor) -> None:
        if self._prompt:
            self._prompt = False
            return
        for token in value.flatten().tolist():
            self._queue.put(token)

    def end(self) -> None:
        """Nothing: the end of the thread's work is the end."""


class _Stop(StoppingCriteria):
    """Stops before the next token once the flag is set."""

    def __init__(self, flag: Flag) -> None:
        self._flag = flag

    def __call__(self, input_ids: torch.Tensor, scores: Any, **_: Any) -> torch.Tensor:
        return torch.full((input_ids.shape[0],), self._flag.is_set(), dtype=torch.bool, device=input_ids.device)


class _Letters:
    """Ids → text as they come; half a letter waits for its other half. Spaces stay as the tokenizer means them."""

    def __init__(self, tokenizer: Any) -> None:
        self._tokenizer = tokenizer
        self._ids: list[int] = []
        self._from = self._said = 0

    def add(self, token: int) -> str:
        self._ids.append(token)
        return self._new(last=False)

    def rest(self) -> str:
        return self._new(last=True)

    def _new(self, last: bool) -> str:
        before, now = self._decode(self._ids[self._from : self._said]), self._decode(self._ids[self._from :])
        if len(now) <= len(before) or (now.endswith("\ufffd") and not last):
            return ""
        self._from, self._said = self._said, len(self._ids)
        return now[len(before) :]

    def _decode(self, ids: list[int]) -> str:
        return str(self._tokenizer.decode(ids, skip_special_tokens=False))
