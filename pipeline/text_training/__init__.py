"""Training and evaluation of the text models, from labelled text."""
