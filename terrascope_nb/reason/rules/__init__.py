"""Land cover by rules on bands: `landcover.classify`."""
