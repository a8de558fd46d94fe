// Part of the step store (SPEC.md E5, P1): the connections of either client, with their time limits.
// Holds as many sockets as requests may be in flight.

import { Agent as HttpAgent } from 'node:http';
import { Agent as HttpsAgent } from 'node:https';

/** @import { Socket } from 'node:net' */
/** @typedef {{http: HttpAgent, https: HttpsAgent}} Agents */

const CONNECT_MS = 3_000;
export const IDLE_MS = 10_000;

/**
 * @param {number} concurrency
 * @param {number} idleMs
 * @returns {Agents}
 */
export const openAgents = (concurrency, idleMs) => {
  const options = { keepAlive: true, maxSockets: concurrency, timeout: idleMs };
  return { http: limitTimes(new HttpAgent(options), idleMs), https: limitTimes(new HttpsAgent(options), idleMs) };
};

/**
 * Sockets end when they don't connect in time, or when no byte moves: before an answer, in a body, or between requests.
 * @template {HttpAgent} A
 * @param {A} agent with `idleMs` as its timeout, which Node sets on new and on free sockets
 * @param {number} idleMs
 * @returns {A}
 */
const limitTimes = (agent, idleMs) => {
  const { createConnection } = agent;
  agent.createConnection = (...parameters) => {
    const socket = /** @type {Socket} */ (createConnection.apply(agent, parameters));
    const late = () => socket.destroy(new Error(`no connection within ${CONNECT_MS} ms`));
    const timer = setTimeout(late, CONNECT_MS);
    for (const event of ['connect', 'close']) socket.once(event, () => clearTimeout(timer));
    return socket.on('timeout', () => socket.destroy(new Error(`no byte for ${idleMs} ms`)));
  };
  // Node's own sets an option of the socket each time, and takes an answer's headers apart for a hint that S3 never gives.
  agent.keepSocketAlive = (socket) => {
    /** @type {Socket} */ (socket).unref();
    // An answer ends with its limit off.
    /** @type {Socket} */ (socket).setTimeout(idleMs);
    return true;
  };
  return agent;
};
