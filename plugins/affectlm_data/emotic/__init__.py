"""EMOTIC, as published and in the forms in common use."""
