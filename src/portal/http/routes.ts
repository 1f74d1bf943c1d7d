/** Routes of the API: what may be asked, by whom, and what it must carry. */

import type { SessionSecret } from "../sessions/session-id.js";
import type { Login } from "../sessions/sessions.js";
import type { EventStream, StreamOwner } from "./event-streams.js";
import type { JsonReply } from "./reply.js";

/** What a handler is given of a request. */
export interface ApiRequest {
  /** Of the path, decoded. */
  readonly params: Readonly<Record<string, string>>;
  readonly query: URLSearchParams;
  readonly body: unknown;
  readonly source: string;
  /** What the cookie says, whether it holds or not. */
  readonly cookie: SessionSecret | undefined;
}

/** Of a user who is logged in. */
export interface UserRequest extends ApiRequest {
  readonly login: Login;
}

/** Opens the event stream that is the answer. */
export type OpenStream = (onClose: StreamOwner["onClose"]) => EventStream;

interface RoutePath {
  readonly method: "GET" | "POST";
  /** `:name` stands for one segment. */
  readonly path: string;
}

export type Route = RoutePath &
  (
    | { readonly who: "anyone"; readonly handle: (request: ApiRequest) => Promise<JsonReply> }
    | {
        readonly who: "user" | "operator";
        /** The token may be in the body: a beacon has no headers of its own. */
        readonly isBeacon?: boolean;
        readonly handle: (request: UserRequest) => Promise<JsonReply>;
      }
    | { readonly who: "user" | "operator"; readonly stream: (request: UserRequest, open: OpenStream) => void }
  );

export interface FoundRoute {
  readonly route: Route;
  readonly params: Readonly<Record<string, string>>;
}

interface Pattern {
  readonly segments: readonly string[];
  readonly route: Route;
}

const PATH_MAX = 1024;

export class RouteTable {
  readonly #patterns: readonly Pattern[];

  constructor(routes: readonly Route[]) {
    this.#patterns = routes.map((route) => ({ segments: route.path.split("/"), route }));
  }

  /** Undefined where no route has this path; the methods that it has where not this one. */
  find(method: string, path: string): FoundRoute | { readonly methods: readonly string[] } | undefined {
    if (path.length > PATH_MAX) return undefined;
    const given = path.split("/");
    const fitting = this.#patterns.flatMap(({ segments, route }) => {
      const params = paramsOf(segments, given);
      return params === undefined ? [] : [{ route, params }];
    });
    const found = fitting.find(({ route }) => route.method === method);
    if (found !== undefined || fitting.length === 0) return found;
    return { methods: fitting.map(({ route }) => route.method) };
  }
}

function paramsOf(segments: readonly string[], given: readonly string[]): Record<string, string> | undefined {
  if (segments.length !== given.length) return undefined;
  const params: Record<string, string> = {};
  for (const [index, segment] of segments.entries()) {
    const value = given[index] ?? "";
    if (!segment.startsWith(":")) {
      if (segment !== value) return undefined;
      continue;
    }
    const decoded = decodeSegment(value);
    if (decoded === undefined || decoded === "") return undefined;
    params[segment.slice(1)] = decoded;
  }
  return params;
}

function decodeSegment(text: string): string | undefined {
  try {
    return decodeURIComponent(text);
  } catch {
    return undefined;
  }
}
