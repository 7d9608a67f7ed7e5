"""The codes of everything that the command itself can say is wrong, one line each. Stable for ever.

Decides nothing: docs/reference/cli.md shows this table, and a test compares it with the code.
"""

MEANINGS = {
    "RB-CLI-001": "a command is known, but what it needs is not installed",
    "RB-CLI-002": "the command line is wrong: an unknown command or option, a missing or contradictory argument",
    "RB-CLI-010": "the file of settings can't be read or is no TOML",
    "RB-CLI-011": "an unknown key, or a value that is no text, in the file of settings",
    "RB-CLI-012": "the address of the server is none",
    "RB-CLI-020": "a change was shown and not confirmed; nothing was done",
    "RB-CLI-021": "a document can't be read, is no text, or is far too big",
    "RB-CLI-030": "no such rollout",
    "RB-CLI-031": "the beginning of a name fits several",
    "RB-CLI-032": "no such artifact",
    "RB-CLI-033": "nothing is stopped with this selector",
    "RB-CLI-034": "a name means both a rollout and a device",
    "RB-CLI-035": "a name means neither a rollout nor a device",
    "RB-CLI-036": "nothing was pushed to the device that could be taken back",
    "RB-CLI-040": "it is not plain for which plane of the device a file is",
    "RB-CLI-041": "nothing published runs on that plane, so a file has no version to follow",
    "RB-CLI-042": "a model's golden set has to be answered by an app whose folder is not known here",
    "RB-CLI-043": "bytes arrived with another hash than they are named by",
    "RB-CLI-044": "neither a file here nor a published artifact",
    "RB-CLIENT-001": "the server does not answer",
    "RB-CLIENT-002": "something answers that is no Ringback server, or one of another version",
    "RB-CLIENT-003": "an error without a reason: something in front of the server answered",
}
