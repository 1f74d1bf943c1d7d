/** Listens to a running role through its control socket: the other end of `stream.ts`. */
import { type IncomingMessage, request } from "node:http";
import { SystemError } from "../model/errors.js";
import { parseAnswer, refusedError, unreachableError } from "./client.js";

export interface ControlListener {
  /** Each value, as it comes. */
  readonly onValue: (value: unknown) => void;
  /** Stops listening. */
  readonly signal: AbortSignal;
}

/** Characters of one line. */
const LINE_MAX = 1024 * 1024;

/**
 * Until the role ends its answer (`ended`) or the signal says so (`stopped`).
 * @throws SystemError as `controlRequest`; CONTROL_LOST when the answer breaks off: the role was killed, or this end is too slow
 */
export async function controlListen(
  path: string,
  route: string,
  { onValue, signal }: ControlListener,
): Promise<"ended" | "stopped"> {
  try {
    const response = await open(path, route, signal);
    if (response.statusCode !== 200)
      throw refusedError(parseAnswer(await textOf(response), path), path, response.statusCode ?? 0);
    await readLines(response, (line) => onValue(parseAnswer(line, path)));
    return "ended";
  } catch (error) {
    if (signal.aborted) return "stopped";
    if (error instanceof SystemError) throw error;
    const remedy = "ask again; `sluice doctor` says whether the role runs";
    throw new SystemError("CONTROL_LOST", `the answer of ${path} broke off`, { remedy, cause: error });
  }
}

function open(path: string, route: string, signal: AbortSignal): Promise<IncomingMessage> {
  return new Promise((resolve, reject) => {
    const asked = request({ socketPath: path, path: route, agent: false, signal }, resolve);
    asked.on("error", (error) => reject(unreachableError(path, error)));
    asked.end();
  });
}

/** Empty lines only say that the role lives. */
async function readLines(response: IncomingMessage, take: (line: string) => void): Promise<void> {
  let begun = "";
  response.setEncoding("utf8");
  for await (const part of response) {
    const lines = `${begun}${part}`.split("\n");
    begun = lines.pop() ?? "";
    if (begun.length > LINE_MAX) throw new SystemError("CONTROL_ANSWER", "a line of the answer is too long");
    for (const line of lines) if (line !== "") take(line);
  }
  if (begun !== "") throw new Error("it ends within a line");
}

async function textOf(response: IncomingMessage): Promise<string> {
  let text = "";
  response.setEncoding("utf8");
  for await (const part of response) {
    text += part;
    if (text.length > LINE_MAX) throw new SystemError("CONTROL_ANSWER", "the answer is too long");
  }
  return text;
}
