"""What builds, tests and measures Tidegate; no part of the wheel."""
