"""A source of small files: a third party's stream, the client that puts it into Kinesis, and a
count of all messages on the way.
"""
