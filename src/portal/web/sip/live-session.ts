/** One session as the page shows it, from the first INVITE to its end: what was said, agreed, granted, and why it ended. */
import type { MediumKind, SessionQuality } from "../quality/needs.js";
import type { Grant } from "./granted.js";
import type { Explanation } from "./refusal.js";

export type Phase = "incoming" | "inviting" | "ringing" | "connecting" | "active" | "ended";

export interface Step {
  readonly at: number;
  readonly what: string;
  readonly detail: string;
}

export interface LiveSession {
  readonly callId: string;
  /** The other side's AOR. */
  readonly peer: string;
  readonly isCaller: boolean;
  readonly activity: SessionActivity;
  readonly phase: Phase;
  /** By whoever offered, as seen by them. */
  readonly offered: SessionQuality;
  readonly offeredByUs: boolean;
  /** As seen by whoever answered. */
  readonly answered?: SessionQuality;
  /** In the order of the m= lines. */
  readonly media: readonly MediumKind[];
  readonly grants: readonly Grant[];
  readonly steps: readonly Step[];
  readonly end?: Explanation;
  /** Our description names no address that a router could find. */
  readonly hidesAddresses?: boolean;
}

/** What the description is made of. */
export type SessionActivity = "game" | "audio" | "video";

/** What somebody who sees the m= lines takes it for. */
export const activityOf = (media: readonly MediumKind[]): SessionActivity => {
  if (media.includes("application")) return "game";
  return media.includes("video") ? "video" : "audio";
};

const STEPS_MAX = 200;

/** @param at - ms since 1970. Only the newest steps are kept. */
export const withStep = (session: LiveSession, at: number, what: string, detail: string): LiveSession => ({
  ...session,
  steps: [...session.steps, { at, what, detail }].slice(-STEPS_MAX),
});

/** What was said since `shown`, of which the oldest may have gone meanwhile. */
export const stepsSince = (steps: readonly Step[], shown: readonly Step[]): readonly Step[] => {
  const last = shown.at(-1);
  return last === undefined ? steps : steps.slice(steps.lastIndexOf(last) + 1);
};

/** Nothing more comes of it. */
export const isOver = ({ phase }: LiveSession): boolean => phase === "ended";
