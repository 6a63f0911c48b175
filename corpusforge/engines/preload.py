"""What the fork server imports once, so that a new worker starts in milliseconds."""

from __future__ import annotations

import corpusforge.tasks.map
import corpusforge.tasks.read
import corpusforge.tasks.reduce
import corpusforge.tasks.write  # noqa: F401
