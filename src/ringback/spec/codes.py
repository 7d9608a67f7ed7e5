"""The codes of everything that can be wrong with a document, one line each. Stable for ever; docs/reference lists them.

Decides nothing: it is the table that the other modules of this package and the reference pages share.
"""

from typing import Final

NOT_YAML: Final = "RB-SPEC-001"
TOO_BIG: Final = "RB-SPEC-002"
DUPLICATE_KEY: Final = "RB-SPEC-003"
UNKNOWN_KEY: Final = "RB-SPEC-004"
MISSING_KEY: Final = "RB-SPEC-005"
WRONG_TYPE: Final = "RB-SPEC-006"
BAD_UNIT: Final = "RB-SPEC-007"
OUT_OF_RANGE: Final = "RB-SPEC-008"
BAD_NAME: Final = "RB-SPEC-009"
UNKNOWN_WORD: Final = "RB-SPEC-010"
BAD_VERSION: Final = "RB-SPEC-011"
BAD_CONSTRAINT: Final = "RB-SPEC-012"
BAD_SELECTOR: Final = "RB-SPEC-013"
BAD_REFERENCE: Final = "RB-SPEC-014"
CONTRADICTION: Final = "RB-SPEC-015"
NOT_CANONICAL: Final = "RB-SPEC-016"
BAD_SCHEMA: Final = "RB-SPEC-017"
BAD_CONFIG: Final = "RB-SPEC-018"

MEANINGS: Final[dict[str, str]] = {
    NOT_YAML: "the text is not YAML or JSON, or uses a feature that is refused here (tags, several documents)",
    TOO_BIG: "the document is larger, deeper or more entangled by aliases than any honest one",
    DUPLICATE_KEY: "a key stands twice in one mapping; YAML would silently keep the last",
    UNKNOWN_KEY: "a key that means nothing here, often a misspelt one",
    MISSING_KEY: "a key that has no default is not there",
    WRONG_TYPE: "a value of another type than expected, such as text where a list belongs",
    BAD_UNIT: "a quantity without a unit, or with one that does not fit",
    OUT_OF_RANGE: "a number or a length outside its limits",
    BAD_NAME: "a name that breaks the grammar of its kind",
    UNKNOWN_WORD: "a word that is not in the closed list of its field",
    BAD_VERSION: "not a version in the form MAJOR.MINOR.PATCH",
    BAD_CONSTRAINT: "a constraint that cannot be read, or that no version can satisfy",
    BAD_SELECTOR: "a label selector that cannot be read",
    BAD_REFERENCE: "not an artifact reference or digest",
    CONTRADICTION: "two values of the document exclude each other",
    NOT_CANONICAL: "a manifest whose bytes are not the one canonical form",
    BAD_SCHEMA: "a configuration schema that is no JSON Schema, or refers to something outside itself",
    BAD_CONFIG: "a configuration that its schema refuses",
}
