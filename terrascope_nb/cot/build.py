"""Build: sources → a folder of shards, pictures and a manifest; the same bytes whatever is killed in between."""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import closing
from dataclasses import replace
from pathlib import Path
from typing import Any

from terrascope_nb._progress import progress
from terrascope_nb.cot.atomic import DRAFT, to_json, write_whole
from terrascope_nb.cot.faults import Fault
from terrascope_nb.cot.manifest import MANIFEST, Manifest, environment
from terrascope_nb.cot.record import KINDS, SCHEMA
from terrascope_nb.cot.shards import (
    DATA,
    IMAGES,
    Group,
    Journal,
    clean,
    keys_of,
    sync_pictures,
    write_group,
    write_picture,
)  # fmt: skip
from terrascope_nb.cot.tally import Tally
from terrascope_nb.cot.unit import Composer, Recipe, Unit
from terrascope_nb.cot.workers import Given, Named, Source, units
from terrascope_nb.errors import AlreadyThere, InvalidInput
from terrascope_nb.scene.labelled import Labelled

SHARD_SIZE = 1000
"""Records a group of shards holds at least."""

_TRIED = 20  # images that a dry run composes


def build(
    sources: Any,
    out: str | Path,
    n: int | None = None,
    seed: int = 0,
    workers: int | None = None,
    *,
    kinds: Sequence[str] = KINDS,
    images: bool = True,
    shard_size: int = SHARD_SIZE,
    test_share: float = 0.1,
    own_split: bool = False,
    composer: Composer | None = None,
    overwrite: bool = False,
    **options: Any,
) -> Manifest:
    """Compose records of every image of the sources, check each, and write those that are valid.

    Started again after a kill with the same arguments it goes on from the last shard. Sources take turns, image by
    image.

    Parameters
    ----------
    sources : name, (name, options), `Source`, Labelled, or a list of these
        A name is one of `terrascope_nb.cot.sources.SOURCES`, its options the keywords of that reader.
    out : path
        Folder; made where it is not there. ``data/<split>-<number>.parquet``, ``images/…``, ``manifest.json``.
    n : int, optional
        Records to stop at; by default all that the sources give.
    seed : int
        Each image has its own, by `seed_of` this, its source and its key.
    workers : int, optional
        Processes; by default one a core. The result does not depend on it.
    kinds : sequence of str
        Of `KINDS`.
    images : bool
        Write the 8-bit views as PNG.
    shard_size : int
        Records after which a group of shards is closed, at the end of an image.
    test_share : float
        Share of the places on the test side, 0…1.
    own_split : bool
        Take the sides that the source names instead.
    composer : callable, optional
        By default `terrascope_nb.cot.compose.compose`.
    overwrite : bool
        Remove the data set that is in `out` and start over.
    **options
        Handed to the composer: ``per_image=``, ``sensors=``, … It refuses what it does not know.

    Raises
    ------
    AlreadyThere
        When `out` holds something else, or a finished data set of another recipe.
    InvalidInput
        For arguments that make no sense, or an unfinished build of another recipe.
    ReadFailed
        When a process ended by itself, or a shard was changed.
    """
    given = _sources(sources)
    recipe = _recipe(seed, kinds, images, test_share, own_split, options)
    if n is not None and n < 1 or shard_size < 1:
        raise InvalidInput(f"n and shard_size are records, 1 or more; got n={n}, shard_size={shard_size}")
    workers = (os.cpu_count() or 1) if workers is None else workers
    if workers < 1:
        raise InvalidInput(f"workers is a number of processes, 1 or more; got {workers}")
    composer = _composer() if composer is None else composer
    told = _told(given, recipe, n, shard_size, composer)
    folder = Path(out)
    _make_room(folder, overwrite)
    done = Manifest.read(folder) if (folder / MANIFEST).exists() else None
    if done is not None and done.recipe != told:
        raise AlreadyThere(f"{folder} holds a finished data set of another recipe: overwrite=True, or another folder")
    if done is None:
        done = _write(folder, told, n, shard_size, given, composer, recipe, workers)
    Journal(folder, told).path.unlink(missing_ok=True)
    return done


def try_out(
    sources: Any,
    n: int | None = None,
    seed: int = 0,
    *,
    kinds: Sequence[str] = KINDS,
    test_share: float = 0.1,
    own_split: bool = False,
    composer: Composer | None = None,
    tried: int = _TRIED,
    **options: Any,
) -> Manifest:
    """Compose and check the first images without writing anything: the counts that a build would begin with.

    Parameters
    ----------
    tried : int
        Images to compose at most.
    sources, n, seed, kinds, test_share, own_split, composer, **options
        As in `build`.
    """
    given = _sources(sources)
    recipe = _recipe(seed, kinds, False, test_share, own_split, options)
    composer = _composer() if composer is None else composer
    tally, seen = Tally(), set[tuple[str, str]]()
    with closing(units(given, composer, recipe)) as made:
        for _, unit in made:
            tally.add(_cut(_once(unit, seen), n, tally.records))
            if tally.images >= tried or (n is not None and tally.records >= n):
                break
    return Manifest(_told(given, recipe, n, 0, composer), tally, ())


# ---- writing --------------------------------------------------------------------------------------------------------
def _write(
    folder: Path, told: Mapping[str, Any], n: int | None, shard_size: int, sources: Sequence[Source],
    composer: Composer, recipe: Recipe, workers: int,
) -> Manifest:  # fmt: skip
    journal = Journal(folder, told)
    groups = list(journal.start())
    clean(folder, groups)
    seen = set(keys_of(folder, groups))
    total = Tally()
    for group in groups:
        total.merge(group.tally)
    with progress(n or 0, f"{folder.name}: composing", "record") as bar:
        bar.total = n
        bar.update(total.records)
        start = groups[-1].next if groups else 0
        left = None if n is None else n - total.records
        with closing(units(sources, composer, recipe, start, workers)) as made:
            for group in _groups(folder, len(groups), start, made, left, shard_size, seen, bar):
                journal.add(group)
                groups.append(group)
                total.merge(group.tally)
    shards = tuple(s for g in groups for s in g.shards)
    manifest = Manifest(dict(told), total, shards)
    write_whole(folder / MANIFEST, to_json(manifest.to_json()))
    return manifest


def _groups(
    folder: Path, number: int, start: int, made: Iterator[tuple[int, Unit]], n: int | None, shard_size: int,
    seen: set[tuple[str, str]], bar: Any,
) -> Iterator[Group]:  # fmt: skip
    """Collect units into groups, each written when it is full; `n` more records at most."""
    rows: list[dict[str, Any]] = []
    pictures: list[str] = []
    tally, j, written = Tally(), start, 0
    if n == 0:
        return
    for image, unit in made:
        if image > j and len(rows) >= shard_size:
            yield _close(folder, number, image, rows, pictures, tally)
            number, rows, pictures, tally = number + 1, [], [], Tally()
        j = image
        unit = _cut(_once(unit, seen), n, written)
        for path, data in unit.pictures.items():
            write_picture(folder, path, data)
        rows += unit.rows
        pictures += unit.pictures
        tally.add(unit)
        written += len(unit.rows)
        bar.update(len(unit.rows))
        if n is not None and written >= n:
            break
    if tally.images:
        yield _close(folder, number, j + 1, rows, pictures, tally)


def _close(
    folder: Path, number: int, after: int, rows: Sequence[Mapping[str, Any]], pictures: Sequence[str], tally: Tally
) -> Group:
    shards = write_group(folder, number, rows)
    sync_pictures(folder, pictures)
    return Group(number, after, shards, tally)


def _once(unit: Unit, seen: set[tuple[str, str]]) -> Unit:
    """The unit; without its records where an image of that name came before."""
    name = unit.source, unit.key
    if unit.error or not (unit.rows or unit.rejected):
        return unit
    if name not in seen:
        seen.add(name)
        return unit
    fault = Fault("key-twice", f"{unit.source} has more than one image {unit.key!r}")
    return replace(unit, rows=(), pictures={}, rejected=tuple((row["id"], (fault,)) for row in unit.rows))


def _cut(unit: Unit, n: int | None, written: int) -> Unit:
    """The unit with no more records than are still wanted, and the pictures of these."""
    if n is None or written + len(unit.rows) <= n:
        return unit
    rows = unit.rows[: n - written]
    shown = {i["path"] for row in rows for i in row["images"]}
    return replace(unit, rows=rows, pictures={k: v for k, v in unit.pictures.items() if k in shown})


# ---- arguments ------------------------------------------------------------------------------------------------------
def _sources(given: Any) -> tuple[Source, ...]:
    out = _listed(given)
    if not out:
        raise InvalidInput("there is no source to build from: name at least one")
    for source in out:
        ours = sorted({"part", "on_bad"} & set(source.options or ()))
        if ours and isinstance(source, Named):
            raise InvalidInput(
                f"source {source.name!r}: leave out {' and '.join(ours)}: a build divides images among its processes, "
                "and counts those that cannot be read, by itself"
            )
        source.open((0, 1))  # reads nothing, and names what is unknown before a folder is made
    return out


def _listed(given: Any) -> tuple[Source, ...]:
    if isinstance(given, str):
        return (Named(given),)
    if isinstance(given, Labelled):
        return (Given((given,)),)
    if isinstance(given, tuple) and len(given) == 2 and isinstance(given[0], str) and isinstance(given[1], Mapping):
        return (Named(given[0], dict(given[1])),)
    if hasattr(given, "open") and hasattr(given, "options"):
        return (given,)
    if not isinstance(given, Iterable):
        raise InvalidInput(
            "sources are names, (name, options), objects with name, options and open(part), or Labelled images; "
            f"got {type(given).__name__}"
        )
    items = list(given)
    if items and all(isinstance(x, Labelled) for x in items):
        return (Given(tuple(items)),)
    return tuple(s for item in items for s in _listed(item))


def _recipe(
    seed: int, kinds: Sequence[str], images: bool, test_share: float, own_split: bool, options: Mapping[str, Any]
) -> Recipe:
    from terrascope_nb._suggest import unknown

    kinds = (kinds,) if isinstance(kinds, str) else tuple(kinds)
    for kind in kinds:
        if kind not in KINDS:
            raise InvalidInput(unknown("kind", kind, KINDS))
    if not kinds:
        raise InvalidInput(f"kinds is empty: name at least one of {', '.join(KINDS)}")
    if not 0 <= test_share <= 1:
        raise InvalidInput(f"test_share is the part of the places for testing, 0…1; got {test_share}")
    return Recipe(int(seed), kinds, images, float(test_share), own_split, dict(options))


def _composer() -> Composer:
    from terrascope_nb.cot.compose import compose

    return compose


def _told(
    sources: Sequence[Source], recipe: Recipe, n: int | None, shard_size: int, composer: Composer
) -> dict[str, Any]:
    """What decides the bytes of a data set, as JSON; the number of processes does not."""
    return {
        "schema": SCHEMA, "seed": recipe.seed, "records": n, "shard_size": shard_size, "kinds": list(recipe.kinds),
        "images": recipe.images, "test_share": recipe.test_share, "own_split": recipe.own_split,
        "composer": f"{composer.__module__}.{getattr(composer, '__qualname__', repr(composer))}",
        "options": _plain(recipe.options),
        "sources": [{"name": s.name, "options": _plain(s.options)} for s in sources],
        "versions": environment(),
    }  # fmt: skip


def _plain(value: Any) -> Any:
    """A value as JSON gives it back; what JSON does not know by its `repr`."""
    if isinstance(value, Mapping):
        return {str(k): _plain(v) for k, v in value.items()}
    if isinstance(value, list | tuple):
        return [_plain(v) for v in value]
    if value is None or isinstance(value, bool | int | float | str):
        return value
    return str(value) if isinstance(value, os.PathLike) else repr(value)


def _of_a_beginning(path: Path) -> bool:
    """Whether a build that was killed before its journal began may have left this."""
    return path.name.startswith(DRAFT) or (path.name == DATA and path.is_dir() and not any(path.iterdir()))


def _make_room(folder: Path, overwrite: bool) -> None:
    """Make the folder; remove a data set in it where that is allowed, and nothing else."""
    if folder.exists() and not folder.is_dir():
        raise AlreadyThere(f"{folder} is a file: give the name of a folder")
    ours = (MANIFEST, Journal(folder, {}).path.name)
    begun = any((folder / name).exists() for name in ours)
    if folder.exists() and not begun and any(not _of_a_beginning(p) for p in folder.iterdir()):
        raise AlreadyThere(f"{folder} is not empty, and what is in it is no data set of ours: give another folder")
    if overwrite and begun:
        for name in (DATA, IMAGES):
            shutil.rmtree(folder / name, ignore_errors=True)
        for name in ours:
            (folder / name).unlink(missing_ok=True)
    (folder / DATA).mkdir(parents=True, exist_ok=True)
