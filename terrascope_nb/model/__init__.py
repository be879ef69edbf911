"""The vision-language-segmentation network: scenes in; text, masks and an answer out."""
