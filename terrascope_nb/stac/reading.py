"""Reading: a lazy cube into memory, with a bar that counts megabytes."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from terrascope_nb._progress import progress

if TYPE_CHECKING:
    import xarray as xr


def read(cube: xr.Dataset, desc: str = "reading") -> xr.Dataset:
    """The cube in memory. Reads its pixels, all chunks at once as far as there are threads.

    The bar shows the cube's megabytes as far as its chunks are done; with a distributed scheduler, which has its own
    view of the work, it fills at the end.

    Parameters
    ----------
    cube : Dataset
        As `open_cube` gives it; one that is in memory already is returned as it is.
    desc : str
        What the bar says.
    """
    if not any(v.chunks for v in cube.variables.values()):
        return cube
    from dask.callbacks import Callback

    total = max(round(cube.nbytes / 1e6), 1)
    with progress(total, desc, "MB") as bar:
        shown = 0.0

        def done(key: Any, result: Any, graph: Any, state: Any, worker: Any) -> None:
            nonlocal shown
            finished = len(state["finished"])
            everything = finished + sum(len(state[k]) for k in ("ready", "waiting", "running"))
            step = total * finished / max(everything, 1) - shown
            if step > 0:
                bar.update(step)
                shown += step

        with Callback(posttask=done):
            out = cube.compute()
        bar.update(max(total - shown, 0))
    return out
