"""The vision-language-segmentation network: scenes in; text, masks and an answer out."""

from __future__ import annotations

from importlib.util import find_spec

from terrascope_nb.errors import MissingPackage

# looked for, not imported: that takes seconds
_THERE = {"torch": find_spec("torch"), "transformers": find_spec("transformers")}
for _name, _spec in _THERE.items():
    if _spec is None:
        raise MissingPackage(
            f'{_name} is needed to run the TerraScope network and is not installed: pip install "terrascope-nb[model]"',
            name=_name,
        )
