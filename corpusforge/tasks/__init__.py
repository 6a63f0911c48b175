"""Tasks: what one task of each operation does. Engines call them; they know nothing of engines."""
