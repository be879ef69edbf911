"""``cube.scope``: ask an xarray cube in place. Opt-in: only ``import terrascope_nb.accessor`` registers it.

The cube is one that `open_cube` gave, or any Dataset whose attributes name its sensor as that does. Registering and
``cube.scope`` read nothing; `ask`, `scene` and `explore` read the pixels, once for a cube.
"""

from __future__ import annotations

import inspect
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import xarray as xr

from terrascope_nb._suggest import unknown
from terrascope_nb.errors import InvalidInput, NotFound
from terrascope_nb.stac.sensors import SENSORS, sensor_of

if TYPE_CHECKING:
    from terrascope_nb.maps.explorer import Explorer
    from terrascope_nb.reason.reasoner import Reasoner
    from terrascope_nb.reason.trace import Trace
    from terrascope_nb.scene.scene import Scene

NAME = "scope"
KINDS = ("optical", "sar")


class Scope:
    """What ``cube.scope`` is.

    Parameters
    ----------
    cube : xarray.Dataset
        (time, y, x) variables by STAC common name, as `open_cube` gives it.

    Examples
    --------
    >>> import terrascope_nb as ts
    >>> import terrascope_nb.accessor
    >>> aoi = ts.samples.place("lake")
    >>> cube = ts.open_cube(ts.search(aoi, "2017-09", sensor="bigearthnet-s2-l2a", catalog="sample"))
    >>> cube.scope
    <scope of an optical cube, bigearthnet-s2-l2a, 1 date: .ask(question), .scene(), .explore()>
    >>> cube.scope.ask("Is there water?").answer.text
    'yes'
    """

    def __init__(self, cube: xr.Dataset) -> None:
        self._cube = cube
        self._kept: tuple[dict[str, Any], Scene] | None = None

    @property
    def kind(self) -> str:
        """What the cube is of, "optical" or "sar", by its attributes.

        Raises
        ------
        InvalidInput
            When nothing in it tells, or it is neither.
        """
        return kind_of(self._cube)

    def scene(self, **options: Any) -> Scene:
        """The cube as a `Scene`; reads its pixels.

        Parameters
        ----------
        **options
            Of `Scene.from_cubes`: ``aoi``, ``name``, ``times``, ``cloud``, ``notes``; and ``sar`` or ``optical``, the
            cube of the other sensor on the same grid.
        """
        from terrascope_nb.scene.build import from_cubes

        kind, known = self.kind, [k for k in inspect.signature(from_cubes).parameters if k != self.kind]
        for name in options:
            if name not in known and name != kind:
                raise InvalidInput(unknown("option of a scene:", name, known))
        if kind in options:
            raise InvalidInput(
                f"this cube is the {kind} one; give the other as {_other(kind)}=, or call from its scope"
            )
        return from_cubes(**{kind: self._cube}, **options)

    def ask(self, question: str, choices: Any = None, reasoner: str | Reasoner = "spectral", **options: Any) -> Trace:
        """Ask the cube a question, as `terrascope_nb.ask` asks a scene; `options` are those of `scene`.

        The scene is kept for the next question with the same options, until a variable or attribute of the cube is
        another one. A value written into an array in place is not noticed: then ask ``scene()``.
        """
        from terrascope_nb.reason.reasoner import ask

        return ask(self._scene(options), question, choices, reasoner)

    def explore(self, scene: Mapping[str, Any] | None = None, **options: Any) -> Explorer:
        """Explore the cube on a map; `options` are those of `Explorer`, `scene` those of `scene` (needs ``[maps]``)."""
        from terrascope_nb.maps.explorer import Explorer

        return Explorer(scene=self._scene(dict(scene or {})), **options)

    def _scene(self, options: dict[str, Any]) -> Scene:
        """The scene of these options, made anew only where they are others."""
        state = {f"option {k}": v for k, v in options.items()}
        state |= {f"variable {k}": v for k, v in self._cube.variables.items()}
        state |= {f"attribute {k}": str(v) for k, v in self._cube.attrs.items()}
        if self._kept is None or not _alike(self._kept[0], state):
            self._kept = (state, self.scene(**options))
        return self._kept[1]

    def __repr__(self) -> str:
        try:
            kind = self.kind
        except InvalidInput as error:
            return f"<scope: {error}>"
        sensor, dates = _sensor(self._cube), self._cube.sizes.get("time", 1)
        article = "an" if kind == "optical" else "a"
        of = f"{article} {kind} cube{f', {sensor}' if sensor else ''}, {dates} date{'s' * (dates != 1)}"
        return f"<scope of {of}: .ask(question), .scene(), .explore()>"


def kind_of(cube: xr.Dataset) -> str:
    """Whether a cube is "optical" or "sar": by ``terrascope:kind``, by its sensor, or by radar bands vv, vh, hh, hv.

    Raises
    ------
    InvalidInput
        When nothing tells, or it is of another kind.

    Examples
    --------
    >>> kind_of(xr.Dataset(attrs={"sensor": "sentinel-2-l2a"}))
    'optical'
    """
    stated = str(cube.attrs.get("terrascope:kind", ""))
    sensor = _sensor(cube)
    if not stated and sensor:
        try:
            stated = sensor_of(sensor).kind
        except NotFound as error:
            raise InvalidInput(
                f"{unknown('sensor', sensor, SENSORS)}: name a known one in cube.attrs['terrascope:sensor'], or the "
                'kind in cube.attrs[\'terrascope:kind\'], "optical" or "sar"'
            ) from error
    if not stated and len(cube.data_vars) and {str(k).lower() for k in cube.data_vars} <= {"vv", "vh", "hh", "hv"}:
        stated = "sar"
    if stated in KINDS:
        return stated
    bands = ", ".join(map(str, cube.data_vars)) or "none"
    if stated:
        raise InvalidInput(f"a {stated} cube is no picture to ask (variables: {bands}); an optical or SAR cube is")
    raise InvalidInput(
        f"nothing in this Dataset (variables: {bands}) tells what it is of: make it with ts.open_cube, or state "
        "cube.attrs['terrascope:sensor'] = 'sentinel-2-l2a' (or another sensor), or use ts.Scene.from_arrays, which "
        "takes units= and bands="
    )


def _sensor(cube: xr.Dataset) -> str:
    return str(cube.attrs.get("terrascope:sensor", cube.attrs.get("sensor", "")))


def _other(kind: str) -> str:
    return KINDS[1 - KINDS.index(kind)]


def _alike(a: Mapping[str, Any], b: Mapping[str, Any]) -> bool:
    """The same objects, or equal texts, under the same names: arrays and areas have no cheap equality."""
    return a.keys() == b.keys() and all(a[k] is b[k] or (isinstance(a[k], str) and a[k] == b[k]) for k in a)


def _register() -> None:
    """Register; where this module is loaded again, in the place of its own, of which xarray need not warn."""
    there = vars(xr.Dataset).get(NAME)
    if there is not None and getattr(xr.Dataset, NAME).__module__ == __name__:
        delattr(xr.Dataset, NAME)
    xr.register_dataset_accessor(NAME)(Scope)


_register()
