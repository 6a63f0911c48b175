"""Small, seeded shards in the real formats, with a truth file that says what every record holds."""
