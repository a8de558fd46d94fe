// Step: trigger (SPEC.md T1 to T8): the event becomes a Day.

import { AggregationError } from './errors.js';

/**
 * What the trigger asks for.
 * @typedef {object} Day
 * @property {string} date `yyyy-mm-dd`, UTC
 * @property {boolean} force
 * @property {string | null} account
 */

/** @typedef {Record<string, unknown>} Members */

const TIME = /^([1-9]\d{3})-(\d\d)-(\d\d)T([01]\d|2[0-3]):[0-5]\d:[0-5]\dZ$/;
const ACCOUNT = /^\d{12}$/;
const DAY_MS = 86_400_000;
const EXAMPLE = '{"year": 2024, "month": 2, "day": 8}';

/**
 * @param {unknown} value
 * @returns {value is Members}
 */
const isObject = (value) => typeof value === 'object' && value !== null && !Array.isArray(value);

/**
 * @param {string} member
 * @param {string} text
 */
const invalidEvent = (member, text) => new AggregationError('INVALID_EVENT', `${member}: ${text}`);

const invalidDate = () => new AggregationError('INVALID_DATE', 'the calendar has no such day');

/**
 * T8: events that name no day, but that other services of AWS send.
 * @param {Members} event the event itself, or the object in an SQS record's body
 */
const refuseForeign = (event) => {
  const first = Array.isArray(event.Records) ? event.Records[0] : undefined;
  const { eventSource, EventSource } = isObject(first) ? first : {};
  const { source, Type, Event } = event;
  let kind;
  if (eventSource === 'aws:s3' || Event === 's3:TestEvent') kind = 'an S3 notification';
  else if (EventSource === 'aws:sns' || Type === 'Notification') kind = 'an SNS message';
  else if (Object.hasOwn(event, 'detail-type') && source !== 'aws.scheduler')
    kind = 'an EventBridge event';
  if (kind) throw invalidEvent('event', `${kind} names no day: send ${EXAMPLE}`);
};

/**
 * T1: what the one SQS record's body holds.
 * @param {unknown} records
 * @returns {Members}
 */
const unwrap = (records) => {
  const record = Array.isArray(records) && records.length === 1 ? records[0] : undefined;
  const body = isObject(record) ? record.body : undefined;
  if (typeof body === 'string') {
    try {
      const trigger = JSON.parse(body);
      if (isObject(trigger)) return trigger;
    } catch {
      // not JSON: refused below like any other content
    }
  }
  throw invalidEvent('Records', 'expected exactly one record whose body is a JSON object');
};

/**
 * T2 and T3: the numbers that the trigger names, not yet a date.
 * @param {Members} trigger
 */
const readNumbers = (trigger) => {
  if (trigger.source === 'aws.scheduler') {
    const match = typeof trigger.time === 'string' ? TIME.exec(trigger.time) : null;
    if (!match) throw invalidEvent('time', 'expected yyyy-mm-ddThh:mm:ssZ');
    return { year: Number(match[1]), month: Number(match[2]), day: Number(match[3]), daysBack: 1 };
  }
  const { year, month, day } = trigger;
  if (typeof year !== 'number' || !Number.isInteger(year) || year < 1000 || year > 9999)
    throw invalidEvent('year', 'expected an integer from 1000 to 9999');
  if (typeof month !== 'number' || !Number.isInteger(month))
    throw invalidEvent('month', 'expected an integer');
  if (typeof day !== 'number' || !Number.isInteger(day))
    throw invalidEvent('day', 'expected an integer');
  return { year, month, day, daysBack: 0 };
};

/**
 * T6. Date rolls a day that does not exist over into the next month, so the parts are compared.
 * @param {{year: number, month: number, day: number, daysBack: number}} numbers
 */
const toDate = ({ year, month, day, daysBack }) => {
  const named = new Date(Date.UTC(year, month - 1, day));
  if (
    named.getUTCFullYear() !== year ||
    named.getUTCMonth() + 1 !== month ||
    named.getUTCDate() !== day
  )
    throw invalidDate();
  const meant = new Date(named.getTime() - daysBack * DAY_MS);
  if (meant.getUTCFullYear() < 1000) throw invalidDate();
  return meant.toISOString().slice(0, 10);
};

/**
 * T4. The scheduler's `account` is the one that owns the schedule (T2).
 * @param {Members} trigger
 * @returns {string | null}
 */
const readAccount = ({ source, account }) => {
  if (source === 'aws.scheduler' || account === undefined) return null;
  if (typeof account === 'string' && ACCOUNT.test(account)) return account;
  throw invalidEvent('account', 'expected 12 digits in a string');
};

/**
 * Reads the trigger out of an event.
 * @param {unknown} event parsed JSON
 * @returns {Day}
 * @throws {AggregationError} INVALID_EVENT or INVALID_DATE
 */
export const parseTrigger = (event) => {
  if (!isObject(event)) throw invalidEvent('event', 'expected a JSON object');
  refuseForeign(event);
  const trigger = Object.hasOwn(event, 'Records') ? unwrap(event.Records) : event;
  refuseForeign(trigger);
  const numbers = readNumbers(trigger);
  const { force = false } = trigger;
  if (typeof force !== 'boolean') throw invalidEvent('force', 'expected true or false');
  const account = readAccount(trigger);
  return { date: toDate(numbers), force, account };
};

/**
 * The day prefix: what stands before all of a day's keys in the destination (T7).
 * @param {Day} day
 * @param {string} dstPrefix
 */
export const dayPrefix = ({ date, account }, dstPrefix) =>
  `${dstPrefix}${account === null ? '' : `${account}/`}${date.replaceAll('-', '/')}/`;
