"""The commands of `tidegate`: which controllers run in this process, and what they are given."""
