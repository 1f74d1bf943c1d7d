/** What is asked of the directory: bytes from the network, read and checked. Pure. */

/** What a path is about: one name, or all who are on-line. */
export interface DirectoryTarget {
  readonly nick?: string;
}

const TARGET_MAX = 512;
/** Letters and digits of any script, with dots, hyphens, underscores and spaces between: as portals make them. */
const NICK = /^[\p{L}\p{N}](?:[\p{L}\p{M}\p{N}._ -]{0,62}[\p{L}\p{M}\p{N}])?$/u;

/** Undefined if there is no such resource. */
export function readTarget(target: string): DirectoryTarget | undefined {
  if (target.length > TARGET_MAX) return undefined;
  const [path = "", query = ""] = target.split("?", 2);
  if (path === "/directory") return new URLSearchParams(query).get("online") === "1" ? {} : undefined;
  const nick = path.startsWith("/directory/") ? decoded(path.slice("/directory/".length)) : undefined;
  return nick !== undefined && NICK.test(nick.normalize("NFKC")) ? { nick } : undefined;
}

function decoded(text: string): string | undefined {
  try {
    return decodeURIComponent(text);
  } catch {
    return undefined;
  }
}

export interface EntryBody {
  /** `user@domain`, lower case. */
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
  const address = aor.replace(/^sips?:/i, "").toLowerCase();
  return AOR.test(address) ? { aor: address, online } : undefined;
}
