"""Parses and prints each line of the standard input, as ``json`` does it by default."""

import json
import sys

for line in sys.stdin:
    try:
        print(json.dumps(json.loads(line), separators=(",", ":")))
    except ValueError as error:
        print(f"error: {error}")
