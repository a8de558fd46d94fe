// Files and bodies for properties.test.js: first well-formed ones in odd shapes, then damage.

import zlib from 'node:zlib';
import fc from 'fast-check';

/** @import { Arbitrary } from 'fast-check' */

/** @param {Arbitrary<string>[]} parts */
const joined = (...parts) => fc.tuple(...parts).map((texts) => texts.join(''));

/** @param {Arbitrary<string>} part @param {number} [maxLength] */
const several = (part, maxLength = 6) =>
  fc.array(part, { maxLength }).map((texts) => texts.join(''));

const whiteSpace = fc.oneof(
  { weight: 6, arbitrary: fc.constant('') },
  { weight: 1, arbitrary: several(fc.constantFrom(' ', '\t', '\r', '\n', '\r\n'), 4) },
);

const unit = fc.nat(0xffff).map((code) => code.toString(16).padStart(4, '0'));
const character = fc.oneof(
  fc.constantFrom(
    'a',
    '0',
    '{',
    '}',
    '[',
    ']',
    ',',
    ':',
    ' ',
    '\\"',
    '\\\\',
    '\\/',
    '\\b',
    '\\n',
    '\\u005c',
  ),
  fc.constantFrom(
    'é',
    'あ',
    '\u{1f600}',
    '\u007f',
    '\u0085',
    '\u2028',
    '\ufeff',
    '\\ud83d',
    '\\uDE00',
    '\\u0000',
  ),
  fc
    .tuple(unit, fc.boolean())
    .map(([digits, upper]) => `\\u${upper ? digits.toUpperCase() : digits}`),
  fc
    .string({ unit: 'binary', minLength: 1, maxLength: 1 })
    .filter((text) => text >= ' ' && text !== '"' && text !== '\\'),
);
const string = several(character).map((text) => `"${text}"`);

const digits = fc.oneof(
  fc.constantFrom('0', '7', '00', '9'.repeat(30), '1'.repeat(400)),
  fc.nat().map(String),
);
const number = joined(
  fc.constantFrom('', '-'),
  digits.map((text) => text.replace(/^0+(?=.)/, '')),
  fc.oneof(
    fc.constant(''),
    digits.map((text) => `.${text}`),
  ),
  fc.oneof(fc.constant(''), joined(fc.constantFrom('e', 'E', 'e+', 'E-'), digits)),
);

const RECORDS = ['"Records"', '"\\u0052ecords"', '"Record\\u0073"'];
const key = fc.oneof(
  fc.constantFrom('"a"', '""', '"records"', '"__proto__"', '"Records\\u0000"', ...RECORDS),
  string,
);

/**
 * @param {string} open
 * @param {Arbitrary<string>} item
 * @param {string} close
 */
const container = (open, item, close, maxLength = 4) =>
  fc
    .tuple(whiteSpace, fc.array(joined(whiteSpace, item, whiteSpace), { maxLength }))
    .map(([space, items]) => open + (items.length === 0 ? space : items.join(',')) + close);

/** @param {Arbitrary<string>} name @param {Arbitrary<string>} value */
const member = (name, value) => joined(name, whiteSpace, fc.constant(':'), whiteSpace, value);

/** @type {{value: Arbitrary<string>, object: Arbitrary<string>}} */
const { value, object } = fc.letrec((/** @type {(name: string) => Arbitrary<any>} */ tie) => ({
  value: fc.oneof(
    { maxDepth: 4, withCrossShrink: true },
    fc.constantFrom('true', 'false', 'null', '{}', '[]'),
    number,
    string,
    container('[', tie('value'), ']'),
    tie('object'),
  ),
  object: container('{', member(key, tie('value')), '}'),
}));

/** Values whose innermost level is about the deepest that R7 allows inside a record. */
const deep = fc
  .tuple(
    fc.integer({ min: 490, max: 500 }),
    fc.array(fc.boolean(), { minLength: 1, maxLength: 5 }),
    value,
  )
  .map(([levels, kinds, inner]) => {
    const isArray = (/** @type {number} */ level) => kinds[level % kinds.length];
    const open = Array.from({ length: levels }, (_, level) => (isArray(level) ? '[1,' : '{"":'));
    const close = Array.from({ length: levels }, (_, level) =>
      isArray(level) ? ']' : '}',
    ).reverse();
    return [...open, inner, ...close].join('');
  });

const inRecord = fc.oneof({ weight: 12, arbitrary: value }, { weight: 1, arbitrary: deep });
const record = fc.oneof(object, container('{', member(key, inRecord), '}', 2));
const records = fc.oneof(
  { weight: 8, arbitrary: container('[', record, ']') },
  { weight: 1, arbitrary: container('[', fc.oneof(record, value), ']') },
  { weight: 1, arbitrary: value },
);
const otherMembers = fc.array(joined(whiteSpace, member(key, inRecord), whiteSpace), {
  maxLength: 2,
});

/** A file of R6's grammar; most have records, some none or too many, some are nested too deeply. */
const document = fc
  .tuple(
    whiteSpace,
    otherMembers,
    joined(whiteSpace, member(fc.constantFrom(...RECORDS), records), whiteSpace),
    otherMembers,
    whiteSpace,
  )
  .map(
    ([before, left, middle, right, after]) =>
      `${before}{${[...left, middle, ...right].join(',')}}${after}`,
  )
  .map((text) => Buffer.from(text));

const TOKEN = /"(?:\\.|[^"\\])*"|[{}[\],:]|[^\s{}[\],:"]+|\s+/g;
const TOKENS = [
  '{',
  '}',
  '[',
  ']',
  ',',
  ':',
  '{}',
  '[]',
  '1',
  'null',
  '"a"',
  '"Records"',
  '01',
  ' ',
];

/** A file with a few tokens changed: no longer by the grammar, or just another file. */
const misspelt = fc
  .tuple(
    document,
    fc.array(
      fc.tuple(
        fc.nat(0xffff),
        fc.constantFrom('drop', 'double', 'swap', 'replace', 'insert'),
        fc.constantFrom(...TOKENS),
      ),
      { minLength: 1, maxLength: 2 },
    ),
  )
  .map(([file, changes]) => {
    const tokens = String(file).match(TOKEN) ?? [];
    for (const [place, change, token] of changes) {
      const at = place % tokens.length;
      const [here = '', next = ''] = tokens.slice(at, at + 2);
      if (change === 'drop') tokens.splice(at, 1);
      else if (change === 'double') tokens.splice(at, 0, here);
      else if (change === 'swap') tokens.splice(at, 2, next, here);
      else tokens.splice(at, change === 'replace' ? 1 : 0, token);
    }
    return Buffer.from(tokens.join(''));
  });

const OFTEN_WRONG = [
  ...[
    '"',
    '\\',
    '{',
    '}',
    '[',
    ']',
    ',',
    ':',
    '{}',
    '[]',
    '1',
    '.',
    '-',
    'e',
    't',
    '/**/',
    '\u00a0',
    '\v',
    '\0',
  ],
  ...[',"Records":[]', '"Records":[{}],', '\ufeff', '\\u12', '{'.repeat(501), '['.repeat(500)],
].map((text) => Buffer.from(text));
const NOT_UTF8 = ['c080', 'eda080', 'f4908080', 'e28', 'ff', 'c3'].map((hex) =>
  Buffer.from(hex, 'hex'),
);
const GZIP_PIECES = [
  '00',
  '000000',
  '1f',
  '1f8b',
  '1f8b08',
  '1f8b080000000000000303000000000000000000',
];

/**
 * One piece of damage; places and lengths are taken modulo the length of what they damage.
 * @typedef {{kind: 'flip' | 'cut' | 'insert' | 'double' | 'end', at: number, length: number,
 *   piece: Buffer}} Damage
 */

/** @param {Buffer[]} pieces @returns {Arbitrary<Damage>} */
const damage = (pieces) =>
  fc.record({
    kind: fc.constantFrom('flip', 'cut', 'insert', 'double', 'end'),
    at: fc.oneof(fc.nat(0xffffff), fc.nat(12)),
    length: fc.oneof(fc.nat(3), fc.nat(400)),
    piece: fc.oneof(
      fc.constantFrom(...pieces),
      fc.uint8Array({ maxLength: 3 }).map((bytes) => Buffer.from(bytes)),
    ),
  });

/** @param {Buffer} bytes @param {Damage} damage */
const damaged = (bytes, { kind, at, length, piece }) => {
  const place = at % (bytes.length + 1);
  const [left, right] = [bytes.subarray(0, place), bytes.subarray(place)];
  const slice = right.subarray(0, length);
  if (kind === 'flip')
    return Buffer.concat([
      left,
      slice.subarray(0, 1).map((byte) => byte ^ (1 << (length % 8))),
      right.subarray(1),
    ]);
  if (kind === 'cut') return Buffer.concat([left, right.subarray(length)]);
  if (kind === 'insert') return Buffer.concat([left, piece, right]);
  if (kind === 'double') return Buffer.concat([left, slice, right]);
  return left.length > 0 ? left : bytes;
};

/** @param {Arbitrary<Buffer>} whole @param {Buffer[]} pieces */
const sometimesDamaged = (whole, pieces) =>
  fc
    .tuple(
      whole,
      fc.oneof(fc.constant([]), fc.array(damage(pieces), { minLength: 1, maxLength: 3 })),
    )
    .map(([bytes, damages]) => damages.reduce(damaged, bytes));

/** @type {Arbitrary<Buffer>} files, as the splitter meets them */
export const files = fc.oneof(misspelt, sometimesDamaged(document, [...OFTEN_WRONG, ...NOT_UTF8]));

/** Contents around the sizes of zlib's output pieces, some of which compress well. */
const content = fc.oneof(
  fc.uint8Array({ maxLength: 40 }).map((bytes) => Buffer.from(bytes)),
  fc
    .tuple(
      fc.constantFrom(0, 1023, 1024, 1025, 2048, 16384, 65536),
      fc.uint8Array({ minLength: 1, maxLength: 8 }),
    )
    .map(([size, pattern]) => Buffer.alloc(size, pattern)),
);
const headerText = fc.option(fc.uint8Array({ maxLength: 9 }), { nil: undefined });

/** One gzip member with any of RFC 1952's optional fields. */
const member1952 = fc
  .record({
    content,
    level: fc.integer({ min: 0, max: 9 }),
    isText: fc.boolean(),
    extra: headerText,
    name: headerText,
    comment: headerText,
    hasHeaderCrc: fc.boolean(),
    fixed: fc.uint8Array({ minLength: 6, maxLength: 6 }),
  })
  .map(({ content, level, isText, extra, name, comment, hasHeaderCrc, fixed }) => {
    const flags = [isText, hasHeaderCrc, extra, name, comment];
    const bits = flags.reduce((sum, flag, bit) => sum + (flag ? 1 << bit : 0), 0);
    const header = [Buffer.from([0x1f, 0x8b, 8, bits]), fixed];
    if (extra) header.push(Buffer.from([extra.length, 0]), extra);
    for (const text of [name, comment])
      if (text)
        header.push(
          text.map((byte) => byte || 1),
          Buffer.from([0]),
        );
    if (hasHeaderCrc) header.push(littleEndian(zlib.crc32(Buffer.concat(header))).subarray(0, 2));
    const trailer = [littleEndian(zlib.crc32(content)), littleEndian(content.length)];
    return Buffer.concat([...header, zlib.deflateRawSync(content, { level }), ...trailer]);
  });

/** @param {number} number */
const littleEndian = (number) => {
  const bytes = Buffer.alloc(4);
  bytes.writeUInt32LE(number);
  return bytes;
};

/** @type {Arbitrary<Buffer>} bodies, as the inflater meets them */
export const bodies = sometimesDamaged(
  fc.array(member1952, { minLength: 1, maxLength: 3 }).map((members) => Buffer.concat(members)),
  GZIP_PIECES.map((hex) => Buffer.from(hex, 'hex')),
);
