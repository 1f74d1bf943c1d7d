/** Asks a running role through its control socket. */
import { type IncomingMessage, request } from "node:http";
import { SystemError } from "../model/errors.js";
import { type Millis, millis } from "../model/units.js";
import { errnoOf } from "./socket-path.js";

const ANSWER_MAX = 64 * 1024 * 1024;

/**
 * @param path - the control socket
 * @param route - such as `/v1/show/sessions`
 * @param ask - GET asks for a view, POST for a change
 * @returns the answer's value: JSON, or a string where the role answers with text
 * @throws SystemError `CONTROL_UNREACHABLE` when nobody answers there; the role's own code when it refuses
 */
export async function controlRequest(
  path: string,
  route: string,
  query: Readonly<Record<string, string>> = {},
  ask: { readonly method?: "GET" | "POST"; readonly timeout?: Millis } = {},
): Promise<unknown> {
  const search = new URLSearchParams(query).toString();
  const { method = "GET", timeout = millis(10_000) } = ask;
  const target = search === "" ? route : `${route}?${search}`;
  const { response, body } = await exchange(path, { method, target, timeout });
  const isJson = response.headers["content-type"]?.startsWith("application/json") === true;
  const value = isJson ? parseAnswer(body, path) : body;
  if (response.statusCode === 200) return value;
  throw refusedError(value, path, response.statusCode ?? 0);
}

interface Answer {
  readonly response: IncomingMessage;
  readonly body: string;
}

interface Question {
  readonly method: "GET" | "POST";
  readonly target: string;
  readonly timeout: Millis;
}

function exchange(path: string, { method, target, timeout }: Question): Promise<Answer> {
  return new Promise((resolve, reject) => {
    const asked = request({ socketPath: path, path: target, method, agent: false }, (response) => {
      const parts: Buffer[] = [];
      let size = 0;
      response.on("data", (part: Buffer) => {
        size += part.length;
        if (size <= ANSWER_MAX) parts.push(part);
        else asked.destroy(new SystemError("CONTROL_ANSWER", `the answer of ${path} is too long`));
      });
      response.on("end", () => resolve({ response, body: Buffer.concat(parts).toString("utf8") }));
      response.on("error", (error) => reject(unreachableError(path, error)));
    });
    asked.setTimeout(timeout, () =>
      asked.destroy(new SystemError("CONTROL_TIMEOUT", `${path} did not answer in ${timeout} ms`)),
    );
    asked.on("error", (error) => reject(error instanceof SystemError ? error : unreachableError(path, error)));
    asked.end();
  });
}

/** Why nobody answers. */
export function unreachableError(path: string, cause: unknown): SystemError {
  const code = errnoOf(cause);
  if (code === "EACCES") {
    const remedy = "run as root, or join the socket's group";
    return new SystemError("CONTROL_FORBIDDEN", `this user may not ask ${path}`, { remedy, cause });
  }
  const why = code === "ENOENT" ? "there is no control socket" : "nobody answers at the control socket";
  const remedy = "is the role running? name its socket with --socket, or their directory with --run-dir";
  return new SystemError("CONTROL_UNREACHABLE", `${why} ${path}`, { remedy, cause });
}

/** @throws SystemError CONTROL_ANSWER */
export function parseAnswer(body: string, path: string): unknown {
  try {
    return JSON.parse(body);
  } catch (cause) {
    throw new SystemError("CONTROL_ANSWER", `the answer of ${path} is not JSON`, { cause });
  }
}

/** The error that a role answered with. */
export function refusedError(value: unknown, path: string, status: number): SystemError {
  const error = typeof value === "object" && value !== null && "error" in value ? value.error : undefined;
  const text = (name: string): string | undefined => {
    const found =
      typeof error === "object" && error !== null ? Object.entries(error).find(([key]) => key === name) : undefined;
    return typeof found?.[1] === "string" ? found[1] : undefined;
  };
  const remedy = text("remedy");
  const message = text("message") ?? `answered with status ${status}`;
  return new SystemError(
    text("code") ?? "CONTROL_ANSWER",
    `${path}: ${message}`,
    remedy === undefined ? {} : { remedy },
  );
}
