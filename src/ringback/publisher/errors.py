"""Why something can't be published. All of these are for the publisher to fix; none is worth a retry.

InputError (ringback.errors)
├── SpecError           RB-SPEC-…   the description or the manifest says something impossible (ringback.spec)
└── PublishRefused
    ├── ModelUnreadable RB-PUB-001  the file is no model
    ├── ModelRefused    RB-PUB-002  the model is not the one that its manifest describes
    ├── ManifestRefused RB-PUB-010  a file can't be read, or is not the one the manifest was made for
    ├── FileMissing     RB-PUB-011  a command line names a file that the artifact lacks
    ├── GoldenRefused   RB-PUB-020  the golden set is not well-formed, or its inputs are other files
    ├── ReplayFailed    RB-PUB-021  the app's replay did not run on this model
    ├── QualityRefused  RB-PUB-022  the model does not decide what its labels say
    └── FirmwareRefused
        ├── FirmwareUnreadable RB-PUB-030  no whole app image, or its checksum or hash does not hold
        ├── FirmwareDump       RB-PUB-031  a flash dump, a combined file or a bootloader instead of an app image
        ├── FirmwareWrongChip  RB-PUB-032  built for another chip than the class has
        ├── FirmwareTooLarge   RB-PUB-033  larger than a slot of the class
        └── FirmwareUnhashed   RB-PUB-034  carries no hash of itself
"""

from __future__ import annotations

from typing import ClassVar

from ringback.errors import InputError


class PublishRefused(InputError):
    """One reason, with a stable code and what to do about it."""

    CODE: ClassVar = "RB-PUB-000"

    def __init__(self, message: str, hint: str = "") -> None:
        super().__init__(self.CODE, message, hint=hint)


class ModelUnreadable(PublishRefused):
    """The file is not a model of the format it claims to be."""

    CODE = "RB-PUB-001"


class ModelRefused(PublishRefused):
    """The model's own signature contradicts its description."""

    CODE = "RB-PUB-002"


class ManifestRefused(PublishRefused):
    """A file of the artifact, or its description, is missing, unreadable, or has changed since it was packed."""

    CODE = "RB-PUB-010"


class FileMissing(PublishRefused):
    """The artifact would start something that it does not hold."""

    CODE = "RB-PUB-011"


class GoldenRefused(PublishRefused):
    """The golden set can't be used."""

    CODE = "RB-PUB-020"


class ReplayFailed(PublishRefused):
    """The app's replay entry did not print a result."""

    CODE = "RB-PUB-021"


class QualityRefused(PublishRefused):
    """The model fails its own quality check."""

    CODE = "RB-PUB-022"


class FirmwareRefused(PublishRefused):
    """An image for a microcontroller's slot that no device of the class may be given."""


class FirmwareUnreadable(FirmwareRefused):
    """There is no whole app image in the file, or its checksum or hash does not hold."""

    CODE = "RB-PUB-030"


class FirmwareDump(FirmwareRefused):
    """A flash dump, a combined file or a bootloader: it would pass the chip's own check and fail at the next boot."""

    CODE = "RB-PUB-031"


class FirmwareWrongChip(FirmwareRefused):
    """The image is for another chip than the class has, or the class does not say which it has."""

    CODE = "RB-PUB-032"


class FirmwareTooLarge(FirmwareRefused):
    """The image does not fit a slot of the class."""

    CODE = "RB-PUB-033"


class FirmwareUnhashed(FirmwareRefused):
    """The image carries no hash of itself, so a damaged slot could not be told from a good one."""

    CODE = "RB-PUB-034"
