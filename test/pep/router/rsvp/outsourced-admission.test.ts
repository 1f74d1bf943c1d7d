import { afterEach, describe, expect, it } from "vitest";
import type { DecisionBody } from "../../../../src/cops/endpoint/pdp-handlers.js";
import { millis } from "../../../../src/model/units.js";
import { settled, until } from "../../../cops/endpoint/support.js";
import { TROUBLE, tsharkFields } from "../../../cops/tshark.js";
import {
  ALLOWED,
  OutsourcedNodes,
  type OutsourcedSettings,
  policyServer,
  type TestServer,
  Wire,
} from "./outsourced-nodes.js";

const open = new Set<{ close(): Promise<void> }>();
afterEach(async () => {
  for (const one of [...open].reverse()) await one.close();
  open.clear();
});

type Server = TestServer & { readonly port: number };

async function server(...args: Parameters<typeof policyServer>): Promise<Server> {
  const running = await policyServer(...args);
  open.add(running);
  return running;
}

async function stop(running: Server): Promise<void> {
  open.delete(running);
  await running.close();
}

/** Nodes with a Path through them. */
async function nodes(settings: OutsourcedSettings, more: { connect?: boolean } = {}): Promise<OutsourcedNodes> {
  const made = new OutsourcedNodes(settings);
  open.add(made);
  await made.start(more);
  made.open();
  await until(() => made.hears("pathArrived"));
  return made;
}

async function reserved(settings: OutsourcedSettings): Promise<OutsourcedNodes> {
  const made = await nodes(settings);
  made.reserve(400_000);
  await until(() => made.hears("confirmed"));
  return made;
}

const refusals = (made: OutsourcedNodes) =>
  made.notices.flatMap((notice) => (notice.what === "refused" ? [[notice.error.code, notice.error.value]] : []));

describe("a reservation that a policy server decides", () => {
  it("is made when it allows it, and committed", async () => {
    const pdp = await server();
    const made = await reserved({ port: pdp.port });
    await until(() => pdp.log.includes("RPT 1 success"));
    expect(pdp.log.filter((each) => each !== "SSC")).toEqual(["REQ 1", "DEC 1 install", "RPT 1 success"]);
    expect(made.control.reserved("toR")).toBe(400_000);
    expect(pdp.link.reservations()).toMatchObject([
      { router: "t", rule: "voice", committed: true, ask: { style: "FF", rate: 400_000, senders: ["10.1.0.1"] } },
    ]);
  });

  it("is refused with the policy error at the receiver, and nothing of it is left", async () => {
    const pdp = await server();
    const made = await nodes({ port: pdp.port });
    made.reserve(600_000);
    await until(() => made.hears("refused"));
    // RFC 2750 appendix A: ERR_EXCEED.
    expect(refusals(made)).toEqual([[2, 4]]);
    await until(() => pdp.log.includes("DRQ 1 8"));
    expect([made.control.reserved("toR"), made.classes, made.admission.held.all]).toEqual([0, [], 0]);
    expect(pdp.link.decisions()).toMatchObject([
      { admitted: false, rule: "voice", text: "rule voice has 500 kbit/s left, 600 kbit/s are asked for" },
    ]);
  });

  it("that no rule is for is refused as such", async () => {
    const pdp = await server([{ ...ALLOWED, from: "10.9.0.0/24" }]);
    const made = await nodes({ port: pdp.port });
    made.reserve(100_000);
    await until(() => made.hears("refused"));
    expect(refusals(made)).toEqual([[2, 3]]);
  });

  it("is not asked about when there is no room for it", async () => {
    const pdp = await server();
    const made = await nodes({ port: pdp.port, room: 300_000 });
    made.reserve(400_000);
    await until(() => made.hears("refused"));
    expect(refusals(made)).toEqual([[1, 2]]);
    expect(pdp.log.filter((each) => each !== "SSC")).toEqual([]);
  });

  it("grows and shrinks on its handle, and a refused growth leaves it as it was", async () => {
    const pdp = await server();
    const made = await reserved({ port: pdp.port });
    made.reserve(480_000);
    await until(() => pdp.log.filter((each) => each === "RPT 1 success").length === 2);
    expect(made.control.reserved("toR")).toBe(480_000);
    made.reserve(800_000);
    await until(() => made.hears("refused"));
    // Told what is in force again: RFC 2749 §3.3.
    await until(() => pdp.log.filter((each) => each === "RPT 1 success").length === 3);
    expect(pdp.log.filter((each) => each !== "SSC").slice(6)).toEqual([
      "REQ 1",
      "DEC 1 remove",
      "REQ 1 held",
      "DEC 1 install",
      "RPT 1 success",
    ]);
    expect(made.control.reserved("toR")).toBe(480_000);
    expect(pdp.link.reservations()).toMatchObject([{ ask: { rate: 480_000 } }]);
    made.reserve(80_000);
    await until(() => pdp.link.reservations()[0]?.ask.rate === 80_000);
    expect(made.control.reserved("toR")).toBe(80_000);
  });

  it("is taken away unasked, with the policy error at the receiver, and stays refused", async () => {
    const pdp = await server();
    const made = await reserved({ port: pdp.port });
    pdp.link.withdraw(() => true, millis(60_000));
    await until(() => made.hears("refused"));
    // ERR_PREEMPT.
    expect(refusals(made)).toEqual([[2, 5]]);
    await until(() => pdp.log.includes("DRQ 1 8"));
    expect(made.control.reserved("toR")).toBe(0);
    expect(made.classes.at(-1)).toMatch(/ gone$/);
    made.forgetNotices();
    made.release();
    made.reserve(100_000);
    await until(() => made.hears("refused"));
    expect(refusals(made)).toEqual([[2, 5]]);
  });

  it("that ends is deleted at the policy server", async () => {
    const pdp = await server();
    const made = await reserved({ port: pdp.port });
    made.release();
    await until(() => pdp.log.includes("DRQ 1 4"));
    expect([pdp.link.reservations(), made.control.reserved("toR"), made.admission.held.all]).toEqual([[], 0, 0]);
  });

  it("of a shared style is asked about without the outgoing message", async () => {
    const contexts: unknown[] = [];
    const pdp = await server([ALLOWED], {
      over: (handlers) => ({
        ...handlers,
        request: (peer, req) => {
          contexts.push(req.context);
          return handlers.request(peer, req);
        },
      }),
    });
    const made = await nodes({ port: pdp.port });
    made.reserve(100_000, "SE");
    await until(() => made.hears("confirmed"));
    expect(contexts).toEqual([{ rType: 3, mType: 2 }]);
  });
});

describe("messages on the wire", () => {
  it("are read by tshark as they were meant, without a complaint", async () => {
    const pdp = await server();
    const wire = await Wire.to(pdp.port);
    open.add(wire);
    const made = await reserved({ port: wire.port });
    made.reserve(800_000);
    await until(() => pdp.log.filter((each) => each === "RPT 1 success").length === 2);
    pdp.link.withdraw(() => true, millis(1000));
    await until(() => pdp.log.includes("DRQ 1 8"));
    const fields = ["cops.op_code", "cops.client_type", "cops.context.r_type", "cops.context.m_type", "cops.handle"];
    const more = ["cops.decision.cmd", "cops.decision.flags", "cops.report_type", "cops.reason"];
    const seen = await tsharkFields(wire.messages, [...fields, ...more, "cops.flags"]);
    for (const each of seen) expect(TROUBLE.filter((field) => field in each)).toEqual([]);
    const ours = seen.filter((each) => each["cops.client_type"] === "1");
    const words = ours.map((each) => [...fields, ...more].map((field) => each[field] ?? "-").join(" "));
    expect(words.filter((each) => /^[1-4] /.test(each))).toEqual([
      "1 1 0x0007 0x0002 0x00000001 - - - -",
      "2 1 0x0007 0x0002 0x00000001 1 0x0000 - -",
      "3 1 - - 0x00000001 - - 1 -",
      "1 1 0x0007 0x0002 0x00000001 - - - -",
      "2 1 0x0007 0x0002 0x00000001 2 0x0001 - -",
      "1 1 0x0007,0x0007 0x0002,0x0002 0x00000001 1 0x0000 - -",
      "2 1 0x0007 0x0002 0x00000001 1 0x0000 - -",
      "3 1 - - 0x00000001 - - 1 -",
      "2 1 0x0002 0x0002 0x00000001 2 0x0001 - -",
      "4 1 - - 0x00000001 - - - 8",
    ]);
  });
});

describe("without a policy server", () => {
  it("a new reservation waits for one that is only starting", async () => {
    const made = await nodes({ port: 1, patience: 5000 }, { connect: false });
    made.reserve(400_000);
    await settled();
    expect(made.notices.map(({ what }) => what)).toEqual(["pathArrived"]);
    await made.close();
    open.delete(made);

    const pdp = await server();
    const again = await nodes({ port: pdp.port, patience: 5000 }, { connect: false });
    again.reserve(400_000);
    await settled();
    again.client.start();
    await until(() => again.hears("confirmed"));
  });

  it.each([
    ["keep", false],
    ["reject", false],
    ["accept", true],
  ] as const)("with onLoss %s a new one is admitted: %s", async (onLoss, admitted) => {
    const made = await nodes({ port: 1, onLoss, patience: 50 });
    made.reserve(400_000);
    await until(() => made.hears(admitted ? "confirmed" : "refused"));
    // ERR_PDP.
    expect(refusals(made)).toEqual(admitted ? [] : [[2, 9]]);
    expect(made.control.reserved("toR")).toBe(admitted ? 400_000 : 0);
  });

  it.each(["keep", "accept"] as const)(
    "with onLoss %s what was admitted stays, and the server hears of it when it is back",
    async (onLoss) => {
      const pdp = await server();
      const made = await reserved({ port: pdp.port, onLoss, hold: 50 });
      await stop(pdp);
      await until(() => !made.admission.connected);
      await new Promise((resolve) => setTimeout(resolve, 200));
      expect(made.control.reserved("toR")).toBe(400_000);
      const back = await server([ALLOWED], { port: pdp.port });
      await until(() => back.log.includes("SSC") && back.log.includes("RPT 2 success"));
      expect(back.log).toContain("REQ 2 held");
      expect(back.link.reservations()).toMatchObject([{ committed: true, ask: { rate: 400_000 } }]);
      expect(refusals(made)).toEqual([]);
    },
  );

  it("a connection that is cut without a word, again and again, loses nothing", async () => {
    const pdp = await server();
    const wire = await Wire.to(pdp.port);
    open.add(wire);
    const made = await reserved({ port: wire.port });
    for (let turn = 2; turn < 6; turn += 1) {
      wire.cut();
      await until(() => pdp.log.includes(`RPT ${turn} success`));
    }
    expect(refusals(made)).toEqual([]);
    expect(made.classes).toHaveLength(1);
    expect(pdp.link.reservations()).toMatchObject([{ committed: true, ask: { rate: 400_000 } }]);
  });

  it("with onLoss reject what was admitted is taken back when its time is over", async () => {
    const pdp = await server();
    const made = await reserved({ port: pdp.port, onLoss: "reject", hold: 200 });
    await stop(pdp);
    await until(() => made.hears("refused"));
    expect(refusals(made)).toEqual([[2, 9]]);
    expect(made.control.reserved("toR")).toBe(0);
  });

  it("what was admitted by the room alone is taken back by a server that does not allow it", async () => {
    const pdp = await server();
    await stop(pdp);
    const made = await nodes({ port: pdp.port, onLoss: "accept", patience: 50 });
    made.reserve(600_000);
    await until(() => made.hears("confirmed"));
    await server([ALLOWED], { port: pdp.port });
    await until(() => made.hears("refused"));
    expect(refusals(made)).toEqual([[2, 4]]);
    expect(made.control.reserved("toR")).toBe(0);
  });

  it("a server that does not decide in time is not waited for, and asked again on another handle", async () => {
    let silent = true;
    let decideLate: (body: DecisionBody) => void = () => undefined;
    const late = new Promise<DecisionBody>((resolve) => {
      decideLate = resolve;
    });
    const pdp = await server([ALLOWED], {
      over: (handlers) => ({
        ...handlers,
        request: (peer, req) => (silent ? late : handlers.request(peer, req)),
      }),
    });
    // Long enough for the second question to be answered in time on a busy machine.
    const made = await nodes({ port: pdp.port, requestTimeout: 1000 });
    made.reserve(400_000);
    await until(() => made.hears("refused"));
    expect(refusals(made)).toEqual([[2, 9]]);
    silent = false;
    decideLate({ decisions: [] });
    await until(() => pdp.log.includes("DRQ 1 5"));
    made.release();
    made.reserve(300_000);
    await until(() => made.hears("confirmed"));
    expect(pdp.log).toContain("REQ 2");
  });

  it("a server that cannot decide is as one that is not there", async () => {
    const pdp = await server([ALLOWED], {
      over: (handlers) => ({
        ...handlers,
        request: () => Promise.resolve({ decisions: [], error: { code: 4, subCode: 0 } }),
      }),
    });
    const made = await nodes({ port: pdp.port, onLoss: "accept" });
    made.reserve(400_000);
    await until(() => made.hears("confirmed"));
    expect(made.admission.held).toEqual({ all: 1, undecided: 1 });
    expect(pdp.log).toContain("DRQ 1 1");
  });
});

describe("a policy server", () => {
  it("turns away a router that it does not know", async () => {
    const pdp = await server();
    const made = new OutsourcedNodes({ port: pdp.port });
    open.add(made);
    await made.start();
    await until(() => made.admission.connected);
    expect(pdp.link.peers().map(({ pepId }) => pepId)).toEqual(["t"]);
    expect(pdp.link.open({ pepId: "x" } as never)).toEqual({ accept: false, error: { code: 14, subCode: 0 } });
  });

  it("admits no more reservations than it may keep track of", async () => {
    const pdp = await server([ALLOWED], { maxReservations: 0 });
    const made = await nodes({ port: pdp.port });
    made.reserve(100_000);
    await until(() => made.hears("refused"));
    expect(pdp.link.decisions()).toMatchObject([{ text: "0 reservations are the most" }]);
  });

  it("forgets what a router does not mention when it synchronises", async () => {
    const pdp = await server();
    const made = await reserved({ port: pdp.port });
    await made.client.close();
    await until(() => pdp.link.peers().length === 0);
    made.release();
    await until(() => made.admission.held.all === 0);
    expect(pdp.link.reservations()).toHaveLength(1);
    made.client.start();
    await until(() => pdp.link.reservations().length === 0);
  });
});
