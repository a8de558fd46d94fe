// Skip on first reading. Sets V8's young generation to 16 MiB a half, from the start and for good
// (SPEC.md P5): Lambda's own flags let it grow to 88 MiB at 1,769 MB.
// Plain version: nothing. NODE_OPTIONS can't do it, because Lambda's own flags come after it.
// Gain: a peak of 128 MiB instead of 154, at the same CPU (docs/performance/javascript.md).

import { getHeapSpaceStatistics, setFlagsFromString } from 'node:v8';

const HALF_MIB = 16;
const ENOUGH_ARRAYS = 64;

const halfMib = () => {
  const young = getHeapSpaceStatistics().find(({ space_name: name }) => name === 'new_space');
  return young ? (young.space_used_size + young.space_available_size) / 1024 ** 2 : HALF_MIB;
};

/** It grows by a whole factor, once more than it can hold has outlived a collection. */
const grow = () => {
  const begunMib = halfMib();
  setFlagsFromString(`--semi-space-growth-factor=${Math.max(1, Math.round(HALF_MIB / begunMib))}`);
  const kept = [];
  while (halfMib() < 1.5 * begunMib && kept.length < ENOUGH_ARRAYS)
    kept.push(new Array(8_000).fill(0));
  setFlagsFromString('--semi-space-growth-factor=1');
};

grow();
