"""``python -m symphony_research`` is the same as ``symphony``."""

import sys

from symphony_research.cli import main

if __name__ == "__main__":  # workers import this module again, and must not start again
    sys.exit(main())
