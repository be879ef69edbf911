"""The tokenizer: about a hundred words, digits one by one, and the instruction of the prompt as no token at all."""

from __future__ import annotations

from tokenizers import AddedToken, Regex, Tokenizer, decoders, models, normalizers, pre_tokenizers
from transformers import PreTrainedTokenizerFast

from terrascope_nb.model.config import ADDED, SPECIAL
from terrascope_nb.model.prompt import INSTRUCTION
from terrascope_nb.reason.measure import LOCATIONS
from terrascope_nb.reason.units import MINUS
from terrascope_nb.train.mini.language import LABELS, MODES, WORDS

PAD = "<|endoftext|>"
#: Pieces of several words that are one token.
PHRASES = (" from the region before", " nothing clear to measure", " Image: t_", *(f" {x}" for x in LABELS if " " in x))
#: Words of what the mini writes.
SAID = (
    "covers lie apart is are the larger smaller largest there not touch do lies in changed by grew did grow shrank "
    "shrink and"
)
UNITS = ("m", "m²", "ha", "km", "km²")
_PATTERN = "|".join((*PHRASES, r" ?[A-Za-z²][A-Za-z²_\-]*", r"\d", r" ?[%(]", r"\n+", r"[^A-Za-z\d]"))


def words() -> tuple[str, ...]:
    """Every token that is not special, a leading space counted in.

    Examples
    --------
    >>> len(words()) < 200, " tree cover" in words()
    (True, True)
    """
    spaced = [*LABELS, *LOCATIONS, *WORDS, *SAID.split(), *UNITS, "yes", "no", "of", "image", "%", "("]
    plain = [*MODES, "user", "assistant", *"0123456789", *".,:()% ", MINUS, "\n", "\n\n"]
    return tuple(dict.fromkeys([*plain, *PHRASES, *(f" {w}" for w in spaced)]))


def mini_tokenizer() -> PreTrainedTokenizerFast:
    """A word-level tokenizer that gives back any text of its words as it was, space by space.

    The prompt's constant instruction is cut out before anything is read. A word that it does not have is an error of
    the tokenizers library, not a token of its own: nothing is silently left out.

    Examples
    --------
    >>> t = mini_tokenizer()
    >>> ids = t.encode(" water [SEG] (27.4 %, 25.2 ha) covers 27.4 %.", add_special_tokens=False)
    >>> len(ids), t.decode(ids)
    (25, ' water [SEG] (27.4 %, 25.2 ha) covers 27.4 %.')
    """
    special = [PAD, *(SPECIAL[k] for k in ("turn", "end", "image_start", "image_end", "image")), *ADDED]
    vocabulary = {w: k for k, w in enumerate([*special, *words()])}
    tokenizer = Tokenizer(models.WordLevel(vocabulary))
    tokenizer.normalizer = normalizers.Replace(f"{INSTRUCTION}\n\n", "")
    tokenizer.pre_tokenizer = pre_tokenizers.Split(Regex(_PATTERN), behavior="isolated")
    tokenizer.decoder = decoders.Fuse()
    # matched after the instruction is gone: it names the tags, too
    tokenizer.add_special_tokens([AddedToken(s, special=True, normalized=True) for s in special])
    return PreTrainedTokenizerFast(tokenizer_object=tokenizer, eos_token=SPECIAL["end"], pad_token=PAD)
