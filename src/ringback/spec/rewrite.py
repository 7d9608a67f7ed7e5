"""Changes one version in a release document and leaves every other byte as it is: comments, order, quotes, spaces.

Decides: where in the text the new value goes. Never: re-writes the document from its meaning.

- The result is read again before it is returned: it says the new version and nothing else has changed.
"""

from __future__ import annotations

from ringback.spec import nodes, read
from ringback.spec.codes import WRONG_TYPE
from ringback.spec.nodes import Mapping, Node, Scalar
from ringback.spec.problem import refuse
from ringback.spec.release import parse_pick, parse_release


def set_version(text: str, plane: str, ref: str, *, source: str = "release.yaml") -> str:
    """Return the document with ``versions.<plane>`` set.

    Args:
        text: a release document.
        plane: the plane; it is added behind the others when the document does not name it.
        ref: ``name@version``, ``plane/name@version`` or a digest.
        source: its file name for messages.

    Raises SpecError: the document, the plane or the reference is bad, or versions stands behind an alias.
    """
    before = parse_release(text, source)
    root = read.mapping(nodes.from_yaml(text, source), "")
    versions = read.mapping(read.need(root, "versions"), "versions")
    read.check_plane(plane, versions.place, "versions")
    pick = parse_pick(ref, plane, f"versions.{plane}", versions.place)
    value = ref if pick.reference is None else f"{pick.reference.name}@{pick.reference.version}"
    old = versions.get(plane)
    if old is not None and (text.startswith("&", old.start) or not versions.start <= old.start < versions.end):
        hint = "write the version out, without anchors and aliases"
        path = f"versions.{plane}"
        raise refuse(
            WRONG_TYPE, versions.place, path, found="a version behind an alias", expected="plain text", hint=hint
        )
    changed = _replaced(text, old, value) if old is not None else _added(text, versions, f"{plane}: {value}")
    after = parse_release(changed, source)
    told = {other.plane: str(other) for other in before.versions} | {plane: str(pick)}
    assert {other.plane: str(other) for other in after.versions} == told, changed
    return changed


def _replaced(text: str, old: Node, value: str) -> str:
    assert isinstance(old, Scalar)  # parse_release has read it
    return text[: old.start] + value + text[old.end :]


def _added(text: str, versions: Mapping, entry: str) -> str:
    """Return the text with one more entry at the end of the mapping, in the style of the mapping."""
    if versions.is_flow or not versions.entries:
        end = text.rindex("}", versions.start, versions.end)
        inner = text[versions.start + 1 : end].rstrip()
        comma = ", " if versions.entries and not inner.endswith(",") else " " if versions.entries else ""
        return text[: versions.start + 1] + inner + comma + entry + text[end:]
    key, last = versions.entries[-1]
    at = text.find("\n", last.end)
    indent = " " * (key.place.column - 1)
    if at < 0:
        return f"{text}\n{indent}{entry}\n"
    return f"{text[:at]}\n{indent}{entry}{text[at:]}"
