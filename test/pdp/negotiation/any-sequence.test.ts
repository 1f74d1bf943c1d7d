import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { millis } from "../../../src/model/units.js";
import { audio, CALLEE, CALLER, SESSION, Side, sdp } from "./two-servers.js";

/** What both descriptions of an exchange say. */
const description = fc.record({
  name: fc.constantFrom("talk", "fps", "rts", "film", "chess", undefined),
  least: fc.integer({ min: 8, max: 200 }),
  more: fc.integer({ min: 0, max: 300 }),
  latency: fc.constantFrom(undefined, 10, 200),
  direction: fc.constantFrom("sendrecv", "inactive"),
  isSecondRejected: fc.boolean(),
});
type Said = typeof description extends fc.Arbitrary<infer T> ? T : never;

const event = fc.record({
  kind: fc.constantFrom(
    "set up",
    "ring",
    "change",
    "change",
    "refuse",
    "shed",
    "end",
    "bye",
    "path",
    "routerFails",
    "routerFails",
  ),
  said: description,
});

function write(address: string, { name, least, more, latency, direction, isSecondRejected }: Said): string {
  const quality = latency === undefined ? "" : `;latency=${latency}`;
  const lines = [
    ...(name === undefined ? [] : [`sluice-class:${name}`]),
    `sluice-need:sendrecv rate=${least + more}-${least}${quality}`,
    direction,
  ];
  const second = audio(1, ...lines.slice(0, -2));
  return sdp(
    address,
    audio(0, ...lines),
    isSecondRejected ? second.map((line) => line.replace(/^m=audio \d+/, "m=audio 0")) : second,
  );
}

describe("a negotiated session, over any sequence of offers, answers, refusals and failures", () => {
  it("never holds more than the pools have, never grants less than was acceptable, and leaves nothing behind", async () => {
    await fc.assert(
      fc.asyncProperty(fc.array(event, { maxLength: 14 }), async (events) => {
        const side = new Side("originating", { voice: 250, game: 300 });
        const run = async (kind: string, said: Said): Promise<void> => {
          const known = side.service.get(SESSION);
          const isLive = known !== undefined && !["closed", "refused"].includes(known.state);
          if (kind === "set up" && !isLive) {
            if ((await side.invite(write(CALLER, said))).admitted) await agree(said);
          }
          if (kind === "ring" && !isLive && (await side.invite(write(CALLER, said))).admitted) {
            await side.answer("", "SIP/2.0 180 Ringing");
          }
          if (kind === "path") side.paths.set("voice", { latency: millis(100), jitter: millis(1), loss: 0 });
          if (kind === "routerFails") side.router.failNext = { admitted: false, reason: "routerFailed", text: "EBUSY" };
          if (!isLive) return;
          if (kind === "change" && (await side.reoffer(write(CALLER, said))).admitted) await agree(said);
          if (kind === "refuse" && (await side.reoffer(write(CALLER, said))).admitted) {
            const { flows, needs, grants } = side.record;
            const answered = side.record.answered !== undefined;
            const refusal = await side.answer(write(CALLEE, { ...said, name: "lies" as "talk" }));
            if (said.name !== undefined) expect(refusal.admitted).toBe(false);
            if (answered && !refusal.admitted) expect(side.record).toMatchObject({ flows, needs, grants });
          }
          if (kind === "shed") await side.service.shed(SESSION, "voice");
          if (kind === "end") await side.service.endByServer(SESSION, "idle");
          if (kind === "bye") await side.service.release(SESSION, "bye");
        };
        const agree = async (said: Said): Promise<void> => {
          if (!(await side.answer(write(CALLEE, said))).admitted) return;
          for (const { result, toCaller, toCallee } of side.record.grants ?? []) {
            if (result === "bestEffort") continue;
            expect(Math.min(toCaller, toCallee)).toBeGreaterThanOrEqual(Math.min(said.least, 80) * 1000);
          }
        };
        for (const { kind, said } of events) {
          await run(kind, said);
          // A removal that fails has the router say again what it holds (`RouterLink`).
          if (kind !== "routerFails") side.router.resync();
          for (const { rate, usedUp, usedDown } of side.ledger.view()) {
            expect(Math.max(usedUp, usedDown)).toBeLessThanOrEqual(rate);
          }
          const { flows = [], needs = [] } = side.service.get(SESSION) ?? {};
          if (side.service.live().length > 0) {
            expect(side.ledger.held(SESSION)).toEqual(needs);
            expect([...side.router.installed].sort()).toEqual(flows.map(({ instance }) => instance).sort());
          }
        }
        side.router.failNext = undefined;
        await side.service.release(SESSION, "bye");
        side.router.resync();
        expect([side.service.live(), side.isIdle]).toEqual([[], true]);
        const closed = side.settled.flatMap(({ flows, past }) => [...flows, ...past]);
        expect(closed.every(({ final }) => final !== undefined)).toBe(true);
        side.close();
      }),
      { numRuns: 60 },
    );
  });
});
