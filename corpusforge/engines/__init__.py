"""Engines: they schedule tasks and move runs, and know nothing of text."""
