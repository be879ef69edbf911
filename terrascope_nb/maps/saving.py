"""SaveSection: out — files, and the Python that does it all again."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

from terrascope_nb._html import tag
from terrascope_nb._optional import need
from terrascope_nb._suggest import unknown
from terrascope_nb.errors import InvalidInput

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
    """Write a trace; gives the path, and the line of Python that does the same.

    Raises
    ------
    InvalidInput
        For an unknown kind; the message lists those there are.
    AlreadyThere
        When the file is there and `overwrite` is False.
    """
    if kind not in KINDS:
        raise InvalidInput(unknown("kind of file", kind, KINDS))
    method = KINDS[kind][0]
    more = {"overwrite": True} if overwrite else {}
    written = getattr(trace, method)(path, **more)
    return Path(written), f"trace.{method}({str(path)!r}{', overwrite=True' if overwrite else ''})"


class SaveSection:
    """The last section of the panel.

    Parameters
    ----------
    write : callable
        ``write(kind, path, overwrite)`` gives the path written, or None when it failed.
    code : callable
        Gives the Python.
    """

    def __init__(self, write: Callable[[str, str, bool], Path | None], code: Callable[[], str]) -> None:
        w = need("ipywidgets", "save from a notebook's panel", "maps")
        self._write, self._code = write, code
        wide = w.Layout(width="98%")
        self.kind = w.Dropdown(description="Save as", options=[(v[2], k) for k, v in KINDS.items()], layout=wide)
        self.path = w.Text(description="Path", value=KINDS["html"][1], layout=wide)
        self.overwrite = w.Checkbox(description="Overwrite what is there", value=False, indent=False)
        self.go = w.Button(description="Save", icon="save", tooltip="Write the file beside the notebook")
        self.show_code = w.Button(description="Show as Python", icon="code", tooltip="Python that does the same")
        self.said = w.HTML()
        self.code = w.Textarea(description="Python", rows=8, layout=w.Layout(width="98%", display="none"))
        self.widget = w.VBox(
            [self.kind, self.path, self.overwrite, w.HBox([self.go, self.show_code]), self.said, self.code]
        )
        self.widget.add_class("tsnb-save")
        self.kind.observe(lambda change: setattr(self.path, "value", KINDS[change["new"]][1]), "value")
        self.go.on_click(lambda _: self._saved())
        self.show_code.on_click(lambda _: self.refresh(True))

    def refresh(self, shown: bool | None = None) -> None:
        """Write the Python as it is now; `shown` opens the box."""
        if shown:
            self.code.layout.display = ""
        self.code.value = self._code()

    def _saved(self) -> None:
        written = self._write(self.kind.value, self.path.value.strip(), self.overwrite.value)
        self.said.value = "" if written is None else str(tag("p", f"Written: {written}", cls="small"))
