"""The exercise of lesson 17: put records into a stream that refuses some of them.

``vectors.json`` is the check, for any language. The four files beside it are its answers.
"""
