/** Asks one role through its control socket: a few questions at a time, and in bounded time. */
import { controlRequest } from "../../control/client.js";
import { SystemError } from "../../model/errors.js";
import { millis } from "../../model/units.js";

export type RoleQuery = Readonly<Record<string, string>>;

/** What the portal needs of a role. */
export interface RolePort {
  /** @throws SystemError as `controlRequest`, and CONTROL_BUSY */
  ask(route: string, query?: RoleQuery): Promise<unknown>;
  /** Asks for a change. @throws likewise */
  act(route: string, query: RoleQuery): Promise<unknown>;
}

/** A control server takes 64 connections: others ask it too. */
const AT_ONCE = 8;
const WAITING_MAX = 256;
const TIMEOUT = millis(4000);

export class RoleClient implements RolePort {
  readonly #path: string;
  readonly #turns: (() => void)[] = [];
  #running = 0;

  /** @param path - its control socket */
  constructor(path: string) {
    this.#path = path;
  }

  ask(route: string, query: RoleQuery = {}): Promise<unknown> {
    return this.#inTurn(() => controlRequest(this.#path, route, query, { timeout: TIMEOUT }));
  }

  act(route: string, query: RoleQuery): Promise<unknown> {
    return this.#inTurn(() => controlRequest(this.#path, route, query, { method: "POST", timeout: TIMEOUT }));
  }

  async #inTurn(question: () => Promise<unknown>): Promise<unknown> {
    if (this.#running >= AT_ONCE) {
      if (this.#turns.length >= WAITING_MAX) {
        throw new SystemError("CONTROL_BUSY", `too many questions wait for ${this.#path}`);
      }
      await new Promise<void>((resolve) => this.#turns.push(resolve));
    } else this.#running += 1;
    try {
      return await question();
    } finally {
      const next = this.#turns.shift();
      if (next === undefined) this.#running -= 1;
      else next();
    }
  }
}

const NO_SUCH = new Set(["CONTROL_ROUTE", "CONTROL_NOT_FOUND"]);

/** What a role answers; undefined where it has no such view, or knows nothing of what was asked. */
export async function askIfKnown(role: RolePort, route: string, query: RoleQuery = {}): Promise<unknown> {
  try {
    return await role.ask(route, query);
  } catch (error) {
    if (error instanceof SystemError && NO_SUCH.has(error.code)) return undefined;
    throw error;
  }
}
