"""How the weights in processors/weights were made: data, model, training, export. README.md says how to repeat it."""
