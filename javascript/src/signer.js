// Part of the step store: AWS's own signer for the light client, and what either client hashes with. Holds the keys of
// the hashes as Node wants them: from bytes it makes them anew for each hash, which costs more than the hash.

import { createHmac, createSecretKey, hash } from 'node:crypto';
import { SignatureV4 } from '@smithy/signature-v4';

/** @import { KeyObject } from 'node:crypto' */
/** @import { Checksum, SourceData } from '@smithy/types' */
/** @import { findCredentials } from './credentials.js' */

/** @type {WeakMap<object, KeyObject>} the signer keeps the bytes of its key while they are of use */
const keys = new WeakMap();
/** @type {{secret: string, key: KeyObject} | undefined} of the secret as text, with which each signature begins */
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
