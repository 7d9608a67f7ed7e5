"""Servers in tests keep their data in memory where the system offers that: what is tested is not the disk's speed."""

from tests.quick_disk import tmp_path

__all__ = ["tmp_path"]
