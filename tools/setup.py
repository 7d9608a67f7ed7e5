"""Makes `.venv` from the committed locks: what `make setup` runs, with nothing but a plain Python 3.11 or newer.

1. a virtual environment beside this project;
2. uv, the installer, pinned and hash-checked (requirements/uv.txt);
3. everything else, pinned and hash-checked (requirements/dev.txt), by uv;
4. the project itself, as links to src/.

Invariants:

- Nothing is installed whose hash is not in a committed lock, and no index is named here: the machine's own settings
  decide where packages come from.
- A finished run leaves a stamp keyed on the locks, the interpreter and the place; with the same key the next run does
  nothing, so it also works without a network. A run that was interrupted leaves an unfinished stamp; the next goes on.
- Packages that uv has cached are installed without asking any index.
"""

import fcntl
import hashlib
import importlib.util
import json
import os
import platform
import shutil
import subprocess
import sys
import time
from pathlib import Path
from typing import NoReturn

OLDEST_PYTHON = (3, 11)
ROOT = Path(__file__).resolve().parent.parent
VENV = ROOT / ".venv"
VENV_PYTHON = VENV / "bin" / "python"
STAMP = VENV / "ringback-setup.json"
UV_LOCK = ROOT / "requirements" / "uv.txt"
LOCK = ROOT / "requirements" / "dev.txt"
KEYED_FILES = (UV_LOCK, LOCK, ROOT / "pyproject.toml", Path(__file__).resolve())
STEPS = 4


def main(arguments: list[str]) -> int:
    """Brings `.venv` up to date; returns the exit code.

    Args:
        arguments: `--this-python` when a person named the interpreter; otherwise one that was set up before is kept.
    """
    if sys.version_info < OLDEST_PYTHON:
        found = platform.python_version()
        refuse(f"Python {found} is too old: 3.11 or newer is needed", "run: make setup PYTHON=/path/to/newer/python3")
    wanted = {"key": key(), "root": str(ROOT), "python": sys.version}
    lock_folder = ROOT / ".cache"
    lock_folder.mkdir(exist_ok=True)
    with (lock_folder / "setup.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)  # `make test` and `make demo` may be started side by side
        if "--this-python" not in arguments and VENV_PYTHON.exists():
            wanted["python"] = stamp().get("python", sys.version)
        if stamp() != wanted or not VENV_PYTHON.exists():
            install(wanted)
    return 0


def key() -> str:
    """Returns the SHA-256 of everything that decides what is in `.venv`, except the place and the interpreter."""
    digest = hashlib.sha256()
    for path in KEYED_FILES:
        digest.update(hashlib.sha256(path.read_bytes()).digest())
    return digest.hexdigest()


def stamp() -> dict[str, str]:
    try:
        return dict(json.loads(STAMP.read_text()))
    except (OSError, ValueError):
        return {}


def install(wanted: dict[str, str]) -> None:
    started_s = time.monotonic()
    previous = stamp()
    is_here = all(previous.get(field) == wanted[field] for field in ("root", "python"))  # scripts name their place
    if not is_here or not works(VENV_PYTHON):
        say(1, f"virtual environment in .venv, Python {platform.python_version()}")
        make_venv()
        wanted = wanted | {"python": sys.version}
    STAMP.write_text(json.dumps(wanted | {"key": "unfinished"}, indent=1))
    if not uv_is_pinned():
        say(2, f"the installer, {uv_pin()}")
        bootstrap_uv()
    count = sum(1 for line in LOCK.read_text().splitlines() if "==" in line)
    say(3, f"up to {count} pinned packages; the first time this fetches about 120 MB")
    sync()
    say(4, "this project, linked to src/")
    uv("pip", "install", "--quiet", "--offline", "--no-deps", "--no-build-isolation", "--editable", ".")
    STAMP.write_text(json.dumps(wanted, indent=1))
    took_s = time.monotonic() - started_s
    print(f"setup: done in {took_s:.0f} s. Try: .venv/bin/ringback --help", file=sys.stderr, flush=True)


def make_venv() -> None:
    flags = [] if importlib.util.find_spec("ensurepip") else ["--without-pip"]
    run([sys.executable, "-m", "venv", "--clear", *flags, ".venv"])


def bootstrap_uv() -> None:
    """Installs uv into `.venv` by the first installer this machine has; each of them checks the hash."""
    arguments = ["install", "--require-hashes", "--no-deps", "--requirement", "requirements/uv.txt"]
    if works(VENV_PYTHON, "import pip"):
        run([".venv/bin/python", "-m", "pip", *arguments])
    elif works(Path(sys.executable), "import pip"):
        run([sys.executable, "-m", "pip", "--python", ".venv/bin/python", *arguments])
    elif shutil.which("uv"):
        run(["uv", "pip", *arguments, "--python", ".venv/bin/python"])
    else:
        refuse("this Python has neither ensurepip nor pip", "install one of: python3-venv, python3-pip, uv")


def sync() -> None:
    """Makes `.venv` hold exactly what the locks say; asks an index only for what uv's cache does not hold."""
    arguments = ["pip", "sync", "--require-hashes", "--compile-bytecode", "requirements/dev.txt", "requirements/uv.txt"]
    if not succeeds(uv_command(*arguments, "--offline")):
        uv(*arguments)


def uv_pin() -> str:
    return next(line.split()[0] for line in UV_LOCK.read_text().splitlines() if line.startswith("uv=="))


def uv_is_pinned() -> bool:
    check = f"import importlib.metadata as m, sys; sys.exit('uv==' + m.version('uv') != {uv_pin()!r})"
    return works(VENV_PYTHON, check)


def uv(*arguments: str) -> None:
    run(uv_command(*arguments))


def uv_command(*arguments: str) -> list[str]:
    return [".venv/bin/python", "-m", "uv", *arguments, "--python", ".venv/bin/python"]


def environment() -> dict[str, str]:
    """Returns the environment without what would point an installer at another Python."""
    unwanted = {"PYTHONPATH", "PYTHONHOME", "VIRTUAL_ENV", "CONDA_PREFIX", "PIP_TARGET", "PIP_USER", "PIP_PREFIX"}
    kept = {name: value for name, value in os.environ.items() if name not in unwanted}
    return kept | {"PIP_DISABLE_PIP_VERSION_CHECK": "1", "UV_LINK_MODE": os.environ.get("UV_LINK_MODE", "copy")}


def works(python: Path, code: str = "") -> bool:
    return succeeds([str(python), "-c", code])


def succeeds(command: list[str]) -> bool:
    try:
        done = subprocess.run(command, cwd=ROOT, env=environment(), check=False, capture_output=True)
    except OSError:
        return False
    return done.returncode == 0


def run(command: list[str]) -> None:
    try:
        subprocess.run(command, cwd=ROOT, env=environment(), check=True, stdout=sys.stderr)
    except (OSError, subprocess.CalledProcessError) as error:
        shown = " ".join(command)
        refuse(f"this step failed: {shown} ({error})", "is a package index reachable? To start over: make clean setup")


def say(step: int, text: str) -> None:
    print(f"setup: [{step}/{STEPS}] {text}", file=sys.stderr, flush=True)


def refuse(found: str, hint: str) -> NoReturn:
    print(f"setup: RB-SETUP-001: {found}\nhint: {hint}", file=sys.stderr)
    raise SystemExit(1)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
