// Part of the step store (SPEC.md E5, P1): one request over the kept connections of agents.js, for either client.
// Repeats nothing and follows no redirect. Holds the connections.

import { request as requestHttp } from 'node:http';
import { request as requestHttps } from 'node:https';
import { openAgents } from './agents.js';

/** @import { IncomingMessage, OutgoingHttpHeaders } from 'node:http' */

/**
 * A signed request. All of `headers` is sent: `host`, and for a body its length, are among them.
 * @typedef {object} Outgoing
 * @property {string} protocol
 * @property {string} hostname
 * @property {number | string | undefined} port
 * @property {string} method
 * @property {string} path with its query
 * @property {Record<string, string>} headers
 * @property {Buffer | undefined} body
 */

export class Sender {
  #agents;

  /**
   * @param {number} concurrency
   * @param {number} idleMs
   */
  constructor(concurrency, idleMs) {
    this.#agents = openAgents(concurrency, idleMs);
  }

  /**
   * @param {Outgoing} outgoing
   * @param {AbortSignal} signal of the run: it outlives many requests
   * @returns {Promise<IncomingMessage>} an answer, whose body is still to come
   */
  send({ protocol, hostname, port, method, path, headers, body }, signal) {
    const isHttp = protocol === 'http:';
    const agent = isHttp ? this.#agents.http : this.#agents.https;
    const options = { agent, protocol, hostname, port, method, path, headers: inRow(headers) };
    return new Promise((resolve, reject) => {
      signal.throwIfAborted();
      const sent = (isHttp ? requestHttp : requestHttps)(options, resolve);
      const cancel = () => sent.destroy(signal.reason);
      signal.addEventListener('abort', cancel);
      sent.on('error', reject).on('close', () => signal.removeEventListener('abort', cancel));
      sent.end(body);
    });
  }

  destroy() {
    this.#agents.http.destroy();
    this.#agents.https.destroy();
  }
}

/**
 * Names and values in turn: Node writes them as they are, where it looks at each of an object's twice.
 * @param {Record<string, string>} headers
 * @returns {OutgoingHttpHeaders}
 */
const inRow = (headers) => /** @type {any} */ (Object.entries(headers).flat());
