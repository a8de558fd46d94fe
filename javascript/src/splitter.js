// Step: splitter (SPEC.md R6 to R8, C1): a file's text becomes its records, LF-terminated.
// JSON.parse checks the grammar. The scan below only follows strings and nesting: it finds where
// records begin and end, because JSON.parse would lose their text.

import { isUtf8 } from 'node:buffer';
import { AggregationError } from './errors.js';
import { LineMover } from './tuning/line-mover.js';
import { SegmentedParse } from './tuning/segmented-parse.js';

/**
 * A source's records as they are written: each ends in LF and holds no other CR or LF.
 * @typedef {{bytes: Buffer, count: number}} Lines
 */

const MAX_DEPTH = 500;
const [TAB, LF, CR, SPACE] = [9, 10, 13, 32];
const [QUOTE, COMMA, COLON, BACKSLASH] = [34, 44, 58, 92];
const [OPEN_ARRAY, CLOSE_ARRAY, OPEN_OBJECT, CLOSE_OBJECT] = [91, 93, 123, 125];

/**
 * Cuts a file into its records.
 * @param {Buffer} file inflated; its bytes are overwritten by the lines
 * @param {number} [segmentBytes] how much is parsed at a time
 * @returns {Lines} a part of the file's memory
 * @throws {AggregationError} BAD_JSON or NO_RECORDS
 */
export const splitRecords = (file, segmentBytes) => {
  try {
    if (!isUtf8(file) || nextByte(file, 0) !== OPEN_OBJECT) throw badJson();
    const lines = new LineMover(file);
    const isReadable = scan(file, lines, new SegmentedParse(file, segmentBytes));
    if (!isReadable) throw new AggregationError('NO_RECORDS', 'see the source');
    return lines;
  } catch (error) {
    throw error instanceof SyntaxError ? badJson() : error;
  }
};

/**
 * @param {Buffer} file begins with an object
 * @param {LineMover} lines takes the records
 * @param {SegmentedParse} grammar
 * @returns {boolean} R8. Its faults wait for the end, because those of R6 come first
 */
const scan = (file, lines, grammar) => {
  /** The opening bytes of the containers around the present byte, which a cut has to close. */
  const containers = new Uint8Array(MAX_DEPTH);
  const member = new TopLevelMember(file);
  let depth = 0;
  let recordStart = 0;
  for (let at = 0; at < file.length; at++) {
    const byte = /** @type {number} */ (file[at]);
    if (byte === QUOTE) {
      const start = at;
      at = endOfString(file, at);
      if (depth === 1) member.string(start, at);
    } else if (byte === COLON) {
      if (depth === 1) member.begin(at);
    } else if (byte === COMMA) {
      if (depth === 2) member.element(at);
      // The lines overwrite the text, so they move only when all before them is parsed.
      if (grammar.parseTo(at, containers.subarray(0, depth))) lines.moveAll();
    } else if (byte === OPEN_OBJECT || byte === OPEN_ARRAY) {
      if (depth === MAX_DEPTH) throw badJson();
      if (depth === 2) recordStart = at;
      containers[depth++] = byte;
    } else if (byte === CLOSE_OBJECT || byte === CLOSE_ARRAY) {
      if (depth === 0) throw badJson();
      depth--;
      if (depth === 2 && member.isRecords) lines.add(recordStart, at + 1);
    }
  }
  grammar.end();
  lines.moveAll();
  return member.found === 1 && !member.refused;
};

/** A member of the file's object, from its colon on (R8). */
class TopLevelMember {
  isRecords = false;
  /** How many members are called Records. */
  found = 0;
  refused = false;
  #file;
  #key = { start: 0, end: 0 };

  /** @param {Buffer} file */
  constructor(file) {
    this.#file = file;
  }

  /**
   * A string directly in the file's object: a key, if a colon follows.
   * @param {number} start
   * @param {number} last
   */
  string(start, last) {
    this.#key = { start, end: last + 1 };
  }

  /** @param {number} colon */
  begin(colon) {
    const file = this.#file;
    this.isRecords =
      JSON.parse(file.toString('utf8', this.#key.start, this.#key.end)) === 'Records';
    if (!this.isRecords) return;
    this.found++;
    const opening = skipBlanks(file, colon + 1);
    const first = nextByte(file, opening + 1);
    const isArray = file[opening] === OPEN_ARRAY;
    if (!isArray || (first !== OPEN_OBJECT && first !== CLOSE_ARRAY)) this.refused = true;
  }

  /** @param {number} comma before an element */
  element(comma) {
    if (this.isRecords && nextByte(this.#file, comma + 1) !== OPEN_OBJECT) this.refused = true;
  }
}

/**
 * @param {Buffer} file
 * @param {number} quote
 * @returns {number} where the closing quote is, or the end of the file
 */
const endOfString = (file, quote) => {
  let at = quote + 1;
  for (; at < file.length && file[at] !== QUOTE; at++) if (file[at] === BACKSLASH) at++;
  return at;
};

/**
 * @param {Buffer} file
 * @param {number} from
 * @returns {number} the place of the first byte that is no white space
 */
const skipBlanks = (file, from) => {
  let at = from;
  while (file[at] === SPACE || file[at] === LF || file[at] === CR || file[at] === TAB) at++;
  return at;
};

/**
 * @param {Buffer} file
 * @param {number} from
 */
const nextByte = (file, from) => file[skipBlanks(file, from)];

const badJson = () => new AggregationError('BAD_JSON', 'see the source');
