"""From a place and dates to a lazy cube: sensors, catalogues, cubes, clouds."""
