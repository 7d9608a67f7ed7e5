"""What an operator wants on one device, followed from order to end.

Decides: what a report says about an order. Never: gives one (`push`, `recover` do).
"""

from __future__ import annotations

from dataclasses import replace
from typing import Final

import msgspec

from ringback.ports.rows import DeviceOrderRow
from ringback.usecases.device import Record
from ringback.usecases.document import Kind
from ringback.usecases.report import Ended, Report

WAITING: Final = "waiting"
OFFERED: Final = "offered"
ENTERED: Final = "entered"
DONE: Final = "done"
FAILED: Final = "failed"
REFUSED: Final = "refused"
WITHDRAWN: Final = "withdrawn"

ACTIVE: Final = frozenset({WAITING, OFFERED, ENTERED})


def after_issue(order: DeviceOrderRow, record: Record) -> DeviceOrderRow:
    """Return the order after something was issued to its device."""
    issue, fragment = record.issue, record.fragment
    if issue is None or fragment is None or order.state not in ACTIVE:
        return order
    if fragment.origin.kind is not Kind.ORDER or fragment.origin.order != order.order_id:
        return order
    before = record.device.fragment
    if order.first_generation and before is not None and before.planes == fragment.planes:
        return order
    return replace(order, state=OFFERED, first_generation=issue.generation)


def after_report(order: DeviceOrderRow, report: Report, record: Record) -> DeviceOrderRow:
    """Return the order after a report of its device."""
    if order.state not in ACTIVE:
        return order
    digests = record.running.digests
    is_there = all(digests.get(plane) == digest for plane, digest in order.goal)
    ended, hand = report.outcome, report.deploy
    if order.first_generation and ended is not None and ended.gen >= order.first_generation:
        if ended.kind != "confirmed":
            state = REFUSED if ended.kind == "refused" else FAILED
            return replace(order, state=state, document=msgspec.json.encode(ended))
        if is_there:
            return replace(order, state=DONE, document=msgspec.json.encode(ended))
    if is_there and hand is None and order.first_generation == 0:
        return replace(order, state=DONE)
    is_mine = hand is not None and order.first_generation and hand.gen >= order.first_generation
    if is_mine and hand is not None and hand.entered and order.state != ENTERED:
        return replace(order, state=ENTERED)
    return order


def ended_of(order: DeviceOrderRow) -> Ended | None:
    """Return how an order ended, as the device said it; None where it said nothing."""
    return msgspec.json.decode(order.document, type=Ended) if order.document else None
