"""The demo's real input: pictures, sound, models and the app that runs them, and the good and bad variants of each.

What it decides: which bytes make the demo's models, configs and apps, and what each of them does when measured.
What it never does: pretend. A bad model here is the real model, made bad by a mistake people make; nothing sleeps to
look slow, and nothing is claimed that `python -m ringback.demo.material.measure` does not measure.
"""
