"""Figures against masks: what a statement with a number claims, what the measuring core gives, and the verdict."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

from terrascope_nb.errors import TerrascopeError
from terrascope_nb.reason import measure as m
from terrascope_nb.reason.measure.region import Fact, Region
from terrascope_nb.reason.units import convert, pretty, to_base
from terrascope_nb.reason.verify.claims import Reading
from terrascope_nb.reason.verify.sayings import Statement
from terrascope_nb.reason.verify.targets import Finder, Target, Unclear, day_of
from terrascope_nb.reason.verify.tolerance import agrees, digits_of
from terrascope_nb.scene.domain import Domain


@dataclass(frozen=True)
class Outcome:
    """What checking gives: the fields of a `Claim` that depend on the masks."""

    labels: tuple[str, ...]
    steps: tuple[int, ...]
    claimed: float | bool | str | tuple[str, ...] | None
    measured: float | bool | str | tuple[str, ...] | None
    unit: str
    difference: float | None
    verdict: str
    why: str


class FigureChecker(Finder):
    """Checks figures; measures nothing twice.

    Parameters
    ----------
    regions : sequence of Region
        ``regions[k]`` is the mask of the k-th ``[SEG]``.
    reading : Reading
    """

    def __init__(self, regions: Sequence[Region], reading: Reading) -> None:
        super().__init__(regions, reading)
        self._facts: dict[tuple[object, ...], Fact] = {}

    # ---- checking
    # -------------------------------------------------------------------------------------------------------
    def check(self, s: Statement) -> Outcome:
        """Check one statement; whatever cannot be measured makes it «not checkable»."""
        f = s.figure
        unit = f.unit if f is not None else ""
        claimed = claimed_by(s)
        targets: list[Target] = []
        try:
            if s.why:
                raise Unclear(s.why)
            targets = [self.find(r) for r in s.refs]
            if s.union:
                targets = [self.target([k for t in targets for k in t.steps])]
            run: Callable[[Statement, list[Target]], Outcome] = getattr(self, "_check_" + s.kind.replace(" ", "_"))
            return run(s, targets)
        except Unclear as e:
            why = str(e)
        except TerrascopeError as e:
            why = f"cannot be measured: {e}"
        labels = tuple(r.label for r in s.refs if r.label)
        steps = tuple(dict.fromkeys(k for t in targets for k in t.steps))
        return Outcome(labels, steps, claimed, None, "" if unit == "×" else unit, None, "not checkable", why)

    def fact(self, name: str, *targets: Target, **more: str) -> Fact:
        """A fact of the measuring core, kept."""
        key = (name, *(t.steps for t in targets), *sorted(more.items()))
        if key not in self._facts or any(len(t.steps) > 1 for t in targets):
            self._facts[key] = getattr(m, name)(*(t.region for t in targets), **more)
        return self._facts[key]

    def value(self, name: str, *targets: Target, **more: str) -> float:
        """The number of a fact.

        Raises
        ------
        Unclear
            When the core cannot give one; with its reason.
        """
        fact = self.fact(name, *targets, **more)
        if fact.value is None:
            raise Unclear(fact.note or "it cannot be measured")
        return float(fact.value)  # type: ignore[arg-type]

    def _number(
        self,
        s: Statement,
        targets: Sequence[Target],
        measured: float,
        what: str,
        *,
        exact: bool = False,
        sign: int = 1,
        note: str = "",
    ) -> Outcome:
        """Verdict on a figure; `measured` is in the figure's unit."""
        f = s.figure
        assert f is not None
        good, rule = agrees(f, measured, exact)
        shown = "" if f.unit == "×" else f.unit
        claimed = f.value if f.high is None else f"{f.value:g}–{f.high:g}"
        got = f"{digits_of(sign * measured, f)}{' ' + shown if shown else ''}"
        difference = None if f.high is not None else sign * (f.value - measured)
        why = f"{what} measures {got}; {rule}"
        return Outcome(
            tuple(dict.fromkeys(t.region.label for t in targets)), steps_of(targets),
            sign * f.value if f.high is None else claimed, sign * measured,
            shown, difference, "agrees" if good else "disagrees", why + (f" ({note})" if note else ""),
        )  # fmt: skip

    def _said(
        self, s: Statement, targets: Sequence[Target], measured: bool | str | tuple[str, ...], good: bool, why: str
    ) -> Outcome:
        labels = tuple(dict.fromkeys(t.region.label for t in targets))
        return Outcome(
            labels, steps_of(targets), claimed_by(s), measured, "", None, "agrees" if good else "disagrees", why
        )

    def _need(self, s: Statement, targets: Sequence[Target], n: int) -> None:
        if len(targets) < n:
            raise Unclear("it is not said of which mask" if n == 1 else "it is not said of which masks")

    # ---- figures
    # --------------------------------------------------------------------------------------------------------
    def _check_share(self, s: Statement, t: list[Target]) -> Outcome:
        self._need(s, t, 1)
        what = f"the share of {t[0].name}"
        if s.figure.unit != "%":  # type: ignore[union-attr]
            return self._misfit(s, t, what)
        if s.of is not None:
            whole = self.find(s.of)
            m.same_grid(t[0].region, whole.region)
            d = whole.region.domain
            inner = Domain(d.grid, d.inside, d.valid & whole.region.mask, d.clear & whole.region.mask)
            t = [Target(Region(t[0].region.label, t[0].region.mask, inner), t[0].steps), whole]
            fact = m.share(t[0].region)
            what = f"the share of {t[0].region.label} within {whole.name}"
        else:
            fact = self.fact("share", t[0])
        if fact.value is None:
            raise Unclear(fact.note)
        value = float(fact.value)  # type: ignore[arg-type]
        if s.said == "not":
            value, what = 100 - value, f"what is not {t[0].name}"
        return self._number(s, t, value, what)

    def _misfit(self, s: Statement, t: list[Target], what: str) -> Outcome:
        """Verdict on a figure whose unit cannot measure `what`: a length for a size."""
        f = s.figure
        assert f is not None
        kind = {"m": "a length", "m²": "an area", "%": "a share", "px": "a number of pixels", "": "a count"}[
            to_base(1, f.unit)[1]
        ]
        share = self.fact("share", t[0]).value
        covers = "" if share is None else f"; {t[0].name} covers {pretty(float(share), '%')}"  # type: ignore[arg-type]
        labels = tuple(dict.fromkeys(x.region.label for x in t))
        return Outcome(
            labels,
            steps_of(t),
            claimed_by(s),
            None,
            f.unit,
            None,
            "disagrees",
            f"{f.unit} is {kind} and {what} is none{covers}",
        )

    def _check_area(self, s: Statement, t: list[Target]) -> Outcome:
        self._need(s, t, 1)
        if s.said == "not":
            raise Unclear("the area of what a mask leaves out is not measured")
        return self._number(s, t, convert(self.value("area", t[0]), "m²", s.figure.unit), f"the area of {t[0].name}")  # type: ignore[union-attr]

    def _check_pixels(self, s: Statement, t: list[Target]) -> Outcome:
        self._need(s, t, 1)
        fact = self.fact("share", t[0])
        if s.said == "of":
            return self._number(s, t, fact.of_pixels, "the clear part of the area")
        return self._number(s, t, fact.pixels, t[0].name)

    def _check_count(self, s: Statement, t: list[Target]) -> Outcome:
        self._need(s, t, 1)
        fact = self.fact("count", t[0])
        if s.said == "every part":
            return self._number(
                s, t, self._every_part(t[0]), f"the number of parts of {t[0].name}, of any size,", exact=True
            )
        return self._number(
            s, t, self.value("count", t[0]), f"the number of parts of {t[0].name}", exact=True, note=fact.note
        )

    def _every_part(self, t: Target) -> float:
        return self.value("count", t) + float((self.fact("count", t).values or (0, 0))[0] or 0)

    def _check_part_share(self, s: Statement, t: list[Target]) -> Outcome:
        self._need(s, t, 2)
        some, every = self._every_part(t[0]), self._every_part(t[1])
        if not every:
            raise Unclear(f"{t[1].name} has no part to count")
        return self._number(
            s, t, 100 * some / every, f"parts of {t[0].name} ({some:g}) over parts of {t[1].name} ({every:g})"
        )

    def _check_small_parts(self, s: Statement, t: list[Target]) -> Outcome:
        self._need(s, t, 1)
        number, pixels = self.fact("count", t[0]).values or (0, 0)
        value = number if s.said == "parts" else pixels
        return self._number(s, t, float(value or 0), f"what was not counted of {t[0].name}", exact=True)

    def _check_distance(self, s: Statement, t: list[Target]) -> Outcome:
        self._need(s, t, 2)
        unit = "px" if s.figure.unit == "px" else "m"  # type: ignore[union-attr]
        value = self.value("distance", t[0], t[1], unit=unit)
        return self._number(s, t, convert(value, unit, s.figure.unit), f"the distance from {t[0].name} to {t[1].name}")  # type: ignore[union-attr]

    def _dated_fact(self, name: str, t: list[Target], unit: str) -> Fact:
        """A change from the first target to the second; the core's reason when it cannot be given."""
        fact = self.fact(name, t[0], t[1], unit=unit)
        if fact.value is None:
            raise Unclear(fact.note)
        return fact

    def _need_two(self, t: list[Target]) -> None:
        if len(t) < 2:
            raise Unclear("it is not said what changed")
        if t[0].steps == t[1].steps:
            raise Unclear(f"a change needs masks of two dates; {t[0].region.label or 'the region'} has one")

    def _changed(self, s: Statement, t: list[Target]) -> Outcome:
        self._need_two(t)
        f = s.figure
        assert f is not None
        said = str(s.said or "")
        base = to_base(1, f.unit)[1]
        if base not in ("%", "m²", "px"):
            return self._misfit(s, t, "a change")
        if base == "px":
            raise Unclear("a change is measured in % or as an area, not in pixels")
        relative = said.endswith("%")
        fact = self._dated_fact(s.kind, t, base)
        value, ratio = float(fact.value), fact.values[2]  # type: ignore[arg-type]
        note = f"on the {100 * fact.clear_share:.0f} % of the area clear on both dates"
        own = f"the {s.kind} of {t[0].region.label} from {day_of(t[0])} to {day_of(t[1])}"
        if relative:
            if ratio is None:
                raise Unclear(f"there is no {t[0].region.label} on {day_of(t[0])} to take a share of")
            value, own = ratio, f"{own}, as a share of the first,"
        value = value if f.unit == "%" else convert(value, base, f.unit)
        sign = -1 if said.startswith("-") else 1
        shown = s
        if said.startswith(("-", "+")):
            shown = replace(s, figure=replace(f, value=abs(f.value)))
            value = sign * value
        elif said.startswith("±"):
            value = abs(value)
        out = self._number(shown, t, value, own, sign=sign, note=note)
        if (
            out.verdict == "disagrees"
            and base == "%"
            and not relative
            and ratio is not None
            and agrees(shown.figure, abs(ratio))[0]
        ):  # type: ignore[arg-type]
            out = replace(
                out, why=f"{out.why}. It would agree as a share of the first area; say «of its area» to mean that"
            )
        return out

    _check_gain = _check_loss = _check_net = _changed

    def _check_times(self, s: Statement, t: list[Target]) -> Outcome:
        self._need(s, t, 2)
        a, b = t if s.said != "less" else t[::-1]
        one, other = self._sizes(a, b)
        if not other:
            raise Unclear(f"{b.name} is empty, and nothing is a multiple of nothing")
        return self._number(s, t, one / other, f"{a.name} over {b.name}")

    def _sizes(self, a: Target, b: Target) -> tuple[float, float]:
        if a.region.grid.has_metres and a.region.domain is b.region.domain:
            return self.value("area", a), self.value("area", b)
        fact = self._compare(a, b)
        return float(fact.values[0] or 0), float(fact.values[1] or 0)

    def _compare(self, a: Target, b: Target) -> Fact:
        """`compare` by places, for two dates of one label have one name: the value is "0", "1" or `EQUAL`."""
        key = ("larger", a.steps, b.steps)
        if key not in self._facts or len(a.steps) > 1 or len(b.steps) > 1:
            pair = (
                Region(str(k), x.region.mask, x.region.domain, x.region.image, x.region.time)
                for k, x in enumerate((a, b))
            )
            self._facts[key] = m.compare(*pair)
        fact = self._facts[key]
        if fact.value is None:
            raise Unclear(fact.note)
        return fact

    def _check_difference(self, s: Statement, t: list[Target]) -> Outcome:
        self._need(s, t, 2)
        f = s.figure
        assert f is not None
        sign = -1 if s.said == "-" else 1
        if f.unit != "%":
            base = to_base(1, f.unit)[1]
            if base not in ("m²", "px"):
                return self._misfit(s, t, "a difference in size")
            one, other = (self.value("area", x) if base == "m²" else float(self.fact("share", x).pixels) for x in t[:2])
            value = convert(one - other, base, f.unit)
            return self._number(s, t, abs(value) if s.said == "±" else sign * value, f"{t[0].name} against {t[1].name}")
        one, other = self.value("share", t[0]), self.value("share", t[1])
        points = abs(one - other) if s.said == "±" else sign * (one - other)
        out = self._number(s, t, points, f"{t[0].name} against {t[1].name}, in points,")
        if f.points or out.verdict == "agrees" or not other or s.said == "±":
            return out
        return self._number(
            s, t, sign * (one - other) / other * 100, f"{t[0].name} against {t[1].name}, as a share of the second,"
        )

    def _check_clear_share(self, s: Statement, t: list[Target]) -> Outcome:
        if not self.given:
            raise Unclear("there is no mask, so there is no area that it speaks of")
        if not t:
            t = [self.target([len(self.given) - 1])]
        if s.said == "both":
            dates = sorted(range(len(self.given)), key=self._moment)
            pair = [k for k in dates if self.labels[k] == t[0].region.label] or dates
            t = [self.target([pair[0]]), self.target([pair[-1]])]
            self._need_two(t)
            share = self.fact("net", *t, unit="%").clear_share
            return self._number(s, t, 100 * share, "the part of the area clear on both dates")
        fact = self.fact("share", t[0])
        share = fact.nodata_share if s.said == "nodata" else fact.clear_share
        return self._number(
            s,
            t,
            100 * share,
            "the part of the area without data" if s.said == "nodata" else "the clear part of the area",
        )

    def _check_figure(self, s: Statement, t: list[Target]) -> Outcome:
        raise Unclear(s.why or "no mask can be tied to it")


def claimed_by(s: Statement) -> float | bool | str | tuple[str, ...] | None:
    """What a statement claims, as a `Claim` shows it."""
    if s.figure is None:
        return s.said
    return s.figure.value if s.figure.high is None else f"{s.figure.value:g}–{s.figure.high:g}"


def steps_of(targets: Sequence[Target]) -> tuple[int, ...]:
    """Indices of the regions of some targets, none twice."""
    return tuple(dict.fromkeys(k for t in targets for k in t.steps))
