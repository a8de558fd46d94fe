// The connections of both clients, kept by Node's agent: whom they trust and the proxy they go
// through (SPEC.md S17 to S20), and how long they serve (E9).

import { createSecureContext } from 'node:tls';
import { hostsWithoutProxy } from './address.js';

/** @import { Socket } from 'node:net' */
/** @import { Duplex } from 'node:stream' */
/** @import { Config } from '../config.js' */

// Not by `import`: see http.js.
const { Agent: HttpAgent } = process.getBuiltinModule('node:http');
const { Agent: HttpsAgent } = process.getBuiltinModule('node:https');

const MOST_IDLE_MS = 5_000;
/** Between two looks, a connection may grow older by as much. */
const LOOK_MS = 100;

export class Connections {
  agent;
  /** @type {WeakMap<Duplex, number>} by performance.now() */
  #idleSinceMs = new WeakMap();
  #nextLookMs = 0;
  /** @type {WeakSet<Duplex>} in use when an attempt failed without an answer */
  #doubtful = new WeakSet();

  /**
   * @param {Config} config
   * @param {number} [timeoutMs] after which a request hears that no byte moves on its connection;
   *   0 for never
   */
  constructor(config, timeoutMs = 0) {
    // The requests are counted elsewhere (P1): none waits for a connection here.
    const options = { keepAlive: true, ...(timeoutMs > 0 && { timeout: timeoutMs }) };
    const agent = config.endpoint.startsWith('http:')
      ? new HttpAgent(options)
      : new HttpsAgent({ ...options, ...tlsOptions(config) });
    // Node's own takes all headers of an answer apart, for a hint of an age. E9 has an age already.
    agent.keepSocketAlive = (/** @type {Socket} */ socket) => {
      this.#idleSinceMs.set(socket, performance.now());
      socket.unref();
      socket.setTimeout(timeoutMs);
      return !this.#doubtful.has(socket);
    };
    this.agent = agent;
  }

  /** E9: connections that have been idle for long are closed. Node uses the youngest first. */
  closeIdle() {
    const nowMs = performance.now();
    if (nowMs < this.#nextLookMs) return;
    this.#nextLookMs = nowMs + LOOK_MS;
    const longAgoMs = nowMs - MOST_IDLE_MS + LOOK_MS;
    for (const sockets of Object.values(this.agent.freeSockets))
      for (const socket of sockets ?? []) {
        if ((this.#idleSinceMs.get(socket) ?? 0) > longAgoMs) break;
        socket.destroy();
      }
  }

  /** E9: an attempt has failed without an answer, so no connection that is open is used again. */
  doubt() {
    const { sockets, freeSockets } = this.agent;
    for (const socket of Object.values(sockets).flat()) if (socket) this.#doubtful.add(socket);
    for (const socket of Object.values(freeSockets).flat()) socket?.destroy();
  }
}

/** @param {Config} config */
const tlsOptions = (config) => {
  const { caBundle, httpsProxy } = config;
  // Node's own rule differs from S20, so it is told whole names only, an address without brackets.
  const noProxy = hostsWithoutProxy(config).map((host) => host.replace(/[[\]]/g, ''));
  return {
    // Whatever Node's own variable says (S21).
    rejectUnauthorized: true,
    ...(caBundle && { secureContext: createSecureContext({ ca: caBundle }) }),
    ...(httpsProxy && { proxyEnv: { HTTPS_PROXY: httpsProxy, NO_PROXY: noProxy.join(',') } }),
  };
};
