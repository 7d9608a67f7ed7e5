"""The world as it is: databases, files, keys, clocks. Each adapter implements one port of `ringback.ports`."""
