/** "Did you mean": the candidate that a misspelt word most likely stood for. */
import { closest, distance } from "fastest-levenshtein";

/** The nearest candidate, or undefined if none is near enough to be meant. */
export function nearest(word: string, candidates: readonly string[]): string | undefined {
  if (candidates.length === 0 || word.length > 100) return undefined;
  const lower = word.toLowerCase();
  const byLower = new Map(candidates.map((candidate) => [candidate.toLowerCase(), candidate]));
  const best = closest(lower, [...byLower.keys()]);
  const allowed = Math.max(2, Math.floor(Math.min(word.length, best.length) / 3));
  // Two edits turn any two-letter word into any other: require that something is kept.
  return distance(lower, best) <= Math.min(allowed, best.length - 1) ? byLower.get(best) : undefined;
}
