"""What a reasoner looks at: `Scene`, its `Image`s, their views, and the land-cover vocabulary."""
