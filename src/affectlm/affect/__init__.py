"""Knowledge of affect: points of words, label sets and their relations, and how to put values into words."""
