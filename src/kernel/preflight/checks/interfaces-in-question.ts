/** The interfaces that a check is about. */
import type { CheckContext } from "../check.js";

export interface Question {
  readonly names: readonly string[];
  /** A fault on an interface that is ours matters; on one that may never be, it is a note. */
  readonly grade: "warning" | "note";
}

/** The configured ones; without a configuration, all but the loopback. */
export async function interfacesInQuestion({ subject, sources }: CheckContext): Promise<Question> {
  if (subject.isConfigured) return { names: subject.interfaces.map(({ name }) => name), grade: "warning" };
  const links = await sources.links();
  const names = links.seen ? links.value.filter(({ isLoopback }) => !isLoopback).map(({ name }) => name) : [];
  return { names, grade: "note" };
}
