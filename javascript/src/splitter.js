// Step: splitter (SPEC.md R6 to R8, C1, B3): a source's text becomes its records, LF-terminated.
// JSON.parse checks the grammar. A scan only follows strings and nesting: it finds where
// records begin and end, because JSON.parse would lose their text.

import { isUtf8 } from 'node:buffer';
import { AggregationError } from './errors.js';
import { RecordLines } from './tuning/record-lines.js';

/**
 * A source's records as they are written: each ends in LF and holds no other CR or LF.
 * @typedef {{bytes: Buffer, count: number}} Lines
 */

const MAX_DEPTH = 500;
/** E6: how much text may pass between two looks at the clock. */
const CHECK_BYTES = 64 * 1024;
const [TAB, LF, CR, SPACE] = [9, 10, 13, 32];
const [QUOTE, COMMA, COLON, BACKSLASH] = [34, 44, 58, 92];
const [OPEN_ARRAY, CLOSE_ARRAY, OPEN_OBJECT, CLOSE_OBJECT] = [91, 93, 123, 125];

/**
 * Cuts a text into its records.
 * @param {Buffer} text inflated; its bytes are overwritten by the lines
 * @param {() => void} checkTime throws when there is none left
 * @param {RecordLines} [lines] checks the text and takes the records
 * @returns {Lines} a part of the text's memory
 * @throws {AggregationError} BAD_JSON or NO_RECORDS
 */
export const splitRecords = (text, checkTime, lines = new RecordLines(text)) => {
  if (!isUtf8(text) || nextByte(text, 0) !== OPEN_OBJECT) throw badJson();
  try {
    const hasRecords = scan(text, checkTime, lines);
    // The faults of R6 come first: all of the text is checked before NO_RECORDS.
    const finished = lines.finish();
    if (!hasRecords) throw new AggregationError('NO_RECORDS', 'see the source');
    return finished;
  } catch (error) {
    throw error instanceof SyntaxError ? badJson() : error;
  }
};

/**
 * @param {Buffer} text begins with an object
 * @param {() => void} checkTime
 * @param {RecordLines} lines
 * @returns {boolean} whether R8 holds
 */
const scan = (text, checkTime, lines) => {
  /** @type {number[]} the opening bytes of the containers around the present byte */
  const containers = [];
  const records = new RecordsFinder(text);
  let recordStart = 0;
  let checkAt = 0;
  for (let at = 0; at < text.length; at++) {
    if (at >= checkAt) {
      checkTime();
      checkAt = at + CHECK_BYTES;
    }
    const byte = /** @type {number} */ (text[at]);
    const depth = containers.length;
    if (byte === QUOTE) {
      const start = at;
      at = endOfString(text, at);
      if (depth === 1) records.onString(start, at);
    } else if (byte === COLON) {
      if (depth === 1) records.onColon(at);
    } else if (byte === COMMA) {
      if (depth === 2) records.onComma(at);
      lines.checkTo(at, containers);
    } else if (byte === OPEN_OBJECT || byte === OPEN_ARRAY) {
      if (depth === MAX_DEPTH) throw badJson();
      if (depth === 2) recordStart = at;
      containers.push(byte);
    } else if (byte === CLOSE_OBJECT || byte === CLOSE_ARRAY) {
      if (depth === 0) throw badJson();
      containers.pop();
      if (depth === 3 && records.isInside) lines.add(recordStart, at + 1);
    }
  }
  return records.found === 1 && !records.hasBadValue;
};

/** Follows the members of the text's object, and judges those called Records (R8). */
class RecordsFinder {
  /** Whether the latest member is called Records. */
  isInside = false;
  found = 0;
  hasBadValue = false;
  #text;
  #key = { start: 0, end: 0 };

  /** @param {Buffer} text */
  constructor(text) {
    this.#text = text;
  }

  /**
   * A string directly in the text's object: a key, if a colon follows.
   * @param {number} start
   * @param {number} last
   */
  onString(start, last) {
    this.#key = { start, end: last + 1 };
  }

  /** @param {number} colon behind a key of the text's object */
  onColon(colon) {
    const text = this.#text;
    const key = text.toString('utf8', this.#key.start, this.#key.end);
    this.isInside = JSON.parse(key) === 'Records';
    if (!this.isInside) return;
    this.found++;
    const opening = skipBlanks(text, colon + 1);
    const first = nextByte(text, opening + 1);
    const isArray = text[opening] === OPEN_ARRAY;
    // Only the first element has no comma before it.
    if (!isArray || (first !== OPEN_OBJECT && first !== CLOSE_ARRAY)) this.hasBadValue = true;
  }

  /** @param {number} comma between items of the member's value */
  onComma(comma) {
    if (this.isInside && nextByte(this.#text, comma + 1) !== OPEN_OBJECT) this.hasBadValue = true;
  }
}

/**
 * @param {Buffer} text
 * @param {number} quote
 * @returns {number} where the closing quote is, or the end of the text
 */
const endOfString = (text, quote) => {
  let at = quote + 1;
  for (; at < text.length && text[at] !== QUOTE; at++) if (text[at] === BACKSLASH) at++;
  return at;
};

/** @type {(text: Buffer, from: number) => number} the place of the first byte that is no blank */
const skipBlanks = (text, from) => {
  let at = from;
  while (text[at] === SPACE || text[at] === LF || text[at] === CR || text[at] === TAB) at++;
  return at;
};

const nextByte = (/** @type {Buffer} */ text, /** @type {number} */ from) =>
  text[skipBlanks(text, from)];

const badJson = () => new AggregationError('BAD_JSON', 'see the source');
