/** The lines of the event log. Files may be damaged or of another version: what does not fit is skipped. */
import { z } from "zod";
import type { MessageEvent } from "../model/event.js";
import { parseSessionId, type SessionId } from "../model/session.js";
import { timestamp } from "../model/units.js";

const session = z.string().transform((text, context): SessionId => {
  const id = parseSessionId(text);
  if (id !== undefined) return id;
  context.addIssue({ code: "custom", message: "not a session id" });
  return z.NEVER;
});

const eventLine = z.object({
  at: z.number().min(0).transform(timestamp),
  session,
  protocol: z.enum(["SIP", "COPS", "OSP", "RTP"]),
  message: z.string(),
  action: z.enum(["sent", "received"]),
  from: z.string(),
  to: z.string(),
});

const aliasLine = z.object({ callId: z.string(), is: session });

function json(line: string): unknown {
  try {
    return JSON.parse(line);
  } catch {
    return undefined;
  }
}

export function parseEventLine(line: string): MessageEvent | undefined {
  return eventLine.safeParse(json(line)).data;
}

export function parseAliasLine(line: string): { readonly callId: string; readonly session: SessionId } | undefined {
  const alias = aliasLine.safeParse(json(line)).data;
  return alias === undefined ? undefined : { callId: alias.callId, session: alias.is };
}
