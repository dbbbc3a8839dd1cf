"""What ipgate is measured against, each in a module: how to start it, what to ask, what is right."""
