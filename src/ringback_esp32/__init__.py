"""The ESP32 side of Ringback: MicroPython drivers around the kernel; imports nothing but `ringback_kernel`."""

VERSION = "0.1.0"
