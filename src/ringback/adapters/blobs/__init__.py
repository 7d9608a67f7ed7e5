"""Blobs on the local disk, as an OCI image layout."""

from ringback.adapters.blobs.layout import OciBlobs

__all__ = ["OciBlobs"]
