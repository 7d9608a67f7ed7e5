"""`python -m ringback.sim`: the simulator's programs."""

import sys

from ringback.sim import fleet

PROGRAMS = {"fleet": fleet.run}

if __name__ == "__main__":
    PROGRAMS[sys.argv[1]](sys.argv[2:])
