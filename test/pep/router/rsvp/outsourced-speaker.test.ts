import { afterEach, describe, expect, it } from "vitest";
import { DEFAULT_COPS_LIMITS } from "../../../../src/cops/endpoint/limits.js";
import { PepClient } from "../../../../src/cops/endpoint/pep-client.js";
import { CLIENT_TYPE_RSVP } from "../../../../src/cops/rsvp/codes.js";
import { SYSTEM_CLOCK } from "../../../../src/model/clock.js";
import { SILENT_LOGGER } from "../../../../src/model/log.js";
import { bitsPerSecond, dscp, millis } from "../../../../src/model/units.js";
import { OutsourcedAdmission } from "../../../../src/pep/router/rsvp/outsourced-admission.js";
import { policyServer, type TestServer } from "./outsourced-nodes.js";
import { EDGE, REFRESH, ThreeNodes, wanted } from "./three-nodes.js";

const net = new ThreeNodes();
const rule = { name: "ef", from: `${EDGE.r1}/32`, to: `${EDGE.r2}/32`, dscp: dscp(46), rate: bitsPerSecond(500_000) };
let closing: (() => Promise<void>)[] = [];
afterEach(async () => {
  await net.close();
  for (const close of closing) await close();
  closing = [];
});

function outsource(server: TestServer & { readonly port: number }): OutsourcedAdmission {
  const admission = new OutsourcedAdmission({
    onLoss: "keep",
    hold: millis(1000),
    patience: millis(5000),
    maxReservations: 100,
    maxUnderWay: 4,
    clock: SYSTEM_CLOCK,
    log: SILENT_LOGGER,
  });
  const client = new PepClient(
    {
      servers: [{ address: "127.0.0.1", port: server.port }],
      pepId: "t",
      clientType: CLIENT_TYPE_RSVP,
      clock: SYSTEM_CLOCK,
      log: SILENT_LOGGER,
      limits: DEFAULT_COPS_LIMITS,
      requestTimeout: millis(2000),
      reconnect: { min: millis(20), max: millis(50) },
    },
    admission,
  );
  admission.start(client);
  client.start();
  closing.push(async () => {
    admission.close();
    await client.close();
    await server.close();
  });
  return admission;
}

/** The network's time goes on while COPS has the time that it takes. */
async function until(condition: () => boolean): Promise<void> {
  for (let turn = 0; turn < 400 && !condition(); turn += 1) {
    await net.clock.pass(10);
    await new Promise((resolve) => setTimeout(resolve, 5));
  }
  expect(condition()).toBe(true);
}

describe("an aggregate through a transit router that asks a policy server", () => {
  it("is made, refused more than the rule has, and taken away", async () => {
    const server = await policyServer([rule]);
    const r1 = await net.start("r1");
    await net.start("r2");
    const t = await net.start("t", 1e6, { outsourced: outsource(server) });
    r1.speaker.set([wanted(400_000)]);
    await until(() => r1.speaker.states()[0]?.outgoing === 400_000);
    expect(t.speaker.control.reserved("r2")).toBe(400_000);
    r1.speaker.set([wanted(600_000)]);
    await until(() => server.log.includes("DEC 1 remove"));
    await net.clock.pass(4000);
    expect(r1.speaker.states()).toMatchObject([{ outgoing: 400_000 }]);
    server.link.withdraw(() => true, millis(600_000));
    await until(() => t.speaker.control.reserved("r2") === 0);
    await net.clock.pass(2 * REFRESH);
    expect(r1.speaker.states()).toMatchObject([{ outgoing: 0 }]);
  });
});
