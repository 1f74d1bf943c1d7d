import { describe, expect, it } from "vitest";
import { pdpActions } from "../../src/daemon/pdp-actions.js";
import { parseSessionId } from "../../src/model/session.js";
import { type BitsPerSecond, kilobitsPerSecond } from "../../src/model/units.js";
import type { SessionRecord } from "../../src/pdp/session-record.js";

const session = parseSessionId("00112233445566ff")!;

function resize(query: Readonly<Record<string, string>>) {
  const calls: string[] = [];
  const answer = (what: string) => (pool: string, rate: BitsPerSecond) => {
    calls.push(`${what} ${pool} ${rate}`);
    const held = { up: kilobitsPerSecond(90), down: kilobitsPerSecond(80) };
    return pool === "voice" ? { held, room: kilobitsPerSecond(20), shed: [session] } : undefined;
  };
  const actions = pdpActions({
    config: { classes: [] },
    service: { get: () => undefined, endByServer: async () => undefined },
    store: { ofCallId: () => [] },
    keeper: { planResize: answer("plan"), resize: answer("resize") },
  });
  const action = actions["pools/resize"];
  if (action === undefined) throw new Error("there is no such action");
  return { calls, done: action(query) };
}

describe("resizing a pool of a policy server", () => {
  it("does it, or only says what it would do", async () => {
    const { calls, done } = resize({ pool: "voice", rate: "50000" });
    expect(await done).toEqual({
      pool: "voice",
      rate: 50_000,
      room: 20_000,
      heldUp: 90_000,
      heldDown: 80_000,
      shed: [{ session, treatment: "bestEffort" }],
      dryRun: false,
    });
    expect(calls).toEqual(["resize voice 50000"]);
    const dry = resize({ pool: "voice", rate: "50000", dryRun: "1" });
    expect(await dry.done).toMatchObject({ dryRun: true });
    expect(dry.calls).toEqual(["plan voice 50000"]);
  });

  it("knows nothing of a pool that is not sized here", async () => {
    expect(await resize({ pool: "link", rate: "50000" }).done).toBeUndefined();
  });

  it.each(["", "0", "999", "-5000", "1e6", "170 kbit/s", "1000000000001"])("takes %j for no rate", async (rate) => {
    const { calls, done } = resize({ pool: "voice", rate });
    await expect(done).rejects.toMatchObject({ code: "CONTROL_QUERY" });
    expect(calls).toEqual([]);
  });
});

describe("ending a session because a party left", () => {
  const [other, mine] = [parseSessionId("1".repeat(16))!, parseSessionId("2".repeat(16))!];

  async function end(query: Readonly<Record<string, string>>) {
    const ended: string[] = [];
    const records = [other, mine].map((id) => ({ id }) as SessionRecord);
    const actions = pdpActions({
      config: { classes: [] },
      service: { get: () => undefined, endByServer: async (id, cause) => void ended.push(`${id} ${cause}`) },
      store: { ofCallId: (callId) => (callId === "c" ? records : []) },
      keeper: { planResize: () => undefined, resize: () => undefined },
    });
    return { answer: await actions["sessions/end"]?.(query), ended };
  }

  it("ends the newest of the call, or the one that is named, if it is of that call", async () => {
    expect(await end({ callId: "c", cause: "left" })).toEqual({ answer: { session: other }, ended: [`${other} left`] });
    const named = await end({ callId: "c", session: mine, cause: "left" });
    expect(named).toEqual({ answer: { session: mine }, ended: [`${mine} left`] });
    expect(await end({ callId: "d", session: mine, cause: "left" })).toEqual({ answer: undefined, ended: [] });
    await expect(end({ callId: "c", cause: "anger" })).rejects.toMatchObject({ code: "CONTROL_QUERY" });
  });
});
