"""Which server a command talks to, and as whom: flag, then environment, then ~/.config/ringback/config.toml.

Decides: where server and token come from. Never: whether the token is any good; the server says that.

- A key that the file does not know is an error with a suggestion, never ignored: a misspelt `tokn` would otherwise show
  as "not allowed" much later.
- The token is never printed.
"""

import os
import tomllib
from dataclasses import dataclass
from difflib import get_close_matches
from pathlib import Path
from urllib.parse import urlsplit

from ringback.errors import InputError

DEFAULT_SERVER = "http://127.0.0.1:8400"
KEYS = ("server", "token")


@dataclass(frozen=True, slots=True)
class Settings:
    """Server and token, and where each was found.

    Attributes:
        token: None where none is set; a server on this machine then takes the caller for its administrator.
    """

    server: str
    token: str | None
    server_from: str
    token_from: str


def config_file() -> Path:
    """Return where the file of settings is, whether or not it exists."""
    base = os.environ.get("XDG_CONFIG_HOME") or ""
    return (Path(base) if base else Path.home() / ".config") / "ringback" / "config.toml"


def find(server: str | None, token: str | None) -> Settings:
    """Return the settings for one command.

    Args:
        server: from the flag or the environment; None when neither is set.
        token: likewise.

    Raises:
        InputError: RB-CLI-010 the file can't be read; RB-CLI-011 a key or value in it is wrong; RB-CLI-012 the server
            is no address.
    """
    path = config_file()
    stored = _stored(path)
    found, found_from = _first((server, "--server or RINGBACK_SERVER"), (stored.get("server"), str(path)))
    secret, secret_from = _first((token, "--token or RINGBACK_TOKEN"), (stored.get("token"), str(path)))
    return Settings(
        server=checked_address(found or DEFAULT_SERVER, found_from or "default"),
        token=secret,
        server_from=found_from or "default",
        token_from=secret_from or "none",
    )


def checked_address(text: str, origin: str) -> str:
    """Return the address of a server without a slash at the end. Raises InputError (RB-CLI-012)."""
    try:
        parts = urlsplit(text)
        is_address = parts.scheme in ("http", "https") and bool(parts.hostname) and parts.port != 0
    except ValueError:
        is_address = False
    if not is_address or parts.query or parts.fragment or parts.username:
        raise InputError(
            "RB-CLI-012",
            f"{text!r} (from {origin}) is not the address of a server",
            hint=f"write it like {DEFAULT_SERVER} or https://ota.example.com",
        )
    return text.rstrip("/")


def is_loopback(server: str) -> bool:
    """Tell whether a server's address is on this machine."""
    host = urlsplit(server).hostname or ""
    return host in ("localhost", "::1") or host.startswith("127.")


def _first(*choices: tuple[str | None, str]) -> tuple[str | None, str]:
    return next(((value, origin) for value, origin in choices if value), (None, ""))


def _stored(path: Path) -> dict[str, str]:
    try:
        document = tomllib.loads(path.read_text(encoding="utf-8"))
    except (FileNotFoundError, NotADirectoryError):
        return {}
    except (OSError, UnicodeDecodeError, tomllib.TOMLDecodeError) as cause:
        raise InputError(
            "RB-CLI-010", f"{path} can't be read: {cause}", hint=f'it holds lines like: server = "{DEFAULT_SERVER}"'
        ) from cause
    for key, value in document.items():
        if key not in KEYS:
            near = get_close_matches(key, KEYS, n=1)
            raise InputError(
                "RB-CLI-011",
                f"{path}: unknown key {key!r}",
                hint=f"did you mean {near[0]!r}?" if near else f"the keys are {' and '.join(KEYS)}",
            )
        if not isinstance(value, str) or not value:
            raise InputError("RB-CLI-011", f"{path}: {key} is {value!r}", hint=f'write it as text: {key} = "..."')
    return document
