import { describe, expect, it } from "vitest";
import { SILENT_LOGGER } from "../../../src/model/log.js";
import { octets } from "../../../src/model/units.js";
import { DEFAULT_RSVP_LIMITS } from "../../../src/rsvp/endpoint/limits.js";
import { MemoryNetwork } from "../../../src/rsvp/endpoint/memory-network.js";
import { NodeDriver, type OutsideAction } from "../../../src/rsvp/endpoint/node-driver.js";
import { RsvpNode } from "../../../src/rsvp/machine/node.js";
import { DEFAULT_RULES } from "../../../src/rsvp/machine/rules.js";
import type { Route } from "../../../src/rsvp/machine/state.js";
import { DEFAULT_RELIABILITY } from "../../../src/rsvp/reliability/rules.js";
import { KeyTable } from "../../../src/rsvp/security/key-table.js";
import { rsvpKey } from "../../../src/rsvp/security/keys.js";
import { FakeClock } from "../../support/fake-clock.js";
import { session, tspec } from "./messages.js";
import { A, B } from "./pair.js";

interface Node {
  readonly driver: NodeDriver;
  readonly outside: OutsideAction[];
}

async function open(network: MemoryNetwork, clock: FakeClock, name: "a" | "b", route: Route): Promise<Node> {
  const outside: OutsideAction[] = [];
  const [own, iface] = [name === "a" ? A : B, `${name}0`];
  const keys = [rsvpKey(1, Buffer.from("secret"))];
  const driver: NodeDriver = await NodeDriver.open({
    node: new RsvpNode(DEFAULT_RULES),
    clock,
    log: SILENT_LOGGER,
    random: () => 0.5,
    outside: (action) => {
      outside.push(action);
      if (action.do === "resolve") driver.tell({ type: "routeChanged", destination: action.destination, route });
      if (action.do === "reserve") {
        driver.tell({ type: "admission", ref: action.ref, id: action.id, verdict: { admit: true } });
      }
    },
    endpoint: {
      keys: new KeyTable([{ interface: iface, keys, handshake: "required", window: 1 }]),
      reliability: DEFAULT_RELIABILITY,
      isOwn: (address) => address === own,
      interfaceTo: () => iface,
      epoch: 9,
      tos: 0xc0,
      transport: (handlers) => Promise.resolve(network.open(name, { handlers, limits: DEFAULT_RSVP_LIMITS })),
    },
  });
  await driver.endpoint?.transport?.attach(iface);
  driver.tell({ type: "interface", interface: { name: iface, addresses: [own], lih: 3, mtu: octets(1500) } });
  return { driver, outside };
}

describe("a driven node", () => {
  it("makes an aggregate reservation with its neighbour, keeps it for ten minutes by summaries, and ends it", async () => {
    const clock = new FakeClock(1_700_000_000_000);
    const network = new MemoryNetwork(clock, () => [2]);
    network.link({ node: "a", interface: "a0", address: A }, { node: "b", interface: "b0", address: B });
    const a = await open(network, clock, "a", { kind: "interface", name: "a0" });
    const b = await open(network, clock, "b", { kind: "local" });
    const SESSION = session(B);
    const template = { address: A };

    a.driver.tell({ type: "open", session: SESSION, sender: { template, tspec: tspec() } });
    await clock.pass(3000);
    expect(b.outside.filter((action) => action.do === "notify").map(({ notice }) => notice.what)).toEqual([
      "pathArrived",
    ]);
    const flowspec = { kind: "controlledLoad", tspec: tspec() } as const;
    b.driver.tell({
      type: "reserve",
      session: SESSION,
      flows: { style: "SE", flowspec, filters: [template] },
      confirm: B,
    });
    await clock.pass(5000);
    const confirmed = b.outside.filter((action) => action.do === "notify" && action.notice.what === "confirmed");
    expect(confirmed).toHaveLength(1);
    expect(a.outside.filter((action) => action.do === "reserve")).toHaveLength(1);

    for (let turn = 0; turn < 600; turn += 1) await clock.pass(1000);
    expect(a.outside.some((action) => action.do === "release")).toBe(false);
    expect(a.driver.endpoint?.counters.get("summaries")).toBeGreaterThan(10);
    expect(b.driver.endpoint?.counters.get("summaries")).toBeGreaterThan(10);

    a.driver.tell({ type: "close", session: SESSION, template });
    await clock.pass(1000);
    expect(a.outside.filter((action) => action.do === "release")).toHaveLength(1);
    await a.driver.close();
    await b.driver.close();
    expect(clock.pending).toBe(0);
  });
});
