import assert from 'node:assert/strict';
import { test } from 'node:test';
import { splitRecords } from '../src/splitter.js';

/**
 * @param {string | Buffer} text
 * @returns {any} the lines, or the error's code
 */
const split = (text) => {
  try {
    const { bytes, count } = splitRecords(Buffer.from(text), () => {});
    const lines = bytes.toString().split('\n');
    assert.equal(lines.pop(), '');
    assert.equal(lines.length, count);
    return lines;
  } catch (error) {
    const { code } = /** @type {{code?: string}} */ (error);
    if (!code || code.startsWith('ERR_')) throw error;
    return code;
  }
};

test('records keep their text, less CR and LF', () => {
  assert.deepEqual(split('{"Records":[{"n":1.50e+2, "n":2},{}]}'), ['{"n":1.50e+2, "n":2}', '{}']);
  assert.deepEqual(split('{"a":"Records","Records" :\r\n[ {"a":\r\n\t1} ,\n{"b":"\\"}]"}\n] }\n'), [
    '{"a":\t1}',
    '{"b":"\\"}]"}',
  ]);
  assert.deepEqual(split('{"\\u0052ecords":[{"Records":[1]}],"x":{"Records":[]}}'), [
    '{"Records":[1]}',
  ]);
  assert.deepEqual(split('{"Records":[]}'), []);
});

test('not exactly one array of objects', () => {
  const values = [
    '1',
    'null',
    '{}',
    '"x"',
    '[1]',
    '[{},1]',
    '[null,{}]',
    '[[]]',
    '[{},[]]',
    '["{}"]',
    '[],"Records":[]',
  ];
  for (const value of values) assert.equal(split(`{"Records":${value}}`), 'NO_RECORDS', value);
  assert.equal(split('{"records":[{}]}'), 'NO_RECORDS');
  assert.equal(split('{}'), 'NO_RECORDS');
});

test('bad JSON anywhere comes before missing records', () => {
  const texts = [
    '',
    '[]',
    '{"Records":[{}],}',
    '{"Records":[{},]}',
    '{"Records":[,{}]}',
    '{"Records":[{}{}]}',
  ];
  texts.push(
    '{"Records":[1],"a":01}',
    '{"a":tru,"Records":[]}',
    '{"Records":[]}x',
    '{}{}',
    '{"Records":[{]}}',
    '{},',
  );
  texts.push(
    '\ufeff{"Records":[]}',
    '{"Records":[{"a":"\u0001"}]}',
    '{"Records":[{"a":"\\x"}]}',
    '{"Records":[{"a":"',
  );
  for (const text of texts) assert.equal(split(text), 'BAD_JSON', text);
  assert.equal(split(Buffer.from('{"Records":[{"a":"\xff"}]}', 'latin1')), 'BAD_JSON');
});

test('five hundred levels', () => {
  const nested = (/** @type {number} */ levels) =>
    `{"Records":[{"a":${'['.repeat(levels - 3)}${']'.repeat(levels - 3)}}]}`;
  assert.equal(split(nested(500)).length, 1);
  assert.equal(split(nested(501)), 'BAD_JSON');
});

// Files beyond the segment size: every comma may be where a segment is cut.
const PAD = 'x'.repeat(256 * 1024);

test('a cut file gives the same records', () => {
  const record = { a: [{ b: { c: ['é', { d: PAD }, 1, [PAD, 2]] } }, PAD], e: PAD, f: 'ü' };
  const file = { x: [PAD, { y: PAD, z: 0 }], Records: Array(5).fill(record), w: PAD };
  const text = JSON.stringify(record);
  assert.deepEqual(split(JSON.stringify(file)), Array(5).fill(text));
  const lines = split(JSON.stringify(file, null, 2));
  assert.deepEqual(
    lines.map((/** @type {string} */ line) => JSON.stringify(JSON.parse(line))),
    Array(5).fill(text),
  );
});

test('a fault at a cut is found', () => {
  const rests = [
    ',]}]}',
    ',}]}',
    ',1}]}',
    '],"b"]}',
    ',2]],"b":1}]}',
    ',2],"b":1}]]',
    ',2],"b":1},{"a":1,}]}',
    ',2],"b":1}],}',
  ];
  for (const rest of rests)
    assert.equal(split(`{"Records":[{"a":["${PAD}"${rest}`), 'BAD_JSON', rest);
  assert.deepEqual(split(`{"Records":[{"a":["${PAD}",2],"b":1}]}`), [`{"a":["${PAD}",2],"b":1}`]);
  for (const start of ['[', '{"a":', '[1 ', '{"a"'])
    assert.equal(split(`{"${PAD}":1,"x":${start},${PAD.replaceAll('x', ' ')}`), 'BAD_JSON', start);
});

test('the time is checked in the middle of a text', () => {
  let checks = 0;
  const text = `{"Records":[${'{"a":1},'.repeat(50_000)}{}]}`;
  const check = () => {
    if (++checks === 3) throw new Error('late');
  };
  assert.throws(() => splitRecords(Buffer.from(text), check), { message: 'late' });
  checks = -1000;
  assert.equal(splitRecords(Buffer.from(text), check).count, 50_001);
  assert.ok(checks + 1000 > text.length / 100_000, `${checks + 1000} times`);
});
