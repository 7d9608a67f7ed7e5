"""The codes of every refusal, door and warning of the planner, one line each. Stable for ever; docs list them.

Decides nothing: it is the table that the other modules of this package and the reference pages share.
"""

from typing import Final

NOBODY_TARGETED: Final = "RB-PLAN-001"
NEEDS_OTHER_VERSION: Final = "RB-PLAN-002"
NEEDS_PLANE: Final = "RB-PLAN-003"
NEEDS_CAPABILITY: Final = "RB-PLAN-004"
WRONG_CLASS: Final = "RB-PLAN-005"
NO_SUCH_PLANE: Final = "RB-PLAN-006"
RELEASE_CONTRADICTS_ITSELF: Final = "RB-PLAN-007"
ONLY_TOGETHER: Final = "RB-PLAN-008"
NO_SAFE_ORDER: Final = "RB-PLAN-009"
EPOCH_WOULD_FALL: Final = "RB-PLAN-010"
UNKNOWN_RUNNING: Final = "RB-PLAN-011"
STARTS_INVALID: Final = "RB-PLAN-012"
PREREQUISITE: Final = "RB-PLAN-013"
FROZEN: Final = "RB-PLAN-014"
BUSY_PLANES: Final = "RB-PLAN-015"
IN_ROLLBACK_WINDOW: Final = "RB-PLAN-016"
ONE_WAY: Final = "RB-PLAN-017"
NOTHING_TO_DO: Final = "RB-PLAN-018"
TOO_ENTANGLED: Final = "RB-PLAN-019"
STEPPING_STONE: Final = "RB-PLAN-020"
UNKNOWN_CLASS: Final = "RB-PLAN-021"
UNKNOWN_PLANE: Final = "RB-PLAN-022"
UNKNOWN_ARTIFACT: Final = "RB-PLAN-023"
WRONG_PLANE: Final = "RB-PLAN-024"
MANIFEST_TOO_BIG: Final = "RB-PLAN-025"
KEEPS_OLD_VERSION: Final = "RB-PLAN-026"
SYSTEM_FOR_APP: Final = "RB-PLAN-027"
UNKNOWN_RULE: Final = "RB-PLAN-028"
EPOCH_RISES: Final = "RB-PLAN-029"
OVERWRITES_PREVIOUS: Final = "RB-PLAN-030"
NOTHING_PROVES: Final = "RB-PLAN-031"

MEANINGS: Final[dict[str, str]] = {
    NOBODY_TARGETED: "no device has the class and labels that the release targets",
    NEEDS_OTHER_VERSION: "an artifact needs another version of another plane than the devices run",
    NEEDS_PLANE: "an artifact needs a plane on which the devices have nothing installed",
    NEEDS_CAPABILITY: "an artifact needs a capability that the device class does not have",
    WRONG_CLASS: "an artifact is not for this device class",
    NO_SUCH_PLANE: "an artifact or a requirement names a plane that devices of this class do not have",
    RELEASE_CONTRADICTS_ITSELF: "two artifacts of the release exclude each other; no order can help",
    ONLY_TOGETHER: "planes are only valid together, and devices of this class cannot switch them at one point",
    NO_SAFE_ORDER: "the target set is valid, but every way there passes through an invalid set",
    EPOCH_WOULD_FALL: "the security epoch of a plane never falls; this artifact is below what devices have confirmed",
    UNKNOWN_RUNNING: "devices run something that nobody published here, so nothing can be proven about it",
    STARTS_INVALID: "the set that devices run breaks its own constraints, so there is no valid set to come back to",
    PREREQUISITE: "a prerequisite of the release does not hold",
    FROZEN: "an artifact of the release is frozen",
    BUSY_PLANES: "another rollout is moving over the same planes of the same devices",
    IN_ROLLBACK_WINDOW: "another release may still have to come back on the same planes of the same devices",
    ONE_WAY: "a step closes the way back, and the release does not say that this is wanted",
    NOTHING_TO_DO: "every targeted device already runs the release",
    TOO_ENTANGLED: "the constraints leave more combinations than the planner searches",
    STEPPING_STONE: "an artifact may only replace a version at or above a minimum, and devices run an older one",
    UNKNOWN_CLASS: "a device class that nobody registered",
    UNKNOWN_PLANE: "a plane that none of the targeted device classes has",
    UNKNOWN_ARTIFACT: "an artifact that nobody published",
    WRONG_PLANE: "an artifact named under a plane it is not for",
    MANIFEST_TOO_BIG: "a manifest is larger than devices of this class can read",
    KEEPS_OLD_VERSION: "an artifact that stays on the device needs an older version than the release brings",
    SYSTEM_FOR_APP: "a whole image is released where an app artifact would do: a reboot for nothing (a warning)",
    EPOCH_RISES: "a door: once a device has confirmed the new epoch, nothing below it can run there again",
    OVERWRITES_PREVIOUS: "a door: a plane switches so often that the version before the release is overwritten",
    NOTHING_PROVES: "the release leaves no required rule that could prove a deployment, so no device would confirm it",
    UNKNOWN_RULE: "a change to a health rule that does not fit the device classes",
}
