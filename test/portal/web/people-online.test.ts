import { describe, expect, it } from "vitest";
import type { PresenceEntry } from "../../../src/portal/api/shapes.js";
import { formatMillis, formatOctets, formatRate, formatShare, formatSpan } from "../../../src/portal/web/dom/format.js";
import { othersIn, type People, withPresence } from "../../../src/portal/web/people-online.js";
import { countersOf, figuresOf } from "../../../src/portal/web/view/call-stats.js";

const entry = (nick: string, state: PresenceEntry["state"]) =>
  ({ nick, aor: `${nick}@a.example`, state, since: 1 }) as unknown as PresenceEntry;
const names = (people: People): readonly string[] => [...people.values()].map(({ nick, state }) => `${nick} ${state}`);

describe("who is on-line", () => {
  it("is what the first event says, and what changed since", () => {
    let people = withPresence(new Map(), [entry("al", "online"), entry("bo", "busy")], true);
    people = withPresence(people, [entry("bo", "offline"), entry("cy", "away"), entry("al", "busy")], false);
    expect(names(people)).toEqual(["al busy", "cy away"]);
    expect(names(withPresence(people, [entry("di", "online")], true))).toEqual(["di online"]);
  });
});

describe("the others", () => {
  const stranger = { ...entry("al", "online"), aor: "al@b.example" };
  const people = withPresence(new Map(), [entry("cy", "away"), entry("al", "online"), stranger], true);
  const aors = (wanted: string) => othersIn(people, "al@a.example", wanted).map(({ aor }) => aor);

  it("are told from the user by address: another may have the same name", () => {
    expect(aors("")).toEqual(["al@b.example", "cy@a.example"]);
  });

  it("are found by a part of their name", () => {
    expect(aors(" C")).toEqual(["cy@a.example"]);
  });
});

describe("figures of a call", () => {
  const reports = (octets: number, lost: number) => [
    { type: "inbound-rtp", bytesReceived: octets, packetsReceived: octets / 100, packetsLost: lost, jitter: 0.004 },
    { type: "outbound-rtp", bytesSent: 2 * octets },
    { type: "candidate-pair", nominated: true, currentRoundTripTime: 0.03 },
    { type: "candidate-pair", nominated: false, currentRoundTripTime: 9 },
  ];

  it("are rates and loss since they were read before", () => {
    const before = countersOf(reports(1000, 0), 0);
    const now = countersOf(reports(11_000, 25), 1000);
    expect(figuresOf(reports(11_000, 25), now, before)).toEqual({
      roundTrip: 30,
      jitter: 4,
      loss: 0.2,
      rateIn: 80_000,
      rateOut: 160_000,
    });
    expect(figuresOf(reports(1000, 0), before, undefined)).toEqual({ roundTrip: 30, jitter: 4 });
    expect(figuresOf([{ type: "inbound-rtp" }], now, now)).toEqual({ jitter: 0 });
  });
});

describe("numbers for people", () => {
  it("have the unit that fits", () => {
    expect([0, 950, 1000, 160_000, 1_500_000, 12e9].map(formatRate)).toEqual([
      "0 bit/s",
      "950 bit/s",
      "1 kbit/s",
      "160 kbit/s",
      "1.5 Mbit/s",
      "12 Gbit/s",
    ]);
    expect(formatOctets(2_500_000)).toBe("2.5 MB");
    expect([undefined, 0.44, 12.6].map(formatMillis)).toEqual(["–", "0.4 ms", "13 ms"]);
    expect([undefined, 0, 0.0012, 0.25, 1].map(formatShare)).toEqual(["–", "0 %", "0.12 %", "25 %", "100 %"]);
    expect([5, 125, 7260].map(formatSpan)).toEqual(["5 s", "2 min 5 s", "2 h 1 min"]);
  });
});
