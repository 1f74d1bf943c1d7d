/** What is asked of the directory: bytes from the network, read and checked. Pure. */

import type { IncomingHttpHeaders } from "node:http";
import { normalAor } from "../../model/address-of-record.js";
import { isNickName } from "../../model/nick-name.js";
import { type Millis, seconds } from "../../model/units.js";

/** What a path is about: one name, or all who are on-line. */
export interface DirectoryTarget {
  readonly nick?: string;
}

const TARGET_MAX = 512;

/** Undefined if there is no such resource. */
export function readTarget(target: string): DirectoryTarget | undefined {
  if (target.length > TARGET_MAX) return undefined;
  const [path = "", query = ""] = target.split("?", 2);
  if (path === "/directory") return new URLSearchParams(query).get("online") === "1" ? {} : undefined;
  const nick = path.startsWith("/directory/") ? decoded(path.slice("/directory/".length)) : undefined;
  return nick !== undefined && isNickName(nick) ? { nick } : undefined;
}

function decoded(text: string): string | undefined {
  try {
    return decodeURIComponent(text);
  } catch {
    return undefined;
  }
}

export interface EntryBody {
  /** `user@domain`, the domain in lower case. */
  readonly aor: string;
  readonly online: boolean;
}

const AOR = /^[\w.!~*'()&=+$,;?/%-]{1,64}@(?=.{1,253}$)[a-z0-9](?:[a-z0-9.-]*[a-z0-9])?$/;

/** Undefined if it is not `{aor, online}`; an address may be written as a SIP URI. */
export function readEntry(body: Buffer): EntryBody | undefined {
  let value: unknown;
  try {
    value = JSON.parse(body.toString("utf8"));
  } catch {
    return undefined;
  }
  const { aor, online } = (typeof value === "object" && value !== null ? value : {}) as Record<string, unknown>;
  if (typeof aor !== "string" || typeof online !== "boolean") return undefined;
  const address = normalAor(aor);
  return AOR.test(address) ? { aor: address, online } : undefined;
}

/** What a reader has already, and how long it waits for something else. */
export interface Condition {
  /** Entity tags (RFC 9110 §13.1.2), without what marks them as weak. */
  readonly tags: readonly string[];
  /** At most; 0: it wants to know at once. */
  readonly wait: Millis;
}

const WAIT_MAX = 30;

/** If-None-Match, and the wait that is preferred (RFC 7240 §4.3), in seconds. */
export function readCondition(headers: IncomingHttpHeaders): Condition {
  const tags = (headers["if-none-match"] ?? "").split(",").map((tag) => tag.trim().replace(/^W\//, ""));
  const wait = /(?:^|[,;])\s*wait\s*=\s*"?(\d{1,5})"?\s*(?=[,;]|$)/i.exec(String(headers.prefer ?? ""))?.[1];
  return { tags: tags.filter((tag) => tag !== ""), wait: seconds(Math.min(WAIT_MAX, Number(wait ?? 0))) };
}
