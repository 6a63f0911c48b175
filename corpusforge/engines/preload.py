"""What the fork server imports once, so that a new worker starts in milliseconds.

Importing this module brings up what kernels need, too; the kernels themselves load in the workers that call them.
"""

from __future__ import annotations

import corpusforge.registry
import corpusforge.tasks.map
import corpusforge.tasks.read
import corpusforge.tasks.reduce
import corpusforge.tasks.write  # noqa: F401
from corpusforge.kernels import stored_code

stored_code.start_up()
