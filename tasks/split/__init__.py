"""Split: patient-grouped folds."""
