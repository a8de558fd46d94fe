// Reads what a vector's folder holds, as tests/README.md describes it.

import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { join, relative } from 'node:path';
import { gzipSync } from 'node:zlib';

/**
 * @param {any} body as tests/README.md describes it
 * @param {string} folder
 * @returns {Buffer}
 */
const makeBody = (body, folder) => {
  if ('text' in body) return Buffer.from(body.text);
  if ('file' in body) return readFileSync(join(folder, body.file));
  if ('hex' in body) return Buffer.from(body.hex, 'hex');
  if ('concat' in body)
    return Buffer.concat(body.concat.map((/** @type {any} */ part) => makeBody(part, folder)));
  if ('repeat' in body) return Buffer.concat(Array(body.count).fill(makeBody(body.repeat, folder)));
  const gzip = gzipSync(makeBody(body.gzip, folder));
  const cut = Buffer.from(gzip.subarray(0, gzip.length - (body.cut ?? 0)));
  for (const { at, hex } of body.set ?? []) cut.write(hex, at < 0 ? cut.length + at : at, 'hex');
  return cut;
};

/**
 * @param {any[]} objects
 * @param {string} folder
 * @returns {[string, Buffer][]}
 */
export const makeObjects = (objects, folder) =>
  objects.flatMap(({ key, body, count }) => {
    const bytes = makeBody(body, folder);
    if (count === undefined) return [[key, bytes]];
    return Array.from({ length: count }, (_, n) => [
      key.replace('{n}', String(n).padStart(12, '0')),
      bytes,
    ]);
  });

/**
 * @param {string} folder
 * @returns {[string, Buffer][]} path below the folder and content
 */
export const readTree = (folder) =>
  existsSync(folder)
    ? readdirSync(folder, { recursive: true, withFileTypes: true })
        .filter((entry) => entry.isFile())
        .map(({ parentPath, name }) => join(parentPath, name))
        .map((path) => [relative(folder, path), readFileSync(path)])
    : [];
