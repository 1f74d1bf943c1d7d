import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { DnsLocator, type HopTransport, inTurn } from "../../../src/sip/location/dns-locator.js";
import type { DnsLookups, NaptrRecord, SrvRecord } from "../../../src/sip/location/dns-records.js";
import { dnsResolver } from "../../../src/sip/proxy/dns-resolver.js";
import { FakeClock } from "../../support/fake-clock.js";

interface Zone {
  naptr?: Record<string, NaptrRecord[]>;
  srv?: Record<string, SrvRecord[]>;
  four?: Record<string, string[]>;
  six?: Record<string, string[]>;
}

function locator(zone: Zone, transports: readonly HopTransport[] = ["udp", "tcp"]) {
  const asked: string[] = [];
  const answer = <T>(kind: string, name: string, records: Record<string, T[]> = {}): Promise<T[]> => {
    asked.push(`${kind} ${name}`);
    return name.startsWith("broken") ? Promise.reject(new Error("SERVFAIL")) : Promise.resolve(records[name] ?? []);
  };
  const lookups: DnsLookups = {
    naptr: (name) => answer("NAPTR", name, zone.naptr),
    srv: (name) => answer("SRV", name, zone.srv),
    addresses: (name, family) => answer(family === 4 ? "A" : "AAAA", name, family === 4 ? zone.four : zone.six),
  };
  const clock = new FakeClock();
  return { asked, clock, it: new DnsLocator({ lookups, clock, transports, random: () => 0 }) };
}

const srv = (name: string, priority = 0, weight = 0, port = 5060): SrvRecord => ({ name, priority, weight, port });
const naptr = (service: string, replacement: string, order = 10, preference = 10): NaptrRecord => {
  return { flags: "s", service, replacement, order, preference };
};
const hop = (host: string, port?: number, transport?: string) => ({ host, port, transport });

describe("locating a server (RFC 3263 §4)", () => {
  it("takes an address as it is", async () => {
    const { it: dns, asked } = locator({});
    expect(await dns.locate(hop("192.0.2.9"))).toEqual([{ transport: "udp", address: "192.0.2.9", port: 5060 }]);
    expect(await dns.locate(hop("2001:db8::1", 5070, "tcp"))).toEqual([
      { transport: "tcp", address: "2001:db8::1", port: 5070 },
    ]);
    expect(asked).toEqual([]);
  });

  it("looks up addresses only where there is a port", async () => {
    const { it: dns, asked } = locator({ four: { "p.example": ["192.0.2.1"] }, six: { "p.example": ["2001:db8::1"] } });
    expect(await dns.locate(hop("p.example", 5070))).toEqual([
      { transport: "udp", address: "192.0.2.1", port: 5070 },
      { transport: "udp", address: "2001:db8::1", port: 5070 },
    ]);
    expect(asked).toEqual(["A p.example", "AAAA p.example"]);
  });

  it("goes from NAPTR to SRV to addresses, past services that it has not", async () => {
    const { it: dns, asked } = locator({
      naptr: {
        "b.example": [
          naptr("SIP+D2U", "_sip._udp.b.example", 30),
          naptr("SIPS+D2T", "_sips._tcp.b.example", 10),
          naptr("SIP+D2T", "_sip._tcp.b.example", 20),
          { ...naptr("SIP+D2T", "wrong", 5), flags: "u" },
        ],
      },
      srv: { "_sip._tcp.b.example": [srv("s2.b.example", 20), srv("s1.b.example", 10, 0, 5080)] },
      four: { "s1.b.example": ["192.0.2.1"], "s2.b.example": ["192.0.2.2"] },
    });
    expect(await dns.locate(hop("b.example"))).toEqual([
      { transport: "tcp", address: "192.0.2.1", port: 5080 },
      { transport: "tcp", address: "192.0.2.2", port: 5060 },
    ]);
    expect(asked.slice(0, 2)).toEqual(["NAPTR b.example", "SRV _sip._tcp.b.example"]);
  });

  it("asks for SRV of each transport without NAPTR, and for the name itself at last", async () => {
    const { it: dns, asked } = locator({ four: { "b.example": ["192.0.2.1"] } });
    expect(await dns.locate(hop("b.example"))).toEqual([{ transport: "udp", address: "192.0.2.1", port: 5060 }]);
    expect(asked.slice(0, 3)).toEqual(["NAPTR b.example", "SRV _sip._udp.b.example", "SRV _sip._tcp.b.example"]);
  });

  it("asks for SRV at once where the URI names a transport, and for nothing that it has not", async () => {
    const { it: dns, asked } = locator({
      srv: { "_sip._tcp.b.example": [srv("s.b.example")] },
      four: { "s.b.example": ["192.0.2.1"] },
    });
    expect(await dns.locate(hop("b.example", undefined, "TCP"))).toHaveLength(1);
    expect(asked[0]).toBe("SRV _sip._tcp.b.example");
    expect(await dns.locate(hop("b.example", undefined, "sctp"))).toEqual([]);
  });

  it("takes a root name for no (RFC 2782), and a failing DNS for nobody", async () => {
    const { it: dns } = locator({ srv: { "_sip._udp.b.example": [srv(".")] } });
    expect(await dns.locate(hop("b.example"))).toEqual([]);
    expect(await dns.locate(hop("broken.example"))).toEqual([]);
  });

  it("keeps answers for a minute, and what is nothing for less", async () => {
    const { it: dns, asked, clock } = locator({ four: { "p.example": ["192.0.2.1"] } });
    await dns.locate(hop("p.example", 5070));
    await dns.locate(hop("nobody.example", 5070));
    const first = asked.length;
    clock.time += 19_000;
    await dns.locate(hop("p.example", 5070));
    await dns.locate(hop("nobody.example", 5070));
    expect(asked.length).toBe(first);
    clock.time += 2_000;
    await dns.locate(hop("p.example", 5070));
    await dns.locate(hop("nobody.example", 5070));
    expect(asked.length).toBe(first + 2);
  });

  it("gives the proxy the first server that it can reach from where it listens", async () => {
    const { it: dns } = locator({ four: { "p.example": ["192.0.2.1"] }, six: { "p.example": ["2001:db8::1"] } });
    const resolve = (address: string) =>
      dnsResolver(dns, { locals: [{ address, port: 5060, transport: "udp" }] })({ host: "p.example", port: 5070 });
    expect(await resolve("2001:db8::9")).toMatchObject({ address: "2001:db8::1", port: 5070 });
    expect(await resolve("192.0.2.9")).toMatchObject({ address: "192.0.2.1" });
  });
});

describe("the order of SRV records (RFC 2782)", () => {
  it("is by priority, each record once, whatever the weights and the chance", () => {
    const record = fc.record({ priority: fc.nat(3), weight: fc.nat(10), port: fc.nat(9), name: fc.string() });
    fc.assert(
      fc.property(
        fc.array(record, { maxLength: 12 }),
        fc.double({ min: 0, max: 0.999, noNaN: true }),
        (records, chance) => {
          const turn = inTurn(records, () => chance);
          expect(turn).toHaveLength(records.length);
          expect(new Set(turn).size).toBe(records.length);
          const priorities = turn.map(({ priority }) => priority);
          expect(priorities).toEqual(priorities.toSorted((one, other) => one - other));
        },
      ),
    );
  });

  it("puts heavy records first as often as their weight says", () => {
    let seed = 7;
    const random = () => {
      seed = (seed * 48_271) % 2_147_483_647;
      return seed / 2_147_483_647;
    };
    const records = [srv("light", 0, 10), srv("heavy", 0, 90)];
    const first = Array.from({ length: 2000 }, () => inTurn(records, random)[0]?.name);
    const share = first.filter((name) => name === "heavy").length / 2000;
    expect(share).toBeGreaterThan(0.86);
    expect(share).toBeLessThan(0.94);
  });
});
