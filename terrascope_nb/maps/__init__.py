"""The live half: a trace, or the way to one, on a map with a panel beside it (leafmap, ipywidgets).

Only `leaflet` imports leafmap, and only when a map is made.
"""
