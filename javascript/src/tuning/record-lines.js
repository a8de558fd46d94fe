// Skip on first reading. Makes lines of records in the memory of their text (SPEC.md C1, P5), from
// the place of the first record on. A line may overwrite only text that is parsed already, so the
// lines move whenever SegmentedParse has parsed another segment.
// Plain version: `checkTo` does nothing; `finish` parses the whole text and copies the records into
// a second Buffer. Gain: a text of 100 MiB peaks at 179 MiB instead of 319
// (docs/performance/javascript.md).

import { SegmentedParse } from './segmented-parse.js';

/** @import { Lines } from '../splitter.js' */

const [LF, CR] = [10, 13];

export class RecordLines {
  #text;
  #grammar;
  #hasBreaks;
  /** @type {[start: number, end: number][]} records whose text is not parsed yet */
  #unchecked = [];
  #start = 0;
  #end = 0;
  #count = 0;

  /**
   * @param {Buffer} text
   * @param {number} [segmentBytes] how much is parsed at a time, at least
   */
  constructor(text, segmentBytes) {
    this.#text = text;
    this.#grammar = new SegmentedParse(text, segmentBytes);
    this.#hasBreaks = text.includes(LF) || text.includes(CR);
  }

  /**
   * Takes the next record.
   * @param {number} start
   * @param {number} end
   */
  add(start, end) {
    this.#unchecked.push([start, end]);
  }

  /**
   * The text may be checked up to this comma.
   * @param {number} comma
   * @param {number[]} containers the opening bytes of those around the comma
   * @throws {SyntaxError}
   */
  checkTo(comma, containers) {
    if (this.#grammar.parseTo(comma, containers)) this.#moveAll();
  }

  /**
   * Checks the rest of the text.
   * @returns {Lines}
   * @throws {SyntaxError}
   */
  finish() {
    this.#grammar.end();
    this.#moveAll();
    return { bytes: this.#text.subarray(this.#start, this.#end), count: this.#count };
  }

  /** C1. Behind each record is a separator: there is room for the LF. */
  #moveAll() {
    for (const [start, end] of this.#unchecked) {
      if (this.#count++ === 0) this.#start = this.#end = start;
      if (this.#hasBreaks) this.#moveWithoutBreaks(start, end);
      else {
        if (this.#end !== start) this.#text.copyWithin(this.#end, start, end);
        this.#end += end - start;
      }
      this.#text[this.#end++] = LF;
    }
    this.#unchecked.length = 0;
  }

  /**
   * @param {number} start
   * @param {number} end
   */
  #moveWithoutBreaks(start, end) {
    for (const byte of this.#text.subarray(start, end))
      if (byte !== LF && byte !== CR) this.#text[this.#end++] = byte;
  }
}
