/** Runs the demo in a lab that is up: floods the bottleneck, makes three calls, gathers the evidence. */
import { mkdir } from "node:fs/promises";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import type { IpAddress } from "../../model/ip.js";
import { type RunningCaptures, startCaptures } from "../captures.js";
import { sessionElements } from "../kernel-left.js";
import type { CallOutcome, Lab } from "../lab.js";
import { measureStream, readStream } from "../media.js";
import { sessionSteps } from "../steps.js";
import { type HostCapture, malformed, wireMessages } from "../tshark.js";
import type { WireMessage } from "../wire-message.js";
import { type FloodControl, startFlood } from "./congestion.js";
import type { CallMedia, Evidence, RouterSnapshot, UsageRecord } from "./evidence.js";
import { classSnapshot, explanationLines, flowSnapshot, usageRecord } from "./views.js";

export interface DemoOptions {
  readonly lab: Lab;
  /** Of each call's media. */
  readonly seconds: number;
  /** Where the captures go; must exist. */
  readonly captures: string;
  readonly progress: (text: string) => void;
}

const CALLER: IpAddress = "10.1.0.10";
const CALLEE: IpAddress = "10.3.0.10";
const MEDIA_PORT = 6000;
/** After BYE: how long kernel and clearinghouse may take. */
const SETTLE_MS = 5000;

export async function runDemo(options: DemoOptions): Promise<Evidence> {
  const { lab, seconds, progress } = options;
  progress("flooding the bottleneck at three times its rate, both ways");
  const congestion: FloodControl = await startFlood(lab);
  try {
    progress(`best-effort call to carol (${seconds} s)`);
    const bestEffort = await capturedCall(options, "best-effort", "carol", async () => undefined);
    progress(`assured call to bob (${seconds} s), and a third call while it lasts`);
    const assured = await capturedCall(options, "assured", "bob", () => duringCall(lab));
    const left = await kernelLeft(lab);
    const usage = await usageOf(lab, assured.outcome.session);
    await congestion.stop();
    progress("reading the captures");
    return await evidence({ bestEffort, assured, left, usage });
  } finally {
    await congestion.stop();
  }
}

interface CapturedCall<During> {
  readonly outcome: CallOutcome;
  readonly captures: readonly HostCapture[];
  readonly media: CallMedia;
  readonly during: During;
}

async function capturedCall<During>(
  { lab, seconds, captures: directory }: DemoOptions,
  name: string,
  callee: string,
  during: () => Promise<During>,
): Promise<CapturedCall<During>> {
  const own = join(directory, name);
  await mkdir(own, { recursive: true });
  const running: RunningCaptures = await startCaptures(lab, own);
  try {
    const [outcome, seen] = await Promise.all([lab.call(["--to", callee, "--seconds", String(seconds)]), during()]);
    // The last words of the teardown follow the 200 that ended the call for the caller.
    await sleep(1000);
    const captures = await running.stop();
    return { outcome, captures, during: seen, media: await callMedia(captures) };
  } finally {
    await running.stop();
  }
}

async function callMedia(captures: readonly HostCapture[]): Promise<CallMedia> {
  const [caller, callee] = (["UAC", "UAS"] as const).map((host) => pathOf(captures, host));
  const direction = async (source: IpAddress, destination: IpAddress, from: string, to: string) => {
    const key = { source, destination, destinationPort: MEDIA_PORT };
    return measureStream(await readStream(from, key), await readStream(to, key));
  };
  return {
    toCallee: await direction(CALLER, CALLEE, caller ?? "", callee ?? ""),
    toCaller: await direction(CALLEE, CALLER, callee ?? "", caller ?? ""),
  };
}

const pathOf = (captures: readonly HostCapture[], wanted: string): string =>
  captures.find(({ host }) => host === wanted)?.path ?? "";

interface DuringCall {
  readonly installed: Evidence["installed"];
  readonly refused: CallOutcome;
  readonly explanation: readonly string[];
}

async function duringCall(lab: Lab): Promise<DuringCall> {
  await until(15_000, async () => (await countingFlows(lab, "r1")) >= 2 && (await countingFlows(lab, "r2")) >= 2);
  // A second of media makes a table that is worth reading.
  await sleep(1000);
  const [r1, r2] = await Promise.all([routerSnapshot(lab, "r1"), routerSnapshot(lab, "r2")]);
  const third = ["--to", "bob", "--no-callee", "--sip-port", "5062", "--media-port", "6100"];
  const refused = await lab.call([...third, "--expect", "503", "--patience", "5", "--seconds", "1"]);
  const explained = await lab.ask("pol1", `/v1/explain?session=${refused.session}`).catch(() => []);
  return { installed: { r1, r2 }, refused, explanation: explained.flatMap(explanationLines) };
}

async function countingFlows(lab: Lab, router: string): Promise<number> {
  const flows = (await lab.ask(router, "/v1/show/policies")).map(flowSnapshot);
  return flows.filter(({ inProfile }) => inProfile.packets > 0).length;
}

async function routerSnapshot(lab: Lab, router: string): Promise<RouterSnapshot> {
  const [policies, kernel, nft, json, tc] = await Promise.all([
    lab.ask(router, "/v1/show/policies"),
    lab.ask(router, "/v1/show/kernel"),
    lab.exec(router, ["nft", "list", "table", "inet", "sluice"]),
    lab.exec(router, ["nft", "-j", "list", "table", "inet", "sluice"]),
    lab.exec(router, ["tc", "-s", "class", "show", "dev", "core"]),
  ]);
  return {
    flows: policies.map(flowSnapshot),
    classes: kernel.flatMap(classSnapshot),
    elements: sessionElements(json),
    nft,
    tc,
  };
}

/** Elements of sessions in both kernels, once they have had time to go. */
async function kernelLeft(lab: Lab): Promise<number> {
  const count = async (): Promise<number> => {
    const listed = ["r1", "r2"].map((router) => lab.exec(router, ["nft", "-j", "list", "table", "inet", "sluice"]));
    return (await Promise.all(listed)).reduce((sum, json) => sum + sessionElements(json), 0);
  };
  await until(SETTLE_MS, async () => (await count()) === 0);
  return count();
}

async function usageOf(lab: Lab, session: string): Promise<readonly UsageRecord[]> {
  const records = async (): Promise<readonly UsageRecord[]> =>
    (await lab.ask("ch", "/v1/show/usage")).map(usageRecord).filter((record) => record.session === session);
  await until(SETTLE_MS, async () => (await records()).length >= 2);
  return records();
}

/** Polls until it is so or the time is over; the caller looks for itself which. */
async function until(patience: number, isSo: () => Promise<boolean>): Promise<void> {
  const end = performance.now() + patience;
  while (!(await isSo()) && performance.now() < end) await sleep(200);
}

interface Gathered {
  readonly bestEffort: CapturedCall<undefined>;
  readonly assured: CapturedCall<DuringCall>;
  readonly left: number;
  readonly usage: readonly UsageRecord[];
}

async function evidence({ bestEffort, assured, left, usage }: Gathered): Promise<Evidence> {
  const { refused, installed, explanation } = assured.during;
  const messages = [...(await wireMessages(assured.captures)), ...(await firstMedia(assured.captures))];
  const inOrder = messages.sort((one, other) => one.at - other.at);
  const complaints: string[] = [];
  for (const { host, path } of [...assured.captures, ...bestEffort.captures]) {
    complaints.push(...(await malformed(path)).map((line) => `${host}: ${line}`));
  }
  return {
    steps: sessionSteps(inOrder, assured.outcome.callId),
    status: { bestEffort: bestEffort.outcome.status, assured: assured.outcome.status, refused: refused.status },
    media: { bestEffort: bestEffort.media, assured: assured.media },
    installed,
    left,
    usage,
    refusal: { reason: refused.warning, explanation },
    malformed: complaints,
  };
}

/** Step 29 of the set-up: the first packet of media. */
async function firstMedia(captures: readonly HostCapture[]): Promise<readonly WireMessage[]> {
  const key = { source: CALLER, destination: CALLEE, destinationPort: MEDIA_PORT };
  const [first] = await readStream(pathOf(captures, "UAC"), key);
  return first === undefined ? [] : [{ at: first.at, from: "UAC", to: "UAS", protocol: "RTP", message: "media" }];
}
