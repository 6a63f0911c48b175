"""Model files: found by name, identified by hash, never fetched unasked."""
