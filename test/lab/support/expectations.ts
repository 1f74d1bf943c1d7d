/** What has to hold when a call is over. */
import { expect } from "vitest";
import type { UsageView } from "../../../src/control/views.js";
import type { CallOutcome } from "../../../src/lab/lab.js";
import type { RtpPacket } from "../../../src/lab/media.js";
import type { StreamPackets } from "./pcaps.js";
import type { RunningCall, TestLab } from "./test-lab.js";
import { untilNothing } from "./until.js";

const EF = 46;

export const octetsOf = (packets: readonly RtpPacket[]): number => packets.reduce((sum, { octets }) => sum + octets, 0);

/** Nothing of any session is left on any host. */
export const expectNothingLeft = (lab: TestLab): Promise<void> =>
  untilNothing("something is left", () => lab.leftovers());

/** Exactly one source and one destination record; waits for them. */
export async function expectUsage(
  lab: TestLab,
  session: string,
  sides = ["destination", "source"],
): Promise<readonly UsageView[]> {
  let records: readonly UsageView[] = [];
  await untilNothing(`usage of session ${session}`, async () => {
    records = await lab.usage(session);
    const found = records.map(({ side }) => side).sort();
    return String(found) === String(sides) ? [] : [`wanted records of ${sides}; the clearinghouse has ${found}`];
  });
  return records;
}

/** As the caller's side counts: `up` left the caller's network. The callee's policy server counts the other way round. */
export function expectOctets(records: readonly UsageView[], octets: { toCallee: number; toCaller: number }): void {
  for (const { side, up, down } of records) {
    const [toCallee, toCaller] = side === "source" ? [up, down] : [down, up];
    expect(
      { side, toCallee: toCallee?.inProfile.octets, toCaller: toCaller?.inProfile.octets },
      "octets in profile against octets in the capture at the receiver",
    ).toEqual({ side, ...octets });
    expect([side, up?.outOfProfile.packets, down?.outOfProfile.packets], "packets out of profile").toEqual([
      side,
      0,
      0,
    ]);
  }
}

/** Every packet that was sent arrived, and arrived marked EF. */
export function expectAssured(direction: string, { sent, received }: StreamPackets): void {
  expect(received.length, `${direction}: packets received of ${sent.length}`).toBe(sent.length);
  expect(sent.length, `${direction}: packets sent`).toBeGreaterThan(0);
  const unmarked = received.filter(({ dscp }) => dscp !== EF).map(({ sequence, dscp }) => `${sequence}: ${dscp}`);
  expect(unmarked, `${direction}: packets that arrived without EF (sequence: DSCP)`).toEqual([]);
}

/** The whole of it: an answered, assured call that left nothing behind and was counted to the octet. */
export async function expectSettled(lab: TestLab, { began, outcome }: RunningCall): Promise<CallOutcome> {
  const call = await outcome;
  expect(call, "outcome of the call").toMatchObject({ ok: true, status: 200 });
  await expectNothingLeft(lab);
  const records = await expectUsage(lab, call.session);
  const [toCallee, toCaller] = await Promise.all([lab.captures.media("uas", began), lab.captures.media("uac", began)]);
  expectAssured("to the callee", toCallee);
  expectAssured("to the caller", toCaller);
  expectOctets(records, { toCallee: octetsOf(toCallee.received), toCaller: octetsOf(toCaller.received) });
  return call;
}

/** The captures of the whole file: messages of every protocol are in them, and tshark finds none malformed. To be the last test. */
export async function expectWellFormed(lab: TestLab): Promise<void> {
  await expectNothingLeft(lab);
  await lab.captures.stop();
  for (const [host, protocol] of [
    ["sip1", "sip"],
    ["sip1", "cops"],
    ["pol1", "cops"],
    ["ch", "http"],
  ] as const) {
    expect(await lab.captures.count(host, protocol), `${protocol} messages in the capture of ${host}`).toBeGreaterThan(
      0,
    );
  }
  expect(await lab.captures.malformed(), "malformed messages").toEqual([]);
}
