// Parses and prints each line of the standard input, as JSON does it by default.

import { readFileSync } from 'node:fs';

for (const line of readFileSync(0, 'utf8').trimEnd().split('\n')) {
  try {
    console.log(JSON.stringify(JSON.parse(line)));
  } catch (error) {
    console.log(`error: ${error.message}`);
  }
}
