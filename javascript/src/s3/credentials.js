// S16: where the keys of both clients come from.

import { doesIdentityRequireRefresh, isIdentityExpired } from '@smithy/core';
import { memoize } from '@smithy/core/config';

/** @import { Environment } from '../config.js' */
/** @import { AwsCredentialIdentity } from '@smithy/types' */

/**
 * @param {Environment} env
 * @returns {AwsCredentialIdentity | (() => Promise<AwsCredentialIdentity>)} keys, or a function
 * that gets them and asks for new ones before they expire
 */
export const findCredentials = (env) => {
  const { AWS_ACCESS_KEY_ID: accessKeyId, AWS_SECRET_ACCESS_KEY: secretAccessKey } = env;
  const sessionToken = env.AWS_SESSION_TOKEN;
  if (accessKeyId && secretAccessKey)
    return { accessKeyId, secretAccessKey, ...(sessionToken ? { sessionToken } : {}) };
  return memoize(() => askContainer(env), isIdentityExpired, doesIdentityRequireRefresh);
};

/**
 * Made on the first request: a sandbox without credentials must still start.
 * @param {Environment} env
 */
const askContainer = async (env) => {
  const { fromHttp } = await import('@aws-sdk/credential-provider-http');
  const path = env.AWS_CONTAINER_CREDENTIALS_RELATIVE_URI ?? '';
  // An empty string is how fromHttp is told to look for nothing else in the environment.
  return fromHttp({
    awsContainerCredentialsFullUri: path ? '' : (env.AWS_CONTAINER_CREDENTIALS_FULL_URI ?? ''),
    awsContainerAuthorizationToken: env.AWS_CONTAINER_AUTHORIZATION_TOKEN ?? '',
    awsContainerCredentialsRelativeUri: path,
    awsContainerAuthorizationTokenFile: '',
  })();
};
