"""Questions, measuring, reasoners and the traces they write."""
