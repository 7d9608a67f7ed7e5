"""Which devices a selector means, worked out once for devices that are labelled alike.

Decides: nothing but that. A selector that looks at the device's own name is asked for every device.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

from ringback.spec.selector import Selector
from ringback.usecases.device import Device

KNOWN_MAX: Final = 50_000
"""Answers remembered; a hostile fleet could label every device differently."""

Labels = dict[str, str]


class Matcher:
    """A selector over devices.

    Args:
        labels_of: a device's labels with the reserved ones.
    """

    def __init__(self, selector: Selector, labels_of: Callable[[Device], Labels]) -> None:
        self._selector = selector
        self._labels_of = labels_of
        self._is_everyone = not selector.requirements
        self._is_about_names = "device" in selector.keys
        self._known: dict[tuple[object, str], bool] = {}

    def __call__(self, device: Device) -> bool:
        """Say whether the selector means a device."""
        if self._is_everyone:
            return True
        if self._is_about_names:
            return self._selector.matches(self._labels_of(device))
        key = (device.row.labels, device.row.class_id)
        known = self._known.get(key)
        if known is None:
            if len(self._known) >= KNOWN_MAX:
                self._known.clear()
            known = self._known[key] = self._selector.matches(self._labels_of(device))
        return known
