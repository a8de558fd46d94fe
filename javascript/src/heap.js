// Part of the step handler (SPEC.md P5): V8's young generation stays as small as it begins. Lambda allows it 5 % of the
// memory for each half, and it grows to that while bodies pass through; NODE_OPTIONS comes before Lambda's own options
// and loses to them, so the growth is ended from here.

import { setFlagsFromString } from 'node:v8';

setFlagsFromString('--semi-space-growth-factor=1');
