"""What holds for all tests."""

from __future__ import annotations

import os

# Several tests run at a time and every training is tiny: threads inside them only get in the way.
# It must stand here, before torch is imported, and reaches the processes that the tests start.
os.environ.setdefault("OMP_NUM_THREADS", "1")
