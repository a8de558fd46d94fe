// Part of the step handler (SPEC.md P5): V8's young generation has 16 MiB a half, from the start and for good. In the
// 1 or 2 MiB that it begins with, what a source leaves behind is copied before it is garbage; Lambda lets it grow to 5 %
// of the memory. NODE_OPTIONS comes before Lambda's own options and loses to them, so both are done from here.

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
  while (halfMib() < 1.5 * begunMib && kept.length < ENOUGH_ARRAYS) kept.push(new Array(8_000).fill(0));
  setFlagsFromString('--semi-space-growth-factor=1');
};

grow();
