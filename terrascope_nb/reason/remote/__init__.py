"""A chat-completions endpoint: `Client` talks to it, `RemoteReasoner` answers questions about a scene by it."""

from __future__ import annotations

from terrascope_nb.reason.remote.client import Client, Completion, Piece
from terrascope_nb.reason.remote.endpoint import Endpoint
from terrascope_nb.reason.remote.reasoner import RemoteReasoner
from terrascope_nb.reason.remote.spend import OverBudget, Spent
from terrascope_nb.reason.remote.wire import Line, Stopped

__all__ = ["Client", "Completion", "Endpoint", "Line", "OverBudget", "Piece", "RemoteReasoner", "Spent", "Stopped"]
