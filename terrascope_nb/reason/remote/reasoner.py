"""`remote`: a model behind a chat-completions URL as a reasoner: writes text and letters, draws no mask."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from concurrent.futures import Future, ThreadPoolExecutor
from queue import Empty, SimpleQueue
from typing import Any

from terrascope_nb._suggest import unknown
from terrascope_nb.errors import InvalidInput
from terrascope_nb.reason.answers import LETTER_RULES, Choices
from terrascope_nb.reason.events import Answer, Event, Progress, Text
from terrascope_nb.reason.remote.client import IMAGE_TOKENS, PATIENCE, Client, Completion, Piece
from terrascope_nb.reason.remote.pictures import labelled_pictures
from terrascope_nb.reason.remote.wire import Line
from terrascope_nb.reason.said import written_answer
from terrascope_nb.reason.scrub import scrubbed
from terrascope_nb.scene.scene import Scene
from terrascope_nb.stac.retry import Retry

#: What the model is told to do, unless `instruction` says otherwise.
INSTRUCTION = (
    "You read satellite images of one place. Each image is announced by a line «Image: t_i» with its sensor and date; "
    "images of one t_i show the same date. Reason about what is on the ground first, between <think> and </think>, "
    "naming the image you speak of as «Image: t_i» where there are several dates. Then give the answer between "
    "<answer> and </answer>, and nothing after it."
)
_WITH_OPTIONS = "Between <answer> and </answer> stands the letter of the right option alone."
_WITHOUT = "Between <answer> and </answer> stands one word, number with its unit, or short phrase."
MASKS = "none: a chat endpoint returns text only, so figures in the text have no mask to be checked against"
_BEAT = 0.5  # seconds after which waiting shows that it waits


class RemoteReasoner:
    """Answers by a vision-language model behind an OpenAI-compatible address.

    Parameters
    ----------
    url, model, key_env, max_tokens, temperature, seed, retry, max_tokens_total, max_cost, prices, image_tokens, body
        As in `Client`. `key_env` names an environment variable; the key itself is never kept.
    max_side : int
        Longest side of a picture that is sent, in pixels; larger views are averaged by area.
    instruction : str
        What the model is told to do.
    letter_rule : str
        How the letter is read; see `read_letter`.

    Attributes
    ----------
    client : Client
        ``client.spent`` says what was spent.

    Notes
    -----
    Every image of the scene is sent as its 8-bit view, each date labelled «Image: t_i». Text is passed on as it is
    written, tags and all; reasoning that the server sends apart is put between ``<think>`` and ``</think>``. The answer
    is what stands in ``<answer>``, else behind ``</think>``, else the whole. The scene leaves this machine.
    """

    name = "remote"

    def __init__(
        self,
        url: str,
        model: str,
        key_env: str = "",
        max_tokens: int = 1024,
        temperature: float = 0.0,
        seed: int = 0,
        max_side: int = 1024,
        instruction: str = INSTRUCTION,
        letter_rule: str = "strict",
        retry: Retry = PATIENCE,
        max_tokens_total: int | None = None,
        max_cost: float | None = None,
        prices: tuple[float, float] | None = None,
        image_tokens: int = IMAGE_TOKENS,
        body: Mapping[str, Any] | None = None,
    ) -> None:
        if max_side < 1:
            raise InvalidInput(f"max_side is at least 1 pixel, got {max_side}")
        if letter_rule not in LETTER_RULES:
            raise InvalidInput(unknown("letter rule", letter_rule, LETTER_RULES))
        self.client = Client(
            url, model, key_env, max_tokens=max_tokens, temperature=temperature, seed=seed, retry=retry,
            max_tokens_total=max_tokens_total, max_cost=max_cost, prices=prices, image_tokens=image_tokens, body=body,
        )  # fmt: skip
        self._side, self._instruction, self._rule = max_side, instruction, letter_rule
        self.options: Mapping[str, Any] = {
            "url": self.client.endpoint.url, "model": model, "key_env": key_env or None, "max_tokens": max_tokens,
            "temperature": temperature, "seed": seed, "letter_rule": letter_rule, "instruction": instruction,
            "images": f"8-bit views as PNG, averaged by area to at most {max_side} pixels a side", "masks": MASKS,
            "max_tokens_total": max_tokens_total, "max_cost": max_cost, "body": scrubbed(dict(body)) if body else None,
        }  # fmt: skip

    def messages(self, scene: Scene, question: str, choices: Any = None) -> list[dict[str, Any]]:
        """What is sent: the instruction, the labelled pictures, the question with its options."""
        options = Choices.of(choices)
        lines = [question.strip(), *(f"{letter}. {text}" for letter, text in options or ())]
        asked = "\n".join([*lines, _WITHOUT if options is None else _WITH_OPTIONS])
        content = [*labelled_pictures(scene, self._side), {"type": "text", "text": asked}]
        return [{"role": "system", "content": self._instruction}, {"role": "user", "content": content}]

    def stream(self, scene: Scene, question: str, choices: Any = None) -> Iterator[Event]:
        """Ask the endpoint; yields `Text` as it comes, `Progress` while nothing does, last an `Answer`.

        Closing cancels: the connection is shut at once.

        Raises
        ------
        OverBudget
            Before a call that could pass the cap.
        InvalidInput, NotFound, ReadFailed
            When the endpoint refuses or does not answer; see `Client`.
        """
        options = Choices.of(choices)
        messages = self.messages(scene, question, options)
        text, apart = "", False
        yield Progress(0, 0, f"asking {self.client.model}")
        for item in self._waited(messages):
            if isinstance(item, Completion):
                if apart:
                    text += "</think>"
                    yield Text("</think>")
                yield self._answer(text, options, item)
                return
            if item is None:
                yield Progress(0, 0, f"waiting for {self.client.model}")
                continue
            piece = "</think>" if apart and not item.thought else "<think>" if item.thought and not apart else ""
            apart = item.thought
            text += piece + item.text
            yield Text(piece + item.text)

    def _waited(self, messages: list[dict[str, Any]]) -> Iterator[Piece | Completion | None]:
        """What the client gives, None after each `_BEAT` without; the call runs in a thread that closing ends."""
        queue: SimpleQueue[Piece | Completion | None] = SimpleQueue()
        line = Line()

        def work() -> None:
            for item in self.client.stream(messages, line):
                queue.put(item)

        worker = ThreadPoolExecutor(1, thread_name_prefix="remote")
        done: Future[None] = worker.submit(work)
        done.add_done_callback(lambda _: queue.put(None))
        try:
            while True:
                try:
                    item = queue.get(timeout=_BEAT)
                except Empty:
                    yield None
                    continue
                if item is None:
                    break
                yield item
            done.result()
        finally:
            line.shut()
            worker.shutdown(wait=False)

    def _answer(self, text: str, choices: Choices | None, done: Completion) -> Answer:
        cut = {
            "limit": f"{self.client.max_tokens} tokens were written (max_tokens)",
            "filter": "the endpoint's content filter cut the answer",
        }.get(done.finish, "")
        finish = "limit" if cut else "stop"
        if not text.strip() and not cut:
            finish, cut = "abstained", "the endpoint sent an empty answer"
        return written_answer(text, choices, self._rule, finish, cut)
