"""Other starts of a sandbox than Lambda's plain one: with an AOT cache, and from a snapshot."""
