// Step: journal (SPEC.md O2 to O4): JSON lines on standard output, and the sums for the `end` line.
// There is one Journal per invocation.

/** @typedef {'DEBUG' | 'INFO' | 'WARN' | 'ERROR'} LogLevel */
/** @typedef {'list' | 'get' | 'decode' | 'compress' | 'put' | 'publish'} Phase */

const LEVELS = ['DEBUG', 'INFO', 'WARN', 'ERROR'];

/** @param {number} ms */
const rounded = (ms) => Math.round(ms * 1000) / 1000;

export class Journal {
  #level;
  #requestId;
  #write;
  /** @type {Record<Phase, {count: number, sum_ms: number}>} */
  #phases = {
    list: { count: 0, sum_ms: 0 },
    get: { count: 0, sum_ms: 0 },
    decode: { count: 0, sum_ms: 0 },
    compress: { count: 0, sum_ms: 0 },
    put: { count: 0, sum_ms: 0 },
    publish: { count: 0, sum_ms: 0 },
  };
  #waitMs = 0;

  /**
   * @param {LogLevel} level the least level that is written
   * @param {string} requestId
   * @param {(line: string) => void} [write]
   */
  constructor(level, requestId, write = (line) => void process.stdout.write(line)) {
    this.#level = LEVELS.indexOf(level);
    this.#requestId = requestId;
    this.#write = write;
  }

  /**
   * @param {LogLevel} level
   * @param {string} event
   * @param {Record<string, unknown>} fields
   */
  log(level, event, fields) {
    if (LEVELS.indexOf(level) < this.#level) return;
    this.#write(`${JSON.stringify({ level, event, request_id: this.#requestId, ...fields })}\n`);
  }

  /**
   * Adds an operation to a phase. `count` is 0 for a part of one that is counted elsewhere.
   * @param {Phase} phase
   * @param {number} startedMs by performance.now()
   * @param {number} [count]
   */
  add(phase, startedMs, count = 1) {
    this.#phases[phase].count += count;
    this.#phases[phase].sum_ms += performance.now() - startedMs;
  }

  /**
   * Times one operation of a phase, failed or not. The time begins when the operation calls
   * `begin`, or else now.
   * @template T
   * @param {Phase} phase
   * @param {(begin: () => void) => Promise<T>} operation
   * @returns {Promise<T>}
   */
  async time(phase, operation) {
    let startedMs = performance.now();
    try {
      return await operation(() => {
        startedMs = performance.now();
      });
    } finally {
      this.add(phase, startedMs);
    }
  }

  /**
   * Awaits a listing or a body that the ordered consumer needs next (O4).
   * @template T
   * @param {Promise<T>} promise
   * @returns {Promise<T>}
   */
  async wait(promise) {
    const startedMs = performance.now();
    try {
      return await promise;
    } finally {
      this.#waitMs += performance.now() - startedMs;
    }
  }

  /**
   * Writes the last line of the invocation.
   * @param {{error: string | null, cause: unknown, result: object | null}} outcome
   */
  end({ error, cause, result }) {
    const phases = Object.fromEntries(
      Object.entries(this.#phases).map(([phase, sum]) => [
        phase,
        { count: sum.count, sum_ms: rounded(sum.sum_ms) },
      ]),
    );
    const fields = { error, cause, result, phases, wait_ms: rounded(this.#waitMs) };
    this.log(error === null ? 'INFO' : 'ERROR', 'end', fields);
  }
}
