"""torch tools for authors of estimators; the core imports nothing from here."""
