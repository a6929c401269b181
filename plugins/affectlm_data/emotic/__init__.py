"""EMOTIC, as published and as it is found in the wild."""
