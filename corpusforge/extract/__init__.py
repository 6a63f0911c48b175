"""Extraction: what the publisher's markup means as text."""
