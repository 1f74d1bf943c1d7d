import { describe, expect, it } from "vitest";
import { namesOf } from "../../../src/kernel/iptables/names.js";
import {
  addPoolLine,
  listingLine,
  readState,
  setHeaders,
  signallingKeys,
  stateLines,
} from "../../../src/kernel/iptables/set-layout.js";
import { parseSaved, sameHeader } from "../../../src/kernel/iptables/set-text.js";
import { structureId } from "../../../src/kernel/structure-id.js";
import { octets } from "../../../src/model/units.js";
import { desired, link, pool } from "../fixtures.js";

const names = namesOf("sluice");
const NOTHING = readState([]);

const elementsOf = (lines: readonly string[]) =>
  parseSaved([`create ${names.state} hash:ip`, ...lines].join("\n")).get(names.state)!.elements;

describe("the state set", () => {
  const links = [link("wan0"), { ...link("dsl0", 2000), mpu: octets(64), linkLayer: "atm" as const }];
  const state = desired([], { interfaces: links });
  const pools = [pool(1), pool(0x7fff, 500, 'access "down" 100%')];
  const lines = [
    ...stateLines(names, state, NOTHING),
    listingLine(names, "abc"),
    ...pools.map((entry) => addPoolLine(names, entry)),
  ];

  it("keeps what the structure was made for, and the pools", () => {
    const found = readState(elementsOf(lines));
    expect(found).toMatchObject({ ours: true, structureId: structureId(state), listing: "abc", strays: [] });
    expect(found.interfaces).toEqual(links);
    expect(found.pools).toEqual(pools);
  });

  it("forgets interfaces that are no longer managed, and tells what it never held", () => {
    const found = readState(
      elementsOf([...lines, `add ${names.state} 10.0.0.1`, `add ${names.state} 0.1.0.2 comment "x"`]),
    );
    expect(found.strays).toEqual(["10.0.0.1", "0.1.0.2"]);
    const next = stateLines(names, desired([], { interfaces: links.slice(0, 1) }), found);
    expect(next.filter((line) => line.startsWith("del"))).toEqual([`del ${names.state} 0.0.1.1`]);
  });

  it("is nobody's without the mark of the layout", () => {
    expect(readState(elementsOf(lines.slice(1))).ours).toBe(false);
    expect(NOTHING).toMatchObject({ ours: false, structureId: undefined, listing: undefined });
  });
});

describe("sets", () => {
  it("are compared by what they are, not by how large they have grown", () => {
    const wanted = setHeaders(names, 4096).get(names.flowSet("in", 4))!;
    const found =
      "hash:ip,port,ip family inet hashsize 2048 maxelem 4096 counters comment skbinfo bucketsize 12 initval 0x7a36bad1";
    expect(sameHeader(found, wanted)).toBe(true);
    expect(sameHeader(found.replace(" comment", ""), wanted)).toBe(false);
    expect(sameHeader(found.replace("4096", "8192"), wanted)).toBe(false);
  });

  it("hold every server of a family once", () => {
    const twice = desired([], {
      signalling: [
        { protocol: "udp", port: 5060, servers: ["192.0.2.1", "192.0.2.1", "2001:db8::1"] },
        { protocol: "tcp", port: 5060, servers: ["192.0.2.1"] },
      ],
    });
    expect(signallingKeys(twice, 4)).toEqual(["192.0.2.1,udp:5060", "192.0.2.1,tcp:5060"]);
    expect(signallingKeys(twice, 6)).toEqual(["2001:db8::1,udp:5060"]);
  });
});
