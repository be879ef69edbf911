"""Rules of thumb on what land is for: each a measured figure, thresholds, and what it does not look at."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Near:
    """A rule on the distance of two classes.

    Attributes
    ----------
    key : str
        Task of the record.
    assets, source : tuple of str
        Classes that are judged, the first that is there; and the class whose distance counts.
    near, far : float
        Metres: up to `near` gives the first of `levels`, up to `far` the second, beyond the third.
    levels : (str, str, str)
    what : str
        What is judged, «the exposure to flooding».
    why : tuple of str
        Why the distance matters.
    ask : tuple of str
        Phrasings of the question; ``{a}`` is the asset, ``{b}`` the source.
    limit : str
        What the rule does not look at.
    """

    key: str
    assets: tuple[str, ...]
    source: str
    near: float
    far: float
    levels: tuple[str, str, str]
    what: str
    why: tuple[str, ...]
    ask: tuple[str, ...]
    limit: str


NEAR: tuple[Near, ...] = (
    Near(
        "flood_exposure", ("built-up", "building"), "water", 100, 500, ("high", "moderate", "low"),
        "the exposure to flooding",
        ("Floods spread from open water, so what matters first is how near it is.",
         "What stands close to open water is flooded first."),
        ("How exposed to flooding is {a} in this place?",
         "How high is the flood exposure of {a}, judged by its distance from {b}?"),
        "The rule looks at distance alone, not at heights or dikes.",
    ),
    Near(
        "fire_exposure", ("built-up", "building"), "tree cover", 30, 100, ("high", "moderate", "low"),
        "the exposure to forest fire",
        ("A forest fire reaches what stands at the forest's edge, by flames and by sparks.",
         "Whether a forest fire can spread to houses depends on the gap between them."),
        ("How exposed to a forest fire is {a}?", "If {b} burned, how exposed would {a} be?"),
        "The rule looks at the gap alone, not at wind or the kind of trees.",
    ),
    Near(
        "erosion_risk", ("bare land",), "water", 30, 200, ("high", "moderate", "low"),
        "the risk that soil is washed into the water",
        ("Bare soil has no roots to hold it, and rain carries it to the water if that is near.",
         "Soil that lies open is washed off by rain; the shorter the way, the more of it arrives."),
        ("How high is the risk that soil from {a} is washed into {b}?", "How likely is erosion of {a} into {b}?"),
        "The rule does not look at slopes.",
    ),
    Near(
        "runoff_risk", ("cropland",), "water", 20, 100, ("high", "moderate", "low"),
        "the risk of nutrient runoff",
        ("Fertiliser is washed from fields into water where no strip of other land lies between.",
         "A strip of grass or trees along the shore holds back what rain washes from fields."),
        ("How high is the risk that fertiliser from {a} runs off into {b}?",
         "How high is the risk of nutrient runoff from {a}, judged by the strip between it and {b}?"),
        "The rule does not look at slopes or at the kind of crop.",
    ),
)  # fmt: skip


@dataclass(frozen=True)
class Trend:
    """A rule on how much of its former area a class lost or gained, net.

    Attributes
    ----------
    key, why, ask, limit
        As in `Near`; ``{a}`` is the class.
    label : str
    levels : (str, str, str, str)
        Net loss of at least `strong` percent of the former area, of at least `some`, less than that either way, and a
        gain of at least `some`.
    some, strong : float
        Percent of the former area.
    """

    key: str
    label: str
    levels: tuple[str, str, str, str]
    some: float
    strong: float
    why: tuple[str, ...]
    ask: tuple[str, ...]
    limit: str


TRENDS: tuple[Trend, ...] = (
    Trend(
        "drying", "water", ("drying strongly", "drying", "little change", "growing"), 5, 20,
        ("Whether a lake dries up shows in its surface.",
         "The surface of the water tells whether it dries up or floods."),
        ("Is the water in this place drying up?", "Is this place drying up, judged by the surface of {a}?"),
        "Two dates show a difference, not yet a trend: seasons may explain it.",
    ),
    Trend(
        "deforestation", "tree cover", ("strongly deforested", "deforested", "little change", "growing"), 2, 10,
        ("Clearing shows as tree cover that is gone on the later date.",
         "Deforestation shows in the area that is left under trees."),
        ("Is the forest in this place being cleared?", "Is this place being deforested, judged by the area of {a}?"),
        "Why trees are gone, and whether they are planted again, is not looked at.",
    ),
    Trend(
        "crop_change", "cropland", ("strongly shrinking", "shrinking", "little change", "growing"), 5, 20,
        ("Whether land is taken out of farming shows in the area of the fields.",
         "Farming that is given up, or extended, shows in the area under crops."),
        ("Is farming in this place given up or extended?", "Is farming here given up, judged by the area of {a}?"),
        "The kind of crop is not looked at.",
    ),
)  # fmt: skip
