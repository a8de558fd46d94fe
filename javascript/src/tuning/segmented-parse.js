// Skip on first reading. Checks the grammar of a JSON text piece by piece (SPEC.md R6, P5).
// Plain version: JSON.parse(text.toString()), which builds the whole value. Gain: a text of 100 MiB
// peaks at 179 MiB instead of 495 (docs/performance/javascript.md).
//
// A text is cut at commas that separate items of the innermost open container. Both sides keep that
// comma and get an item beyond it, and the open containers are closed and opened:
// `{"a":[1,` + `0]}` and `{"":[0,` + `2]}`. If both parse, the caller's view of strings and nesting
// was right up to the cut, and the two texts without the added items are one valid text.

const SEGMENT_BYTES = 256 * 1024;
const OPEN_OBJECT = 123;

export class SegmentedParse {
  #text;
  #segmentBytes;
  #start = 0;
  /** Opens the containers around the segment. */
  #opening = '';

  /**
   * @param {Buffer} text
   * @param {number} [segmentBytes] how much is parsed at a time, at least
   */
  constructor(text, segmentBytes = SEGMENT_BYTES) {
    this.#text = text;
    this.#segmentBytes = segmentBytes;
  }

  /**
   * Parses the segment that ends with a comma, if it is long enough.
   * @param {number} comma
   * @param {number[]} containers the opening bytes of those around the comma
   * @returns {boolean} whether all before the comma is parsed now
   * @throws {SyntaxError}
   */
  parseTo(comma, containers) {
    if (comma - this.#start < this.#segmentBytes) return false;
    const open = containers.map((byte) => byte === OPEN_OBJECT);
    const innermost = open.pop();
    const closing = open.map((isObject) => (isObject ? '}' : ']')).reverse();
    this.#parse(comma + 1, (innermost ? '"":0}' : '0]') + closing.join(''));
    const opening = open.map((isObject) => (isObject ? '{"":' : '['));
    this.#opening = opening.join('') + (innermost ? '{"":0,' : '[0,');
    this.#start = comma + 1;
    return true;
  }

  /**
   * Parses the rest.
   * @throws {SyntaxError}
   */
  end() {
    this.#parse(this.#text.length, '');
  }

  /**
   * @param {number} end
   * @param {string} closing
   */
  #parse(end, closing) {
    JSON.parse(this.#opening + this.#text.toString('utf8', this.#start, end) + closing);
  }
}
