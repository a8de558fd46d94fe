"""The places where functions run: this machine or a deployed stack."""
