"""Places and pixel grids: `AOI`, `Grid`."""
