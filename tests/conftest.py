"""Settings that every test shares: how hypothesis searches for examples."""

import os

from hypothesis import settings

# `make test` finds the same examples each time; `make test-full` searches on, and prints how to repeat what it found.
settings.register_profile("default", deadline=None, derandomize=True, max_examples=50, print_blob=True)
settings.register_profile("full", deadline=None, max_examples=1000, print_blob=True)
settings.load_profile(os.environ.get("RINGBACK_HYPOTHESIS", "default"))
