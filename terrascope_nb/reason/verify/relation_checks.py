"""Relations against masks: comparison, order, adjacency, existence, place, and the direction of a change."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from terrascope_nb.reason import measure as m
from terrascope_nb.reason.units import pretty
from terrascope_nb.reason.verify.checking import FigureChecker, Outcome
from terrascope_nb.reason.verify.figures import LOOSE
from terrascope_nb.reason.verify.sayings import Statement
from terrascope_nb.reason.verify.targets import Target, Unclear, day_of, holds
from terrascope_nb.reason.verify.tolerance import CLOSE


class Checker(FigureChecker):
    """Checks every statement of one text: figures as `FigureChecker` does, and what is said without a number."""

    # ---- what is said without a number
    # ------------------------------------------------------------------------------------
    def _check_name(self, s: Statement, t: list[Target]) -> Outcome:
        label = self.given[t[0].steps[0]].label
        return Outcome(
            (label,),
            t[0].steps,
            s.said,
            label,
            "",
            None,
            "disagrees",
            f"the text says {s.said}; its mask is named {label}",
        )

    def _check_date(self, s: Statement, t: list[Target]) -> Outcome:
        region = self.given[s.refs[0].seg]  # type: ignore[index]  (misdated makes it of a [SEG])
        day = str(region.time)[:10]
        why = f"the text says {s.said}; the mask of this [SEG] is of {day}"
        return Outcome((region.label,), t[0].steps, s.said, day, "", None, "disagrees", why)

    def _check_exists(self, s: Statement, t: list[Target]) -> Outcome:
        self._need(s, t, 1)
        fact = self.fact("exists", t[0])
        if fact.value is None:
            raise Unclear(fact.note)
        got = bool(fact.value)
        why = f"{t[0].name} {'has' if got else 'has no'} part of at least {m.MIN_PIXELS} pixels"
        return self._said(s, t, got, got == s.said, why)

    def _check_location(self, s: Statement, t: list[Target]) -> Outcome:
        self._need(s, t, 1)
        if len(t) > 1:
            return self._beside(s, t)
        fact = self.fact("location", t[0])
        if fact.value is None:
            raise Unclear(fact.note or f"{t[0].name} is empty")
        got = str(fact.value)
        good = got == s.said or set(str(s.said).split("-")) < set(got.split("-"))
        return self._said(s, t, got, good, f"the middle of {t[0].name} lies in the {got}")

    def _beside(self, s: Statement, t: list[Target]) -> Outcome:
        m.same_grid(t[0].region, t[1].region)
        ends = [x.region.centroid for x in t[:2]]
        if ends[0] is None or ends[1] is None:
            raise Unclear("one of the two is empty")
        (ra, ca), (rb, cb) = ends
        grid = t[0].region.grid
        if grid.crs is None:
            east, north = ca - cb, rb - ra
        else:
            lon, lat = grid.lonlat([ra, rb], [ca, cb])
            east = ((lon[0] - lon[1] + 180) % 360 - 180) * float(np.cos(np.radians(lat.mean())))
            north = float(lat[0] - lat[1])
        names = ("east", "north-east", "north", "north-west", "west", "south-west", "south", "south-east")
        turn = float(np.degrees(np.arctan2(north, east)))
        got = names[round(turn / 45) % 8]
        good = all(
            {"north": north > 0, "south": north < 0, "east": east > 0, "west": east < 0}.get(p, False)
            for p in str(s.said).split("-")
        )
        good = good and (got == s.said or bool(set(got.split("-")) & set(str(s.said).split("-"))))
        return self._said(s, t, got, good, f"the middle of {t[0].name} lies to the {got} of that of {t[1].name}")

    def _check_adjacent(self, s: Statement, t: list[Target]) -> Outcome:
        self._need(s, t, 2)
        facts = [self.fact("adjacent", t[0], x) for x in t[1:]]
        for f in facts:
            if f.value is None:
                raise Unclear(f.note)
        got = [bool(f.value) for f in facts]
        words = "; ".join(
            f"{t[0].name} {'touches' if g else 'does not touch'} {x.name}" for g, x in zip(got, t[1:], strict=True)
        )
        if s.said == "surrounded":
            if all(got):
                raise Unclear(f"{words}; whether it lies all around is not measured")
            return self._said(s, t, False, False, words)
        return self._said(s, t, all(got) if s.said else any(got), all(g == s.said for g in got), words)

    def _check_larger(self, s: Statement, t: list[Target]) -> Outcome:
        self._need(s, t, 2)
        said, good, words = str(s.said), True, []
        for other in t[1:]:
            fact = self._compare(t[0], other)
            way = {"0": "larger", "1": "smaller"}.get(str(fact.value), "same")
            one, two = (float(v or 0) for v in fact.values)
            off = abs(one - two) / max(one, two) if max(one, two) else 0.0
            fits = {
                "larger": way == "larger", "smaller": way == "smaller", "not larger": way != "larger",
                "not smaller": way != "smaller",
                "same": way == "same" or off <= CLOSE, "about same": off <= LOOSE, "not same": off > CLOSE,
            }[said]  # fmt: skip
            good = good and fits
            words.append((way, f"{t[0].name} covers {pretty(one, '%')}, {other.name} {pretty(two, '%')}"))
        return self._said(s, t, words[0][0], good, "; ".join(w for _, w in words))

    def _check_nearer(self, s: Statement, t: list[Target]) -> Outcome:
        self._need(s, t, 3)
        unit = "m" if t[0].region.grid.has_metres else "px"
        one, two = self.value("distance", t[0], t[1], unit=unit), self.value("distance", t[0], t[2], unit=unit)
        way = "nearer" if one < two else "farther" if one > two else "same"
        said = str(s.said)
        good = way == said or (said.startswith("not ") and way != said[4:])
        return self._said(
            s,
            t,
            way,
            good,
            f"{t[0].name} is {pretty(one, unit)} from {t[1].name}, {pretty(two, unit)} from {t[2].name}",
        )

    def _check_ranking(self, s: Statement, t: list[Target]) -> Outcome:
        self._need(s, t, 1)
        what, nth, *side = (str(x) for x in s.said)  # type: ignore[union-attr]
        small = what.endswith("smallest") or what == "rising"
        good, words, order = True, [], ()
        if what not in ("rising", "falling"):
            (low, high, everyone), words = self._place_of(t[0], small)
            want = len(everyone) if nth == "-1" else int(nth)
            good = (low <= want <= high) != what.startswith("not ")
            order = tuple(everyone[max(want - 1, 0) :][: len(t)])
        chain = t if not side or side[0] == "before" else t[::-1]
        chain = chain if what in ("rising", "falling") or len(t) > 1 else []
        down = not small if side else not small
        for one, other in zip(chain, chain[1:], strict=False):
            fact = self._compare(one, other)
            a, b = (float(v or 0) for v in fact.values)
            good = good and str(fact.value) != ("1" if down else "0")
            words.append(f"{one.name} {pretty(a, '%')}, {other.name} {pretty(b, '%')}")
        if len({x.steps for x in t}) < len(t):
            good = False
            words.append("one class stands twice in the order")
        shown = tuple(x.region.label for x in t)
        if what in ("rising", "falling"):
            order = tuple(x.region.label for x in self._sorted(t, small))
        out = self._said(s, t, order, good, "; ".join(dict.fromkeys(words)))
        return replace(out, claimed=shown)

    def _sorted(self, t: list[Target], small: bool) -> list[Target]:
        shares = [self.fact("share", x).value or 0.0 for x in t]
        return [t[k] for k in sorted(range(len(t)), key=lambda k: shares[k] if small else -shares[k])]  # type: ignore[operator]

    def _place_of(self, a: Target, small: bool) -> tuple[tuple[int, int, list[str]], list[str]]:
        """First and last place that `a` may claim among the classes of its image, all of them in order, and the
        words.
        """
        image = self._moment(a.steps[0])
        pool: dict[str, Target] = {}
        for k in range(len(self.given)):
            if self._moment(k) == image and k not in a.steps and self.labels[k] != a.region.label:
                pool.setdefault(self.labels[k] or f"region {k + 1}", self.target([k]))
        pool = {
            label: x
            for label, x in pool.items()
            if not holds(label, [a.region.label, *pool]) and not holds(a.region.label, [label])
        }
        if small:
            pool = {label: x for label, x in pool.items() if x.region.count}
        own = self.value("share", a)
        if not pool:
            if own > 50 and not small:
                return (1, 1, [a.region.label]), [f"{a.name} covers {pretty(own, '%')}, more than half"]
            raise Unclear(f"{a.region.label or 'it'} is the only class with a mask; there is nothing to rank it among")
        ways = [str(self._compare(a, x).value) for x in pool.values()]
        ahead = sum(w == ("0" if small else "1") for w in ways)
        equal = sum(w == m.EQUAL for w in ways)
        shares = ", ".join(
            f"{x.region.label or label} {pretty(self.value('share', x), '%')}" for label, x in pool.items()
        )
        order = [x.region.label for x in self._sorted([a, *pool.values()], small)]
        return (ahead + 1, ahead + equal + 1, order), [f"{a.name} covers {pretty(own, '%')}; the others: {shares}"]

    def _check_when(self, s: Statement, t: list[Target]) -> Outcome:
        self._need(s, t, 1)
        label, here = t[0].region.label, self._moment(t[0].steps[0])
        others = {
            self._moment(k): self.target([k])
            for k, name in enumerate(self.labels)
            if name == label and self._moment(k) != here
        }
        if not others:
            raise Unclear(f"{label or 'it'} has a mask on one date only; there is nothing to set it against")
        shares = {here: self.value("share", t[0])} | {k: self.value("share", x) for k, x in others.items()}
        best = (max if s.said == "largest" else min)(shares.values())
        days = {k: day_of(x) for k, x in [(here, t[0]), *others.items()]}
        got = ", ".join(days[k] for k, v in shares.items() if v == best)
        words = "; ".join(f"{days[k]}: {pretty(v, '%')}" for k, v in sorted(shares.items()))
        out = self._said(s, [t[0], *others.values()], f"{s.said} on {got}", shares[here] == best, words)
        return replace(out, claimed=f"{s.said} on {day_of(t[0])}")

    def _check_change(self, s: Statement, t: list[Target]) -> Outcome:
        self._need_two(t)
        said = str(s.said)
        if said.startswith("no "):
            name = "loss" if said == "no lost" else "gain"
            value = self.value(name, t[0], t[1], unit="%")
            return self._said(
                s,
                t,
                "none" if value == 0 else pretty(value, "%"),
                value == 0,
                f"the {name} measures {pretty(value, '%')}",
            )
        turned = t[0].region.time is not None and t[1].region.time is not None and t[1].region.time < t[0].region.time
        fact = self._dated_fact("net", t[::-1] if turned else t, "%")
        value = -float(fact.value) if turned else float(fact.value)  # type: ignore[arg-type]
        before = float(fact.values[1 if turned else 0] or 0)
        way = "+" if value > 0 else "-" if value < 0 else "0"
        still = abs(value) <= CLOSE * before
        good = still if said == "0" else way != said[4:] if said.startswith("not ") else way == said
        got = {"+": "grew", "-": "shrank", "0": "unchanged"}[way]
        why = f"{t[0].region.label} changes by {pretty(value, '%')} net from {day_of(t[0])} to {day_of(t[1])}"
        return self._said(s, t, got, good, why)
