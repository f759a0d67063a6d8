"""Classifiers of our own for scikit-learn; imported where a model is built or read, never while a night is planned."""
