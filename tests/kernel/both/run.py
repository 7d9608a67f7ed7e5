"""Runs test modules on any interpreter: `micropython tests/kernel/both/run.py test_wire test_gates`. Ends with 1
on a failure.
"""

import sys


def run(name):
    """Run every test function of a module; returns (passed, failed)."""
    module = __import__("tests.kernel.both." + name, None, None, ("x",))
    passed = failed = 0
    for key in sorted(dir(module)):
        if key.startswith("test_"):
            try:
                getattr(module, key)()
                passed += 1
            except Exception as error:  # the runner's own main loop: the next test is to run as well
                failed += 1
                print("FAILED", name + "." + key, repr(error))
                if hasattr(sys, "print_exception"):
                    sys.print_exception(error)
    return passed, failed


def main(names):
    failures = 0
    for name in names:
        passed, failed = run(name)
        failures += failed
        print(name, passed, "passed", failed, "failed")
    return 1 if failures else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
