"""From words and YAML files to checked settings and built components."""
