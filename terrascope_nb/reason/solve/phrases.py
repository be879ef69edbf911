"""Words of the sentences that rule-based reasoners write: names of classes, verbs that go with them, lists."""

from __future__ import annotations

from collections.abc import Sequence

from terrascope_nb.scene.classes import canonical, noun

#: Labels whose name takes a plural verb.
_MANY = {"snow and ice": "snow and ice", "building": "buildings", "destroyed building": "destroyed buildings"}


def named(label: str) -> str:
    """How a list of classes names one.

    Examples
    --------
    >>> named("built-up"), named("building"), named("water")
    ('built-up area', 'buildings', 'water')
    """
    return _MANY.get(canonical(label)) or noun(label)


def thing(label: str) -> str:
    """How a sentence names a class that is there, with an article where the name asks for one.

    Examples
    --------
    >>> thing("built-up"), thing("water")
    ('the built-up area', 'water')
    """
    name = named(label)
    return f"the {name}" if name.endswith(" area") else name


def capital(label: str) -> str:
    """`thing`, at the beginning of a sentence."""
    name = thing(label)
    return name[:1].upper() + name[1:]


def absent(label: str) -> str:
    """How «there is no …» names a class.

    Examples
    --------
    >>> absent("snow and ice"), absent("building")
    ('snow or ice', 'buildings')
    """
    return named(label).replace("snow and ice", "snow or ice")


def verb(label: str, one: str, many: str = "") -> str:
    """The verb that goes with a class: «water covers», «buildings cover».

    Examples
    --------
    >>> verb("water", "covers"), verb("building", "covers"), verb("snow and ice", "is", "are")
    ('covers', 'cover', 'are')
    """
    if canonical(label) not in _MANY:
        return one
    return many or one.removesuffix("s")


def be(label: str) -> str:
    """«is» or «are», for «there … no …».

    Examples
    --------
    >>> be("snow and ice"), be("building")
    ('is', 'are')
    """
    return "is" if canonical(label) == "snow and ice" else verb(label, "is", "are")


def listed(words: Sequence[str]) -> str:
    """Words as a list in a sentence.

    Examples
    --------
    >>> listed(["water"]), listed(["water", "grassland", "bare land"])
    ('water', 'water, grassland and bare land')
    """
    return words[0] if len(words) == 1 else f"{', '.join(words[:-1])} and {words[-1]}"


def counted(label: str, n: int) -> str:
    """«There are 3 separate areas of water», «There is 1 building».

    Examples
    --------
    >>> counted("water", 3), counted("building", 1), counted("built-up", 2)
    ('There are 3 separate areas of water', 'There is 1 building', 'There are 2 separate built-up areas')
    """
    be, s = ("is", "") if n == 1 else ("are", "s")
    name = noun(label)
    if canonical(label) in ("building", "destroyed building"):
        return f"There {be} {n} {name}{s}"
    if name.endswith(" area"):
        return f"There {be} {n} separate {name}{s}"
    return f"There {be} {n} separate area{s} of {name}"
