/** A way that changes is noticed at once: rtnetlink says that something has changed, and `ip` what. */
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { followedNetwork } from "../../../src/daemon/ip-network.js";
import { SYSTEM_CLOCK } from "../../../src/model/clock.js";
import { SILENT_LOGGER } from "../../../src/model/log.js";
import { millis } from "../../../src/model/units.js";
import { NetworkWatch } from "../../../src/pep/router/rsvp/network-watch.js";
import type { NodeEvent } from "../../../src/rsvp/machine/events.js";
import { until } from "../../lab/support/until.js";
import { inOwnNamespace, run } from "./namespace.js";

const SOON_MS = 200;
/** On a machine that is busy with something else, now and then. */
const LATEST_MS = 2000;
/** Longer than any look would wait for the rest after the one before. */
const REST_MS = 600;
const TO = { v4: "10.3.0.1", v6: "fd03::1" };

const ip = (line: string): Promise<string> => run("ip", ...line.split(" "));
const pause = (ms: number): Promise<void> => new Promise((resolve) => setTimeout(resolve, ms));

inOwnNamespace(import.meta.url, () => {
  const heard: { readonly at: number; readonly event: NodeEvent }[] = [];
  let watch: NetworkWatch;

  beforeAll(async () => {
    for (const name of ["core", "backup"]) {
      const number = name === "core" ? 1 : 2;
      await ip(`link add ${name} type veth peer name ${name}-far`);
      await ip(`link set ${name}-far up`);
      await ip(`link set ${name} up`);
      await ip(`addr add 10.2.${number}.1/30 dev ${name}`);
      await ip(`addr add fd02:0:0:${number}::1/64 dev ${name} nodad`);
    }
    await ip("route add 10.3.0.0/24 via 10.2.1.2");
    await ip("route add 10.3.0.0/24 via 10.2.1.2 table 77");
    await ip("-6 route add fd03::/64 via fd02:0:0:1::2");
    watch = new NetworkWatch({
      view: followedNetwork({ clock: SYSTEM_CLOCK, log: SILENT_LOGGER }),
      names: new Set(["core", "backup"]),
      // Whatever is heard here was told, and not found by chance.
      interval: millis(600_000),
      clock: SYSTEM_CLOCK,
      log: SILENT_LOGGER,
      tell: (event) => heard.push({ at: performance.now(), event }),
    });
    await watch.start({ attach: () => Promise.resolve(), detach: () => Promise.resolve() });
    for (const destination of Object.values(TO)) watch.resolve(destination);
    await until("ways to both", () => watch.interfaceTo(TO.v4) === "core" && watch.interfaceTo(TO.v6) === "core");
  });
  afterAll(() => watch.close());

  /** Milliseconds from the end of the command, when the kernel has done it, to the event. */
  async function noticed(command: string, event: Partial<NodeEvent>): Promise<number> {
    await pause(REST_MS);
    heard.length = 0;
    await ip(command);
    const done = performance.now();
    await expect
      .poll(() => heard.map((each) => each.event), { timeout: 5000, interval: 5 })
      .toContainEqual(expect.objectContaining(event));
    const { at = Number.POSITIVE_INFINITY } = heard[0] ?? {};
    return at - done;
  }

  describe("the network that is followed", () => {
    const times: number[] = [];
    const changed = (destination: string, name: string) =>
      ({ type: "routeChanged", destination, route: { kind: "interface", name } }) as const;

    it.each([
      ["an IPv4 route that is another", "route replace 10.3.0.0/24 via 10.2.2.2", changed(TO.v4, "backup")],
      ["a longer IPv4 prefix", "route add 10.3.0.1/32 via 10.2.1.2", changed(TO.v4, "core")],
      ["its end", "route del 10.3.0.1/32", changed(TO.v4, "backup")],
      ["an IPv6 route that is another", "-6 route change fd03::/64 via fd02:0:0:2::2", changed(TO.v6, "backup")],
      ["a routing rule", "rule add to 10.3.0.0/24 lookup 77", changed(TO.v4, "core")],
      ["the end of the rule", "rule del to 10.3.0.0/24 lookup 77", changed(TO.v4, "backup")],
      [
        "another address",
        "addr add 10.2.9.1/24 dev core",
        { type: "interface", interface: expect.objectContaining({ addresses: expect.arrayContaining(["10.2.9.1"]) }) },
      ],
      ["a far end that goes down", "link set core-far down", { type: "interfaceLost", name: "core" }],
      ["a link that goes", "link del backup", { type: "interfaceLost", name: "backup" }],
    ] as const)("tells of %s", async (_, command, event) => {
      const took = await noticed(command, event);
      times.push(took);
      expect(took).toBeLessThan(LATEST_MS);
    });

    it("tells it within 200 ms, in the median", () => {
      expect(times).toHaveLength(9);
      expect([...times].sort((one, other) => one - other)[4]).toBeLessThan(SOON_MS);
    });

    it("does not mind routes to anywhere else", async () => {
      await pause(REST_MS);
      heard.length = 0;
      for (let count = 0; count < 50; count += 1) await ip(`route add 10.9.${count}.0/24 via 10.2.9.2 onlink dev lo`);
      await pause(REST_MS);
      expect(heard).toEqual([]);
    });
  });
});
