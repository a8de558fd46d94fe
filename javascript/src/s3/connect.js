// S12: makes the client that S3_CLIENT names. The other one is not even loaded.

/** @import { Config, Environment } from '../config.js' */
/** @import { S3Client } from '../store.js' */

/** E5: an attempt fails after this time without a byte. */
const IDLE_MS = 10_000;

/**
 * @param {Config} config
 * @param {Environment} env where the credentials are (S16)
 * @param {number} [idleMs]
 * @returns {Promise<S3Client>}
 */
export const connect = async (config, env, idleMs = IDLE_MS) => {
  if (config.s3Client === 'light') {
    const { LightClient } = await import('./light-client.js');
    return new LightClient(config, env, idleMs);
  }
  const { SdkClient } = await import('./sdk-client.js');
  return new SdkClient(config, env, idleMs);
};
