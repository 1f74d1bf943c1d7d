import { describe, expect, it } from "vitest";
import { SystemError } from "../../../../src/model/errors.js";
import { SILENT_LOGGER } from "../../../../src/model/log.js";
import { kilobitsPerSecond, millis, octets } from "../../../../src/model/units.js";
import type { LocalInterface, NetworkChange, NetworkView } from "../../../../src/pep/router/rsvp/network-view.js";
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
  /** What was asked of the view. */
  readonly looks: string[] = [];
  listening = true;
  changed: (change: NetworkChange) => void = () => undefined;
  readonly watch: NetworkWatch;

  /** @param followed - whether the network says that it has changed */
  constructor({ followed = false, interval = 1000, slow = 0 } = {}) {
    const view: NetworkView = {
      interfaces: () => {
        this.looks.push("interfaces");
        this.clock.time += slow;
        return this.failing
          ? Promise.reject(new SystemError("RSVP_NETWORK", "no ip"))
          : Promise.resolve(this.interfaces);
      },
      routes: (destinations) => {
        this.looks.push(`routes to ${destinations}`);
        return Promise.resolve(this.routes);
      },
    };
    const follow: NetworkView["follow"] = (changed) => {
      this.changed = changed;
      const isListening = () => this.listening;
      return {
        get isListening() {
          return isListening();
        },
        close: () => Promise.resolve(void this.attached.push("not followed")),
      };
    };
    this.watch = new NetworkWatch({
      view: followed ? { ...view, follow } : view,
      names: new Set(["core"]),
      interval: millis(interval),
      clock: this.clock,
      log: SILENT_LOGGER,
      tell: (event) => this.events.push(event),
    });
  }

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

describe("a network that says when it has changed", () => {
  const SLOW_NET = 30_000;
  const TO_B: NetworkChange = { what: "routes", to: { address: "10.3.0.0", length: 24 } };
  const TO_C: NetworkChange = { what: "routes", to: { address: "10.5.0.0", length: 24 } };
  const DEFAULT: NetworkChange = { what: "routes", to: { address: "0.0.0.0", length: 0 } };
  const DEFAULT6: NetworkChange = { what: "routes", to: { address: "::", length: 0 } };

  async function started(options: { slow?: number } = {}): Promise<Bench> {
    const bench = new Bench({ followed: true, interval: SLOW_NET, ...options });
    await bench.start();
    bench.watch.resolve(TO);
    await bench.clock.pass(100);
    bench.take();
    bench.looks.length = 0;
    return bench;
  }

  it("is looked at once for all changes within 20 ms, and only where they are", async () => {
    const bench = await started();
    bench.routes.delete(TO);
    for (let count = 0; count < 100; count += 1) bench.changed(TO_B);
    await bench.clock.pass(20);
    expect(bench.take()).toEqual([{ type: "routeChanged", destination: TO, route: { kind: "none" } }]);
    expect(bench.looks.splice(0)).toEqual([`routes to ${TO}`]);
    bench.changed(TO_C);
    bench.changed(DEFAULT6);
    await bench.clock.pass(1000);
    expect(bench.looks).toEqual([]);
    bench.changed(DEFAULT);
    await bench.clock.pass(20);
    expect(bench.looks.splice(0)).toEqual([`routes to ${TO}`]);
    bench.changed(TO_B);
    bench.changed({ what: "everything" });
    await bench.clock.pass(100);
    expect(bench.looks.splice(0)).toEqual(["interfaces", `routes to ${TO}`]);
    await bench.watch.close();
    expect(bench.attached.at(-1)).toBe("not followed");
    expect(bench.clock.pending).toBe(0);
  });

  it("that never stops to change is looked at every 50 ms at most, and rarely where a look takes long", async () => {
    const storm = async (bench: Bench): Promise<number> => {
      for (let at = 0; at < 200; at += 1) {
        bench.changed({ what: "everything" });
        await bench.clock.pass(5);
      }
      await bench.watch.close();
      return bench.looks.filter((look) => look === "interfaces").length;
    };
    const quick = await storm(await started());
    expect(quick).toBeGreaterThan(15);
    expect(quick).toBeLessThanOrEqual(20);
    // A fifth of the time is spent on looks of 100 ms.
    expect(await storm(await started({ slow: 100 }))).toBeLessThanOrEqual(3);
  });

  it("is looked at from time to time all the same; more often while changes may be missed or a look failed", async () => {
    const bench = await started();
    const looksWithin = async (ms: number): Promise<number> => {
      bench.looks.length = 0;
      await bench.clock.pass(ms);
      return bench.looks.filter((look) => look === "interfaces").length;
    };
    expect(await looksWithin(SLOW_NET)).toBe(1);
    bench.listening = false;
    bench.changed({ what: "everything" });
    expect(await looksWithin(6100)).toBe(4);
    bench.listening = true;
    bench.changed({ what: "everything" });
    expect(await looksWithin(6100)).toBe(1);
    bench.failing = true;
    bench.changed({ what: "everything" });
    expect(await looksWithin(6100)).toBe(4);
    bench.failing = false;
    expect(await looksWithin(SLOW_NET)).toBe(1);
    expect(bench.take()).toEqual([]);
    await bench.watch.close();
  });

  it("whose interface has another speed is told nothing of it", async () => {
    const bench = await started();
    bench.interfaces = [{ ...CORE, speed: kilobitsPerSecond(10_000) }, ACCESS];
    bench.changed({ what: "everything" });
    await bench.clock.pass(100);
    expect(bench.take()).toEqual([]);
    expect(bench.attached).toEqual(["attach core"]);
    await bench.watch.close();
  });
});
