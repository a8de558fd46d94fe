// A Lambda runtime loop for Node.js, in its standard library only.
//
//   node node_runtime.mjs module.function        (cwd = LAMBDA_TASK_ROOT)
//
// It connects the Runtime API, version 2018-06-01, with an async or sync handler, as Lambda's own
// runtime does. So the same artefact runs under the emulator without the native client, which
// compiles for minutes. Left out: response streaming, callbacks (Node 24 on Lambda has none), and
// the prefix that Lambda writes before each line of console.log.

import { existsSync } from "node:fs";
import path from "node:path";
import { pathToFileURL } from "node:url";

// Not by `import`, which loads Node's client of WebSockets, too, and would hide that of a function.
const http = process.getBuiltinModule("node:http");
const API = process.env.AWS_LAMBDA_RUNTIME_API;
const ROOT = process.env.LAMBDA_TASK_ROOT ?? process.cwd();
const agent = new http.Agent({ keepAlive: true, maxSockets: 1 });

let requestId = null; // of the current invocation

const call = (method, route, body, headers = {}) =>
  new Promise((resolve, reject) => {
    const data = body === undefined ? undefined : Buffer.from(body);
    const request = http.request(
      `http://${API}/2018-06-01/runtime/${route}`,
      {
        method,
        agent,
        headers: data ? { "Content-Length": data.length, ...headers } : headers,
      },
      (response) => {
        const parts = [];
        response.on("data", (part) => parts.push(part));
        response.on("error", reject);
        response.on("end", () => {
          const text = Buffer.concat(parts).toString("utf8");
          if (response.statusCode >= 300) {
            reject(new Error(`Runtime API: ${method} ${route}: ${response.statusCode} ${text}`));
          } else {
            resolve({ headers: response.headers, text });
          }
        });
      },
    );
    request.on("error", reject);
    request.end(data);
  });

const describe = (error) =>
  error instanceof Error
    ? {
        errorType: error.name,
        errorMessage: error.message,
        trace: (error.stack ?? "").split("\n"),
      }
    : { errorType: typeof error, errorMessage: String(error), trace: [] };

const postError = (route, error) => {
  const description = describe(error);
  console.error(JSON.stringify(description));
  return call("POST", route, JSON.stringify(description), {
    "Content-Type": "application/json",
    "Lambda-Runtime-Function-Error-Type": description.errorType,
  });
};

const named = (name, message) => Object.assign(new Error(message), { name });

const loadHandler = async (text) => {
  const match = /^(.*?)([^/.]+)\.(.+)$/.exec(text ?? "");
  if (!match) throw named("Runtime.MalformedHandlerName", `Bad handler: ${text}`);
  const [, folder, module, name] = match;
  const file = [".mjs", ".js", ".cjs"]
    .map((extension) => path.resolve(ROOT, folder, module + extension))
    .find(existsSync);
  if (!file) {
    throw named("Runtime.ImportModuleError", `Cannot find module '${folder}${module}'`);
  }
  const loaded = await import(pathToFileURL(file).href);
  const handler = loaded[name] ?? loaded.default?.[name];
  if (typeof handler !== "function") {
    throw named("Runtime.HandlerNotFound", `${text} is undefined or not exported`);
  }
  return handler;
};

const contextOf = (headers) => {
  const deadline = Number(headers["lambda-runtime-deadline-ms"]);
  return {
    awsRequestId: headers["lambda-runtime-aws-request-id"],
    invokedFunctionArn: headers["lambda-runtime-invoked-function-arn"],
    functionName: process.env.AWS_LAMBDA_FUNCTION_NAME,
    functionVersion: process.env.AWS_LAMBDA_FUNCTION_VERSION,
    memoryLimitInMB: process.env.AWS_LAMBDA_FUNCTION_MEMORY_SIZE,
    logGroupName: process.env.AWS_LAMBDA_LOG_GROUP_NAME,
    logStreamName: process.env.AWS_LAMBDA_LOG_STREAM_NAME,
    getRemainingTimeInMillis: () => deadline - Date.now(),
  };
};

// An uncaught error ends the process, as on Lambda, after the caller got it.
const fail = (code) => async (error) => {
  const route = requestId ? `invocation/${requestId}/error` : "init/error";
  await postError(route, error).catch(() => {});
  process.exit(code);
};
process.on("uncaughtException", fail(129));
process.on("unhandledRejection", fail(128));

const serve = async (handler) => {
  for (;;) {
    const { headers, text } = await call("GET", "invocation/next");
    const context = contextOf(headers);
    requestId = context.awsRequestId;
    const trace = headers["lambda-runtime-trace-id"];
    if (trace) process.env._X_AMZN_TRACE_ID = trace;
    else delete process.env._X_AMZN_TRACE_ID;

    let body;
    try {
      body = JSON.stringify((await handler(JSON.parse(text), context)) ?? null);
    } catch (error) {
      await postError(`invocation/${requestId}/error`, error);
      requestId = null;
      continue;
    }
    await call("POST", `invocation/${requestId}/response`, body, {
      "Content-Type": "application/json",
    });
    requestId = null;
  }
};

let handler;
try {
  handler = await loadHandler(process.argv[2] ?? process.env._HANDLER);
} catch (error) {
  await postError("init/error", error).catch(() => {});
  process.exit(1);
}
try {
  await serve(handler);
} catch (error) {
  console.error(String(error)); // the Runtime API has ended, so it can't get the error
  process.exit(1);
}
