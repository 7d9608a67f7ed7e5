"""The story, one act a file: what it does, and what it claims.

Each act starts from a fleet that runs the baseline or what earlier acts left, and leaves nothing running. A claim
compares what the server says with what the devices really do; the devices win.
"""
