"""Fragments in memory: one object for one content, and on which disk it is.

Decides: what the journal and the store still have to be told. Never: what a fragment says.

- A fragment goes into the journal with the first batch that names it, and into the store with the next fold.
- While a record that names it is on its way to the disk it is pledged: nobody forgets it.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable

from ringback.usecases.document import Fragment


class Fragments:
    """One tenant's fragments.

    Attributes:
        by_id: all of them.
        fresh: not in the journal yet.
        unstored: in the journal, not in the store yet.
        pledges: how many records on their way name a fragment, by id.
    """

    def __init__(self) -> None:
        self.by_id: dict[str, Fragment] = {}
        self.fresh: dict[str, Fragment] = {}
        self.unstored: dict[str, Fragment] = {}
        self.pledges: Counter[str] = Counter()

    def keep(self, fragment: Fragment) -> Fragment:
        """Return the one fragment of this content."""
        known = self.by_id.get(fragment.fragment_id)
        if known is not None:
            return known
        self.by_id[fragment.fragment_id] = fragment
        self.fresh[fragment.fragment_id] = fragment
        return fragment

    def pledge(self, fragment: Fragment) -> Fragment:
        """Return the one fragment of this content, for a record that will be redeemed."""
        known = self.keep(fragment)
        self.pledges[known.fragment_id] += 1
        return known

    def redeem(self, fragment: Fragment) -> None:
        """Note that a record that names a fragment is folded, or given up."""
        if self.pledges[fragment.fragment_id] > 1:
            self.pledges[fragment.fragment_id] -= 1
        else:
            del self.pledges[fragment.fragment_id]

    def are_kept(self, kept: Iterable[Fragment]) -> None:
        """Note that the journal has these; the next fold takes them to the store."""
        for fragment in kept:
            self.unstored[fragment.fragment_id] = self.fresh.pop(fragment.fragment_id)

    def are_stored(self, stored: Iterable[Fragment]) -> None:
        """Note that the store has these."""
        for fragment in stored:
            self.unstored.pop(fragment.fragment_id, None)

    def load(self, document: bytes, *, is_stored: bool) -> None:
        """Take a fragment from the store, or from the journal."""
        fragment = Fragment(document)
        self.by_id[fragment.fragment_id] = fragment
        if not is_stored:
            self.unstored[fragment.fragment_id] = fragment

    def unused(self, used: set[str]) -> list[Fragment]:
        """Return the fragments that nobody uses and that are in the store."""
        held = {*used, *self.fresh, *self.unstored, *self.pledges}
        return [each for fragment_id, each in self.by_id.items() if fragment_id not in held]
