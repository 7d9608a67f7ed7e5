"""What is newer in memory than in the store: noted by the page, taken by the fold.

Decides: what is stored together. A device and what its reports changed elsewhere (trials, orders, commands) are one
piece: if the device were stored without its trial, a replay would skip the record that moved both.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterable

from ringback.ports import rows
from ringback.ports.store import FoldedRow
from ringback.usecases.device import Device


class Dirt:
    """Devices to store, by page, and the other rows of each."""

    def __init__(self) -> None:
        self._pages: dict[int, set[str]] = {}
        self._rest: dict[str, dict[tuple[object, ...], FoldedRow]] = defaultdict(dict)

    def device(self, device: Device) -> None:
        """Note that a device has changed."""
        waiting = self._pages.get(device.page)
        if waiting is None:
            self._pages[device.page] = {device.row.device_id}
        else:
            waiting.add(device.row.device_id)

    def rest(self, device_id: str, row: FoldedRow) -> None:
        """Note that something else of a changed device has changed."""
        self._rest[device_id][_name(row)] = row

    def pages(self) -> list[int]:
        """Return the pages with something to store, in order of enrolment."""
        return sorted(self._pages)

    def take(self, page: int, device_of: Callable[[str], Device]) -> list[FoldedRow]:
        """Return the rows of a page, and call them clean."""
        taken: list[FoldedRow] = []
        for device_id in sorted(self._pages.pop(page)):
            taken.append(device_of(device_id).kept())
            taken.extend(self._rest.pop(device_id, {}).values())
        return taken

    def put_back(self, taken: Iterable[FoldedRow], device_of: Callable[[str], Device]) -> None:
        """Take rows back that could not be stored; what has changed since is newer and stays."""
        for row in taken:
            if isinstance(row, rows.DeviceNowRow):
                self.device(device_of(row.device_id))
            elif isinstance(row, rows.DeploymentRow | rows.DeviceOrderRow | rows.CommandRow):
                self._rest[row.device_id].setdefault(_name(row), row)


def _name(row: FoldedRow) -> tuple[object, ...]:
    return (type(row), *rows.key_of(row))
