"""What people write: releases, device classes, artifacts, selectors, units. Text in, typed and checked values out.

Decides: what a document says, and whether it is well-formed. Never: reads a file, knows a fleet, or guesses.

- ``parse_release``, ``parse_class``, ``parse_manifest``: a typed value, or a ``SpecError`` with every problem, each
  with file, line, path, what was found, what was expected and a hint.
- Every value is frozen; instants and quantities are integers with their unit in the name.
- This page imports nothing heavy; the YAML reader and the JSON-Schema library load when a document needs them.
"""
