"""`python -m terrascope_nb.train.mini STAGE --out DIR`: one stage of the mini's training, or its evaluation."""

from __future__ import annotations

from terrascope_nb.train.mini.commands import main

if __name__ == "__main__":
    raise SystemExit(main())
