"""Compare the network with recorded results of the published code: ``python -m terrascope_nb.testing.golden FOLDER``.

The folder holds a checkpoint in the published layout and what the published code gave for it. The checkpoint is
converted, every case of ``expected.json`` is run, a line is printed for each; the exit status is 1 on a mismatch.
"""

from __future__ import annotations

import argparse
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path

from terrascope_nb.errors import TerrascopeError


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command; returns the exit status."""
    parser = argparse.ArgumentParser(
        prog="python -m terrascope_nb.testing.golden", description=(__doc__ or "").splitlines()[0]
    )
    parser.add_argument(
        "folder", type=Path, help="holds expected.json, model.safetensors, tokenizer/, masks.npz, mask_shapes.json"
    )
    parser.add_argument("case", nargs="*", help="run these cases only")
    parser.add_argument("--keep", type=Path, metavar="DIR", help="keep the converted checkpoint here")
    given = parser.parse_args(arguments)
    failed = 0
    from terrascope_nb.model.golden_run import compare

    with tempfile.TemporaryDirectory() as scratch:
        try:
            for c in compare(given.folder, given.keep or Path(scratch), given.case or None):
                failed += not c.passed
                sys.stdout.write(
                    f"{'ok  ' if c.passed else 'FAIL'} {c.name}: text {'equal' if c.text else 'DIFFERS'}, "
                    f"region tokens {'equal' if c.regions else 'DIFFER'}, {c.masks} masks, "
                    f"at most {1e4 * c.worst:.2f} of 10,000 pixels differ, {c.encodings} images encoded\n"
                    + "".join(f"     {p}\n" for p in c.problems)
                )
                sys.stdout.flush()
        except TerrascopeError as e:
            sys.stderr.write(f"{e}\n")
            return 1
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
