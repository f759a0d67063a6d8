"""Train: models fitted on a fold's training patients only."""
