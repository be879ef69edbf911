"""Fill the sentences of `data/model_sentences.txt` from masks, and change one thing in them: what `test_verify` runs
on.

Figures are computed here with plain numpy and scipy, so that the sentences do not rest on the code that is tested.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from affine import Affine
from scipy import ndimage

from terrascope_nb.geo.grid import Grid
from terrascope_nb.reason.measure import Region, location
from terrascope_nb.scene.domain import Domain

FILE = Path(__file__).parent / "data" / "model_sentences.txt"
DATES = (np.datetime64("2023-06-01"), np.datetime64("2023-08-01"))
WORDS = ("Zero", "One", "Two", "Three", "Four", "Five", "Six", "Seven", "Eight", "Nine", "Ten", "Eleven", "Twelve")
OPPOSITE = {"north": "south", "south": "north", "east": "west", "west": "east"}
_EIGHT = np.ones((3, 3), bool)


@dataclass(frozen=True)
class Scenario:
    """Masks of one or two dates on one grid with pixels of `pixel` metres."""

    masks: dict[str, np.ndarray]
    pixel: float = 10.0
    crs: int | None = 32633
    clear: np.ndarray | None = None  # masks hold none of the rest

    @property
    def dates(self) -> int:
        return 2 if any(k.endswith("@1") for k in self.masks) else 1

    def region(self, name: str) -> Region:
        label, _, date = name.partition("@")
        mask = self.masks[name]
        grid = Grid(Affine(self.pixel, 0, 500_000, 0, -self.pixel, 5_100_000), mask.shape, self.crs)
        k = int(date or 0)
        ones = np.ones(mask.shape, bool)
        clear = ones if self.clear is None else self.clear
        # what lies under cloud counts for nothing, so it may hold anything
        return Region(label, mask | ~clear, Domain(grid, ones, clear, clear), k, DATES[k])

    @property
    def whole(self) -> int:
        return next(iter(self.masks.values())).size if self.clear is None else int(self.clear.sum())

    # ---- the oracle ----
    def share(self, name: str) -> float:
        return 100 * int(self.masks[name].sum()) / self.whole

    def area(self, name: str) -> float:
        return int(self.masks[name].sum()) * self.pixel**2

    def count(self, name: str) -> int:
        parts, n = ndimage.label(self.masks[name], _EIGHT)
        return int(sum(size >= 4 for size in np.bincount(parts.ravel())[1:])) if n else 0

    def there(self, name: str) -> bool:
        return name in self.masks and self.count(name) > 0

    def touch(self, a: str, b: str) -> bool:
        return bool((ndimage.binary_dilation(self.masks[a], _EIGHT) & self.masks[b]).any())

    def distance(self, a: str, b: str) -> float:
        if self.touch(a, b):
            return 0.0
        return float(ndimage.distance_transform_edt(~self.masks[a])[self.masks[b]].min()) * self.pixel

    def gain(self, name: str) -> np.ndarray:
        return self.masks[name + "@1"] & ~self.masks[name]

    def loss(self, name: str) -> np.ndarray:
        return self.masks[name] & ~self.masks[name + "@1"]

    def ranked(self) -> list[str]:
        present = [k for k in self.masks if "@" not in k and self.masks[k].any()]
        return sorted(present, key=lambda k: -int(self.masks[k].sum()))


@dataclass(frozen=True)
class Piece:
    """A filled pair of braces: where it stands, what fills it, and its mutations (each wrong)."""

    start: int
    end: int
    kind: str
    wrong: tuple[str, ...]
    what: str


@dataclass(frozen=True)
class Filled:
    """A sentence, its regions in the order of its ``[SEG]`` and then the others, and what may be changed in it."""

    text: str
    regions: tuple[Region, ...]
    pieces: tuple[Piece, ...]


def templates(dates: int) -> list[str]:
    """The sentences of the file for one or two dates."""
    lines = FILE.read_text("utf-8").splitlines()
    return [line[2:] for line in lines if line.startswith(f"{dates}|")]


_UNITS = {
    "%": ("ha", "m"),
    "ha": ("km²", "%"),
    "m²": ("ha", "m"),
    "km²": ("ha", "m²"),
    "m": ("km", "ha"),
    "km": ("m", "%"),
}
_SCALE = {"ha": 1e4, "m²": 1.0, "km²": 1e6, "m": 1.0, "km": 1e3}


def fill(template: str, scene: Scenario, rng: np.random.Generator) -> Filled:
    """Fill a template from masks."""
    text, pieces, named = "", [], []
    for part in re.split(r"(\{[^}]*\}|\[SEG:[^\]]*\])", template):
        if part.startswith("[SEG:"):
            named.append(part[5:-1].replace("_", " "))
            text += "[SEG]"
        elif part.startswith("{"):
            words, kind, wrong = _filled(part[1:-1], scene, rng, not text)
            pieces.append(Piece(len(text), len(text) + len(words), kind, wrong, part[1:-1]))
            text += words
        else:
            text += part
    rest = [k for k in scene.masks if k not in named]
    return Filled(text, tuple(scene.region(k) for k in (*named, *rest)), tuple(pieces))


def _filled(words: str, scene: Scenario, rng: np.random.Generator, first: bool) -> tuple[str, str, tuple[str, ...]]:
    head, _, alternatives = words.partition(":")
    verb, *args = (
        head.replace("_", " ").split(" ") if "_" not in head else [a.replace("_", " ") for a in head.split(" ")]
    )
    if alternatives:
        a, b = (x.strip() for x in alternatives.split(" / "))
        holds = {
            "larger": lambda: scene.masks[args[0]].sum() > scene.masks[args[1]].sum(),
            "touch": lambda: scene.touch(args[0], args[1]),
            "there": lambda: scene.there(args[0]),
            "grew": lambda: scene.masks[args[0] + "@1"].sum() > scene.masks[args[0]].sum(),
        }[verb]()
        return (a, verb, (b,)) if holds else (b, verb, (a,))
    if verb == "where":
        place = str(location(scene.region(args[0])).value)
        other = "-".join(OPPOSITE.get(p, "north") for p in place.split("-"))
        return place, verb, (other,)
    if verb == "rank":
        order, k = scene.ranked(), int(args[0]) - 1
        name = order[k]
        others = [x for i, x in enumerate(order) if i != k]
        show = (lambda x: x[:1].upper() + x[1:]) if first else (lambda x: x)
        return show(name), verb, (show(others[int(rng.integers(len(others)))]),)
    if verb in ("count", "word"):
        n = scene.count(args[0])
        off = (n + 1, n - 1) if n > 1 else (n + 1,)
        if verb == "word":
            show = (lambda x: WORDS[x]) if first else (lambda x: WORDS[x].lower())
            return show(n), verb, tuple(show(x) for x in off)
        return str(n), verb, tuple(str(x) for x in off)
    if verb == "pixels":
        n = int(scene.masks[args[0]].sum())
        return str(n), verb, (str(round(n * 1.1) + 2), str(round(n * 0.9) - 2))
    places = int(args[-1].lstrip("."))
    args = args[:-1]
    if verb in ("below", "above"):
        value = scene.share(args[0]) * float(args[1])
        shown = (
            np.floor(value * 10**places) / 10**places if verb == "below" else np.ceil(value * 10**places) / 10**places
        )
        flipped = (
            shown * float(1.35 / (float(args[1]) if verb == "below" else 1))
            if verb == "below"
            else shown / float(args[1]) * 0.65
        )
        return f"{shown:.{places}f}", verb, (f"{flipped:.{places}f}",)
    value = _figure(verb, args, scene)
    return f"{_minus(value, places)}", verb, _wrong(value, places, verb, rng)


def _figure(verb: str, args: list[str], scene: Scenario) -> float:
    if verb == "share":
        return scene.share(args[0])
    if verb == "area":
        return scene.area(args[0]) / _SCALE[args[1]]
    if verb == "dist":
        return scene.distance(args[0], args[1]) / _SCALE[args[2]]
    if verb == "sum":
        return scene.share(args[0]) + scene.share(args[1])
    if verb == "ratio":
        return scene.share(args[0]) / scene.share(args[1])
    if verb == "diff":
        return abs(scene.share(args[0]) - scene.share(args[1]))
    pixels = {"gain": lambda: scene.gain(args[0]).sum(), "loss": lambda: scene.loss(args[0]).sum(),
              "net": lambda: int(scene.gain(args[0]).sum()) - int(scene.loss(args[0]).sum())}[verb]()  # fmt: skip
    return 100 * float(pixels) / scene.whole if args[1] == "%" else float(pixels) * scene.pixel**2 / _SCALE[args[1]]


def _minus(value: float, places: int) -> str:
    return f"{value:.{places}f}".replace("-", "−")


def _wrong(value: float, places: int, verb: str, rng: np.random.Generator) -> tuple[str, ...]:
    """Other figures: larger, smaller, by a fifth to a half and at least two units of the last digit; sign flipped."""
    out = []
    for sign in (1, -1):
        step = max(abs(value) * float(rng.uniform(0.2, 0.5)), 2.0 * 10**-places)
        out.append(_minus(value + sign * step, places))
    if verb == "net" and abs(value) > 10**-places:
        out.append(_minus(-value, places))
    return tuple(out)


def mutations(f: Filled) -> Iterator[tuple[str, str]]:
    """(text, what was changed): one number, unit, order or relation each."""
    ranks = [p for p in f.pieces if p.kind == "rank"]
    for a, b in zip(ranks, ranks[1:], strict=False):
        one, other = f.text[a.start : a.end], f.text[b.start : b.end]
        swapped = f.text[: a.start] + other + f.text[a.end : b.start] + one + f.text[b.end :]
        yield swapped[:1].upper() + swapped[1:], f"order: {one} ↔ {other}"
    for p in f.pieces:
        for wrong in p.wrong if p.kind != "rank" or len(ranks) == 1 else ():
            if wrong != f.text[p.start : p.end]:
                yield f.text[: p.start] + wrong + f.text[p.end :], f"{p.what}: {f.text[p.start : p.end]!r} → {wrong!r}"
        unit = re.match(
            r"\s?(%|percentage points|percent|ha\b|hectares|km²|m²|m\b|metres|km\b|kilometres)", f.text[p.end :]
        )
        value = f.text[p.start : p.end]
        if (
            unit is None
            or p.kind in ("larger", "touch", "there", "grew", "where", "rank")
            or float(value.replace("−", "-") or 0) == 0
            or p.kind in ("below", "above")
        ):
            continue
        plain = {"percentage points": "%", "percent": "%", "hectares": "ha", "metres": "m", "kilometres": "km"}.get(
            unit[1], unit[1]
        )
        for other in _UNITS[plain]:
            yield (
                f.text[: p.end + unit.start(1)] + other + f.text[p.end + unit.end(1) :],
                f"{p.what}: {unit[1]} → {other}",
            )


# ---- traces
# -----------------------------------------------------------------------------------------------------------
LABELS = (
    "water",
    "tree cover",
    "shrubland",
    "grassland",
    "cropland",
    "wetland",
    "bare land",
    "built-up",
    "snow and ice",
)


def random_trace(rng: np.random.Generator) -> Filled:
    """A trace as the rule-based reasoners write it, over a random map of 2 to 5 classes, with cloud, with or without
    a CRS."""
    for _ in range(200):
        dates = int(rng.integers(1, 3))
        h, w = (int(x) for x in rng.integers(16, 48, 2))
        names = [str(x) for x in rng.choice(LABELS, int(rng.integers(2, 6)), replace=False)]
        clear = rng.random((h, w)) < rng.choice([1.0, 0.8])
        labels = np.zeros((h, w), int)
        for k in range(1, len(names)):
            for _ in range(int(rng.integers(1, 4))):
                _blob(labels, k, rng)
        labels[rng.random((h, w)) < 0.01] = int(rng.integers(len(names)))  # specks that are too small to count
        masks = {name: (labels == k) & clear for k, name in enumerate(names)}
        if dates == 2:
            later = labels.copy()
            _blob(later, 0, rng)
            _blob(later, 1, rng)
            masks |= {f"{name}@1": (later == k) & clear for k, name in enumerate(names)}
        scene = Scenario(masks, float(rng.choice([10.0, 20.0, 30.0])), rng.choice([32633, None]), clear)
        counts = [int(scene.masks[n].sum()) for n in names]
        if min(counts) < 12 or len(set(counts)) < len(counts):
            continue
        if dates == 2 and (
            abs(scene.share(names[0]) - scene.share(names[0] + "@1")) < 0.3
            or not scene.gain(names[0]).any()
            or not scene.loss(names[0]).any()
        ):
            continue
        text = _change_text(names[0], scene) if dates == 2 else _one_date_text(names, scene, rng)
        return fill(text, scene, rng)
    raise RuntimeError("no usable map in 200 draws")


def _name(label: str) -> str:
    return label[:1].upper() + label[1:]


def _covers(label: str, scene: Scenario, opening: str = "", date: str = "") -> str:
    key = label.replace(" ", "_") + date
    area = "" if scene.crs is None else f", {{area {key} ha .2}} ha"
    return (
        f"{opening or _name(label)[: 0 if opening else None]}{label if opening else ''} [SEG:{key}] covers "
        f"{{share {key} .1}} % of the clear pixels{area}."
    )


def _one_date_text(names: list[str], scene: Scenario, rng: np.random.Generator) -> str:
    keys = {n: n.replace(" ", "_") for n in names}
    a, b = names[0], names[1]
    order = sorted(names, key=lambda n: -int(scene.masks[n].sum()))
    ranks = [f"{{rank {k + 1}}}" for k in range(len(order))]
    tail = ranks[1] if len(ranks) == 2 else ", ".join(ranks[1:-1]) + " and " + ranks[-1]
    more = [
        f"{_name(a)} {{touch {keys[a]} {keys[b]}: touches / does not touch}} {b}.",
        f"{_name(a)} {{larger {keys[a]} {keys[b]}: is larger than / is smaller than}} {b}.",
        f"The largest class is {ranks[0]}, before {tail}.",
        f"There are {{count {keys[a]}}} separate areas of {a}.",
        f"{_name(a)} lies in the {{where {keys[a]}}} of the scene.",
        f"There {{there {keys[b]}: is / is no}} {b}.",
    ]
    if scene.crs is not None and scene.distance(a, b) > 0:
        more.append(f"{_name(a)} lies {{dist {keys[a]} {keys[b]} m .0}} m from {b}.")
    chosen = [more[k] for k in sorted(rng.choice(len(more), 3, replace=False))]
    return " ".join([*(_covers(n, scene) for n in names), *chosen])


def _change_text(label: str, scene: Scenario) -> str:
    key = label.replace(" ", "_")
    lost = "" if scene.crs is None else f" ({{loss {key} ha .2}} ha)"
    return (
        f"{_covers(label, scene, 'On 2023-06-01 ')} {_covers(label, scene, 'By 2023-08-01 ', '@1')} Between "
        f"the two dates {{loss {key} % .1}} % was lost{lost}, "
        f"{{gain {key} % .1}} % was gained; the net change is {{net {key} % .1}} %."
    )


# ---- scenes
# -----------------------------------------------------------------------------------------------------------
def random_scene(rng: np.random.Generator, dates: int = 1, crs: int | None = 32633) -> Scenario:
    """A map with all five classes of the sentences, all of another size; two dates share the grid."""
    for _ in range(200):
        h, w = (int(x) for x in rng.integers(36, 80, 2))
        names = ("water", "tree cover", "cropland", "built-up", "bare land")
        base = int(rng.integers(len(names)))
        labels = np.full((h, w), base)
        for k in rng.permutation([k for k in range(len(names)) if k != base]):
            for _ in range(int(rng.integers(1, 4))):
                _blob(labels, int(k), rng)
        masks = {name: labels == k for k, name in enumerate(names)}
        masks["snow and ice"] = np.zeros((h, w), bool)
        masks["wetland"] = np.zeros((h, w), bool)
        if rng.random() < 0.5:
            r, c = int(rng.integers(h - 4)), int(rng.integers(w - 4))
            spot = np.zeros((h, w), bool)
            spot[r : r + 3, c : c + 4] = True
            name = "snow and ice" if rng.random() < 0.5 else "wetland"
            masks = {k: v & ~spot for k, v in masks.items()} | {name: spot}
        scene = Scenario(masks, float(rng.choice([10.0, 20.0, 30.0])), crs)
        if dates == 2:
            later = labels.copy()
            for _ in range(3):
                _blob(later, int(rng.integers(2)), rng)
            scene = Scenario(
                {"water": labels == 0, "tree cover": labels == 1, "water@1": later == 0, "tree cover@1": later == 1},
                scene.pixel,
                crs,
            )
        if _telling(scene):
            return scene
    raise RuntimeError("no telling scene in 200 draws")


def _blob(labels: np.ndarray, k: int, rng: np.random.Generator) -> None:
    h, w = labels.shape
    r, c = rng.uniform(0, h), rng.uniform(0, w)
    a, b = rng.uniform(3, h / 4), rng.uniform(3, w / 4)
    rows, cols = np.mgrid[:h, :w]
    labels[((rows - r) / a) ** 2 + ((cols - c) / b) ** 2 < 1] = k


def _telling(scene: Scenario) -> bool:
    """Whether no two classes are so close in size that the sentences would be true of neither or both."""
    sizes = [int(v.sum()) for k, v in scene.masks.items() if v.any() or k not in ("snow and ice", "wetland")]
    if min(sizes) < 40:
        return False
    first = sorted(int(v.sum()) for k, v in scene.masks.items() if "@" not in k and v.any())
    if any(b < a * 1.08 for a, b in zip(first, first[1:], strict=False)):
        return False
    if scene.dates == 2:
        for k in ("water", "tree cover"):
            a, b = int(scene.masks[k].sum()), int(scene.masks[k + "@1"].sum())
            gain, loss = int(scene.gain(k).sum()), int(scene.loss(k).sum())
            if abs(a - b) < 0.08 * a or min(gain, loss) < 0.01 * scene.masks[k].size:
                return False
        one, two = int(scene.masks["water@1"].sum()), int(scene.masks["tree cover@1"].sum())
        return abs(one - two) > 0.08 * max(one, two)
    return True
