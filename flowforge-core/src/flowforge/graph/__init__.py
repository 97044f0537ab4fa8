"""The graph of models: its order, selections from it, and its picture."""
