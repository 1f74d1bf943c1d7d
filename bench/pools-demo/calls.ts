/** Calls of the demo: pairs of SIPp agents at ports of their own, so that six can be up at once. */
import { randomBytes } from "node:crypto";
import { mkdtempSync, writeFileSync } from "node:fs";
import { readFile } from "node:fs/promises";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { readDatagram } from "../../src/lab/datagram.js";
import type { Lab } from "../../src/lab/lab.js";
import { readCapture } from "../../src/lab/pcap.js";
import { sessionIdOf } from "../../src/model/session.js";
import { partyOf } from "./configs.js";

export const CALLER = "10.1.0.10";
export const CALLEE = "10.3.0.10";
const FIRST_HOP = "10.1.0.5:5060";
/** G.711. */
const SAMPLES_PER_SECOND = 8000;
/** Media begin so long after the answer, and end so long before the hang-up. */
const EDGE_MS = 400;
/** Of an agent, beyond its media. */
const PATIENCE_S = 25;
const START_PATIENCE_MS = 20_000;

/** What the agents of a lab's calls need. */
export interface Telephones {
  readonly lab: Lab;
  /** Of this package. */
  readonly root: string;
  /** Directory for the agents' files. */
  readonly work: string;
}

/** A callee that waits for one call. */
export interface Callee {
  /** Resolves when it has been hung up. @throws ExecaError if its scenario was not kept to */
  readonly over: Promise<unknown>;
}

export interface PlacedCall {
  readonly call: number;
  readonly callId: string;
  readonly session: string;
  /** Resolves when the caller has hung up, or was refused. @throws ExecaError if its scenario was not kept to */
  readonly over: Promise<unknown>;
}

/** Resolves when they listen. @param seconds - of media that each sends */
export async function startCallees(
  telephones: Telephones,
  calls: readonly number[],
  seconds: number,
): Promise<readonly Callee[]> {
  const callees = calls.map((call) => ({ over: agent(telephones, { call, end: "uas", seconds, more: [] }) }));
  await Promise.all(calls.map((call) => listening(telephones.lab, partyOf(call).sipPort)));
  return callees;
}

/** @param seconds - of media that the caller sends, before it hangs up */
export function placeCall(telephones: Telephones, call: number, seconds: number): PlacedCall {
  const callId = `${randomBytes(8).toString("hex")}@demo`;
  const fromTag = randomBytes(4).toString("hex");
  const more = ["-key", "from_tag", fromTag, "-cid_str", callId];
  const over = agent(telephones, { call, end: "uac", seconds, more });
  return { call, callId, session: sessionIdOf(callId, fromTag), over };
}

interface AgentPlan {
  readonly call: number;
  readonly end: "uac" | "uas";
  readonly seconds: number;
  readonly more: readonly string[];
}

function agent({ lab, root, work }: Telephones, { call, end, seconds, more }: AgentPlan): Promise<unknown> {
  const directory = mkdtempSync(join(work, `call${call}-${end}-`));
  writeFileSync(join(directory, "media.ulaw"), Buffer.alloc(seconds * SAMPLES_PER_SECOND, 0xd5));
  const { user, sipPort, mediaPort } = partyOf(call);
  const [address, target] = end === "uac" ? [CALLER, [FIRST_HOP]] : [CALLEE, []];
  const sipp = [
    ...["sipp", "-sf", join(root, `scripts/lab/sipp/${end}.xml`), ...target, "-i", address, "-mi", address],
    ...["-p", `${sipPort}`, "-mp", `${mediaPort}`, "-m", "1", "-d", `${seconds * 1000 + EDGE_MS}`],
    ...["-timeout", `${seconds + PATIENCE_S}s`, "-timeout_error", "-nostdin", "-s", user, "-key", "caller", "alice"],
    ...["-key", "caller_domain", "a.example", "-key", "callee_domain", "b.example", "-default_behaviors", "none"],
    ...["-trace_err", "-error_file", `${end}.err`, ...more],
  ];
  // Telephones have processors of their own; the roles go before them all the same.
  const over = lab.exec(end, ["env", "-C", directory, "nice", "-n", "-5", ...sipp]);
  // Looked at when the calls are over.
  over.catch(() => undefined);
  return over;
}

async function listening(lab: Lab, port: number): Promise<void> {
  const end = performance.now() + START_PATIENCE_MS;
  while (performance.now() < end) {
    if ((await lab.exec("uas", ["ss", "-Hlun", `sport = :${port}`])) !== "") return;
    await sleep(50);
  }
}

export interface FinalAnswer {
  readonly status: number;
  readonly warning: string;
  /** From INVITE to answer. */
  readonly ms: number;
}

/** What the caller was told, from a capture at its cable. */
export async function finalAnswer(capture: string, callId: string): Promise<FinalAnswer> {
  const { linkType, frames } = readCapture(await readFile(capture));
  let invited: number | undefined;
  for (const { at, bytes } of frames) {
    const text = readDatagram(linkType, bytes)?.payload.toString("latin1") ?? "";
    if (!text.includes(`\r\nCall-ID: ${callId}\r\n`)) continue;
    if (text.startsWith("INVITE ")) invited ??= at;
    const status = Number(/^SIP\/2\.0 (\d{3}) /.exec(text)?.[1] ?? 0);
    if (status < 200 || !/\r\nCSeq: *\d+ INVITE\r\n/i.test(text)) continue;
    const warning = /\r\nWarning: *(.*)\r\n/i.exec(text)?.[1] ?? "";
    return { status, warning, ms: Math.round((at - (invited ?? at)) * 10) / 10 };
  }
  return { status: 0, warning: "", ms: 0 };
}
