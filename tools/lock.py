"""Compiles the locks from pyproject.toml: exact versions and the hashes of all their files, for every platform.

The locks name no package index: which one is used is a setting of the machine that installs. That is why they are
hashed requirements and not a uv.lock, which records addresses (docs/decisions/0004-locks-without-index-addresses.md).
"""

import os
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
COMPILE = [sys.executable, "-m", "uv", "pip", "compile", "--quiet", "--universal", "--python-version", "3.11"]
OPTIONS = ["--fork-strategy", "fewest", "--generate-hashes", "--no-emit-index-url", "--no-emit-find-links"]
# Each lock and what goes into it; runtime.txt must agree with dev.txt, so it comes last and is constrained by it.
LOCKS = (
    ("requirements/uv.txt", ["requirements/uv.in"]),
    ("requirements/dev.txt", ["pyproject.toml", "--extra", "demo", "--extra", "dev"]),
    ("requirements/runtime.txt", ["pyproject.toml", "--constraint", "requirements/dev.txt"]),
)


def main(extra: list[str]) -> int:
    environment = os.environ | {"UV_CUSTOM_COMPILE_COMMAND": "make lock"}
    for output, inputs in LOCKS:
        print(f"lock: {output}", flush=True)
        command = [*COMPILE, *OPTIONS, *extra, *inputs, "--output-file", output]
        subprocess.run(command, cwd=ROOT, env=environment, check=True)
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
