"""Ringback: releases firmware, model and configuration as separate planes, ring by ring, with a way back."""

__version__ = "0.1.0"
