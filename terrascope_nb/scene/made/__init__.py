"""Made scenes: landscapes that were drawn, in colours that were measured, with their truth, a radar view and changes.

Spectra of soils, plants, straw and building materials (`scene.spectra`) are mixed by cover, season and stage; water,
snow, cloud and haze follow simple models, each stated where it stands: `water`, `covers.snow`, `sky`. A scene is drawn
at a quarter of its pixels and averaged, so that edges are mixed pixels, and its map says which class has most.
"""

from __future__ import annotations

from terrascope_nb.scene.made.changes import CHANGES
from terrascope_nb.scene.made.layouts import LAYOUTS
from terrascope_nb.scene.made.make import MadeScene, made_damage, made_scene
from terrascope_nb.scene.made.season import SEASONS
from terrascope_nb.scene.made.split import held_out, seeds

__all__ = ["CHANGES", "LAYOUTS", "SEASONS", "MadeScene", "held_out", "made_damage", "made_scene", "seeds"]
