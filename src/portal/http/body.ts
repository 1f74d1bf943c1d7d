/** The JSON body of a request: bounded in size and time. */
import type { IncomingMessage } from "node:http";
import { readBody } from "../../http/body.js";
import type { Clock } from "../../model/clock.js";
import { seconds } from "../../model/units.js";
import { type JsonReply, refusal } from "./reply.js";

/** Octets. */
export const BODY_MAX = 8192;
const BODY_TIME = seconds(5);

export type BodyResult = { readonly value: unknown } | { readonly refused: JsonReply };

/** The value, `undefined` for an empty body; or what to answer, after which the connection ends. */
export async function readJson(request: IncomingMessage, clock: Clock): Promise<BodyResult> {
  const { "content-type": type = "", "content-length": length = "0", "content-encoding": encoding } = request.headers;
  if (encoding !== undefined) return refused(415, "encoding", "send the body as it is, without an encoding");
  if (Number(length) > BODY_MAX) return refused(413, "tooLong", "the body is too long");
  const octets = await readBody(request, { most: BODY_MAX, time: BODY_TIME, clock });
  if (typeof octets === "number") {
    if (octets === 413) return refused(413, "tooLong", "the body is too long");
    return refused(octets, "incomplete", "the body did not come in whole");
  }
  if (octets.length === 0) return { value: undefined };
  const media = type.split(";")[0]?.trim().toLowerCase();
  // Forms of other pages can send text/plain, but no application/json.
  if (media !== "application/json") return refused(415, "mediaType", "send application/json");
  try {
    return { value: JSON.parse(new TextDecoder("utf-8", { fatal: true }).decode(octets)) };
  } catch {
    return refused(400, "notJson", "the body is not JSON");
  }
}

const refused = (status: number, code: string, message: string): BodyResult => ({
  refused: refusal(status, code, message, { Connection: "close" }),
});
