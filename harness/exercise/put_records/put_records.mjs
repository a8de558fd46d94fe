// Puts records into a stream that refuses some of them. Write putAll; the rest is there.
// The functions below it speak with the check: one line for each call, and one for each answer.

import { createInterface } from 'node:readline';

const MOST_RECORDS = 500; // of a request
const MOST_BYTES = 5 * 2 ** 20; // of a request
const LARGEST = 2 ** 20; // of a record; a request with a larger one fails for ever
const FIRST_PAUSE_MS = 50;
const LONGEST_PAUSE_MS = 1600;

/** Put the records 0, 1, 2 and so on, whose sizes in bytes these are. */
const putAll = async (sizes) => {
  let waiting = [];
  for (const [number, size] of sizes.entries()) {
    if (size > LARGEST) refuse(number);
    else waiting.push(number);
  }
  let pauseMs = FIRST_PAUSE_MS;
  while (waiting.length > 0) {
    const request = firstRequest(waiting, sizes);
    const answers = await put(request);
    const again = request.filter((_, place) => answers[place] !== 'ok');
    waiting = [...again, ...waiting.slice(request.length)];
    if (again.length > 0) {
      pause(pauseMs);
      pauseMs = Math.min(2 * pauseMs, LONGEST_PAUSE_MS);
    } else {
      pauseMs = FIRST_PAUSE_MS;
    }
  }
};

/** As many of the first ones as one request may hold. */
const firstRequest = (waiting, sizes) => {
  let total = 0;
  const end = waiting.findIndex((number, place) => {
    total += sizes[number];
    return place === MOST_RECORDS || total > MOST_BYTES;
  });
  return end < 0 ? waiting : waiting.slice(0, end);
};

const lines = createInterface({ input: process.stdin })[Symbol.asyncIterator]();
const tell = (...words) => process.stdout.write(`${words.join(' ')}\n`);

/**
 * Put them by one request. The answer has for each 'ok', 'throttled' or 'failed'; it is 'error' for
 * all of them if the request failed as a whole.
 */
const put = async (numbers) => {
  tell('put', ...numbers);
  const answer = (await lines.next()).value;
  return answer === 'error' ? numbers.map(() => 'error') : answer.split(' ');
};

/** Wait. No time passes: the check counts it. */
const pause = (ms) => tell('pause', ms);

/** Tell that a record can't be put. */
const refuse = (number) => tell('refuse', number);

for (let { value, done } = await lines.next(); !done; { value, done } = await lines.next()) {
  await putAll(value.split(' ').slice(1).map(Number));
  tell('done');
}
