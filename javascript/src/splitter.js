// Step: splitter (SPEC.md R6 to R8, C1): a file's text becomes its records, LF-terminated, in the same memory.
// Grammar is JSON.parse's: this scanner only tracks strings and nesting, to find the records and places to cut.
// Holds the file and one parsed segment of about 256 KiB, so that no parsed file is ever held.
//
// Why segments are enough: a file is cut at commas that separate items of the innermost open container. Both sides
// keep that comma, get an item of ours beyond it, and the open containers opened or closed: `{"a":[1,` + `0]}` and
// `{"":[0,` + `2]}`. If both parse, the scanner's view of strings and nesting was right up to the cut, and the two
// texts without our items are one valid text.

import { isUtf8 } from 'node:buffer';
import { AggregationError } from './errors.js';

/** @import { Lines } from './types.js' */

const SEGMENT_BYTES = 256 * 1024;
const MAX_DEPTH = 500;
const [TAB, LF, CR, SPACE] = [9, 10, 13, 32];
const [QUOTE, COMMA, COLON, BACKSLASH] = [34, 44, 58, 92];
const [OPEN_ARRAY, CLOSE_ARRAY, OPEN_OBJECT, CLOSE_OBJECT] = [91, 93, 123, 125];

/**
 * Cuts a file into its records.
 * @param {Buffer} file inflated; its bytes are overwritten
 * @param {number} [segmentBytes] how much is parsed at a time, at least
 * @returns {Lines} a part of the file's memory
 * @throws {AggregationError} BAD_JSON or NO_RECORDS
 */
export const splitRecords = (file, segmentBytes = SEGMENT_BYTES) => {
  if (!isUtf8(file)) throw badJson();
  return new Scan(file, segmentBytes).run();
};

class Scan {
  #file;
  #segmentBytes;
  #breaks;
  /** The opening bytes of the containers around the present byte. */
  #stack = new Uint8Array(MAX_DEPTH);
  #depth = 0;
  #segmentStart = 0;
  #segmentOpening = '';
  /** The latest string directly in the file's object: a key, if a colon follows. */
  #key = { start: 0, end: 0 };
  /** Members called Records; where the latest one's array opens; whether this byte is in it. */
  #found = 0;
  #arrayAt = -1;
  #inArray = false;
  /** R8's faults wait for the end, because R6's come first. */
  #refused = false;
  /** The present record, or the gap before the next one; this segment's records as [start, end, ...]. */
  #recordStart = 0;
  #gapStart = 0;
  /** @type {number[]} */
  #records = [];
  /** Finished lines, moved together from the first record on. */
  #linesStart = 0;
  #linesEnd = 0;
  #count = 0;

  /**
   * @param {Buffer} file
   * @param {number} segmentBytes
   */
  constructor(file, segmentBytes) {
    this.#file = file;
    this.#segmentBytes = segmentBytes;
    this.#breaks = file.includes(LF) || file.includes(CR);
  }

  /** @returns {Lines} */
  run() {
    const file = this.#file;
    if (file[this.#skipBlanks(0)] !== OPEN_OBJECT) throw badJson();
    for (let at = 0; at < file.length; at++) {
      const byte = file[at];
      if (byte === QUOTE) {
        const start = at++;
        for (; at < file.length && file[at] !== QUOTE; at++) if (file[at] === BACKSLASH) at++;
        if (this.#depth === 1) this.#key = { start, end: at + 1 };
      } else if (byte === COMMA) {
        if (at - this.#segmentStart >= this.#segmentBytes) this.#cut(at);
      } else if (byte === OPEN_OBJECT || byte === OPEN_ARRAY) this.#open(at, byte);
      else if (byte === CLOSE_OBJECT || byte === CLOSE_ARRAY) this.#close(at);
      else if (byte === COLON && this.#depth === 1) this.#member(at);
    }
    this.#check(file.length, '');
    if (this.#found !== 1 || this.#refused) throw new AggregationError('NO_RECORDS', 'see the source');
    return { bytes: file.subarray(this.#linesStart, this.#linesEnd), count: this.#count };
  }

  /** @param {number} at of the colon behind a key of the file's object */
  #member(at) {
    if (parse(this.#file.toString('utf8', this.#key.start, this.#key.end)) !== 'Records') return;
    this.#found++;
    this.#arrayAt = this.#skipBlanks(at + 1);
    if (this.#file[this.#arrayAt] !== OPEN_ARRAY) this.#refused = true;
  }

  /**
   * @param {number} at
   * @param {number} byte
   */
  #open(at, byte) {
    if (this.#depth === MAX_DEPTH) throw badJson();
    if (this.#inArray && this.#depth === 2) {
      if (byte !== OPEN_OBJECT) this.#refused = true;
      this.#endGap(at);
      this.#recordStart = at;
    }
    this.#stack[this.#depth++] = byte;
    if (at === this.#arrayAt && byte === OPEN_ARRAY) {
      this.#inArray = true;
      this.#gapStart = at + 1;
    }
  }

  /** @param {number} at */
  #close(at) {
    if (this.#depth === 0) throw badJson();
    this.#depth--;
    if (!this.#inArray || this.#depth > 2) return;
    if (this.#depth === 2) {
      this.#records.push(this.#recordStart, at + 1);
      this.#gapStart = at + 1;
    } else {
      this.#endGap(at);
      this.#inArray = false;
    }
  }

  /**
   * Between records is a comma; anything else is an element that is no object.
   * @param {number} end
   */
  #endGap(end) {
    for (let at = this.#gapStart; at < end; at++)
      if (this.#file[at] !== COMMA && !isBlank(this.#file[at])) this.#refused = true;
  }

  /** @param {number} at */
  #skipBlanks(at) {
    while (isBlank(this.#file[at])) at++;
    return at;
  }

  /** @param {number} at of a comma */
  #cut(at) {
    const open = Array.from(this.#stack.subarray(0, this.#depth), (byte) => byte === OPEN_OBJECT);
    const innermost = open.pop();
    if (innermost === undefined) throw badJson();
    const closing = open.map((isObject) => (isObject ? '}' : ']')).reverse();
    this.#check(at + 1, (innermost ? '"":0}' : '0]') + closing.join(''));
    const opening = open.map((isObject) => (isObject ? '{"":' : '['));
    this.#segmentOpening = opening.join('') + (innermost ? '{"":0,' : '[0,');
    this.#segmentStart = at + 1;
  }

  /**
   * Checks the segment up to `end`; only then its bytes may be overwritten.
   * @param {number} end
   * @param {string} closing
   */
  #check(end, closing) {
    parse(this.#segmentOpening + this.#file.toString('utf8', this.#segmentStart, end) + closing);
    for (let i = 0; i < this.#records.length; i += 2)
      this.#move(/** @type {number} */ (this.#records[i]), /** @type {number} */ (this.#records[i + 1]));
    this.#records.length = 0;
  }

  /**
   * C1. The byte behind a record is a separator: there is always room for the LF.
   * @param {number} start
   * @param {number} end
   */
  #move(start, end) {
    const file = this.#file;
    if (this.#count++ === 0) this.#linesStart = this.#linesEnd = start;
    if (this.#breaks) {
      for (let at = start; at < end; at++) {
        const byte = /** @type {number} */ (file[at]);
        if (byte !== LF && byte !== CR) file[this.#linesEnd++] = byte;
      }
    } else {
      if (this.#linesEnd !== start) file.copyWithin(this.#linesEnd, start, end);
      this.#linesEnd += end - start;
    }
    file[this.#linesEnd++] = LF;
  }
}

/** @param {number | undefined} byte */
const isBlank = (byte) => byte === SPACE || byte === LF || byte === CR || byte === TAB;

const badJson = () => new AggregationError('BAD_JSON', 'see the source');

/** @param {string} text */
const parse = (text) => {
  try {
    return JSON.parse(text);
  } catch {
    throw badJson();
  }
};
