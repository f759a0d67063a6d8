"""What classical models share: the pipeline around a classifier, selectors of features, how scores are asked for."""
