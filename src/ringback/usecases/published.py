"""What is published, in memory: device classes, artifacts, releases, blobs. A part of the read model.

Decides: which blobs devices may fetch: those of published artifacts. Never: whether something may be published.
"""

from __future__ import annotations

from ringback.plan.catalog import Catalog, catalog_of
from ringback.ports import rows
from ringback.ports.rows import Row
from ringback.spec.artifact import parse_manifest
from ringback.spec.device_class import parse_class


class Published:
    """One tenant's published things.

    Attributes:
        catalog: as the planner sees them.
        classes, artifacts, releases: newest rows by class id, digest and release id.
        blobs: uploaded bytes: SHA-256 (hexadecimal) to size in bytes.
        served: blobs that are the manifest or a file of an artifact.
    """

    def __init__(self) -> None:
        self.catalog = Catalog()
        self.classes: dict[str, rows.DeviceClassRow] = {}
        self.artifacts: dict[str, rows.ArtifactRow] = {}
        self.releases: dict[str, rows.ReleaseRow] = {}
        self.blobs: dict[str, int] = {}
        self.served: set[str] = set()

    def put(self, row: Row) -> None:
        """Take a row; one that is about something else is not looked at."""
        match row:
            case rows.DeviceClassRow():
                self.classes[row.class_id] = row
                made = parse_class(row.document.decode())
                self.catalog = catalog_of([*self.catalog.classes.values(), made], self.catalog.artifacts.values())
            case rows.ArtifactRow():
                self._put_artifact(row)
            case rows.ReleaseRow():
                self.releases[row.release_id] = row
            case rows.BlobRow():
                self.blobs[row.sha256] = row.size_bytes
            case _:
                pass

    def _put_artifact(self, row: rows.ArtifactRow) -> None:
        made = parse_manifest(row.document)
        self.artifacts[row.digest] = row
        self.catalog = catalog_of(self.catalog.classes.values(), [*self.catalog.artifacts.values(), made])
        self.served.add(made.digest.removeprefix("sha256:"))
        self.served.update(file.sha256 for file in made.files)
