"""SaveSection: out — files, and the Python that does it all again."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

from terrascope_nb._html import tag
from terrascope_nb._optional import need
from terrascope_nb._suggest import unknown
from terrascope_nb.errors import InvalidInput
from terrascope_nb.maps.work import guarded

if TYPE_CHECKING:
    from terrascope_nb.reason.trace import Trace

#: kind → (method of `Trace`, a path to begin with, what it is)
KINDS = {
    "html": ("to_html", "answer.html", "report, readable without a kernel"),
    "geotiff": ("to_geotiff", "masks.tif", "masks as a Cloud Optimized GeoTIFF"),
    "geojson": ("to_geojson", "masks.geojson", "outlines as GeoJSON"),
    "stac": ("to_stac", "stac", "folder with a STAC item and all of these"),
    "trace": ("save", "trace", "folder that Trace.load reads back"),
}


def save(trace: Trace, kind: str, path: str | Path, overwrite: bool = False) -> tuple[Path, str]:
    """Write a trace; gives the path, and the method of `Trace` that did it.

    Raises
    ------
    InvalidInput
        For an unknown kind (the message lists those there are), and for no path.
    AlreadyThere
        When the file is there and `overwrite` is False.
    """
    if kind not in KINDS:
        raise InvalidInput(unknown("kind of file", kind, KINDS))
    if not str(path).strip():
        raise InvalidInput(f"there is no path to write to: give one, such as {KINDS[kind][1]!r}")
    method = KINDS[kind][0]
    more = {"overwrite": True} if overwrite else {}
    return Path(getattr(trace, method)(path, **more)), method


class SaveSection:
    """The last section of the panel.

    Parameters
    ----------
    write : callable
        ``write(kind, path, overwrite)`` gives the path written.
    code : callable
        Gives the Python.
    fail : callable
        ``fail(what, error)``.
    """

    def __init__(
        self,
        write: Callable[[str, str, bool], Path],
        code: Callable[[], str],
        fail: Callable[[str, Exception], Any],
    ) -> None:
        w = need("ipywidgets", "save from a notebook's panel", "maps")
        self._write, self._code = write, code
        wide = w.Layout(width="98%")
        self.kind = w.Dropdown(description="Save as", options=[(v[2], k) for k, v in KINDS.items()], layout=wide)
        self.path = w.Text(description="Path", value=KINDS["html"][1], layout=wide)
        self.overwrite = w.Checkbox(description="Overwrite what is there", value=False, indent=False)
        self.go = w.Button(description="Save", icon="save", tooltip="Save the file beside the notebook")
        self.show_code = w.Button(
            description="Show as Python", icon="code", tooltip="Show as Python what was done here"
        )
        self.said = w.HTML()
        self.code = w.Textarea(description="Python", rows=8, layout=w.Layout(width="98%", display="none"))
        self.widget = w.VBox(
            [self.kind, self.path, self.overwrite, w.HBox([self.go, self.show_code]), self.said, self.code]
        )
        self.widget.add_class("tsnb-save")
        self.kind.observe(lambda change: setattr(self.path, "value", KINDS[change["new"]][1]), "value")
        self.go.on_click(guarded("saving", lambda _: self._saved(), fail))
        self.show_code.on_click(guarded("writing the Python", lambda _: self.refresh(True), fail))

    def refresh(self, shown: bool = False) -> None:
        """Write the Python as it is now, where it is shown; `shown` opens the box."""
        if shown:
            self.code.layout.display = ""
        if self.code.layout.display != "none":
            self.code.value = self._code()

    def _saved(self) -> None:
        self.said.value = ""
        written = self._write(self.kind.value, self.path.value.strip(), self.overwrite.value)
        self.said.value = str(tag("p", f"Written: {written}", cls="small", role="status"))
