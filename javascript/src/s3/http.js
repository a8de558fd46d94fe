// One HTTP request of the light client, over kept connections, with the time limits of E5. Repeats
// nothing and follows no redirect.

import { Readable } from 'node:stream';

/** @import { ClientRequest, IncomingMessage } from 'node:http' */
/** @import { Connections } from './connections.js' */

// Not by `import`, which loads Node's client of WebSockets, too: 26 ms of CPU
// (docs/performance/javascript.md).
const { request: requestHttp } = process.getBuiltinModule('node:http');
const { request: requestHttps } = process.getBuiltinModule('node:https');

const CONNECT_MS = 3_000;
const PIECE_BYTES = 64 * 1024;

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

/**
 * @param {Outgoing} outgoing
 * @param {Buffer | undefined} body
 * @param {Connections} connections
 * @param {AbortSignal} signal
 * @returns {Promise<IncomingMessage>} an answer, whose body is still to come
 */
export const sendRequest = (outgoing, body, { agent }, signal) =>
  new Promise((resolve, reject) => {
    signal.throwIfAborted();
    const start = outgoing.protocol === 'http:' ? requestHttp : requestHttps;
    const request = start({ ...outgoing, agent }, resolve);
    const cancel = () => request.destroy(signal.reason);
    signal.addEventListener('abort', cancel);
    request.on('close', () => signal.removeEventListener('abort', cancel));
    request.on('error', reject);
    limitTimes(request);
    if (body) Readable.from(pieces(body)).pipe(request);
    else request.end();
  });

/**
 * A body sent whole over TLS is held encrypted, too, and its connection keeps that memory.
 * @param {Buffer} body
 */
function* pieces(body) {
  for (let at = 0; at < body.length; at += PIECE_BYTES) yield body.subarray(at, at + PIECE_BYTES);
}

/** @param {ClientRequest} request */
const limitTimes = (request) => {
  request.on('timeout', () => request.destroy(new Error('no byte for too long')));
  const late = () => request.destroy(new Error(`no connection within ${CONNECT_MS} ms`));
  // A request that does not reuse a connection gets it when it connects, or behind a proxy when it
  // is there.
  const timer = request.reusedSocket ? undefined : setTimeout(late, CONNECT_MS);
  if (!timer) return;
  const stop = () => clearTimeout(timer);
  request.on('close', stop);
  request.on('socket', (socket) => {
    if (socket.connecting) socket.once('connect', stop);
    else stop();
  });
};
