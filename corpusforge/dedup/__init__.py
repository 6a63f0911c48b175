"""Deduplication of documents and lines, and decontamination."""
