"""Aggregates one UTC day of CloudTrail: many gzip files in S3 become a few, one record per line.

One module per step, in the order of the data: config, trigger, store, attempts, lister, reader,
inflater, splitter, writer, publisher; errors and journal serve them all, handler wires them.
The contract is SPEC.md.
"""
