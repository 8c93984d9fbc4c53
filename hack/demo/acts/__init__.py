"""The acts of the demo: each makes something happen and proves what follows."""
