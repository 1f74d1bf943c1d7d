/** Runs the demo of pools in a lab that is up, and gathers the evidence. */
import { mkdirSync } from "node:fs";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { execa } from "execa";

import { explanationLines } from "../../src/lab/demo/views.js";
import { sessionElements } from "../../src/lab/kernel-left.js";
import type { Background, Lab } from "../../src/lab/lab.js";
import { measureStream, readStream } from "../../src/lab/media.js";
import { SystemError } from "../../src/model/errors.js";
import { CALLEE, CALLER, type Callee, finalAnswer, type PlacedCall, placeCall, startCallees } from "./calls.js";
import { CALLS, LARGE, POOL, partyOf, SMALL } from "./configs.js";
import type { CallEvidence, Evidence } from "./evidence.js";
import { startFlood } from "./flood.js";
import { outerFlows } from "./outer-flows.js";
import { isReserved, POLICY_SERVERS, untilReserved } from "./reservation.js";
import { type Recording, startRecording } from "./sampler.js";

export interface PoolsDemoOptions {
  readonly lab: Lab;
  /** Of this package. */
  readonly root: string;
  /** Where captures and the agents' files go; must exist. */
  readonly work: string;
  readonly progress: (text: string) => void;
  readonly signal: AbortSignal;
}

const STEP = LARGE - SMALL;
const PATIENCE_MS = 20_000;
/** Media of the first calls: until the one more has been refused, let in, and heard for a while. */
const LONG_S = 26;
const SHORT_S = 6;
const BETWEEN_CALLS_MS = 500;
/** A callee rings for two seconds; then some of the media. */
const UNTIL_MEDIA_MS = 4000;
const MEDIA_PORTS = "6000-6099";
const FIRST_CALLS = Array.from({ length: CALLS }, (_, index) => index + 1);

export async function runPoolsDemo(options: PoolsDemoOptions): Promise<Evidence> {
  const { lab, progress } = options;
  const recording = startRecording(lab);
  const captures = await startCaptures(options);
  const stops: (() => Promise<unknown>)[] = [captures.stop, recording.stop];
  try {
    progress("the pool is reserved before anybody calls");
    const before = await reserved(lab, SMALL, recording);
    if (!isReserved(before, SMALL, STEP)) {
      throw new SystemError("LAB_RESERVED", `not reserved within ${PATIENCE_MS} ms: ${JSON.stringify(before)}`);
    }
    const callees = await startCallees(options, FIRST_CALLS, LONG_S);
    progress("flooding the core link at twice its rate, both ways");
    recording.note("flood");
    const flood = await startFlood(lab);
    stops.push(flood.stop);
    const calls = await firstCalls(options, recording);
    const refused = await refusedCall(options, recording);
    const grown = await grow(options, recording);
    const sixth = await sixthCall(options, recording);
    await hungUp(recording, [...callees, ...calls, ...sixth]);
    progress("all have hung up; the pool becomes smaller again");
    await resize(options, SMALL);
    const after = await reserved(lab, SMALL, recording);
    recording.note("small again");
    const left = await kernelLeft(lab);
    await pause(options, 1500);
    await flood.stop();
    const recorded = await recording.stop();
    await captures.stop();
    progress("reading the captures");
    return {
      before,
      ...grown,
      after,
      assured: await Promise.all(calls.map((call) => withMedia(captures, call))),
      refused: await answered(captures, refused.call),
      explanation: refused.explanation,
      sixth: await withMedia(captures, sixth[0]),
      outer: await outerFlows(captures.core),
      left,
      ...recorded,
    };
  } finally {
    for (const stop of stops) await stop();
  }
}

const reserved = (lab: Lab, rate: number, { now }: Recording) =>
  untilReserved(lab, { rate, step: STEP, patienceMs: PATIENCE_MS }, now);

const pause = (options: PoolsDemoOptions, ms: number): Promise<void> =>
  sleep(ms, undefined, { signal: options.signal });

async function firstCalls(options: PoolsDemoOptions, recording: Recording): Promise<readonly PlacedCall[]> {
  options.progress(`${CALLS} assured calls`);
  const calls: PlacedCall[] = [];
  recording.note(`calls 1 to ${CALLS}`);
  for (const call of FIRST_CALLS) {
    calls.push(placeCall(options, call, LONG_S));
    await pause(options, BETWEEN_CALLS_MS);
  }
  await until(PATIENCE_MS, async () => (await withRoom(options.lab)) >= CALLS);
  const found = await withRoom(options.lab);
  // Without them nothing that follows means anything.
  if (found < CALLS)
    throw new SystemError("LAB_CALL", `${found} of ${CALLS} calls came about within ${PATIENCE_MS} ms`);
  await pause(options, UNTIL_MEDIA_MS);
  return calls;
}

/** Sessions whose flows the router has installed. */
async function withRoom(lab: Lab): Promise<number> {
  const sessions = await lab.ask("pol1", "/v1/show/sessions");
  return sessions.filter(({ state }) => state === "reserved").length;
}

interface Refused {
  readonly call: PlacedCall;
  readonly explanation: readonly string[];
}

/** Nobody waits for it: it is refused before it gets so far. */
async function refusedCall(options: PoolsDemoOptions, recording: Recording): Promise<Refused> {
  options.progress("one call more than there is room for");
  recording.note(`call ${CALLS + 1}: refused`);
  const call = placeCall(options, CALLS + 1, 1);
  await Promise.allSettled([call.over]);
  const explained = await options.lab.ask("pol1", `/v1/explain?session=${call.session}`);
  await pause(options, 1000);
  return { call, explanation: explained.flatMap(explanationLines) };
}

async function sixthCall(options: PoolsDemoOptions, recording: Recording): Promise<readonly [PlacedCall, ...Callee[]]> {
  options.progress("the same call again");
  const callees = await startCallees(options, [CALLS + 1], SHORT_S);
  recording.note(`call ${CALLS + 1}: let in`);
  return [placeCall(options, CALLS + 1, SHORT_S), ...callees];
}

async function hungUp(recording: Recording, ends: readonly { readonly over: Promise<unknown> }[]): Promise<void> {
  // What a telephone complains of is seen in the captures, too.
  await Promise.allSettled(ends.map(({ over }) => over));
  recording.note("all hung up");
}

/** Raises the ceiling at both policy servers; the pool's head room then asks the network for more. */
async function grow(options: PoolsDemoOptions, recording: Recording): Promise<Pick<Evidence, "grown" | "growMs">> {
  const rate = `${LARGE / 1000} kbit/s`;
  options.progress(`sluice pool resize ${POOL} "${rate}"`);
  recording.note("resize");
  const began = recording.now();
  await resize(options, LARGE);
  const grown = await reserved(options.lab, LARGE, recording);
  return { grown, growMs: grown.ms - began };
}

/** As an operator does. */
async function resize({ lab, root, signal }: PoolsDemoOptions, rate: number): Promise<void> {
  const sluice = [join(root, "dist/cli/main.js"), "pool", "resize", POOL, `${rate / 1000} kbit/s`];
  await Promise.all(
    POLICY_SERVERS.map((role) =>
      execa("node", [...sluice, "--socket", join(lab.directory, "run", `${role}.sock`)], { cancelSignal: signal }),
    ),
  );
}

async function kernelLeft(lab: Lab): Promise<number> {
  const count = async (): Promise<number> => {
    const listed = ["r1", "r2"].map((router) => lab.exec(router, ["nft", "-j", "list", "table", "inet", "sluice"]));
    return (await Promise.all(listed)).reduce((sum, json) => sum + sessionElements(json), 0);
  };
  await until(PATIENCE_MS, async () => (await count()) === 0);
  return count();
}

/** Polls until it is so or the time is over; the caller looks for itself which. */
async function until(patienceMs: number, isSo: () => Promise<boolean>): Promise<void> {
  const end = performance.now() + patienceMs;
  while (!(await isSo()) && performance.now() < end) await sleep(100);
}

interface Captures {
  readonly caller: string;
  readonly callee: string;
  readonly core: string;
  stop(): Promise<void>;
}

async function startCaptures({ lab, work }: PoolsDemoOptions): Promise<Captures> {
  const directory = join(work, "captures");
  mkdirSync(directory, { recursive: true });
  const running: Background[] = [];
  const capture = async (host: string, device: string, filter: string): Promise<string> => {
    const path = join(directory, `${host}.pcap`);
    const options = ["-n", "-U", "--immediate-mode", "-s", "0", "-Z", "root", "-w", path, filter];
    const tcpdump = lab.spawn(host, ["tcpdump", "-i", device, ...options]);
    running.push(tcpdump);
    await tcpdump.said("listening on");
    return path;
  };
  const [caller, callee, core] = await Promise.all([
    capture("uac", "eth0", "udp"),
    capture("uas", "eth0", "udp"),
    capture("r1", "core", `udp port 4789 or udp portrange ${MEDIA_PORTS}`),
  ]);
  return {
    caller,
    callee,
    core,
    stop: async () => {
      await Promise.all(running.splice(0).map((tcpdump) => tcpdump.stop()));
    },
  };
}

async function answered({ caller }: Captures, { call, callId, session }: PlacedCall): Promise<CallEvidence> {
  const { status, warning, ms } = await finalAnswer(caller, callId);
  return { call, session, status, warning, answerMs: ms };
}

async function withMedia(captures: Captures, placed: PlacedCall): Promise<CallEvidence> {
  const { caller, callee } = captures;
  const { mediaPort: destinationPort } = partyOf(placed.call);
  const direction = async (source: string, destination: string, sent: string, received: string) => {
    const key = { source, destination, destinationPort };
    return measureStream(await readStream(sent, key), await readStream(received, key));
  };
  return {
    ...(await answered(captures, placed)),
    media: {
      toCallee: await direction(CALLER, CALLEE, caller, callee),
      toCaller: await direction(CALLEE, CALLER, callee, caller),
    },
  };
}
