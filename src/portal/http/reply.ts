/** What a route answers. */
import type { ApiError } from "../api/shapes.js";
import type { AnswerHeaders } from "./headers.js";

export interface JsonReply {
  readonly status: number;
  readonly value: unknown;
  readonly headers?: AnswerHeaders;
}

/** 200 with a value, sent as JSON. */
export const ok = (value: unknown, headers?: AnswerHeaders): JsonReply => reply(200, value, headers);

/** @param code - stable, for programs; @param message - one sentence for people, without anything that the asker sent */
export function refusal(status: number, code: string, message: string, headers?: AnswerHeaders): JsonReply {
  const value: ApiError = { error: { code, message } };
  return reply(status, value, headers);
}

/** 429 (RFC 6585 §4). */
export const tooMany = (code: string, message: string, seconds: number): JsonReply =>
  refusal(429, code, message, { "Retry-After": String(Math.max(1, Math.ceil(seconds))) });

/** 404: also for what is somebody else's, so that nobody learns whether it is there. */
export const notFound = (): JsonReply => refusal(404, "notFound", "there is nothing here");

const reply = (status: number, value: unknown, headers?: AnswerHeaders): JsonReply =>
  headers === undefined ? { status, value } : { status, value, headers };
