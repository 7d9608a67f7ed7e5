"""What runs where the publisher's keys and bytes are: hashing, manifests, model signatures, golden sets.

What it decides: the manifest of an artifact, and whether a model may be published at all.
What it never does: talk to a server (that is `ringback.client`), or trust a file's name for what the file is.
"""
