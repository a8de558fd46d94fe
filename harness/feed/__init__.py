"""A source of small files: a third party's stream, the client that puts it into Kinesis, and what
becomes of each message on the way.
"""
