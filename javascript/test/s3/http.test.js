import assert from 'node:assert/strict';
import { once } from 'node:events';
import { Agent, createServer } from 'node:http';
import test from 'node:test';
import { sendRequest } from '../../src/s3/http.js';

/** @import { AddressInfo, Socket } from 'node:net' */
/** @import { Connections } from '../../src/s3/connections.js' */

const BODY = Buffer.alloc(32 * 1024 * 1024, 'x');

test('a body waits in pieces for a server that does not read', async (t) => {
  const agent = new Agent({ keepAlive: true });
  const end = new AbortController();
  const server = createServer().listen(0, '127.0.0.1');
  t.after(() => {
    end.abort();
    agent.destroy();
    server.closeAllConnections();
    server.close();
  });
  await once(server, 'listening');
  const { port } = /** @type {AddressInfo} */ (server.address());
  const outgoing = {
    protocol: 'http:',
    hostname: '127.0.0.1',
    port: String(port),
    method: 'PUT',
    path: '/',
    headers: { host: '127.0.0.1', 'content-length': String(BODY.length) },
  };
  const connections = /** @type {Connections} */ (/** @type {unknown} */ ({ agent }));
  const answer = sendRequest(outgoing, BODY, connections, end.signal);
  answer.catch(() => {});
  const [request, response] = await once(server, 'request');
  const [socket] = /** @type {Socket[]} */ (Object.values(agent.sockets).flat());
  assert.ok(socket && socket.writableLength < BODY.length / 16, `${socket?.writableLength}`);
  let received = 0;
  for await (const piece of request) received += piece.length;
  assert.equal(received, BODY.length);
  response.end();
  assert.equal((await answer).statusCode, 200);
});
