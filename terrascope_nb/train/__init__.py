"""Training: stages over Terra-CoT records, on transformers' Trainer; resumable, and priced in memory beforehand."""

from __future__ import annotations
