"""Sources: one file a source, which lists shards, fetches bytes, iterates records."""
