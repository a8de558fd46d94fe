// One HTTP request of the light client, over kept connections, with the time limits of E5. Repeats
// nothing and follows no redirect.

import { Agent as HttpAgent, request as requestHttp } from 'node:http';
import { Agent as HttpsAgent, request as requestHttps } from 'node:https';

/** @import { ClientRequest, IncomingMessage } from 'node:http' */

const CONNECT_MS = 3_000;

/**
 * A signed request. All of `headers` is sent: `host`, and for a body its length, are among them.
 * @typedef {object} Outgoing
 * @property {string} protocol
 * @property {string} hostname
 * @property {string | undefined} port
 * @property {string} method
 * @property {string} path with its query
 * @property {Record<string, string>} headers
 */

export class HttpSender {
  #http;
  #https;
  #idleMs;

  /**
   * @param {number} concurrency
   * @param {number} idleMs
   */
  constructor(concurrency, idleMs) {
    // With this `timeout`, each request hears of a socket on which no byte moves.
    const options = { keepAlive: true, maxSockets: concurrency, timeout: idleMs };
    this.#http = new HttpAgent(options);
    this.#https = new HttpsAgent(options);
    this.#idleMs = idleMs;
  }

  /**
   * @param {Outgoing} outgoing
   * @param {Buffer | undefined} body
   * @param {AbortSignal} signal
   * @returns {Promise<IncomingMessage>} an answer, whose body is still to come
   */
  send(outgoing, body, signal) {
    const isHttp = outgoing.protocol === 'http:';
    const agent = isHttp ? this.#http : this.#https;
    return new Promise((resolve, reject) => {
      signal.throwIfAborted();
      const request = (isHttp ? requestHttp : requestHttps)({ ...outgoing, agent }, resolve);
      const cancel = () => request.destroy(signal.reason);
      signal.addEventListener('abort', cancel);
      request.on('close', () => signal.removeEventListener('abort', cancel));
      request.on('error', reject);
      limitTimes(request, this.#idleMs);
      request.end(body);
    });
  }

  destroy() {
    this.#http.destroy();
    this.#https.destroy();
  }
}

/**
 * @param {ClientRequest} request
 * @param {number} idleMs
 */
const limitTimes = (request, idleMs) => {
  request.on('timeout', () => request.destroy(new Error(`no byte for ${idleMs} ms`)));
  request.on('socket', (socket) => {
    if (!socket.connecting) return;
    const late = () => request.destroy(new Error(`no connection within ${CONNECT_MS} ms`));
    const timer = setTimeout(late, CONNECT_MS);
    for (const event of ['connect', 'close']) socket.once(event, () => clearTimeout(timer));
  });
};
