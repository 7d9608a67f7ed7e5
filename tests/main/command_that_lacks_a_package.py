"""A command whose module imports a package that is not installed."""

import a_package_nobody_installs  # noqa: F401
