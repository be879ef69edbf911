"""Reasoning worded by a language model, from measured facts: kept only where every word that can be checked holds."""

from __future__ import annotations

import hashlib
import json
import os
import threading
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from terrascope_nb.cot.check import check
from terrascope_nb.cot.judging import Verdict, judge
from terrascope_nb.cot.record import Record
from terrascope_nb.errors import InvalidInput
from terrascope_nb.reason import measure as m
from terrascope_nb.reason.grammar import write_output
from terrascope_nb.reason.measure import Fact, Region
from terrascope_nb.reason.remote.client import Client
from terrascope_nb.reason.remote.spend import OverBudget
from terrascope_nb.reason.units import pretty

#: What the model is told; part of the cache's key, so that another wording is asked anew.
INSTRUCTION = (
    "You word the reasoning of an earth-observation assistant. You get a question, its answer, the regions that were "
    "segmented, facts that were measured on them, and a draft by rules. Write two to six plain English sentences that "
    "lead from the facts to the answer.\n"
    "Rules. Cite each region exactly once, in the order of its number, by [SEG] right behind its name: «the water "
    "[SEG] covers …». Where regions have dates, name the date or «Image: t_i» in the sentence. Use no figure that is "
    "not among the facts, write each with the digits and unit given, and do not compute new ones; limits of a rule are "
    "only asked about, as the draft does («is it at most 100 m?»), in its order. State a relation "
    "(larger, touching, nearer, where in the scene) only if a fact says so. No lists, no numbering, no bands, no "
    "option letters within the reasoning.\n"
    "Form: <think> reasoning </think><answer> the answer as given </answer> and nothing else."
)
CAPPED = "spending cap reached"


def facts_of(regions: Sequence[Region]) -> list[Fact]:
    """What the measuring core says of regions: share, area, parts and place of each; of each two of one image, whether
    they touch, which is larger and how far apart they are; of one class on two dates, the net change.
    """
    out: list[Fact] = []
    for r in regions:
        out += [m.share(r), m.count(r), m.location(r)]
        out += [m.area(r)] if r.grid.crs is not None else []
    for i, a in enumerate(regions):
        for b in regions[i + 1 :]:
            if a.grid != b.grid:
                continue
            if a.image == b.image and a.label != b.label:
                out += [m.adjacent(a, b), m.compare(a, b)]
                out += [m.distance(a, b)] if a.grid.crs is not None else []
            elif a.label == b.label and a.image != b.image:
                out.append(m.net(a, b, unit="%"))
    return [f for f in out if f.value is not None]


def fact_json(fact: Fact) -> dict[str, Any]:
    """A fact as the prompt shows it; numbers as sentences write them, so that their digits agree with the measure.

    Examples
    --------
    >>> fact_json(Fact("share", ("water",), 17.14, "%", 1714, 10000, 1.0, 1.0, 0.0))
    {'fact': 'share', 'of': ['water'], 'value': '17.1 %'}
    """
    value: Any = fact.value
    if isinstance(value, float | int) and not isinstance(value, bool):
        value = pretty(float(value), fact.unit)
    return {"fact": fact.kind, "of": list(fact.labels), "value": list(value) if isinstance(value, tuple) else value}


def write_prompt(record: Record, facts: Iterable[Fact]) -> list[dict[str, str]]:
    """The messages that ask for a wording of a record's reasoning; the same record and facts give the same text."""
    letter = record.answer
    answer = f"{letter} ({(record.choices or {}).get(letter, '')})" if letter else record.said
    dated = len(record.images) > 1
    regions = []
    for k, mask in enumerate(record.masks, 1):
        region: dict[str, Any] = {"number": k, "name": mask.label}
        if dated:
            region |= {"image": f"t_{mask.image + 1}", "date": mask.time or record.images[mask.image].time}
        regions.append(region)
    asked = {
        "question": record.asked, "answer": answer, "write_in_answer": record.said, "regions": regions,
        "draft": record.reasoning, "facts": [fact_json(f) for f in facts],
    }  # fmt: skip
    text = json.dumps(asked, ensure_ascii=False, indent=1)
    return [{"role": "system", "content": INSTRUCTION}, {"role": "user", "content": text}]


class Cache:
    """Answers on disk, one file a prompt, so that a build that goes on does not pay twice.

    Parameters
    ----------
    folder : path
        Made when first written to. Files hold the model's name, its settings' hash and its text; no prompt, no key.
    """

    def __init__(self, folder: str | Path) -> None:
        self.folder = Path(folder)

    @staticmethod
    def key(settings: Mapping[str, Any], messages: Sequence[Mapping[str, Any]]) -> str:
        """Hash of model, settings and prompt."""
        text = json.dumps([dict(settings), list(messages)], sort_keys=True)
        return hashlib.sha256(text.encode()).hexdigest()

    def path(self, key: str) -> Path:
        """Where an answer is kept."""
        return self.folder / key[:2] / f"{key}.json"

    def get(self, key: str) -> tuple[str, str] | None:
        """(text, finish) of an answer that is there.

        Raises
        ------
        InvalidInput
            When the file is none of ours.
        """
        path = self.path(key)
        try:
            found = json.loads(path.read_text("utf-8"))
            return str(found["text"]), str(found["finish"])
        except FileNotFoundError:
            return None
        except (ValueError, KeyError, TypeError) as e:
            raise InvalidInput(f"{path} is no kept answer ({type(e).__name__}): delete it to ask again") from e

    def put(self, key: str, model: str, text: str, finish: str) -> None:
        """Keep an answer; a kill in the middle leaves no half file."""
        path = self.path(key)
        path.parent.mkdir(parents=True, exist_ok=True)
        own = path.with_name(f"{path.name}.{os.getpid()}.{threading.get_ident()}.part")
        own.write_text(json.dumps({"model": model, "finish": finish, "text": text}), "utf-8")
        os.replace(own, path)


@dataclass(frozen=True)
class Rewritten:
    """What became of a record.

    Attributes
    ----------
    record : Record
        With the new wording, or as it was.
    accepted : bool
        Whether the wording is new.
    reason, detail : str
        Why it is not: a word to count by, and what was found.
    text : str
        What the model wrote; «» where it was not asked.
    cached : bool
        Whether that was kept from before.
    """

    record: Record
    accepted: bool
    reason: str = ""
    detail: str = ""
    text: str = ""
    cached: bool = False


class Rewriter:
    """Has a language model word records' reasoning; keeps what `judge` accepts, and counts the rest by reason.

    Parameters
    ----------
    client : Client
        Its `max_tokens` bounds each wording, its caps the whole; when a cap is reached, the records that are left
        keep their wording by rules, counted as `CAPPED`.
    cache : Cache or path, optional

    Attributes
    ----------
    counts : Counter
        «accepted», and the reasons.
    """

    def __init__(self, client: Client, cache: Cache | str | Path | None = None) -> None:
        self.client = client
        self.cache = cache if isinstance(cache, Cache) or cache is None else Cache(cache)
        self.counts: Counter[str] = Counter()
        self._lock = threading.Lock()

    def rewrite(
        self, record: Record, facts: Iterable[Fact] | None = None, regions: Sequence[Region] | None = None
    ) -> Rewritten:
        """Ask for a wording of one record, or take it from the cache, and judge it.

        Parameters
        ----------
        record : Record
            Composed by rules; without masks there is nothing to cite, and it stays as it is.
        facts : iterable of Fact, optional
            What may be said; by default `facts_of` its regions.
        regions : sequence of Region, optional
            Its masks with where they may be measured; by default ``record.regions()``.

        Raises
        ------
        InvalidInput, NotFound, ReadFailed
            When the endpoint refuses or does not answer; see `Client`. What was answered till then is in the cache.
        """
        out = self._rewrite(record, facts, regions)
        with self._lock:
            self.counts[out.reason or "accepted"] += 1
        return out

    def rewrite_all(self, records: Iterable[Record], workers: int = 4, ahead: int = 16) -> Iterator[Rewritten]:
        """`rewrite` for many, in order, `workers` calls at a time, at most `ahead` records read before their turn."""
        if workers < 1 or ahead < 1:
            raise InvalidInput(f"workers and ahead are at least 1, got {workers} and {ahead}")
        waiting: list[Any] = []
        with ThreadPoolExecutor(workers, thread_name_prefix="rewrite") as pool:
            try:
                for record in records:
                    waiting.append(pool.submit(self.rewrite, record))
                    if len(waiting) > ahead:
                        yield waiting.pop(0).result()
                while waiting:
                    yield waiting.pop(0).result()
            finally:
                for one in waiting:
                    one.cancel()

    def _rewrite(self, record: Record, facts: Iterable[Fact] | None, regions: Sequence[Region] | None) -> Rewritten:
        if not record.masks or record.more:
            return Rewritten(record, False, "nothing to word", "no mask to cite" if record.more == () else "more turns")
        regions = record.regions() if regions is None else tuple(regions)
        if len(regions) != len(record.masks):
            raise InvalidInput(f"record {record.id!r} has {len(record.masks)} masks, {len(regions)} regions were given")
        messages = write_prompt(record, facts_of(regions) if facts is None else facts)
        key = Cache.key(self.client.settings, messages)
        kept = self.cache.get(key) if self.cache else None
        if kept is None:
            try:
                done = self.client.complete(messages)
            except OverBudget as e:
                return Rewritten(record, False, CAPPED, str(e))
            text, finish = done.text, done.finish
            if self.cache:
                self.cache.put(key, self.client.model, text, finish)
        else:
            text, finish = kept
        verdict = judge(text, record, regions) if finish == "stop" else Verdict("cut off", f"finish {finish!r}")
        if verdict.reason:
            return Rewritten(record, False, verdict.reason, verdict.detail, text, kept is not None)
        worded = replace(record, answer_text=write_output(verdict.thinking, record.said))
        had = {f.code for f in check(record)}
        new = next((f for f in check(worded) if f.code not in had), None)
        if new is not None:
            return Rewritten(record, False, new.code, new.text, text, kept is not None)
        return Rewritten(worded, True, text=text, cached=kept is not None)
