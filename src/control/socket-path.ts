/** The place of a control socket: makes the directory, and takes away what a killed process left. */
import { lstatSync, mkdirSync, unlinkSync } from "node:fs";
import { connect } from "node:net";
import { dirname } from "node:path";
import { SystemError } from "../model/errors.js";

/** Sun_path holds 108 octets with the closing zero (unix(7)). */
const PATH_MAX = 107;

export function errnoOf(error: unknown): string | undefined {
  return error instanceof Error && "code" in error && typeof error.code === "string" ? error.code : undefined;
}

/** Makes `path` free to listen on. @throws SystemError if a living process has it, or it cannot be made free */
export async function prepareSocketPath(path: string): Promise<void> {
  if (Buffer.byteLength(path) > PATH_MAX) {
    const remedy = "choose a shorter directory for `control:`";
    throw new SystemError("CONTROL_PATH", `the path of the control socket is too long: ${path}`, { remedy });
  }
  try {
    mkdirSync(dirname(path), { recursive: true, mode: 0o750 });
    if (lstatSync(path, { throwIfNoEntry: false }) === undefined) return;
    if (!lstatSync(path).isSocket()) throw occupied(path, "is there, and is not a socket", "move it away");
    if (await answers(path)) {
      throw occupied(path, "is in use: a role is already running there", "stop it, or choose another `control:`");
    }
    unlinkSync(path);
  } catch (cause) {
    if (cause instanceof SystemError || errnoOf(cause) === "ENOENT") {
      if (cause instanceof SystemError) throw cause;
      return;
    }
    const remedy = "make its directory writable for this user, or correct `control:`";
    throw new SystemError("CONTROL_PATH", `cannot make the control socket ${path} (${errnoOf(cause)})`, {
      remedy,
      cause,
    });
  }
}

function occupied(path: string, what: string, remedy: string): SystemError {
  return new SystemError("CONTROL_IN_USE", `${path} ${what}`, { remedy });
}

/** Whether somebody accepts connections there. In doubt (no right, no answer code) somebody does. */
function answers(path: string): Promise<boolean> {
  return new Promise((resolve) => {
    const socket = connect(path);
    socket.once("connect", () => {
      socket.destroy();
      resolve(true);
    });
    socket.once("error", (error) => {
      socket.destroy();
      resolve(errnoOf(error) !== "ECONNREFUSED" && errnoOf(error) !== "ENOENT");
    });
  });
}
