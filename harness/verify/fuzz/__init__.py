"""Random bodies and datasets on which the implementations have to agree."""
