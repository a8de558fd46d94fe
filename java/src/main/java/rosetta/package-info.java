/**
 * Aggregates one day of CloudTrail files into chunks. One file a step, in the order of the run:
 * config, trigger, store, attempts, claim, lister, reader, inflater, splitter, writer, publisher;
 * all use errors and journal, and {@link rosetta.Handler} wires the steps. The contract is SPEC.md
 * at the root of the repository.
 */
package rosetta;
