"""The Explorer as a user meets it in JupyterLab, in a real browser: every control, mask and sentence is looked at."""

from __future__ import annotations

import json
import re
import shutil
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from terrascope_nb.stac.catalog import CATALOGS

if TYPE_CHECKING:
    from servers.jupyter import Tab

pytest_plugins = ["servers.jupyter"]
pytestmark = pytest.mark.browser

LAKE = 'explorer = explore(scene=ts.samples.load("lake"))\nexplorer'
ASKED = (
    'explorer = explore(scene=ts.samples.load("lake"))\n'
    'explorer.ask("How far is the forest from water?")\nexplorer.wait()\nexplorer'
)
PAIR = """import numpy as np
pair = testing.synthetic_pair(np.random.default_rng(7), 96)
explorer = explore(scene=pair.scene)
explorer.ask("How much water was lost between the first and the last date?")
explorer.wait()
explorer"""
HOSTILE = '<img src=x onerror="window.hacked=1"></script><script>window.hacked=1</script>'
_SHOWN = """e => [...e.querySelectorAll('img.leaflet-image-layer')]
  .filter(i => getComputedStyle(i).opacity > 0)
  .map(i => ({mask: i.src.startsWith('data:image/png'), src: i.src, opacity: +getComputedStyle(i).opacity}))"""


def panel(tab: Tab, n: int = 0) -> Any:
    """The n-th Explorer of the notebook, on the page."""
    found = tab.page.locator(".tsnb-x:not(.tsnb-x .tsnb-x)").nth(n)
    found.wait_for()
    return found


def button(where: Any, words: str) -> Any:
    """The button that reads so."""
    return where.locator("button", has_text=re.compile(rf"^\s*{words}\s*$"))


def shown(where: Any) -> tuple[list[str], list[str]]:
    """Masks and pictures that can be seen on a map, as links."""
    seen = where.locator(".tsnb-map").evaluate(_SHOWN)
    return [s["src"] for s in seen if s["mask"]], [s["src"] for s in seen if not s["mask"]]


def one_mask(tab: Tab, where: Any, other_than: str = "") -> str:
    """The mask that is shown, once it is one, and not `other_than`."""
    where.locator(".tsnb-map").evaluate(
        f"""async (e, before) => {{ const seen = {_SHOWN};
        for (let k = 0; k < 600; k++) {{
          const masks = seen(e).filter(s => s.mask);
          if (masks.length === 1 && masks[0].src !== before) return;
          await new Promise(done => setTimeout(done, 50)); }}
        throw new Error('not one new mask: ' + seen(e).map(s => s.mask)); }}""",
        other_than,
    )
    masks, pictures = shown(where)
    assert len(pictures) == 1
    return masks[0]


def section(where: Any, name: str) -> None:
    """Open a section of the panel, if it is folded."""
    head = where.locator(".jupyter-widget-Collapse-header").filter(has_text=name).first
    if "jupyter-widget-Collapse-open" not in (head.get_attribute("class") or ""):
        head.click()


def place_on_page(where: Any, tab: Tab, latitude: float, longitude: float) -> tuple[float, float]:
    """Where a place of the ground lies in the window, by the map's own bounds."""
    (south, west), (north, east) = tab.until("explorer.canvas.map.bounds")
    box = where.locator(".leaflet-container").first.bounding_box()
    across, down = (longitude - west) / (east - west), (north - latitude) / (north - south)
    return box["x"] + across * box["width"], box["y"] + down * box["height"]


def test_three_lines_typed_into_an_empty_notebook_lead_to_an_answer(cells: Tab) -> None:
    page = cells.page
    page.locator(".jp-Notebook-footer").click()
    page.keyboard.type("import terrascope_nb as ts\n")
    page.keyboard.type('explorer = ts.Explorer(scene=ts.samples.load("lake"), basemap=None)\n')
    page.keyboard.type("explorer")
    page.keyboard.press("Shift+Enter")
    x = panel(cells)
    cells.run("made.append(explorer)")
    x.get_by_label("Question").fill("What share of the scene is water?")
    button(x, "Ask").click()
    x.locator("button.tsnb-sentence.on").wait_for()
    x.get_by_text("agree with their own masks").wait_for()
    one_mask(cells, x)
    x.get_by_role("status").filter(has_text="looking for").wait_for(state="detached")
    cells.shot("explorer_three_lines")
    assert "16.0 %" in x.locator(".tsnb-answer").inner_text()
    assert not cells.errors
    assert not cells.strangers


def test_masks_and_sentences_step_together_by_keyboard_alone(cells: Tab) -> None:
    cells.run(ASKED)
    x, page = panel(cells), cells.page
    button(x, "Previous").focus()
    for _ in range(8):
        page.keyboard.press("Tab")
        if page.evaluate("() => document.activeElement.classList.contains('noUi-handle')"):
            break
    focused = page.locator(":focus")
    assert focused.get_attribute("role") == "slider"
    assert focused.evaluate("e => getComputedStyle(e).outlineStyle") != "none"
    page.keyboard.press("Home")
    page.keyboard.press("ArrowRight")
    x.locator("button.tsnb-sentence.on").filter(has_text="1. ").wait_for()
    first = one_mask(cells, x)
    page.keyboard.press("ArrowRight")
    x.locator("button.tsnb-sentence.on").filter(has_text="2. ").wait_for()
    second = one_mask(cells, x, first)
    x.get_by_text("2. water", exact=False).first.wait_for()
    button(x, "Previous").press("Enter")
    x.locator("button.tsnb-sentence.on").filter(has_text="1. ").wait_for()
    assert one_mask(cells, x, second) == first
    assert cells.value("explorer.view.step") == 1
    assert not cells.errors


def test_a_sentence_clicked_flashes_its_mask_and_fits_the_map(cells: Tab) -> None:
    cells.run(ASKED)
    x = panel(cells)
    one_mask(cells, x)
    cells.run("explorer.canvas.fit(((0.0, 0.0), (1.0, 1.0)))")
    x.locator(".tsnb-map").evaluate(
        """e => { window.flashes = 0; new MutationObserver(seen => { window.flashes += seen.length; }).observe(
        e.querySelector('.leaflet-overlay-pane'), {subtree: true, attributes: true, attributeFilter: ['style']}); }"""
    )
    x.locator("button.tsnb-sentence").nth(1).click()
    cells.page.wait_for_function("() => window.flashes >= 6")
    cells.until("explorer.canvas.map.zoom > 12")
    (south, west), (north, east) = cells.until("explorer.canvas.map.bounds")
    (low, left), (high, right) = cells.value("explorer.view._extent(1)")
    assert south <= low < high <= north
    assert west <= left < right <= east
    one_mask(cells, x)
    cells.shot("explorer_sentence")


def test_a_pixel_clicked_says_sentences_score_and_bands(cells: Tab) -> None:
    cells.run(ASKED)
    x = panel(cells)
    one_mask(cells, x)
    cells.run(
        "rows, cols = explorer.trace.regions[1].pixels.nonzero()\n"
        "at = explorer.trace.frames[0].grid.lonlat(rows[len(rows) // 2], cols[len(rows) // 2])"
    )
    longitude, latitude = cells.value("[float(v) for v in at]")
    cells.page.mouse.click(*place_on_page(x, cells, latitude, longitude))
    x.get_by_text("At the click").wait_for()
    said = x.locator(".tsnb-view").inner_text()
    assert re.search("Not in: .*tree cover", said)
    assert "nir" in said
    held = x.locator("button.tsnb-sentence.held")
    assert held.count() == 1
    assert held.inner_text().startswith("2. ")
    row, col = cells.value("[explorer.view.place.row, explorer.view.place.col]")
    want = cells.value("[int(rows[len(rows) // 2]), int(cols[len(rows) // 2])]")
    assert abs(row - want[0]) <= 1
    assert abs(col - want[1]) <= 1
    x.get_by_text("At the click").scroll_into_view_if_needed()
    cells.shot("explorer_pixel")


def test_a_rectangle_drawn_reaches_the_kernel_and_can_be_deleted(cells: Tab) -> None:
    cells.run("explorer = explore()\nexplorer")
    x, page = panel(cells), cells.page
    cells.until("explorer.canvas.map.bounds")
    box = x.locator(".leaflet-container").bounding_box()
    x.locator(".leaflet-draw-draw-rectangle").click()
    page.mouse.move(box["x"] + 200, box["y"] + 150)
    page.mouse.down()
    page.mouse.move(box["x"] + 300, box["y"] + 220, steps=5)
    page.mouse.up()
    west, south, east, north = cells.until("explorer.aoi is not None and explorer.aoi.bounds")
    assert west < east
    assert south < north
    assert x.get_by_label("Box").input_value().startswith(f"{west:.6g}")
    cells.shot("explorer_drawn")
    button(x, "Delete the area").click()
    cells.until("explorer.aoi is None")
    assert x.get_by_label("Box").input_value() == ""


def test_the_sample_catalogue_is_searched_loaded_and_asked_through_the_controls(cells: Tab) -> None:
    cells.run(
        'explorer = explore(catalog="sample", optical="bigearthnet-s2-l2a", sar="bigearthnet-s1-grd", '
        'dates="2017-09")\nexplorer'
    )
    x = panel(cells)
    x.get_by_label("Box").fill("30.5875,62.8139,30.6123,62.8253")
    x.get_by_label("Box").press("Enter")
    cells.until("explorer.aoi is not None")
    section(x, "Imagery")
    button(x, "Search").click()
    x.locator(".tsnb-data option", has_text="2017-09-24").wait_for(state="attached")
    cells.shot("explorer_found")
    button(x, "Load").click()
    x.get_by_label("Question").wait_for()
    x.get_by_label("Question").fill("Is there more tree cover than water?")
    x.get_by_label("Options").fill("yes\nno")
    button(x, "Ask").click()
    x.get_by_text("agree with their own masks").wait_for()
    one_mask(cells, x)
    assert cells.value("explorer.trace.answer.choice")
    code = cells.value("explorer.code()")
    assert "catalog='sample'" in code
    section(x, "Save and code")
    button(x, "Show as Python").click()
    x.locator(".tsnb-save textarea").wait_for()
    assert x.locator(".tsnb-save textarea").input_value() == code
    cells.shot("explorer_code")
    assert not cells.errors
    assert not cells.strangers


def test_another_date_moves_picture_and_mask_together(cells: Tab) -> None:
    cells.run(PAIR)
    x = panel(cells)
    one_mask(cells, x)
    assert cells.value("len(explorer.timeline.dates)") >= 2
    before = shown(x)
    handle = x.locator(".tsnb-time .noUi-handle")
    first = cells.value("explorer.view.layers.image")
    for key in ("Home", "ArrowRight", "End"):
        handle.press(key)
        if cells.value("explorer.view.layers.image") != first:
            break
    cells.until(f"explorer.view.layers.image != {first}")
    mask = one_mask(cells, x, before[0][0])
    after = shown(x)
    assert after[1] != before[1]
    x.locator(".tsnb-time").scroll_into_view_if_needed()
    cells.shot("explorer_dates")
    button(x, "Split").click()
    x.locator(".leaflet-sbs-divider").wait_for()
    sides = x.locator(".tsnb-map img.leaflet-image-layer").evaluate_all(
        "all => all.filter(i => getComputedStyle(i.parentElement).clip !== 'auto')"
        ".filter(i => +getComputedStyle(i).opacity).length"
    )
    assert sides == 4  # a picture and a mask on either side
    cells.shot("explorer_split")
    button(x, "Gain and loss").click()
    time = x.locator(".tsnb-time")
    time.get_by_text("lost ").wait_for()
    assert "of what there was" in time.inner_text()
    cells.shot("explorer_change")
    assert x.locator(".leaflet-sbs-divider").count() == 0
    button(x, "One image").click()
    cells.until("explorer.view.step > 0")
    x.locator(".tsnb-view .noUi-handle").first.press("Home")
    cells.until("explorer.view.step == 0")  # the image alone, and it stays so
    cells.page.wait_for_timeout(300)
    assert cells.value("explorer.view.step") == 0
    assert shown(x)[0] == []
    assert mask
    assert not cells.errors


def test_a_sensor_blanked_is_asked_without(cells: Tab) -> None:
    cells.run(ASKED)
    x = panel(cells)
    before = one_mask(cells, x)
    button(x, "Blank SAR and ask again").click()
    cells.until("len(explorer.history) == 2")
    x.get_by_text("89.6 ha").wait_for(state="detached")
    assert button(x, "Blank SAR and ask again").count() == 0
    x.get_by_text("Asked without SAR, 2017-09-25, blanked.").wait_for()
    assert cells.value("[f.blanked for f in explorer.trace.frames]") == [False, True]
    assert before
    one_mask(cells, x)
    cells.shot("explorer_blanked")
    section(x, "Question")
    x.get_by_label("Before").locator("option").nth(1).wait_for(state="attached")


def test_stop_keeps_what_a_slow_reasoner_had_said(cells: Tab) -> None:
    cells.run(
        'slow = testing.SlowReasoner(ts.open_reasoner("spectral"), pause=0.4)\n'
        'explorer = explore(scene=ts.samples.load("lake"), reasoner=slow)\n'
        'explorer.ask("How far is the forest from water?")\nexplorer'
    )
    x = panel(cells)
    x.locator("button.tsnb-sentence").first.wait_for()
    assert cells.value("1 + 1") == 2  # the kernel is free meanwhile
    section(x, "Question")
    button(x, "Stop").click()
    cells.until('len(explorer.history) == 1 and explorer.trace.answer.finish == "cancelled"')
    assert cells.value("slow.cancelled") is True
    section(x, "Answer")
    x.get_by_text("stopped by the user").first.wait_for()
    assert x.locator("button.tsnb-sentence").count() >= 1
    x.get_by_role("status").filter(has_text=re.compile("^stopped$")).wait_for()
    cells.shot("explorer_stopped")


def test_an_error_is_shown_with_a_hint_and_its_traceback_on_request(cells: Tab) -> None:
    cells.run(LAKE)
    x = panel(cells)
    x.get_by_label("Question").fill("Why is the sky blue?")
    button(x, "Ask").click()
    box = x.locator(".error")
    box.wait_for()
    assert "Choose one of the examples" in box.inner_text()
    assert not x.get_by_text("Traceback (most recent call last)").is_visible()
    button(x, "Show the traceback").click()
    x.get_by_text("Traceback (most recent call last)").wait_for()
    cells.shot("explorer_error")
    x.get_by_label("Question").fill("What share of the scene is water?")
    button(x, "Ask").click()
    x.locator("button.tsnb-sentence").first.wait_for()
    assert x.locator(".error").count() == 0


def test_two_explorers_do_not_meddle(cells: Tab) -> None:
    cells.run(ASKED)
    cells.run(ASKED.replace("explorer", "other"))
    x, y = panel(cells, 0), panel(cells, 1)
    one_mask(cells, x)
    one_mask(cells, y)
    before = shown(y), cells.value("[other.view.step, other.canvas.map.zoom, len(other.history)]")
    button(x, "Previous").click()
    cells.until("explorer.view.step == 1")
    x.locator("button.tsnb-sentence").nth(1).click()
    cells.until("explorer.view.step == 2")
    x.locator(".leaflet-container").click(position={"x": 200, "y": 200})
    x.get_by_text("At the click").wait_for()
    assert not cells.errors  # while both live; what is on its way to a widget that closes is not looked at
    cells.run("explorer.close()")
    cells.page.wait_for_function("() => document.querySelectorAll('.tsnb-x').length === 1")
    assert (
        shown(panel(cells, 0)),
        cells.value("[other.view.step, other.canvas.map.zoom, len(other.history)]"),
    ) == before
    assert cells.value("other.view.place") is None
    button(panel(cells, 0), "Previous").click()
    cells.until("other.view.step == 1")


def test_hostile_texts_are_read_and_never_run(cells: Tab, tmp_path: Path) -> None:
    folder = tmp_path / "catalogue"
    shutil.copytree(CATALOGS["sample"], folder)
    for path in (folder / "bigearthnet-s2-l2a").glob("*/*.json"):
        item = json.loads(path.read_text())
        item["id"] = item["properties"]["title"] = HOSTILE
        path.write_text(json.dumps(item))
    cells.run(
        f"H = {HOSTILE!r}\n"
        "from terrascope_nb.reason.events import Answer, Mask, Text\n"
        'lake = ts.samples.load("lake")\n'
        'mask = Mask(lake.images[0].array("nir") < 0.1, label=H)\n'
        'said = testing.ScriptedReasoner([Text(H + " [SEG]"), mask, Text(" covers " + H), Answer(H)], name=H)\n'
        "explorer = explore(scene=lake, reasoner=said)\n"
        "explorer"
    )
    x = panel(cells)
    x.get_by_label("Question").fill(HOSTILE)
    x.get_by_label("Options").fill(f"{HOSTILE}\nno")
    button(x, "Ask").click()
    x.locator("button.tsnb-sentence").wait_for()
    cells.until("len(explorer.history) == 1")
    assert HOSTILE in x.locator("button.tsnb-sentence").inner_text()
    assert HOSTILE in x.locator(".tsnb-answer .legend").inner_text()
    box = x.locator(".leaflet-container").bounding_box()
    cells.page.mouse.click(box["x"] + box["width"] / 3, box["y"] + box["height"] / 3)
    x.get_by_text("At the click").wait_for()
    cells.run('explorer.ask(H + "?", reasoner="spectral"); explorer.wait()')
    x.locator(".error").wait_for()
    assert "<img" in x.locator(".error").inner_text()
    cells.run(
        f'other = explore(catalog=ts.Catalog({str(folder)!r}), optical="bigearthnet-s2-l2a", dates="2017", '
        "aoi=(30.5875, 62.8139, 30.6123, 62.8253))\nother.search()\nother.wait()\nother"
    )
    y = panel(cells, 1)
    section(y, "Imagery")
    y.locator(".tsnb-data option", has_text="<img").first.wait_for(state="attached")
    cells.shot("explorer_hostile")
    cells.page.wait_for_timeout(500)
    assert cells.page.evaluate("() => window.hacked") is None
    assert cells.page.locator('img[src="x"]').count() == 0


def test_a_saved_notebook_is_readable_where_no_kernel_runs(cells: Tab) -> None:
    from servers.jupyter import SIZE, tab_in

    cells.run(ASKED)
    one_mask(cells, panel(cells))
    cells.save()
    path = cells.server.root / "test_browser_explorer.ipynb"
    saved = json.loads(path.read_text())
    bundles = [o["data"] for cell in saved["cells"] for o in cell["outputs"] if "data" in o]
    kept = [b for b in bundles if "image/png" in b]
    assert len(kept) == 1
    assert "62.2 %" in "".join(kept[0]["text/plain"])
    gone = {"name": "gone", "display_name": "Gone", "language": "gone"}
    saved["metadata"] = {"kernelspec": gone, "language_info": {"name": "gone"}}
    (cells.server.root / "reopened.ipynb").write_text(json.dumps(saved))
    with tab_in(cells.page.context.browser, cells.server, cells.shots, viewport=SIZE) as tab:
        tab.open("reopened.ipynb")
        asked = tab.page.locator(".jp-Dialog select")
        asked.wait_for()
        asked.select_option(label="No Kernel")
        tab.page.locator(".jp-Dialog .jp-mod-accept").click()
        copy = tab.page.locator("details", has_text="The last answer as it is saved")
        copy.locator("summary").first.click()
        assert tab.page.evaluate("() => window.jupyterapp.shell.currentWidget.sessionContext.hasNoKernel")
        assert "0 m" in copy.inner_text()
        image = copy.locator("img").first
        image.scroll_into_view_if_needed()
        assert image.evaluate("e => e.naturalWidth") > 50
        tab.shot("explorer_no_kernel")
        assert not tab.strangers


# A window of 1280 × 1000 zoomed to 200 % is laid out as one of 640 × 500.
@pytest.mark.parametrize(("width", "height"), [(700, 1000), (640, 500)], ids=["700px", "zoom200"])
def test_a_narrow_window_and_a_zoom_of_200_percent_need_no_sideways_scrolling(
    cells: Tab, width: int, height: int
) -> None:
    cells.run(ASKED)
    x, page = panel(cells), cells.page
    one_mask(cells, x)
    page.set_viewport_size({"width": width, "height": height})
    page.wait_for_timeout(500)
    for name in ("Place", "Imagery", "Question", "Save and code", "Answer"):
        section(x, name)
        page.wait_for_timeout(100)
        wide, room = x.evaluate("e => [e.scrollWidth, e.clientWidth]")
        assert wide <= room, f"{name}: {wide} px in {room} px"
        out = x.evaluate(
            """e => [...e.querySelectorAll('button,input,select,textarea,p,td,img.leaflet-image-layer')]
            .filter(i => !i.closest('.leaflet-container') && i.offsetParent !== null)
            .filter(i => i.getBoundingClientRect().right > e.getBoundingClientRect().right + 1)
            .map(i => i.tagName + ' ' + i.textContent.slice(0, 40))"""
        )
        assert not out, f"{name}: {out} stick out"
    x.locator(".leaflet-container").scroll_into_view_if_needed()
    cells.shot(f"explorer_{width}px_map")
    x.locator("button.tsnb-sentence").first.scroll_into_view_if_needed()
    cells.shot(f"explorer_{width}px_answer")
    below = x.evaluate(
        "e => e.querySelector('.tsnb-side').getBoundingClientRect().top >= "
        "e.querySelector('.tsnb-map').getBoundingClientRect().bottom - 1"
    )
    assert below
