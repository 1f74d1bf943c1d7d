/** Why a session was refused or ended, in plain words: from status, Warning (RFC 3261 §20.43) and Reason (RFC 3326). */

export interface Refused {
  readonly status: number;
  readonly phrase: string;
  readonly warnings: readonly string[];
  readonly reasons: readonly string[];
  /** Seconds. */
  readonly retryAfter?: number;
}

export interface Explanation {
  /** One sentence: what happened. */
  readonly title: string;
  /** What the server said, if it said something. */
  readonly detail: string;
  readonly advice: string;
}

const TEXT_MAX = 500;

/** The text of a Warning value: `399 host "text"`. */
export function warningText(value: string): string {
  const match = /^\d{3} \S+ "((?:[^"\\]|\\.)*)"/.exec(value.trim().slice(0, TEXT_MAX));
  return match === null ? "" : unquote(match[1] ?? "");
}

export interface ReasonValue {
  readonly protocol: string;
  readonly cause?: number;
  readonly text: string;
}

/** A Reason value: `SIP;cause=580;text="…"`. */
export function parseReason(value: string): ReasonValue {
  const text = value.slice(0, TEXT_MAX);
  const quoted = /;\s*text="((?:[^"\\]|\\.)*)"/.exec(text)?.[1];
  const cause = /;\s*cause=(\d{1,3})\b/.exec(text)?.[1];
  return {
    protocol: /^[A-Za-z0-9.-]*/.exec(text.trim())?.[0] ?? "",
    ...(cause === undefined ? {} : { cause: Number(cause) }),
    text: quoted === undefined ? "" : unquote(quoted),
  };
}

const unquote = (text: string): string => text.replace(/\\(.)/g, "$1");

interface Words {
  readonly title: string;
  readonly advice: string;
}

const WORDS: Readonly<Record<number, Words>> = {
  401: { title: "The server does not know this browser any longer.", advice: "Log in again." },
  403: { title: "This session is not allowed.", advice: "Ask your provider which sessions your account may start." },
  404: { title: "Nobody has this name.", advice: "Check the name." },
  407: { title: "The server does not know this browser any longer.", advice: "Log in again." },
  408: { title: "Nobody answered in time.", advice: "Try again later." },
  430: { title: "The other side's connection is lost.", advice: "Try again when they are on-line." },
  480: { title: "They are not on-line, or do not answer.", advice: "Try again later." },
  486: { title: "They are busy.", advice: "Try again later." },
  487: { title: "The invitation was withdrawn.", advice: "" },
  488: {
    title: "The two sides do not agree on what the session needs.",
    advice: "Loosen what you need, or choose another class.",
  },
  491: { title: "Both sides asked for a change at once.", advice: "Try again." },
  503: { title: "This session cannot be served now.", advice: "Try again later." },
  580: {
    title: "The network cannot give this session what it needs.",
    advice: "Accept a wider range, or play without a reservation.",
  },
  603: { title: "They declined.", advice: "" },
};

/** RFC 3261 §20.43, warn-code 370: insufficient bandwidth. */
const NO_ROOM: Words = {
  title: "There is no room for this session now.",
  advice: "Ask for less, accept a wider range, or try again later.",
};
const isNoRoom = (warning: string): boolean => /^\s*370 /.test(warning);

/** Of an INVITE or re-INVITE of ours. */
export function explainRefusal(refused: Refused): Explanation {
  const { status, phrase, warnings, reasons, retryAfter } = refused;
  const words = warnings.some(isNoRoom)
    ? NO_ROOM
    : (WORDS[status] ?? { title: `The session was refused: ${status} ${phrase}.`, advice: "" });
  const told = [...warnings.map(warningText), ...reasons.map((reason) => parseReason(reason).text)];
  const after = retryAfter === undefined ? "" : ` Try again in ${retryAfter} s.`;
  return { title: words.title, detail: uniqueText(told), advice: `${words.advice}${after}`.trim() };
}

/** Why a session that was answered, or an invitation that rang, is over: from the Reason of the BYE or CANCEL. */
export function explainEnd(reasons: readonly string[], otherwise: string): Explanation {
  const parsed = reasons.map(parseReason);
  const cause = parsed.find((reason) => reason.cause !== undefined)?.cause;
  const words = cause === undefined || cause === 200 ? undefined : WORDS[cause];
  return {
    title: words?.title ?? otherwise,
    detail: uniqueText(parsed.map(({ text }) => text)),
    advice: words?.advice ?? "",
  };
}

const uniqueText = (texts: readonly string[]): string => [...new Set(texts.filter((text) => text !== ""))].join(" ");
