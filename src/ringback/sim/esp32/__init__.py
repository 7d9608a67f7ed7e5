"""An ESP32 on the bench, without the board: the real agent on the real MicroPython, power cut at every flash operation.

Flash, clock, watchdog, bootloader and network live in the host process; the agent's own bytes run on MicroPython's Unix
port in a process of their own, which is killed when power is lost. What happens afterwards is judged from outside, by
oracles that share no code with the agent.

Invariants:

- Nothing of the agent is replaced: our `esp32`, `machine`, `network`, `socket` and `time` stand where the port's would.
- Every change of the flash is one numbered operation, made by the agent or by the bootloader; power can be lost before
  it, after it and inside it.
- The same seed gives the same lives; a violation is replayed from one line.
"""
