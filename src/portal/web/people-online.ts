/** Who is on-line, out of the events of the server: the first after a stream opened has all, those that follow what changed. Pure. */
import type { PresenceEntry } from "./api/types.js";

export type People = ReadonlyMap<string, PresenceEntry>;

/** Everybody but the user of the page, by nick name. @param wanted - a part of it, in whatever case */
export function othersIn(people: People, own: string, wanted: string): readonly PresenceEntry[] {
  const part = wanted.trim().toLowerCase();
  return [...people.values()]
    .filter(({ nick, aor }) => aor !== own && nick.toLowerCase().includes(part))
    .toSorted((left, right) => left.nick.localeCompare(right.nick));
}

/** @param isFirst - of its stream: whoever is not in it is not there any longer */
export function withPresence(people: People, entries: readonly PresenceEntry[], isFirst: boolean): People {
  const next = new Map(isFirst ? [] : people);
  for (const entry of entries) {
    if (entry.state === "offline") next.delete(entry.aor);
    else next.set(entry.aor, entry);
  }
  return next;
}
