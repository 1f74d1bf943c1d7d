/** Calls with a session timer (RFC 4028) of the least length that there is, each with ports of its own. */
import { describeMedia } from "./descriptions.js";
import { newCall, type Pair } from "./dialog.js";
import { setUp } from "./set-up.js";
import type { SipAgent } from "./sip-agent.js";

/** §4: the absolute minimum, in milliseconds. */
export const INTERVAL = 90_000;

const TIMER = "Session-Expires: 90;refresher=uac";
const OFFERED = ["Supported: timer", TIMER];
const AGREED = ["Require: timer", TIMER];

export interface TimedCall extends Pair {
  /** Where both parties receive media. */
  readonly port: number;
  /** Attributes of its one medium. */
  readonly media: readonly string[];
  /** Before the 2xx that set the timer. */
  readonly since: number;
}

export interface TimedWish {
  readonly media: readonly string[];
  /** One that no other call has, if it is not said. */
  readonly port?: number;
}

let calls = 0;

export async function timedCall(uac: SipAgent, uas: SipAgent, { media, port }: TimedWish): Promise<TimedCall> {
  calls += 1;
  const call = { ...newCall(uac, uas), media, port: port ?? 6000 + 2 * calls, since: Date.now() };
  const { final } = await setUp(call, { ...descriptions(call), lines: OFFERED, answerLines: AGREED });
  if (final.status !== 200) throw new Error(`the call was answered ${final.status}`);
  return call;
}

/** A re-INVITE: on hold, or again, which refreshes the timer. @returns the call, with its timer from here */
export async function hold(call: TimedCall, version: number): Promise<TimedCall> {
  const { caller, callee } = call;
  const since = Date.now();
  const { offer, answer } = descriptions({ ...call, media: [...call.media, "inactive"] }, version);
  const number = caller.request("INVITE", { body: offer, lines: OFFERED });
  callee.reply(await callee.takes("INVITE"), 200, answer, AGREED);
  const final = await caller.final("INVITE", number);
  if (final.status !== 200) throw new Error(`the re-INVITE was answered ${final.status}`);
  caller.acknowledge(number);
  await callee.takes("ACK");
  return { ...call, since };
}

/** An UPDATE without a description: nothing but a refresh (§7.4). */
export async function update({ caller, callee }: TimedCall): Promise<void> {
  const number = caller.request("UPDATE", { lines: OFFERED });
  callee.reply(await callee.takes("UPDATE"), 200, "", AGREED);
  await caller.final("UPDATE", number);
}

function descriptions({ media, port }: Pick<TimedCall, "media" | "port">, version = 1) {
  const at = (side: "caller" | "callee"): string =>
    describeMedia(side, [media], { version }).replace(/m=audio \d+/, `m=audio ${port}`);
  return { offer: at("caller"), answer: at("callee") };
}
