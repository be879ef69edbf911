"""Endpoint: where requests go, and the name of the environment variable that holds the key; never the key itself."""

from __future__ import annotations

import ipaddress
import os
import re
from dataclasses import dataclass
from urllib.parse import urlsplit

from terrascope_nb.errors import InvalidInput
from terrascope_nb.reason.scrub import HIDDEN, readable, scrub

_NAME = re.compile(r"[A-Z][A-Z0-9_]{0,63}")
_SHORTEST = 8  # keys like «none» and «EMPTY», which some servers want, are words and no secrets


@dataclass(frozen=True)
class Endpoint:
    """An address and how to be let in there.

    Attributes
    ----------
    url : str
        What stands before ``/chat/completions``, such as ``https://api.example.org/v1``.
    key_env : str
        Name of the environment variable that holds the key; it is read for each request. «»: no key is sent.

    Raises
    ------
    InvalidInput
        For an address that is none or holds a query or a password, for a `key_env` that is no name in capitals (it
        is not repeated, for it may be the key), for a variable that is not set, and where a key would travel in the
        clear to another network.

    Examples
    --------
    >>> Endpoint("http://localhost:8000/v1/").address
    'http://localhost:8000/v1/chat/completions'
    """

    url: str
    key_env: str = ""

    def __post_init__(self) -> None:
        try:
            parts = urlsplit(str(self.url))
            good = parts.scheme in ("http", "https") and bool(parts.hostname) and parts.port != 0
        except ValueError:
            good = False
        if not good:
            got = (
                scrub(str(self.url))
                if re.match(r"[a-z]+://|[\w.-]+:\d+(/|$)", str(self.url))
                else "a text that is none"
            )
            raise InvalidInput(
                f"url is the address of a chat endpoint, such as 'https://api.example.org/v1'; got {got}"
            )
        if parts.query or parts.fragment or "@" in parts.netloc:
            raise InvalidInput(
                f"url holds a query, a fragment or a password, where secrets may be ({parts.hostname}): put the key "
                "in an environment variable and name it with key_env="
            )
        bare = str(self.url).rstrip("/").removesuffix("/chat/completions")
        object.__setattr__(self, "url", bare)
        if self.key_env and not _NAME.fullmatch(self.key_env):
            raise InvalidInput(
                "key_env is the *name* of an environment variable, in capitals, such as 'OPENAI_API_KEY'; what was "
                "given is no such name and is not repeated here, in case it is a key"
            )
        if self.key_env and parts.scheme == "http" and not _is_near(parts.hostname or ""):
            raise InvalidInput(
                f"the key in ${self.key_env} would travel unencrypted to {parts.hostname}: use https://, or leave "
                "key_env out if the server needs none"
            )
        self.key()

    @property
    def address(self) -> str:
        """Where a request goes."""
        return f"{self.url}/chat/completions"

    @property
    def host(self) -> str:
        """Host and port, for messages."""
        return urlsplit(self.url).netloc

    def key(self) -> str:
        """The key as the environment has it now; «» where none is wanted. For the wire alone.

        Raises
        ------
        InvalidInput
            When the variable is not set, or its value cannot stand in a header.
        """
        if not self.key_env:
            return ""
        value = os.environ.get(self.key_env, "").strip()
        if not value:
            raise InvalidInput(
                f"the environment variable {self.key_env} is not set; it is to hold the key for {self.host}: set it "
                "before Python starts, or leave key_env out if the server needs none"
            )
        if not re.fullmatch(r"[\x21-\x7e]+", value):
            raise InvalidInput(
                f"what {self.key_env} holds is no key: it has spaces, line breaks or letters beyond ASCII, which "
                "cannot be sent in a header"
            )
        return value

    def hide(self, text: str) -> str:
        """A server's words without the key, should it echo it, and without what else may be secret in addresses."""
        secret = self._secret()
        return scrub(readable(text.replace(secret, HIDDEN) if secret else text))

    def _secret(self) -> str:
        value = os.environ.get(self.key_env, "").strip() if self.key_env else ""
        return value if len(value) >= _SHORTEST else ""


class Hider:
    """Takes the key out of a text that comes in pieces; what may be its beginning waits for the next piece."""

    def __init__(self, endpoint: Endpoint) -> None:
        self._endpoint, self._held = endpoint, ""

    def add(self, piece: str) -> str:
        """What may be passed on now."""
        secret = self._endpoint._secret()
        text = self._held + readable(piece)
        if not secret:
            self._held = ""
            return text
        text = text.replace(secret, HIDDEN)
        longest = min(len(secret) - 1, len(text))
        keep = next((n for n in range(longest, 0, -1) if text.endswith(secret[:n])), 0)
        self._held = text[len(text) - keep :]
        return text[: len(text) - keep]

    def rest(self) -> str:
        """What was kept back to the end."""
        held, self._held = self._held, ""
        return held


def _is_near(host: str) -> bool:
    """Whether a host is this machine, or an address or a name that leads nowhere outside its own network."""
    try:
        address = ipaddress.ip_address(host)
    except ValueError:
        return "." not in host or host.endswith((".local", ".localhost", ".internal"))
    return address.is_loopback or address.is_private
