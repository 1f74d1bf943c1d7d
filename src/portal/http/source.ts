/** Where a request came from. */
import type { IncomingMessage } from "node:http";
import { forwardedSource } from "../../model/forwarded.js";

export function sourceOf({ socket, headers }: IncomingMessage, trusted: ReadonlySet<string>): string {
  const header = headers["x-forwarded-for"];
  return forwardedSource(socket.remoteAddress ?? "", typeof header === "string" ? header : undefined, trusted);
}
