"""What all kinds share: object metadata, conditions, references, artifacts, agreed keys."""
