"""Probes measure; they never judge. One probe per file, one line per probe in `registry.PROBES`.

A probe is a function `measure(scene, arg) -> values`: integers with their units in the names, or a `ProbeError`. A
value that cannot be known yet is left out, which the kernel's gates read as WAITING; it is never made up.
"""
