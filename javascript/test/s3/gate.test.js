import assert from 'node:assert/strict';
import { test } from 'node:test';
import { Gate } from '../../src/s3/gate.js';

const SLOW_DOWN = Object.assign(new Error(), { Code: 'SlowDown' });

/** @param {Gate} gate @param {number} count @returns how many of so many passed together */
const passTogether = async (gate, count) => {
  let [inside, most] = [0, 0];
  const action = async () => {
    most = Math.max(most, ++inside);
    await new Promise(setImmediate);
    inside--;
    throw new Error('so that the gate stays as it is');
  };
  const passing = Array.from({ length: count }, () => gate.pass(action).catch(() => {}));
  await Promise.all(passing);
  return most;
};

test('it is halved down to one, and each success widens it up to the most', async () => {
  const gate = new Gate(9);
  for (const most of [9, 4, 2, 1, 1]) {
    assert.equal(await passTogether(gate, 12), most);
    await assert.rejects(gate.pass(() => Promise.reject(SLOW_DOWN)));
  }
  for (const most of [2, 3, 4, 5, 6, 7, 8, 9, 9]) {
    await gate.pass(async () => {});
    assert.equal(await passTogether(gate, 12), most);
  }
});

test('while more are inside than may be, nobody passes', async () => {
  const gate = new Gate(4);
  /** @type {((error: Error) => void)[]} */
  const leave = [];
  const stay = () => new Promise((_, reject) => leave.push(reject));
  const all = Array.from({ length: 6 }, () => gate.pass(stay).catch(() => {}));
  for (const [left, passed] of [4, 4, 4, 5, 6].entries()) {
    await new Promise(setImmediate);
    assert.equal(leave.length, passed, `${left} have left`);
    leave[left]?.(left === 0 ? SLOW_DOWN : new Error());
  }
  leave[5]?.(new Error());
  await Promise.all(all);
});
