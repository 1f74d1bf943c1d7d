import { describe, expect, it } from "vitest";
import { SystemError } from "../../../../src/model/errors.js";
import { SILENT_LOGGER } from "../../../../src/model/log.js";
import { millis, octets } from "../../../../src/model/units.js";
import type { LocalInterface } from "../../../../src/pep/router/rsvp/network-view.js";
import { NetworkWatch } from "../../../../src/pep/router/rsvp/network-watch.js";
import type { NodeEvent } from "../../../../src/rsvp/machine/events.js";
import type { Route } from "../../../../src/rsvp/machine/state.js";
import { FakeClock } from "../../../support/fake-clock.js";

const CORE: LocalInterface = { name: "core", index: 2, mtu: octets(1500), addresses: ["10.2.0.1"] };
const ACCESS: LocalInterface = { name: "access", index: 3, mtu: octets(1500), addresses: ["10.1.0.1", "fd01::1"] };
const UP = { type: "interface", interface: { name: "core", addresses: ["10.2.0.1"], lih: 2, mtu: 1500 } };
const TO = "10.3.0.1";
const VIA_CORE: Route = { kind: "interface", name: "core" };

class Bench {
  readonly clock = new FakeClock();
  readonly events: NodeEvent[] = [];
  readonly attached: string[] = [];
  interfaces: LocalInterface[] = [CORE, ACCESS];
  routes = new Map<string, Route>([[TO, VIA_CORE]]);
  failing = false;
  refusing = false;
  readonly watch = new NetworkWatch({
    view: {
      interfaces: () =>
        this.failing ? Promise.reject(new SystemError("RSVP_NETWORK", "no ip")) : Promise.resolve(this.interfaces),
      routes: () => Promise.resolve(this.routes),
    },
    names: new Set(["core"]),
    interval: millis(1000),
    clock: this.clock,
    log: SILENT_LOGGER,
    tell: (event) => this.events.push(event),
  });

  start(): Promise<void> {
    return this.watch.start({
      attach: (name) => {
        if (this.refusing) return Promise.reject(new SystemError("RSVP_NO_ADDRESS", "not yet"));
        this.attached.push(`attach ${name}`);
        return Promise.resolve();
      },
      detach: (name) => Promise.resolve(void this.attached.push(`detach ${name}`)),
    });
  }

  take(): NodeEvent[] {
    return this.events.splice(0);
  }
}

describe("interfaces and routes of the machine", () => {
  it("are told once, and only those that RSVP is spoken on; all addresses are own", async () => {
    const bench = new Bench();
    await bench.start();
    await bench.clock.pass(5000);
    expect(bench.take()).toEqual([UP]);
    expect(bench.attached).toEqual(["attach core"]);
    expect(["10.1.0.1", "fd01::1", "10.2.0.1", TO].map((each) => bench.watch.isOwn(each))).toEqual([
      true,
      true,
      true,
      false,
    ]);
    await bench.watch.close();
    expect(bench.clock.pending).toBe(0);
  });

  it("are told again when an interface goes, comes back as another device, or has another address", async () => {
    const bench = new Bench();
    await bench.start();
    bench.take();
    bench.interfaces = [ACCESS];
    await bench.clock.pass(1000);
    expect(bench.take()).toEqual([{ type: "interfaceLost", name: "core" }]);
    bench.interfaces = [CORE];
    await bench.clock.pass(1000);
    expect(bench.take()).toEqual([UP]);
    bench.interfaces = [{ ...CORE, index: 7 }];
    await bench.clock.pass(1000);
    expect(bench.take().map(({ type }) => type)).toEqual(["interfaceLost", "interface"]);
    bench.interfaces = [{ ...CORE, index: 7, addresses: ["10.2.0.9"] }];
    await bench.clock.pass(1000);
    expect(bench.take()).toMatchObject([{ type: "interface", interface: { lih: 7, addresses: ["10.2.0.9"] } }]);
    expect(bench.attached).toEqual(
      ["attach", "detach", "attach", "detach", "attach", "attach"].map((verb) => `${verb} core`),
    );
    await bench.watch.close();
  });

  it("answer where a destination is, and each change until it is forgotten", async () => {
    const bench = new Bench();
    await bench.start();
    bench.take();
    bench.watch.resolve(TO);
    await bench.clock.pass(10);
    expect(bench.take()).toEqual([{ type: "routeChanged", destination: TO, route: VIA_CORE }]);
    expect(bench.watch.interfaceTo(TO)).toBe("core");
    bench.routes.delete(TO);
    await bench.clock.pass(3000);
    expect(bench.take()).toEqual([{ type: "routeChanged", destination: TO, route: { kind: "none" } }]);
    expect(bench.watch.interfaceTo(TO)).toBeUndefined();
    bench.watch.forget(TO);
    bench.routes.set(TO, VIA_CORE);
    await bench.clock.pass(3000);
    expect(bench.take()).toEqual([]);
    await bench.watch.close();
  });

  it("stay as they were while they cannot be read, and an interface that cannot be attached is tried again", async () => {
    const bench = new Bench();
    bench.refusing = true;
    await bench.start();
    expect(bench.take()).toEqual([]);
    bench.refusing = false;
    await bench.clock.pass(1000);
    expect(bench.take()).toEqual([UP]);
    bench.failing = true;
    await bench.clock.pass(3000);
    expect(bench.take()).toEqual([]);
    expect(bench.watch.attached.has("core")).toBe(true);
    await bench.watch.close();
  });
});
