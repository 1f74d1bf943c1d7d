import { describe, expect, it } from "vitest";
import { portalCounters, proxyCounters } from "../../src/daemon/counters.js";
import { stampView, stampWarnings } from "../../src/daemon/router-stamp.js";
import { SYSTEM_CLOCK } from "../../src/model/clock.js";
import { SILENT_LOGGER } from "../../src/model/log.js";
import { ProxyCore } from "../../src/sip/proxy/core.js";
import { OPEN_POLICY } from "../../src/sip/proxy/policy.js";
import { Transports } from "../../src/sip/transport/transports.js";
import { StampCounters } from "../../src/stamp/endpoint/counters.js";
import type { StampEndpoint } from "../../src/stamp/endpoint/stamp-endpoint.js";

describe("counters", () => {
  it("of a proxy are those of its parts", async () => {
    const shared = { clock: SYSTEM_CLOCK, logger: SILENT_LOGGER };
    const transport = await Transports.open({ ...shared, addresses: [{ address: "127.0.0.1", port: 0 }] });
    const table = { domains: [], users: new Map(), routes: new Map() };
    const core = new ProxyCore({ ...shared, transport, policy: OPEN_POLICY, table });
    try {
      core.counters.received = 7;
      transport.counters.tooFast = 3;
      const shown = new Map(
        proxyCounters({ core, transport, users: undefined }).map((each) => [each.counter, each] as const),
      );
      expect(shown.get("sip.received")).toEqual({ counter: "sip.received", kind: "counter", value: 7 });
      expect(shown.get("connections.tooFast")).toMatchObject({ kind: "counter", value: 3 });
      expect(shown.get("connections.open")).toMatchObject({ kind: "gauge", value: 0 });
      expect(shown.get("sip.dialogs")).toMatchObject({ kind: "gauge", value: 0 });
      expect([...shown.keys()].some((name) => /^(auth|registrar|users)\./.test(name))).toBe(false);
    } finally {
      core.close();
      await transport.close();
    }
  });

  it("of a portal are gauges first, then what was counted, by name", () => {
    const view = { users: 1, logins: 2, pages: 3, connections: 4, counters: { "refused.B": 6, "login.ok": 5 } };
    expect(portalCounters(view).map(({ counter, kind, value }) => `${counter} ${kind} ${value}`)).toEqual([
      "portal.users gauge 1",
      "portal.logins gauge 2",
      "portal.pages gauge 3",
      "portal.connections gauge 4",
      "portal.login.ok counter 5",
      "portal.refused.B counter 6",
    ]);
  });

  it("of measurements, and what is warned of", () => {
    const counters = new StampCounters();
    for (const each of ["sent", "sent", "reply.first", "reflected", "dropped.rate", "dropped.full"] as const) {
      counters.add(each);
    }
    const method = { times: "kernel", classes: false, lacking: "no right" } as const;
    const endpoint = { method, synchronised: true, reflected: 4, counters } as unknown as StampEndpoint;
    expect(stampView(endpoint)).toMatchObject({
      ...method,
      synchronised: true,
      reflecting: 4,
      sent: 2,
      answered: 1,
      reflected: 1,
      refused: 2,
    });
    expect(stampWarnings(endpoint)).toEqual(["paths are not measured as sessions find them: no right"]);
    expect(stampWarnings({ method: { times: "kernel", classes: true } })).toEqual([]);
  });
});
