"""The prompt: the wording the weights were trained with, the turns, and what may not stand in a question."""

from __future__ import annotations

from typing import Any

from terrascope_nb.errors import InvalidInput
from terrascope_nb.model.config import SPECIAL
from terrascope_nb.reason.answers import Choices

#: Where the images go in a prompt.
IMAGE = "<image>"
#: What the published weights were trained with, word for word: a constant of the protocol.
INSTRUCTION = (
    "A conversation between User and Assistant. The user asks a question, and the Assistant solves it. The Assistant "
    "first thinks about the reasoning process in their mind and then provides the user a concise final answer in a "
    "short word or phrase. The reasoning process and answer are enclosed within <think> </think> and "
    "<answer> </answer> tags, respectively, i.e., <think> reasoning process here </think><answer> answer here </answer>"
)
_RESERVED = (
    IMAGE,
    *(SPECIAL[k] for k in ("turn", "end", "image_start", "image_end", "image")),
    SPECIAL["seg"],
    SPECIAL["region"],
)


def write_prompt(question: str, choices: Any = None) -> str:
    r"""The user's turn: instruction, images, question, one option a line.

    Raises
    ------
    InvalidInput
        When the question or an option holds a text that the tokenizer reads as a control token.

    Examples
    --------
    >>> write_prompt("Is there water?", ["yes", "no"]).partition(INSTRUCTION)[2]
    '\n\n<image>\nIs there water?\nA. yes\nB. no\n'
    """
    options = Choices.of(choices)
    lines = [question.strip(), *(f"{letter}. {text}" for letter, text in options or ())]
    for line in lines:
        for token in _RESERVED:
            if token in line:
                raise InvalidInput(
                    f"{token!r} steers the model and may not stand in a question or an option: {line[:200]!r}"
                )
    return f"{INSTRUCTION}\n\n{IMAGE}\n" + "".join(f"{line}\n" for line in lines)


def turns(text: str) -> str:
    r"""The user's turn and the opening of the assistant's; there is no system turn.

    Examples
    --------
    >>> turns("hello")
    '<|im_start|>user\nhello<|im_end|>\n<|im_start|>assistant\n'
    """
    return f"{SPECIAL['turn']}user\n{text}{SPECIAL['end']}\n{SPECIAL['turn']}assistant\n"
