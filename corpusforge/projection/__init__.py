"""What a run of a given size would take: a few shards are run, and time, memory, storage and cost are projected."""
