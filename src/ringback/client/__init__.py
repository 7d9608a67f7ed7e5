"""The typed client of the operator API.

Decides: how a call becomes a request and an answer a value. Never: what to do with it. The values (`models`) are the
API's own: server and client share them, and `openapi.json` is generated from them. Importing this page imports
neither HTTP nor JSON: the server needs the values only.
"""

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from ringback.client.client import Client

__all__ = ["Client"]


def __getattr__(name: str) -> Any:
    if name == "Client":
        from ringback.client.client import Client

        return Client
    raise AttributeError(name)
