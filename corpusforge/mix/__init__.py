"""Mixing and packing token rows, and the shard formats that trainers read."""
