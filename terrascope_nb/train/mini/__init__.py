"""`mini`: a small TerraScope of the same architecture that a laptop's CPU trains from made scenes.

``python -m terrascope_nb.train.mini STAGE --out DIR`` runs one stage; each can be broken off and goes on where it was:

    scenes → see → segment                    (SAM 2)
           → language → drill → settle        (all else; the two lines may run beside each other)
           → joint (optional) → export → evaluate

The network is `TerraScopeModel` with small sizes, so `export` writes a folder that ``open_reasoner("terrascope",
model=DIR)`` opens. It reads a short language of its own; `reasoner.MiniReasoner` puts people's questions into it.
"""

from __future__ import annotations
