// SPEC.md R2 to R8 and C1, of a body and of a file, written to be obvious, not fast; uses nothing
// of src/.
// Holds everything, several times.

import zlib from 'node:zlib';

const MAX_DEPTH = 500;
const SIMPLE_ESCAPES = new Map(Object.entries({ b: '\b', f: '\f', n: '\n', r: '\r', t: '\t' }));
for (const same of '"\\/') SIMPLE_ESCAPES.set(same, same);

/**
 * A value's place in the text, [start, end) in UTF-16 units, and what is needed of its inside.
 * @typedef {{kind: 'object' | 'array' | 'string' | 'number' | 'literal',
 *   start: number, end: number,
 *   members: [string, Value][], elements: Value[], decoded: string}} Value
 */

class SyntaxFault extends Error {}

/**
 * R6 to R8, C1.
 * @param {Uint8Array} file
 * @returns {string[] | 'BAD_JSON' | 'NO_RECORDS'} the lines, without their LF
 */
export const recordsOf = (file) => {
  let text;
  let top;
  try {
    text = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true }).decode(file);
    top = new Recogniser(text).recognise();
  } catch {
    return 'BAD_JSON';
  }
  if (top.kind !== 'object') return 'BAD_JSON';
  const named = top.members.filter(([name]) => name === 'Records');
  const [only] = named;
  if (named.length !== 1 || only?.[1].kind !== 'array') return 'NO_RECORDS';
  const { elements } = only[1];
  if (elements.some(({ kind }) => kind !== 'object')) return 'NO_RECORDS';
  return elements.map(({ start, end }) => text.slice(start, end).replace(/[\r\n]/g, ''));
};

/** RFC 8259, one method per rule of its grammar. */
class Recogniser {
  #text;
  #at = 0;
  #depth = 0;

  /** @param {string} text */
  constructor(text) {
    this.#text = text;
  }

  /** @returns {Value} */
  recognise() {
    const value = this.#element();
    if (this.#at !== this.#text.length) throw new SyntaxFault();
    return value;
  }

  /** @param {string} allowed characters, of which one is taken */
  #one(allowed) {
    const character = this.#text[this.#at];
    if (character === undefined || !allowed.includes(character)) throw new SyntaxFault();
    this.#at++;
    return character;
  }

  /** @param {string} allowed */
  #next(allowed) {
    const character = this.#text[this.#at];
    return character !== undefined && allowed.includes(character);
  }

  #whiteSpace() {
    while (this.#next(' \t\n\r')) this.#at++;
  }

  /** A value with the white space around it. */
  #element() {
    this.#whiteSpace();
    const value = this.#value();
    this.#whiteSpace();
    return value;
  }

  /** @returns {Value} */
  #value() {
    /** @type {Value} */
    const value = {
      kind: 'literal',
      start: this.#at,
      end: 0,
      members: [],
      elements: [],
      decoded: '',
    };
    if (this.#next('{')) {
      value.kind = 'object';
      this.#items('{', '}', () => value.members.push(this.#member()));
    } else if (this.#next('[')) {
      value.kind = 'array';
      this.#items('[', ']', () => value.elements.push(this.#element()));
    } else if (this.#next('"')) {
      value.kind = 'string';
      value.decoded = this.#string();
    } else if (this.#next('-0123456789')) {
      value.kind = 'number';
      this.#number();
    } else this.#literal();
    value.end = this.#at;
    return value;
  }

  /**
   * @param {string} open
   * @param {string} close
   * @param {() => void} item
   */
  #items(open, close, item) {
    this.#one(open);
    if (++this.#depth > MAX_DEPTH) throw new SyntaxFault();
    this.#whiteSpace();
    if (!this.#next(close)) {
      item();
      while (this.#next(',')) {
        this.#one(',');
        item();
      }
    }
    this.#one(close);
    this.#depth--;
  }

  /** @returns {[string, Value]} */
  #member() {
    this.#whiteSpace();
    const name = this.#string();
    this.#whiteSpace();
    this.#one(':');
    return [name, this.#element()];
  }

  #string() {
    let decoded = '';
    this.#one('"');
    while (!this.#next('"')) {
      const character = this.#text[this.#at++];
      if (character === undefined || character < ' ') throw new SyntaxFault();
      decoded += character === '\\' ? this.#escape() : character;
    }
    this.#one('"');
    return decoded;
  }

  #escape() {
    const letter = this.#one('"\\/bfnrtu');
    if (letter !== 'u') return SIMPLE_ESCAPES.get(letter);
    let digits = '';
    while (digits.length < 4) digits += this.#one('0123456789abcdefABCDEF');
    return String.fromCharCode(Number.parseInt(digits, 16));
  }

  #number() {
    if (this.#next('-')) this.#one('-');
    if (this.#next('0')) this.#one('0');
    else this.#digits();
    if (this.#next('.')) {
      this.#one('.');
      this.#digits();
    }
    if (this.#next('eE')) {
      this.#one('eE');
      if (this.#next('+-')) this.#one('+-');
      this.#digits();
    }
  }

  #digits() {
    do this.#one('0123456789');
    while (this.#next('0123456789'));
  }

  #literal() {
    const word = ['true', 'false', 'null'].find((each) => this.#text.startsWith(each, this.#at));
    if (word === undefined) throw new SyntaxFault();
    this.#at += word.length;
  }
}

/**
 * R3 to R5, by RFC 1952's chapters; only deflate itself is zlib's.
 * @param {Buffer} body
 * @returns {Buffer | 'BAD_GZIP'}
 */
export const fileOf = (body) => {
  if (!(body[0] === 0x1f && body[1] === 0x8b)) return body;
  const contents = [];
  try {
    for (let at = 0; at < body.length; ) {
      const dataAt = at + headerLength(body.subarray(at));
      const { buffer, engine } = inflateRaw(body.subarray(dataAt), { info: true });
      const trailerAt = dataAt + engine.bytesWritten;
      if (body.readUInt32LE(trailerAt) !== zlib.crc32(buffer)) return 'BAD_GZIP';
      if (body.readUInt32LE(trailerAt + 4) !== buffer.length) return 'BAD_GZIP';
      contents.push(buffer);
      at = trailerAt + 8;
    }
  } catch {
    // Node's readers throw where bytes are missing, zlib where they are wrong.
    return 'BAD_GZIP';
  }
  return Buffer.concat(contents);
};

/** @param {Buffer} member */
const headerLength = (member) => {
  const [id1, id2, method, flags = 0] = member.subarray(0, 4);
  if (id1 !== 0x1f || id2 !== 0x8b || method !== 8 || flags > 0x1f) throw new SyntaxFault();
  const [hasHeaderCrc, hasExtra, hasName, hasComment] = [2, 4, 8, 16].map(
    (bit) => (flags & bit) !== 0,
  );
  let at = 10;
  if (hasExtra) at += 2 + member.readUInt16LE(at);
  for (const hasText of [hasName, hasComment]) {
    if (!hasText) continue;
    while (member.readUInt8(at) !== 0) at++;
    at++;
  }
  if (hasHeaderCrc) {
    if (member.readUInt16LE(at) !== (zlib.crc32(member.subarray(0, at)) & 0xffff))
      throw new SyntaxFault();
    at += 2;
  }
  return at;
};

// The types don't know what `info` changes.
const inflateRaw =
  /**
   * @type {(data: Buffer, options: zlib.ZlibOptions) =>
   *   {buffer: Buffer, engine: zlib.InflateRaw}}
   */
  (/** @type {unknown} */ (zlib.inflateRawSync));
