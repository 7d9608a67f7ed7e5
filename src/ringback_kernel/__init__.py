"""The part of Ringback that runs unchanged on a microcontroller, on a Linux box, on the server and in the simulator."""
