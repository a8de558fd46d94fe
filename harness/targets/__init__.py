"""The targets on which functions run: this machine, or a deployed stack on AWS."""
