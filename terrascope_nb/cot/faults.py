"""Faults: what can be wrong with a record or a data set, each under a short code that stays the same."""

from __future__ import annotations

from dataclasses import dataclass
from types import MappingProxyType

CODES = MappingProxyType({
    "form": "the text is not <think> … </think><answer> … </answer>",
    "no-image": "the record has no image",
    "seg-count": "there are not as many [SEG] as masks",
    "bad-mask": "a mask cannot be decoded",
    "mask-image": "a mask names an image that is not there",
    "mask-size": "a mask is of another size than its image",
    "answer-not-offered": "the answer is none of the options",
    "answer-differs": "<answer> says something else than the record's answer",
    "options-equal": "two options say the same",
    "options-near": "a wrong option lies less than 10 % from the right one",
    "filter": "the benchmark does not ask this",
    "answer-wrong": "the rule of the task gives another answer",
    "label-without-mask": "a class that is asked about has no mask",
    "claim-disagrees": "a claim of the text does not fit its mask",
    "claim-open": "a claim of the text cannot be tied to a mask",
    "mask-empty": "an empty mask is spoken of as if something were there",
    "grid-differs": "the record lies on another grid than the labelled scene",
    "mask-not-truth": "a mask is not what the label map says",
    "key-twice": "another image of that source has the same key",
    "id-twice": "another record has the same id",
    "place-in-both": "a place is in training and in test",
    "image-missing": "a picture file is not there, or is none",
    "image-size": "a picture file has another size than the record says",
    "shard-changed": "a shard is not as the manifest describes it",
    "unreadable": "a file, or a row of it, holds no record",
    "domain-unmapped": "figures are taken where the label map says nothing",
})  # fmt: skip
"""Every code that `check` gives, with what it means."""


@dataclass(frozen=True)
class Fault:
    """One thing wrong with a record.

    Attributes
    ----------
    code : str
        One of `CODES`.
    why : str
        One sentence with the names and numbers.
    """

    code: str
    why: str
