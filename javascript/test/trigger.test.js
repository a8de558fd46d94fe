import assert from 'node:assert/strict';
import { test } from 'node:test';
import { dayPrefix, parseTrigger } from '../src/trigger.js';

const DAY = { year: 2024, month: 2, day: 8 };
/** @param {unknown} event */
const messageOf = (event) => {
  try {
    return parseTrigger(event).date;
  } catch (error) {
    return /** @type {Error} */ (error).message;
  }
};

test('a direct trigger names its day', () => {
  assert.deepEqual(parseTrigger(DAY), { date: '2024-02-08', force: false, account: null });
  const all = { ...DAY, force: true, account: '012345678901', other: 1 };
  assert.deepEqual(parseTrigger(all), { date: '2024-02-08', force: true, account: '012345678901' });
});

test('numbers count by value', () => {
  assert.equal(messageOf(JSON.parse('{"year":2.024e3,"month":2.0,"day":8e0}')), '2024-02-08');
  assert.equal(messageOf({ ...DAY, month: -0 }), 'INVALID_DATE: the calendar has no such day');
  assert.equal(messageOf({ ...DAY, day: 1e300 }), 'INVALID_DATE: the calendar has no such day');
  assert.equal(
    messageOf(JSON.parse('{"year":1e400}')),
    'INVALID_EVENT: year: expected an integer from 1000 to 9999',
  );
});

test('the schedule names the day before', () => {
  const at = (/** @type {unknown} */ time) => messageOf({ source: 'aws.scheduler', time });
  assert.equal(at('2024-03-01T00:00:00Z'), '2024-02-29');
  assert.equal(at('2024-01-01T23:59:59Z'), '2023-12-31');
  assert.equal(at('1000-01-01T00:00:00Z'), 'INVALID_DATE: the calendar has no such day');
  assert.equal(at('2023-02-29T00:00:00Z'), 'INVALID_DATE: the calendar has no such day');
  for (const time of [
    '2024-03-01T24:00:00Z',
    '2024-03-01T00:00:60Z',
    '0999-03-01T00:00:00Z',
    '2024-03-01T00:00:00Z\n',
  ])
    assert.equal(at(time), 'INVALID_EVENT: time: expected yyyy-mm-ddThh:mm:ssZ', time);
  assert.equal(at(1709251200), 'INVALID_EVENT: time: expected yyyy-mm-ddThh:mm:ssZ');
});

test('one SQS record is unwrapped', () => {
  assert.equal(messageOf({ Records: [{ body: JSON.stringify(DAY) }] }), '2024-02-08');
  for (const Records of [
    null,
    {},
    [],
    [{}],
    [null],
    [{ body: '[]' }],
    [{ body: '{' }],
    [{ body: DAY }],
  ])
    assert.match(
      messageOf({ ...DAY, Records }),
      /^INVALID_EVENT: Records: /,
      JSON.stringify(Records),
    );
  const body = JSON.stringify(DAY);
  assert.match(messageOf({ Records: [{ body }, { body }] }), /^INVALID_EVENT: Records: /);
});

test('the first fault of the table is named, before any date', () => {
  for (const event of [null, [], 'x', 1, true])
    assert.equal(messageOf(event), 'INVALID_EVENT: event: expected a JSON object');
  assert.match(messageOf({ year: 999, month: 'x' }), /^INVALID_EVENT: year: /);
  assert.match(messageOf({ ...DAY, month: true, force: 1 }), /^INVALID_EVENT: month: /);
  assert.match(messageOf({ ...DAY, day: 1.5 }), /^INVALID_EVENT: day: /);
  assert.match(messageOf({ ...DAY, day: 32, force: null }), /^INVALID_EVENT: force: /);
  assert.match(messageOf({ ...DAY, day: 32, account: null }), /^INVALID_EVENT: account: /);
  assert.match(messageOf({ ...DAY, account: '12345678901' }), /^INVALID_EVENT: account: /);
  assert.equal(messageOf({ ...DAY, day: 30 }), 'INVALID_DATE: the calendar has no such day');
});

test('the account of a scheduler is no wish', () => {
  const event = { source: 'aws.scheduler', time: '2024-02-09T00:00:00Z', 'detail-type': 'x' };
  for (const account of ['111122223333', 1, null])
    assert.equal(parseTrigger({ ...event, account }).account, null);
});

test('foreign events are named, bare or from SQS', () => {
  /** @type {[string, object][]} */
  const events = [
    ['an S3 notification', { Records: [{ eventSource: 'aws:s3' }, {}] }],
    ['an S3 notification', { Event: 's3:TestEvent' }],
    ['an SNS message', { Records: [{ EventSource: 'aws:sns' }] }],
    ['an SNS message', { Type: 'Notification', ...DAY }],
    ['an EventBridge event', { 'detail-type': 'Scheduled Event', source: 'aws.events' }],
    ['an EventBridge event', { 'detail-type': null, ...DAY }],
  ];
  for (const [kind, event] of events)
    for (const form of [event, { Records: [{ body: JSON.stringify(event) }] }])
      assert.equal(
        messageOf(form),
        `INVALID_EVENT: event: ${kind} names no day: send {"year": 2024, "month": 2, "day": 8}`,
      );
  const inSqs = { eventSource: 'aws:sqs', body: JSON.stringify(DAY) };
  assert.equal(messageOf({ Records: [inSqs] }), '2024-02-08');
});

test('an account has a folder of its own', () => {
  assert.equal(dayPrefix(parseTrigger(DAY), 'out/'), 'out/2024/02/08/');
  assert.equal(
    dayPrefix(parseTrigger({ ...DAY, account: '111122223333' }), ''),
    '111122223333/2024/02/08/',
  );
});
