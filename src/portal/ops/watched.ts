/** The roles that operators may look at, and which of their views. Nothing here changes anything. */
import { SHOW_TOPICS } from "../../control/views.js";
import { SystemError } from "../../model/errors.js";
import { type JsonReply, notFound, ok, refusal } from "../http/reply.js";
import type { RolePort, RoleQuery } from "../roles/role-client.js";

export interface WatchedHost {
  readonly host: string;
  readonly role: RolePort;
}

/** Topics of `/v1/show/…`: those of `sluice show`, and what roles have of their own for dashboards. */
const TOPICS: ReadonlySet<string> = new Set([...SHOW_TOPICS, "quality", "registrations", "records"]);

/** Queries that a view may be given, and how long each may be. */
const QUERIES = {
  explain: ["session"],
  events: ["session"],
  series: ["pool", "since", "step"],
} as const;
const VALUE_MAX = 256;

export class WatchedHosts {
  readonly #hosts: ReadonlyMap<string, RolePort>;

  constructor(hosts: readonly WatchedHost[]) {
    this.#hosts = new Map(hosts.map(({ host, role }) => [host, role]));
  }

  get all(): readonly WatchedHost[] {
    return [...this.#hosts].map(([host, role]) => ({ host, role }));
  }

  show(host: string, topic: string): Promise<JsonReply> {
    return TOPICS.has(topic) ? this.#ask(host, `/v1/show/${topic}`, {}) : Promise.resolve(notFound());
  }

  view(host: string, name: keyof typeof QUERIES, given: URLSearchParams): Promise<JsonReply> {
    const query: Record<string, string> = {};
    for (const key of QUERIES[name]) {
      const value = given.get(key);
      if (value !== null && value.length > VALUE_MAX) {
        return Promise.resolve(refusal(400, "query", `${key} is too long`));
      }
      if (value !== null) query[key] = value;
    }
    return this.#ask(host, `/v1/${name}`, query);
  }

  async #ask(host: string, route: string, query: RoleQuery): Promise<JsonReply> {
    const role = this.#hosts.get(host);
    if (role === undefined) return notFound();
    try {
      return ok(await role.ask(route, query));
    } catch (error) {
      return controlRefusal(error);
    }
  }
}

/** What to answer where a role did not. Paths of sockets stay inside. */
export function controlRefusal(error: unknown): JsonReply {
  if (!(error instanceof SystemError)) throw error;
  switch (error.code) {
    case "CONTROL_ROUTE":
    case "CONTROL_NOT_FOUND":
      return refusal(404, "notFound", "the role knows nothing of it");
    case "CONTROL_UNREACHABLE":
    case "CONTROL_FORBIDDEN":
    case "CONTROL_BUSY":
      return refusal(503, "unreachable", "the role does not answer", { "Retry-After": "5" });
    case "CONTROL_TIMEOUT":
      return refusal(504, "timeout", "the role did not answer in time");
    default:
      return refusal(502, "refused", "the role refused the question, or its answer is not understood");
  }
}
