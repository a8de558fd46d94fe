// AWS's own signer with Node's hashes, for the light client. Skip Sha256 on first reading.
// Its plain version: createHmac with the key as bytes, of which Node makes a KeyObject each time.
// This one keeps the KeyObjects. Gain: 0.83 of the light client's warm CPU
// (docs/performance/javascript.md).

import { createHmac, createSecretKey, hash } from 'node:crypto';
import { SignatureV4 } from '@smithy/signature-v4';

/** @import { KeyObject } from 'node:crypto' */
/** @import { Checksum, SourceData } from '@smithy/types' */
/** @import { findCredentials } from './credentials.js' */

/** @type {WeakMap<object, KeyObject>} by the bytes, which the signer keeps for a day */
const keys = new WeakMap();
/** @type {{secret: string, key: KeyObject} | undefined} of the secret, a text */
let latest;

/** @implements {Checksum} */
export class Sha256 {
  #key;
  /** @type {Buffer} */
  #data = Buffer.alloc(0);

  /** @param {SourceData} [secret] of an HMAC */
  constructor(secret) {
    this.#key = secret && prepareKey(secret);
  }

  /** @param {Uint8Array} data */
  update(data) {
    this.#data = this.#data.length === 0 ? asBuffer(data) : Buffer.concat([this.#data, data]);
  }

  async digest() {
    return this.#key
      ? createHmac('sha256', this.#key).update(this.#data).digest()
      : hash('sha256', this.#data, 'buffer');
  }

  reset() {
    this.#data = Buffer.alloc(0);
  }
}

/** @param {SourceData} secret */
const prepareKey = (secret) => {
  if (typeof secret === 'string') {
    if (latest?.secret !== secret) latest = { secret, key: createSecretKey(secret, 'utf8') };
    return latest.key;
  }
  const key = keys.get(secret) ?? createSecretKey(/** @type {Uint8Array} */ (secret));
  keys.set(secret, key);
  return key;
};

/** @param {Uint8Array} data */
const asBuffer = (data) => Buffer.from(data.buffer, data.byteOffset, data.byteLength);

/**
 * S3's paths are signed as they are sent, other services' are encoded once more.
 * @param {string} region
 * @param {ReturnType<typeof findCredentials>} credentials
 */
export const createSigner = (region, credentials) =>
  new SignatureV4({ service: 's3', region, credentials, sha256: Sha256, uriEscapePath: false });
