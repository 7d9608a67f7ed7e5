"""Freezes the agent into a MicroPython image: FROZEN_MANIFEST=.../ringback_esp32/manifest.py

Frozen modules run from flash, and boot.py and main.py that are frozen come before those of the file system: user code
can't replace them.

Source: https://docs.micropython.org/en/latest/reference/manifest.html
"""

include("$(PORT_DIR)/boards/manifest.py")  # noqa: F821 - names that MicroPython's build provides
package("ringback_kernel", base_path="..", opt=3)  # noqa: F821
package("ringback_esp32", base_path="..", opt=3)  # noqa: F821
module("boot.py", base_path="frozen", opt=3)  # noqa: F821
module("main.py", base_path="frozen", opt=3)  # noqa: F821
