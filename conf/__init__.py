"""The built-in choices; this package holds YAML files only."""
